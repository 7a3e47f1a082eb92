/* server/command_reindex.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   files, by ascending generation ─► described and hashed, side by side ─► rows, in order ─► reindex.sqlite
 *   all are in: the index of SOP Instance UIDs is made (storage/uid_map.h)
 *   catalog.sqlite ─► catalog.sqlite.before, reindex.sqlite ─► catalog.sqlite; the folder is synced
 *   files that got no row (not understood; an older one of the same instance) ─► aside/
 *
 * The old catalog stays whole until the new one is complete, so that it can be stopped at any time; the same
 * command goes on from there, unless the folder was used in between. What was deleted is forgotten: 404
 * instead of 410.
 */
#include "server/command_reindex.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "bridge/start.h"
#include "server/command.h"
#include "server/crew.h"
#include "server/house.h"
#include "storage/check.h"
#include "storage/recover.h"

enum { PIECE_FILES = 128, READ_BYTES = 1 << 20, PER_FOLDER = STORE_GENERATIONS_PER_FOLDER };

static const char *const endings[] = { "", "-wal", "-shm" };

struct numbers {
    uint64_t *list;
    size_t count, room;
};

struct file {
    uint64_t generation, size;
    struct description description;
    uint8_t digest[DIGEST_BYTES];
    int64_t stored_unix_ms;
    struct error error; /* NONE: described */
};

struct piece {
    struct arena arena; /* the values of the descriptions */
    size_t count;
    struct file files[PIECE_FILES];
};

struct command {
    struct progress progress;
    const struct settings *settings;
    struct json_limits json;
    struct data_lock *lock;
    struct store *store;
    struct catalog *fresh;
    uint64_t last_generation; /* of the old catalog */
    struct numbers folders, generations;
    size_t folder_at, generation_at;
    uint64_t from; /* below are done already */
    uint64_t done, bytes, refused, replaced, drafts_aside;
    struct error failure; /* of the catalog or a folder: ends it */
};

/* ── which files ── */

