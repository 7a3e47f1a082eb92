/* storage/check.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One folder of objects after the other: the rows of its 4096 generations and the names in it, both
 * ascending, walked side by side.
 *
 *   rows   7   9   10        a row alone: no file          a name alone: no row
 *   names  7       10  11
 */
#include "storage/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "storage/catalog_files.h"

enum { PIECE_BYTES = 1 << 20, PER_FOLDER = STORE_GENERATIONS_PER_FOLDER };

struct numbers {
    uint64_t *list;
    size_t count, room;
    bool no_memory;
};

struct checking {
    struct store *store;
    struct catalog *catalog;
    const struct check_options *options;
    const struct check_watch *watch;
    struct check_progress *progress;
    struct numbers folders, names;
    struct catalogued_file *rows; /* PER_FOLDER */
    size_t row_count;
    uint8_t *piece;
    uint64_t began_us, read; /* for the rate */
    bool left;
};

const char *finding_text(enum finding finding)
{
    static const char *const texts[] = {
        [FINDING_NO_FILE] = "no file",
        [FINDING_SIZE] = "another size than when it came",
        [FINDING_DIGEST] = "other bytes than when it came",
        [FINDING_UNREADABLE] = "cannot be read",
        [FINDING_NO_ROW] = "a file that is not in the catalog",
    };

    return texts[finding];
}

