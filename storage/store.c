/* storage/store.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The volume: opening it, reading what is stored, forgetting it. How files get there: storage/draft.c.
 */
#include "storage/store.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/condition.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "storage/settling.h"
#include "storage/store_inside.h"

/* ── opening ── */

bool folder_each_number(int folder_fd, unsigned digits, const char *suffix,
                        bool (*each)(void *context, uint64_t number), void *context, struct error *err)
{
    const int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!folder) {
        const int why = errno;
        file_close(fd);
        return error_errno(err, why, "opening a folder of the store");
    }
    for (errno = 0; (entry = readdir(folder)); errno = 0) {
        uint64_t number;
        if (strlen(entry->d_name) == digits + strlen(suffix) && strcmp(entry->d_name + digits, suffix) == 0 &&
            number_parse_hex(bytes_of(entry->d_name, digits), INT64_MAX, &number) && !each(context, number))
            break;
    }
    const int why = entry ? 0 : errno;
    closedir(folder);
    return why == 0 || error_errno(err, why, "reading a folder of the store");
}

struct highest {
    uint64_t number;
    bool found;
};

static bool note_highest(void *context, uint64_t number)
{
    struct highest *highest = context;

    if (!highest->found || number > highest->number)
        *highest = (struct highest){ number, true };
    return true;
}

/* The highest generation that was ever used, as far as the volume shows: only the highest folder is read. If
 * that is empty, all of its numbers count as used: what was deleted from it must not come again. */
static bool find_highest(struct store *store, struct highest *highest, struct error *err)
{
    struct highest folder = { 0 }, object = { 0 };
    char name[FOLDER_NAME_SIZE];

    *highest = (struct highest){ 0 };
    if (!folder_each_number(store->drafts_fd, 16, "", note_highest, highest, err) ||
        !folder_each_number(store->objects_fd, 13, "", note_highest, &folder, err))
        return false;
    if (!folder.found)
        return true;
    folder_name(folder.number, name);
    SCOPED(file) int fd = openat(store->objects_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "opening objects/%s", name);
    if (!folder_each_number(fd, 16, ".dcm", note_highest, &object, err))
        return false;
    if (!object.found && folder.number < INT64_MAX / GENERATIONS_PER_FOLDER)
        object =
            (struct highest){ folder.number * GENERATIONS_PER_FOLDER + (GENERATIONS_PER_FOLDER - 1), true };
    if (object.found)
        note_highest(highest, object.number);
    return true;
}

static bool open_folder(const char *root, const char *name, bool make, int *ret, struct error *err)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%s", root, name) >= (int)sizeof path)
        return error_set(err, FAULT_DISK, "path too long");
    if (make && !file_make_folders(path, 0700, err))
        return false;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "opening folder %s", path);
    *ret = fd;
    return true;
}

static int open_cached(int folder_fd, const char *name)
{
    const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC,
                                  .resolve = RESOLVE_CACHED | RESOLVE_BENEATH };

    return (int)syscall(SYS_openat2, folder_fd, name, &how, sizeof how);
}

static ssize_t read_cached(int fd, void *into, size_t size, uint64_t offset)
{
    const struct iovec part = { into, size };

    return preadv2(fd, &part, 1, (off_t)offset, RWF_NOWAIT);
}

/* Which of the calls that never wait kernel, sandbox and file system allow: asked once, with a file of our
 * own. Where the probe cannot be written the store works, with more waiting. */