static bool note_number(void *context, uint64_t number)
{
    struct numbers *numbers = context;

    if (numbers->count == numbers->room) {
        numbers->room = numbers->room ? 2 * numbers->room : PER_FOLDER;
        numbers->list = reallocarray(numbers->list, numbers->room, sizeof *numbers->list);
        if (!numbers->list)
            abort();
    }
    numbers->list[numbers->count++] = number;
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void sort(struct numbers *numbers)
{
    if (numbers->count)
        qsort(numbers->list, numbers->count, sizeof *numbers->list, compare_numbers);
}

/* The generations of the next folder that has some. */
static bool read_folder(struct command *command)
{
    while (command->generation_at == command->generations.count) {
        if (command->folder_at == command->folders.count)
            return false;
        command->generation_at = command->generations.count = 0;
        if (!store_each_object(command->store, command->folders.list[command->folder_at++], note_number,
                               &command->generations, &command->failure))
            return false;
        sort(&command->generations);
        while (command->generation_at < command->generations.count &&
               command->generations.list[command->generation_at] < command->from)
            command->generation_at++;
    }
    return true;
}

static void *next_piece(void *context)
{
    struct command *command = context;

    if (command->failure.fault != FAULT_NONE || command_is_stopped() || !read_folder(command))
        return NULL;
    struct piece *piece = calloc(1, sizeof *piece);
    if (!piece)
        abort();
    while (piece->count < PIECE_FILES && command->generation_at < command->generations.count)
        piece->files[piece->count++].generation = command->generations.list[command->generation_at++];
    return piece;
}

/* ── reading them ── */

static bool hash_file(const char *path, struct file *file, struct error *err)
{
    SCOPED(file) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    uint8_t *room = malloc(READ_BYTES);
    struct digest *digest = digest_new();
    struct stat about;
    ssize_t got = 1;

    if (!room)
        abort();
    bool done = fd >= 0 && fstat(fd, &about) == 0;
    while (done && got > 0) {
        got = read(fd, room, READ_BYTES);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            done = false;
        else
            digest_add(digest, bytes_of(room, (size_t)got));
    }
    if (done) {
        file->size = (uint64_t)about.st_size;
        file->stored_unix_ms = (int64_t)about.st_mtim.tv_sec * 1000 + about.st_mtim.tv_nsec / 1000000;
    } else {
        error_errno(err, errno, "reading");
    }
    digest_get(digest, file->digest);
    digest_free(digest);
    free(room);
    return done;
}

static void work_on_piece(void *context, void *worked_on)
{
    struct command *command = context;
    struct piece *piece = worked_on;
    char path[PATH_MAX];

    for (size_t i = 0; i < piece->count; i++) {
        struct file *file = &piece->files[i];
        store_path(command->store, file->generation, path, sizeof path);
        if (hash_file(path, file, &file->error) &&
            description_read(path, &command->json, &piece->arena, &file->description, &file->error))
            block_trim(&file->description.json);
    }
}

/* ── their rows ── */

static void tell_refused(struct command *command, const struct file *file, const char *why)
{
    char path[PATH_MAX];

    progress_clear(&command->progress);
    store_path(command->store, file->generation, path, sizeof path);
    printf("no row: %s: %s\n", path, why);
    fflush(stdout);
    command->refused++;
}

static void add_rows(struct command *command, struct piece *piece)
{
    struct addition additions[PIECE_FILES];
    struct file *added[PIECE_FILES];
    size_t count = 0;

    for (size_t i = 0; i < piece->count; i++) {
        struct file *file = &piece->files[i];
        if (file->error.fault != FAULT_NONE) {
            tell_refused(command, file,
                         file->error.told[0] ? file->error.told : fault_info(file->error.fault)->sentence);
            continue;
        }
        additions[count] = (struct addition){ .description = &file->description,
                                              .generation = file->generation,
                                              .stored_unix_ms = file->stored_unix_ms };
        memcpy(additions[count].digest, file->digest, sizeof file->digest);
        added[count++] = file;
    }
    if (!catalog_add(command->fresh, additions, count, DUPLICATE_REPLACE, &command->failure))
        return;
    for (size_t i = 0; i < count; i++) {
        if (additions[i].outcome == REFUSED_DUPLICATE)
            tell_refused(command, added[i], "its SOP Instance UID is in another study or series, too");
        else if (additions[i].outcome == ADDED_BEFORE)
            tell_refused(command, added[i], "the same instance is stored twice");
        command->replaced += additions[i].outcome == ADDED_REPLACING;
    }
}

static void finish_piece(void *context, void *finished)
{
    struct command *command = context;
    struct piece *piece = finished;

    if (command->failure.fault == FAULT_NONE)
        add_rows(command, piece);
    for (size_t i = 0; i < piece->count; i++) {
        __atomic_fetch_add(&command->bytes, piece->files[i].size, __ATOMIC_RELAXED);
        description_done(&piece->files[i].description);
    }
    __atomic_fetch_add(&command->done, piece->count, __ATOMIC_RELAXED);
    arena_release(&piece->arena);
    free(piece);
}

static void look(void *context)
{
    struct command *command = context;
    char count[COMMAND_TEXT], bytes[COMMAND_TEXT], speed[COMMAND_TEXT];
    const uint64_t done = __atomic_load_n(&command->done, __ATOMIC_RELAXED);
    const uint64_t read = __atomic_load_n(&command->bytes, __ATOMIC_RELAXED);
    const double seconds = progress_seconds(&command->progress);

    if (!progress_is_due(&command->progress))
        return;
    progress_tell(&command->progress, "%s files, %s, %.0f files/s, %s/s", command_count(done, count),
                  command_bytes((double)read, bytes), seconds > 0 ? (double)done / seconds : 0,
                  command_bytes(seconds > 0 ? (double)read / seconds : 0, speed));
}

/* ── the folder ── */

void command_reindex_forget(const struct settings *settings)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < COUNT_OF(endings); i++)
        if (snprintf(path, sizeof path, "%s/reindex.sqlite%s", settings->data, endings[i]) < (int)sizeof path)
            unlink(path);
}

