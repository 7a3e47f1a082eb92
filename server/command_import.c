/* server/command_import.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   the trees, by name ─► pieces of files ─► an intake each, side by side ─► in order: how far it came
 *
 * Files enter by the same door as those of a POST: described, hashed, made durable, then findable. How far it
 * came is the path below which, in the order of the walk, all are stored: kept in <data>/import.state, so
 * that a stopped import goes on from there. A file that is stored already costs its reading only.
 */
#include "server/command_import.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/number.h"
#include "bridge/start.h"
#include "server/command.h"
#include "server/crew.h"
#include "server/house.h"

enum { PIECE_FILES = 256, STATE_MOST = 1 << 20, KEPT_EVERY_MS = 2000, MAGIC_AT = 128 };

struct piece {
    size_t root; /* index */
    size_t count;
    char *paths[PIECE_FILES];
    bool is_failed; /* not all of it could be looked at */
};

struct command {
    struct progress progress;
    const struct settings *settings;
    struct house house;
    struct intake_options options;
    enum store_taking how;
    char **roots; /* absolute */
    size_t root_count, root_at;
    FTS *walk;
    struct stat data_folder;
    char *after; /* an earlier import came so far; NULL once the walk is there */
    size_t after_root;
    char *kept; /* the path up to which all is done */
    size_t kept_root;
    uint64_t kept_at_ms;
    char state_path[PATH_MAX];
    uint64_t walked, stored, known, refused, others, bytes; /* files */
    struct error failure;                                   /* ends it */
    pthread_mutex_t lock;                                   /* of `failure` and of what is printed */
};

/* ── how far it came ── */

/* NUL-ended texts: how, the roots, an empty one, the root's number, the path. */
static void keep_state(struct command *command)
{
    SCOPED(buffer) struct buffer text = { 0 };
    struct error err = { 0 };

    command->kept_at_ms = clock_monotonic_ms();
    if (!command->kept)
        return;
    buffer_init(&text, STATE_MOST);
    buffer_printf(&text, "%s%c", command->settings->import_by, 0);
    for (size_t i = 0; i < command->root_count; i++)
        buffer_printf(&text, "%s%c", command->roots[i], 0);
    buffer_printf(&text, "%c%zu%c%s%c", 0, command->kept_root, 0, command->kept, 0);
    if (buffer_check(&text, "the state", &err) &&
        file_replace(command->state_path, buffer_bytes(&text), 0600, &err))
        return;
    progress_clear(&command->progress);
    fprintf(stderr, "gantry import: how far it came cannot be kept: %s\n", err.detail);
}

/* Is it of the same import: the same roots, taken in the same way? */
static bool read_state(struct command *command)
{
    struct error none = { 0 };
    char *text = NULL;
    size_t size;
    uint64_t root = 0;

    if (!file_read_all(command->state_path, STATE_MOST, &text, &size, &none))
        return false;
    struct bytes rest = bytes_of(text, size);
    bool same = bytes_equal_text(bytes_cut(&rest, '\0'), command->settings->import_by);
    for (size_t i = 0; i < command->root_count && same; i++)
        same = bytes_equal_text(bytes_cut(&rest, '\0'), command->roots[i]);
    same = same && bytes_cut(&rest, '\0').size == 0 &&
           number_parse(bytes_cut(&rest, '\0'), 0, command->root_count - 1, &root);
    const struct bytes path = bytes_cut(&rest, '\0');
    if (same && path.size) {
        command->after = strndup((const char *)path.data, path.size);
        command->after_root = (size_t)root;
    }
    free(text);
    return command->after != NULL;
}

/* In the order of the walk: a slash goes before everything else. */
static int compare_paths(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    const int x = *a == '/' ? 1 : (unsigned char)*a ? (unsigned char)*a + 1 : 0;
    const int y = *b == '/' ? 1 : (unsigned char)*b ? (unsigned char)*b + 1 : 0;
    return x - y;
}