static void probe(struct store *store)
{
    static const char name[] = "probe";
    uint8_t page[4096] = { 0 };
    struct error ignored = { 0 };

    unlinkat(store->drafts_fd, name, 0);
    SCOPED(file) int fd = openat(store->drafts_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (file_write(fd, bytes_of(page, sizeof page), &ignored))
        store->can_read_cached = read_cached(fd, page, sizeof page, 0) == (ssize_t)sizeof page;
    SCOPED(file) int again = open_cached(store->drafts_fd, name);
    store->can_open_cached = again >= 0;
    unlinkat(store->drafts_fd, name, 0);
}

static bool open_inside(struct store *store, const struct store_options *options,
                        uint64_t least_next_generation, struct error *err)
{
    struct highest highest;

    if (!open_folder(store->root, "objects", !options->only_looks, &store->objects_fd, err) ||
        !open_folder(store->root, "drafts", !options->only_looks, &store->drafts_fd, err))
        return false;
    store->open_files = open_files_new(options->open_files);
    if (!store->open_files)
        return error_set(err, FAULT_BUSY, "no memory for %u open files", options->open_files);
    if (options->only_looks)
        return true;
    if (!find_highest(store, &highest, err))
        return false;
    uint64_t next = highest.found ? highest.number + 1 : 1;
    if (next < least_next_generation)
        next = least_next_generation;
    if (next > INT64_MAX / 2)
        return error_set(err, FAULT_DISK, "generation %" PRIu64 " is none of ours", next - 1);
    atomic_init(&store->next_generation, next);
    probe(store);
    log_line(LOG_DEBUG, "store: next generation %" PRIu64 ", %s, %s", next,
             store->can_open_cached ? "opens from cache" : "opening waits",
             store->can_read_cached ? "reads from cache" : "reading waits");
    return true;
}

bool store_open(const struct store_options *options, uint64_t least_next_generation, struct store **ret,
                struct error *err)
{
    struct store *store = calloc(1, sizeof *store);

    if (!store || !(store->root = strdup(options->root))) {
        free(store);
        return error_set(err, FAULT_BUSY, "no memory for the store");
    }
    store->objects_fd = store->drafts_fd = -1;
    store->free_space_floor = options->free_space_floor;
    store->held_ms = options->held_ms;
    store->durable_folder = UINT64_MAX;
    pthread_mutex_init(&store->folder_lock, NULL);
    pthread_mutex_init(&store->behind_lock, NULL);
    pthread_cond_init(&store->behind_ended, NULL);
    pthread_rwlock_init(&store->told_lock, NULL);
    store->holds = holds_new(store);
    store->settling = settling_new(store);
    if (!((store->settling && store->holds) || error_set(err, FAULT_BUSY, "no memory for the store")) ||
        !open_inside(store, options, least_next_generation, err)) {
        store_close(store);
        return error_while(err, "opening the store");
    }
    *ret = store;
    return true;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&store->behind_lock);
    while (store->behind > 0)
        condition_wait(&store->behind_ended, &store->behind_lock);
    pthread_mutex_unlock(&store->behind_lock);
    holds_free(store->holds);
    settling_free(store->settling);
    pthread_cond_destroy(&store->behind_ended);
    pthread_mutex_destroy(&store->behind_lock);
    open_files_free(store->open_files);
    file_close(store->drafts_fd);
    file_close(store->objects_fd);
    pthread_mutex_destroy(&store->folder_lock);
    pthread_rwlock_destroy(&store->told_lock);
    free(store->root);
    free(store);
}

bool store_begin_behind(struct store *store, unsigned most)
{
    pthread_mutex_lock(&store->behind_lock);
    const bool begun = store->behind < most;
    store->behind += begun;
    pthread_mutex_unlock(&store->behind_lock);
    return begun;
}

void store_end_behind(struct store *store)
{
    pthread_mutex_lock(&store->behind_lock);
    store->behind--;
    pthread_cond_signal(&store->behind_ended);
    pthread_mutex_unlock(&store->behind_lock);
}

const char *store_root(const struct store *store)
{
    return store->root;
}

void store_path(const struct store *store, uint64_t generation, char *into, size_t size)
{
    char name[OBJECT_NAME_SIZE];

    object_name(generation, name);
    snprintf(into, size, "%s/objects/%s", store->root, name);
}

/* ── reading ── */

bool store_reader_open(struct store *store, uint64_t generation, enum patience patience,
                       struct store_reader **ret, struct error *err)
{
    struct store_reader *reader = open_files_find(store->open_files, generation);
    char name[OBJECT_NAME_SIZE];
    int fd;

    if (reader) {
        *ret = reader;
        return true;
    }
    object_name(generation, name);
    if (patience == MUST_NOT_WAIT) {
        fd = store->can_open_cached ? open_cached(store->objects_fd, name) : -1;
        if (fd < 0 && (!store->can_open_cached || errno != ENOENT))
            return error_set(err, FAULT_WOULD_WAIT, "opening generation %" PRIu64, generation);
    } else {
        open_files_close_unlinked(store->open_files);
        fd = openat(store->objects_fd, name, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0 && errno == ENOENT)
        return error_set(err, FAULT_NOT_FOUND, "generation %" PRIu64 " has no file", generation);
    if (fd < 0)
        return error_errno(err, errno, "opening generation %" PRIu64, generation);
    reader = open_files_add(store->open_files, store, generation, fd);
    if (!reader)
        return error_set(err, FAULT_BUSY, "no memory to open generation %" PRIu64, generation);
    *ret = reader;
    return true;
}

bool store_reader_read(struct store_reader *reader, uint64_t offset, void *into, size_t size,
                       enum patience patience, struct error *err)
{
    if (size == 0)
        return true;
    if (offset > INT64_MAX || size > INT64_MAX - offset)
        return error_set(err, FAULT_DISK, "generation %" PRIu64 ": no file is that long", reader->generation);
    if (patience == MAY_WAIT)
        return file_read_at(reader->fd, into, size, offset, err) ||
               error_while(err, "generation %" PRIu64, reader->generation);
    /* Less than all: the rest is not in memory, or the file is too short, which the repetition will tell. */
    if (!reader->store->can_read_cached || read_cached(reader->fd, into, size, offset) != (ssize_t)size)
        return error_set(err, FAULT_WOULD_WAIT, "reading generation %" PRIu64, reader->generation);
    return true;
}

void store_reader_close(struct store_reader *reader)
{
    if (reader)
        open_files_leave(reader);
}

bool store_read(struct store *store, uint64_t generation, uint64_t offset, void *into, size_t size,
                enum patience patience, struct error *err)
{
    SCOPED(store_reader) struct store_reader *reader = NULL;