/* Nobody can tell whether it arrived whole: what is in no place yet is not taken for an instance, and not
 * thrown away. */
static bool put_draft_right(void *context, uint64_t generation)
{
    struct command *command = context;
    struct store *store = command->store;
    struct error *err = &command->failure;
    char path[PATH_MAX];

    store_path(store, generation, path, sizeof path);
    if (access(path, F_OK) != 0) {
        if (!store_place_again(store, generation, err) || !store_set_aside(store, generation, err))
            return false;
        printf("set aside: %s/aside/%016" PRIx64
               ".dcm: still arriving when the server ended, or just arrived; "
               "where it is whole, gantry import takes it\n",
               command->settings->data, generation);
        fflush(stdout);
        command->drafts_aside++;
    } else if (!store_place_again(store, generation, err) ||
               !store_sync_folder(store, generation / STORE_GENERATIONS_PER_FOLDER, err)) {
        return false;
    }
    store_remove_draft(store, generation);
    return true;
}

/* With the old catalog, what a crash left is put right first. Without one nobody can tell what was
 * acknowledged: then all that is in place stays. */
static bool tidy_up(struct command *command, struct error *err)
{
    struct catalog *old = NULL;
    struct error why = { 0 };
    char path[PATH_MAX];
    uint64_t removed;

    if (!house_path(command->settings, "catalog.sqlite", path, sizeof path, err))
        return false;
    if (access(path, F_OK) != 0 || !house_catalog_open(command->settings, path, HOUSE_LOOKS, &old, &why) ||
        !catalog_last_generation(old, &command->last_generation, &why)) {
        if (old)
            catalog_close(old);
        if (why.fault != FAULT_NONE)
            fprintf(stderr, "gantry reindex: the old catalog is of no use: %s\n", why.detail);
        if (!store_each_draft(command->store, put_draft_right, command, err))
            return false;
        if (command->failure.fault != FAULT_NONE)
            *err = command->failure;
        return command->failure.fault == FAULT_NONE;
    }
    const bool done = recover(command->store, old, &removed, err);
    catalog_close(old);
    return done;
}

/* Should the machine die between the two, there is no catalog.sqlite: a server would make an empty one. So
 * the new one takes the old one's place in one step, and the old one is linked away before. */
static bool swap(struct command *command, struct error *err)
{
    const char *data = command->settings->data;
    char now[PATH_MAX], before[PATH_MAX], fresh[PATH_MAX], beside[PATH_MAX];

    if (!catalog_rebuilt(command->fresh, err) ||
        !catalog_note_generation(command->fresh, command->last_generation, err))
        return false;
    catalog_close(TAKE(command->fresh)); /* its log moves into the file */
    if (!house_path(command->settings, "catalog.sqlite", now, sizeof now, err) ||
        !house_path(command->settings, "catalog.sqlite.before", before, sizeof before, err) ||
        !house_path(command->settings, "reindex.sqlite", fresh, sizeof fresh, err))
        return false;
    for (size_t i = 0; i < COUNT_OF(endings); i++)
        if (snprintf(beside, sizeof beside, "%s%s", before, endings[i]) < (int)sizeof beside)
            unlink(beside);
    if (link(now, before) != 0 && errno != ENOENT)
        return error_errno(err, errno, "keeping the old catalog");
    /* A log of the old one, where its last user was killed, must not be taken for the new one's. */
    for (size_t i = 1; i < COUNT_OF(endings); i++) {
        char from[PATH_MAX + 8], to[PATH_MAX + 8];
        snprintf(from, sizeof from, "%s%s", now, endings[i]);
        snprintf(to, sizeof to, "%s%s", before, endings[i]);
        if (rename(from, to) != 0 && errno != ENOENT)
            return error_errno(err, errno, "keeping the old catalog");
    }
    if (!file_sync_folder(data, err))
        return false;
    if (rename(fresh, now) != 0)
        return error_errno(err, errno, "putting the new catalog in place");
    return file_sync_folder(data, err);
}