static bool is_above(const char *folder, const char *path)
{
    const size_t size = strlen(folder);

    return strncmp(folder, path, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* ── the walk ── */

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool open_walk(struct command *command)
{
    char *const roots[] = { command->roots[command->root_at], NULL };

    command->walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    return command->walk || error_errno(&command->failure, errno, "walking %s", roots[0]);
}

/* Done by an earlier import? */
static bool is_done_before(struct command *command, const FTSENT *entry, bool *ret_skip_folder)
{
    *ret_skip_folder = false;
    if (!command->after)
        return false;
    if (command->root_at > command->after_root) {
        free(TAKE(command->after));
        return false;
    }
    const bool before =
        command->root_at < command->after_root || compare_paths(entry->fts_path, command->after) <= 0;
    if (!before)
        free(TAKE(command->after));
    else
        *ret_skip_folder =
            command->root_at < command->after_root || !is_above(entry->fts_path, command->after);
    return before;
}

static void count_one(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Absolute path of the next file, the caller's; NULL: no more. */
static char *next_file(struct command *command)
{
    bool skip_folder;

    for (;;) {
        if (!command->walk && (command->root_at == command->root_count || !open_walk(command)))
            return NULL;
        FTSENT *entry = fts_read(command->walk);
        if (!entry) {
            fts_close(TAKE(command->walk));
            command->root_at++;
            continue;
        }
        const bool done = is_done_before(command, entry, &skip_folder);
        if (entry->fts_info == FTS_D &&
            (skip_folder || (entry->fts_statp->st_dev == command->data_folder.st_dev &&
                             entry->fts_statp->st_ino == command->data_folder.st_ino)))
            fts_set(command->walk, entry, FTS_SKIP); /* our own data are no source */
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS) {
            progress_clear(&command->progress);
            printf("cannot be read: %s: %s\n", entry->fts_path, strerror(entry->fts_errno));
            count_one(&command->refused);
        }
        if (entry->fts_info == FTS_F && !done) {
            count_one(&command->walked);
            return strdup(entry->fts_path);
        }
    }
}

static bool has_failed(struct command *command)
{
    pthread_mutex_lock(&command->lock);
    const bool failed = command->failure.fault != FAULT_NONE;
    pthread_mutex_unlock(&command->lock);
    return failed;
}

static void *next_piece(void *context)
{
    struct command *command = context;
    struct piece *piece = calloc(1, sizeof *piece);
    char *path;

    if (!piece)
        abort();
    while (piece->count < PIECE_FILES && !command_is_stopped() && !has_failed(command) &&
           (piece->count == 0 || piece->root == command->root_at) && (path = next_file(command))) {
        piece->root = command->root_at;
        piece->paths[piece->count++] = path;
    }
    if (piece->count == 0)
        free(TAKE(piece));
    return piece;
}

/* ── storing ── */

/* Has it the mark of a DICOM file, or, without one, a beginning as old ones have it (group 0008 or 0002)? So
 * that a film beside the images is not copied first. */
static bool may_be_dicom(const char *path, bool *ret_marked, uint64_t *ret_size)
{
    SCOPED(file) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    uint8_t head[MAGIC_AT + 4] = { 0 };
    struct stat about;

    *ret_marked = false;
    *ret_size = 0;
    if (fd < 0 || fstat(fd, &about) != 0)
        return true; /* let the intake say why not */
    const ssize_t got = pread(fd, head, sizeof head, 0);
    *ret_size = (uint64_t)about.st_size;
    *ret_marked = got == sizeof head && memcmp(head + MAGIC_AT, "DICM", 4) == 0;
    return *ret_marked || (got >= 8 && head[1] == 0 && (head[0] == 8 || head[0] == 2) && head[3] == 0) ||
           (got >= 8 && head[0] == 0 && (head[1] == 8 || head[1] == 2) && head[2] == 0);
}

static void tell_refused(struct command *command, const char *path, const struct error *why)
{
    pthread_mutex_lock(&command->lock);
    progress_clear(&command->progress);
    printf("refused: %s: %s\n", path, why->told[0] ? why->told : fault_info(why->fault)->sentence);
    fflush(stdout);
    pthread_mutex_unlock(&command->lock);
    count_one(&command->refused);
}

static void fail(struct command *command, struct piece *piece, const struct error *why)
{
    piece->is_failed = true;
    pthread_mutex_lock(&command->lock);
    if (command->failure.fault == FAULT_NONE)
        command->failure = *why;
    pthread_mutex_unlock(&command->lock);
}

/* The disk's failures end the import; what is wrong with a file is its own. */
static void note_outcome(struct command *command, struct piece *piece, size_t i, bool marked,
                         const struct intake_outcome *outcome)
{
    const struct error *why = &outcome->error;

    if (why->fault == FAULT_NONE)
        count_one(outcome->known ? &command->known : &command->stored);
    else if (why->fault == FAULT_DISK_FULL || why->fault == FAULT_BUSY || why->fault == FAULT_INTERNAL ||
             (why->fault == FAULT_DISK && !why->told[0]))
        fail(command, piece, why);
    else if ((why->fault == FAULT_NOT_DICOM && !marked) || why->fault == FAULT_NOT_STORABLE)
        count_one(&command->others);
    else
        tell_refused(command, piece->paths[i], why);
}

static void work_on_piece(void *context, void *worked_on)
{
    struct command *command = context;
    struct piece *piece = worked_on;
    struct intake *intake = NULL;
    const struct intake_outcome *outcome;
    struct arena scratch = { 0 };
    struct error err = { 0 };
    size_t taken[PIECE_FILES], count = 0;
    bool marked[PIECE_FILES];
    uint64_t size;

    bool going = intake_open(command->house.store, command->house.catalog, &command->options, &intake, &err);
    for (size_t i = 0; going && i < piece->count && !has_failed(command); i++) {
        if (!may_be_dicom(piece->paths[i], &marked[i], &size)) {
            count_one(&command->others);
            continue;
        }
        going = intake_take_file(intake, piece->paths[i], command->how, &err);
        if (going)
            taken[count++] = i;
        __atomic_fetch_add(&command->bytes, size, __ATOMIC_RELAXED);
    }
    going = going && intake_commit(intake, &err);
    struct outcome_reader *outcomes = going ? intake_outcomes(intake, &scratch) : NULL;
    for (size_t n = 0; going && n < count; n++) {
        going = outcome_reader_next(outcomes, MAY_WAIT, &outcome, &err);
        if (going)
            note_outcome(command, piece, taken[n], marked[taken[n]], outcome);
    }
    if (!going)
        fail(command, piece, &err);
    arena_release(&scratch);
    piece->is_failed = piece->is_failed || has_failed(command);
    intake_close(intake);
}

static void finish_piece(void *context, void *finished)
{
    struct command *command = context;
    struct piece *piece = finished;

    if (!piece->is_failed && !has_failed(command)) {
        free(command->kept);
        command->kept = TAKE(piece->paths[piece->count - 1]);
        command->kept_root = piece->root;
        if (clock_monotonic_ms() - command->kept_at_ms >= KEPT_EVERY_MS)
            keep_state(command);
    }
    for (size_t i = 0; i < piece->count; i++)
        free(piece->paths[i]);
    free(piece);
}

/* ── telling ── */

static uint64_t count_of(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void look(void *context)
{
    struct command *command = context;
    const double seconds = progress_seconds(&command->progress);
    const uint64_t stored = count_of(&command->stored), known = count_of(&command->known);
    const double bytes = (double)count_of(&command->bytes);
    char count[COMMAND_TEXT], walked[COMMAND_TEXT], size[COMMAND_TEXT], speed[COMMAND_TEXT];

    if (!progress_is_due(&command->progress))
        return;
    pthread_mutex_lock(&command->lock);
    progress_tell(&command->progress,
                  "%s stored, %" PRIu64 " known, %" PRIu64
                  " refused, %s files found, %s, %.0f instances/s, %s/s",
                  command_count(stored, count), known, count_of(&command->refused),
                  command_count(count_of(&command->walked), walked), command_bytes(bytes, size),
                  seconds > 0 ? (double)(stored + known) / seconds : 0,
                  command_bytes(seconds > 0 ? bytes / seconds : 0, speed));
    pthread_mutex_unlock(&command->lock);
}

static int conclude(struct command *command, bool ran, struct error *err)
{
    char stored[COMMAND_TEXT], known[COMMAND_TEXT], others[COMMAND_TEXT], bytes[COMMAND_TEXT],
        time[COMMAND_TEXT];

    progress_clear(&command->progress);
    const bool failed = !ran || command->failure.fault != FAULT_NONE;
    if (failed || command_is_stopped())
        keep_state(command);
    else
        unlink(command->state_path);
    printf("%s instances stored, %s were stored before, %" PRIu64 " refused, %s other files; %s in %s.\n",
           command_count(command->stored, stored), command_count(command->known, known), command->refused,
           command_count(command->others, others), command_bytes((double)command->bytes, bytes),
           command_time(progress_seconds(&command->progress), time));
    if (failed)
        return command_fail(&command->progress, ran ? &command->failure : err);
    if (command_is_stopped()) {
        puts("Stopped. The same command goes on from there.");
        return COMMAND_STOPPED;
    }
    return command->refused ? COMMAND_FOUND : COMMAND_WELL;
}

/* ── the command ── */

static bool find_roots(struct command *command, char *const *roots, size_t count, struct error *err)
{
    command->roots = calloc(count, sizeof *command->roots);
    if (!command->roots)
        return error_set(err, FAULT_BUSY, "no memory");
    for (size_t i = 0; i < count; i++) {
        command->roots[i] = realpath(roots[i], NULL);
        if (!command->roots[i])
            return error_errno(err, errno, "%s", roots[i]);
        command->root_count++;
    }
    return true;
}

static enum store_taking taking_of(const struct settings *settings)
{
    if (strcmp(settings->import_by, "link") == 0)
        return STORE_LINK;
    return strcmp(settings->import_by, "in-place") == 0 ? STORE_IN_PLACE : STORE_COPY;
}

static unsigned crew_size(const struct settings *settings)
{
    return (house_workers(settings) + 1) / 2;
}

static bool prepare(struct command *command, char *const *roots, size_t root_count, struct error *err)
{
    const struct settings *settings = command->settings;
    /* Each file of a batch is open until the batch is in: half of what may be open, over all threads. */
    const uint64_t files = house_raise_files() / 2 / crew_size(settings);

    command->how = taking_of(settings);
    command->options =
        (struct intake_options){ .instance_ceiling_bytes = settings->instance_ceiling,
                                 .batch_instances = files < PIECE_FILES ? (uint32_t)files : PIECE_FILES,
                                 .batch_bytes = settings->batch_bytes,
                                 .duplicates = house_duplicates(settings),
                                 .takes_foreign_meta = strcmp(settings->foreign_meta, "warn") == 0,
                                 .json = house_json_limits(settings) };
    if (!find_roots(command, roots, root_count, err) || !bridge_start(err) ||
        !house_path(settings, "import.state", command->state_path, sizeof command->state_path, err) ||
        !house_open(settings, "gantry import", HOUSE_CHANGES, &command->house, err))
        return false;
    if (stat(settings->data, &command->data_folder) != 0)
        return error_errno(err, errno, "%s", settings->data);
    if (read_state(command))
        fprintf(stderr, "gantry import: going on after %s\n", command->after);
    return true;
}

int command_import(const struct settings *settings, char *const *roots, size_t root_count)
{
    struct command command = { .settings = settings, .lock = PTHREAD_MUTEX_INITIALIZER };
    const struct crew crew = { &command, next_piece, work_on_piece, finish_piece, look };
    struct error err = { 0 };
    int status;

    command_watch_signals();
    progress_begin(&command.progress, "import");
    command.kept_at_ms = clock_monotonic_ms();
    if (prepare(&command, roots, root_count, &err))
        status = conclude(&command, crew_run(&crew, crew_size(settings), &err), &err);
    else
        status = command_fail(&command.progress, &err);
    if (command.walk)
        fts_close(command.walk);
    house_close(&command.house);
    for (size_t i = 0; i < command.root_count; i++)
        free(command.roots[i]);
    free(command.roots);
    free(command.after);
    free(command.kept);
    return status;
}