    return store_reader_open(store, generation, patience, &reader, err) &&
           store_reader_read(reader, offset, into, size, patience, err);
}

/* First unlinked, then forgotten: open_files_add relies on that order. */
static bool forget_one(struct store *store, uint64_t generation)
{
    char name[OBJECT_NAME_SIZE];

    object_name(generation, name);
    const bool gone = unlinkat(store->objects_fd, name, 0) == 0 || errno == ENOENT;
    if (!gone)
        log_line(LOG_WARNING, "store: generation %" PRIu64 " could not be removed: %s", generation,
                 strerrorname_np(errno));
    open_files_forget(store->open_files, generation);
    return gone;
}

bool store_sync_folder(struct store *store, uint64_t folder, struct error *err)
{
    char name[FOLDER_NAME_SIZE];

    folder_name(folder, name);
    SCOPED(file) int fd = openat(store->objects_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return error_set(err, FAULT_NOT_FOUND, "there is no objects/%s", name);
    if (fd < 0)
        return error_errno(err, errno, "opening objects/%s", name);
    if (fsync(fd) != 0)
        return error_errno(err, errno, "fsync of objects/%s", name);
    return true;
}

bool store_forget(struct store *store, const uint64_t *generations, size_t count)
{
    struct error err = { 0 };
    bool gone = true;

    for (size_t i = 0; i < count; i++)
        gone &= forget_one(store, generations[i]);
    /* Mostly ascending, so equal folders are neighbours; elsewhere one is synced twice. */
    for (size_t i = 0; i < count; i++) {
        const uint64_t folder = generations[i] / GENERATIONS_PER_FOLDER;
        if ((i + 1 == count || generations[i + 1] / GENERATIONS_PER_FOLDER != folder) &&
            !store_sync_folder(store, folder, &err)) {
            const bool none = err.fault == FAULT_NOT_FOUND; /* no such folder: nothing was placed in it */
            log_line(none ? LOG_DEBUG : LOG_WARNING, "store: %s", err.detail);
            gone &= none;
            error_clear(&err);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (gone) /* else they go on telling recovery */
            store_remove_draft(store, generations[i]);
        settling_forget(store->settling, generations[i]);
    }
    open_files_close_unlinked(store->open_files);
    pthread_rwlock_rdlock(&store->told_lock);
    if (store->told)
        store->told(store->told_context, generations, count);
    pthread_rwlock_unlock(&store->told_lock);
    return gone;
}

void store_let_go(struct store *store, const uint64_t *generations, size_t count, store_told_fn *gone,
                  void *context)
{
    if (holds_take_over(store->holds, generations, count, gone, context))
        return;
    if (store_forget(store, generations, count))
        gone(context, generations, count);
}

void store_tell_of_forgotten(struct store *store, store_told_fn *told_or_null, void *context)
{
    pthread_rwlock_wrlock(&store->told_lock);
    store->told = told_or_null;
    store->told_context = context;
    pthread_rwlock_unlock(&store->told_lock);
}

/* ── all that is stored ── */

bool store_each_folder(struct store *store, bool (*each)(void *context, uint64_t folder), void *context,
                       struct error *err)
{
    return folder_each_number(store->objects_fd, FOLDER_NAME_SIZE - 1, "", each, context, err);
}

bool store_each_object(struct store *store, uint64_t folder, bool (*each)(void *context, uint64_t generation),
                       void *context, struct error *err)
{
    char name[FOLDER_NAME_SIZE];

    folder_name(folder, name);
    SCOPED(file) int fd = openat(store->objects_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || error_errno(err, errno, "opening objects/%s", name);
    return folder_each_number(fd, 16, ".dcm", each, context, err);
}

bool store_set_aside(struct store *store, uint64_t generation, struct error *err)
{
    char from[PATH_MAX], folder[PATH_MAX], to[PATH_MAX];

    store_path(store, generation, from, sizeof from);
    if (snprintf(folder, sizeof folder, "%s/aside", store->root) >= (int)sizeof folder ||
        snprintf(to, sizeof to, "%s/%016" PRIx64 ".dcm", folder, generation) >= (int)sizeof to)
        return error_set(err, FAULT_DISK, "path too long");
    if (!file_make_folders(folder, 0700, err))
        return false;
    if (rename(from, to) != 0)
        return error_errno(err, errno, "moving %s aside", from);
    open_files_forget(store->open_files, generation);
    return file_sync_folder(folder, err);
}