static void ignore_finding(void *context, enum finding finding, uint64_t generation)
{
    (void)context;
    (void)finding;
    (void)generation;
}

static bool always_on(void *context, const struct check_progress *progress)
{
    (void)context;
    (void)progress;
    return true;
}

static bool set_aside(struct command *command, uint64_t *ret_count, struct error *err)
{
    const struct check_options options = { .set_aside = true };
    const struct check_watch watch = { command, ignore_finding, always_on };
    struct check_progress progress = { 0 };
    struct catalog *catalog = NULL;
    char path[PATH_MAX];
    bool complete;

    if (!house_path(command->settings, "catalog.sqlite", path, sizeof path, err) ||
        !house_catalog_open(command->settings, path, HOUSE_CHANGES, &catalog, err))
        return false;
    const bool done = check(command->store, catalog, &options, &watch, &progress, &complete, err);
    catalog_close(catalog);
    *ret_count = progress.set_aside;
    return done;
}

static bool make_catalog(struct command *command, struct error *err)
{
    const struct crew crew = { command, next_piece, work_on_piece, finish_piece, look };
    char path[PATH_MAX], count[COMMAND_TEXT];

    if (!house_path(command->settings, "reindex.sqlite", path, sizeof path, err) ||
        !house_catalog_open(command->settings, path, HOUSE_REBUILDS, &command->fresh, err) ||
        !catalog_last_generation(command->fresh, &command->from, err) ||
        !store_each_folder(command->store, note_number, &command->folders, err))
        return false;
    sort(&command->folders);
    ++command->from;
    if (command->from > 1)
        fprintf(stderr, "gantry reindex: going on after generation %s\n",
                command_count(command->from - 1, count));
    while (command->folder_at < command->folders.count &&
           command->folders.list[command->folder_at] < command->from / PER_FOLDER)
        command->folder_at++;
    if (!crew_run(&crew, house_cores() + 1, err))
        return false;
    *err = command->failure;
    return command->failure.fault == FAULT_NONE;
}

static int reindex(struct command *command)
{
    const struct store_options options = { .root = command->settings->data,
                                           .open_files = (unsigned)command->settings->open_files };
    struct error err = { 0 };
    uint64_t aside = 0;
    char count[COMMAND_TEXT], bytes[COMMAND_TEXT], time[COMMAND_TEXT];

    /* Where SQLite sorts an index of all instances: a container has no other place that can be written. */
    if ((setenv("SQLITE_TMPDIR", command->settings->data, 1) != 0 &&
         !error_errno(&err, errno, "setting SQLITE_TMPDIR")) ||
        !bridge_start(&err) ||
        !data_lock_take(command->settings->data, "gantry reindex", &command->lock, &err) ||
        !store_open(&options, 0, &command->store, &err) || !tidy_up(command, &err) ||
        !make_catalog(command, &err))
        return command_fail(&command->progress, &err);
    progress_clear(&command->progress);
    if (command_is_stopped()) {
        printf("Stopped after %s files; the old catalog is as it was. The same command goes on from there.\n",
               command_count(command->done, count));
        return COMMAND_STOPPED;
    }
    if (!swap(command, &err) || !set_aside(command, &aside, &err))
        return command_fail(&command->progress, &err);
    aside += command->drafts_aside;
    printf("%s files, %s, %s: the catalog is new, the old one is catalog.sqlite.before; %" PRIu64
           " files without a row are in aside/.\n",
           command_count(command->done, count), command_bytes((double)command->bytes, bytes),
           command_time(progress_seconds(&command->progress), time), aside);
    return aside ? COMMAND_FOUND : COMMAND_WELL;
}

int command_reindex(const struct settings *settings)
{
    struct command *command = calloc(1, sizeof *command);

    if (!command)
        abort();
    command->settings = settings;
    command->json = house_json_limits(settings);
    command_watch_signals();
    progress_begin(&command->progress, "reindex");
    const int status = reindex(command);
    catalog_close(command->fresh);
    store_close(command->store);
    data_lock_give(command->lock);
    free(command->folders.list);
    free(command->generations.list);
    free(command);
    return status;
}