static bool note_number(void *context, uint64_t number)
{
    struct numbers *numbers = context;

    if (numbers->count == numbers->room) {
        const size_t room = numbers->room ? 2 * numbers->room : PER_FOLDER;
        uint64_t *more = reallocarray(numbers->list, room, sizeof *more);
        if (!more) {
            numbers->no_memory = true;
            return false;
        }
        numbers->list = more;
        numbers->room = room;
    }
    numbers->list[numbers->count++] = number;
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool sorted(struct numbers *numbers, struct error *err)
{
    if (numbers->no_memory)
        return error_set(err, FAULT_BUSY, "no memory for a list of files");
    if (numbers->count)
        qsort(numbers->list, numbers->count, sizeof *numbers->list, compare_numbers);
    return true;
}

static void tell(struct checking *checking, enum finding finding, uint64_t generation)
{
    checking->progress->findings++;
    checking->watch->found(checking->watch->context, finding, generation);
}

/* Not faster than asked for. */
static void keep_to_the_rate(struct checking *checking, size_t read)
{
    const uint64_t rate = checking->options->bytes_per_second;

    checking->read += read;
    checking->progress->bytes += read;
    if (rate == 0)
        return;
    const uint64_t due_us = (uint64_t)((double)checking->read * 1e6 / (double)rate);
    const uint64_t spent_us = clock_monotonic_us() - checking->began_us;
    if (due_us > spent_us + 1000)
        usleep((useconds_t)(due_us - spent_us < 500000 ? due_us - spent_us : 500000));
}

static bool is_in_memory(int fd)
{
    uint8_t byte;
    const struct iovec part = { &byte, 1 };

    return preadv2(fd, &part, 1, 0, RWF_NOWAIT) == 1;
}

/* The whole file; false: unreadable. What was not in memory before is not left there: readers need the room.
 */
static bool read_file(struct checking *checking, int fd, uint8_t ret[DIGEST_BYTES])
{
    const bool was_in_memory = is_in_memory(fd);
    struct digest *digest = digest_new();
    ssize_t got;

    while ((got = read(fd, checking->piece, PIECE_BYTES)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0) {
            digest_add(digest, bytes_of(checking->piece, (size_t)got));
            keep_to_the_rate(checking, (size_t)got);
        }
    digest_get(digest, ret);
    digest_free(digest);
    if (!was_in_memory)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return got == 0;
}

/* False: nothing is wrong. */
static bool look_at_file(struct checking *checking, const struct catalogued_file *row, enum finding *ret)
{
    char path[PATH_MAX];
    struct stat about;
    uint8_t digest[DIGEST_BYTES];

    store_path(checking->store, row->generation, path, sizeof path);
    SCOPED(file) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    /* Only its name was lost, with power: the next start gives it back. */
    if (fd < 0 && errno == ENOENT && store_has_draft(checking->store, row->generation))
        return false;
    if (fd < 0 || fstat(fd, &about) != 0)
        *ret = fd < 0 && (errno == ENOENT || errno == ELOOP) ? FINDING_NO_FILE : FINDING_UNREADABLE;
    else if ((uint64_t)about.st_size != row->size)
        *ret = FINDING_SIZE;
    else if (!checking->options->read_files)
        return false;
    else if (!read_file(checking, fd, digest))
        *ret = FINDING_UNREADABLE;
    else if (memcmp(digest, row->digest, sizeof digest) != 0)
        *ret = FINDING_DIGEST;
    else
        return false;
    return true;
}

static void check_row(struct checking *checking, const struct catalogued_file *row)
{
    enum finding finding;
    struct error ignored = { 0 };
    bool still = true;

    /* Deleted or replaced meanwhile is no finding. */
    if (look_at_file(checking, row, &finding) &&
        (!catalog_has_generation(checking->catalog, row->generation, &still, &ignored) || still))
        tell(checking, finding, row->generation);
    checking->progress->instances++;
}

/* On its way in it has a draft, on its way out a note; then its row comes, or the file goes. */
static void check_name(struct checking *checking, uint64_t generation)
{
    struct error err = { 0 };
    char path[PATH_MAX];
    bool has_row = false, leaves = false;

    store_path(checking->store, generation, path, sizeof path);
    if (store_has_draft(checking->store, generation) ||
        !catalog_has_generation(checking->catalog, generation, &has_row, &err) || has_row ||
        (catalog_is_leaving(checking->catalog, generation, &leaves, &err) && leaves) ||
        faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    tell(checking, FINDING_NO_ROW, generation);
    if (checking->options->set_aside && store_set_aside(checking->store, generation, &err))
        checking->progress->set_aside++;
}

static bool go_on(struct checking *checking, uint64_t next)
{
    checking->progress->next_generation = next;
    checking->left = !checking->watch->go_on(checking->watch->context, checking->progress);
    return !checking->left;
}

static bool check_folder(struct checking *checking, uint64_t folder, struct error *err)
{
    const uint64_t first = folder * PER_FOLDER, from = checking->progress->next_generation;
    struct numbers *names = &checking->names;
    size_t row = 0, name = 0;

    names->count = 0;
    /* Names first: a file whose row is made in between is asked for again, a row whose file is made in
     * between is not possible. */
    if (!store_each_object(checking->store, folder, note_number, names, err) || !sorted(names, err) ||
        !catalog_files(checking->catalog, from > first ? from : first, first + PER_FOLDER, checking->rows,
                       &checking->row_count, err))
        return false;
    while (name < names->count && names->list[name] < from)
        name++;
    while ((row < checking->row_count || name < names->count) && !checking->left) {
        const uint64_t of_row = row < checking->row_count ? checking->rows[row].generation : UINT64_MAX;
        const uint64_t of_name = name < names->count ? names->list[name] : UINT64_MAX;
        if (of_row <= of_name)
            check_row(checking, &checking->rows[row++]);
        else
            check_name(checking, of_name);
        name += of_name <= of_row;
        if (!go_on(checking, (of_row < of_name ? of_row : of_name) + 1))
            return true;
    }
    checking->progress->next_generation = first + PER_FOLDER;
    return true;
}

/* The next folder with a row or a name in it. */
static bool next_folder(struct checking *checking, size_t *at, uint64_t *ret, bool *ret_found,
                        struct error *err)
{
    const uint64_t from = checking->progress->next_generation;
    uint64_t generation;

    if (!catalog_files_next(checking->catalog, from, &generation, ret_found, err))
        return false;
    while (*at < checking->folders.count && checking->folders.list[*at] < from / PER_FOLDER)
        (*at)++;
    *ret = generation / PER_FOLDER;
    if (*at < checking->folders.count && (!*ret_found || checking->folders.list[*at] < *ret)) {
        *ret = checking->folders.list[*at];
        *ret_found = true;
    }
    return true;
}

static bool check_all(struct checking *checking, struct error *err)
{
    uint64_t folder;
    bool found = true;

    if (!store_each_folder(checking->store, note_number, &checking->folders, err) ||
        !sorted(&checking->folders, err))
        return false;
    for (size_t at = 0; !checking->left;) {
        if (!next_folder(checking, &at, &folder, &found, err))
            return false;
        if (!found)
            return true;
        if (!check_folder(checking, folder, err))
            return false;
    }
    return true;
}

bool check(struct store *store, struct catalog *catalog, const struct check_options *options,
           const struct check_watch *watch, struct check_progress *progress, bool *ret_complete,
           struct error *err)
{
    struct checking checking = {
        .store = store,
        .catalog = catalog,
        .options = options,
        .watch = watch,
        .progress = progress,
        .rows = calloc(PER_FOLDER, sizeof(struct catalogued_file)),
        .piece = malloc(PIECE_BYTES),
        .began_us = clock_monotonic_us(),
    };

    if (progress->next_generation < options->from_generation)
        progress->next_generation = options->from_generation;
    const bool done = checking.rows && checking.piece ? check_all(&checking, err)
                                                      : error_set(err, FAULT_BUSY, "no memory for a check");
    free(checking.rows);
    free(checking.piece);
    free(checking.folders.list);
    free(checking.names.list);
    *ret_complete = done && !checking.left;
    return done || error_while(err, "checking");
}
