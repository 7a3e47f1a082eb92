/* storage/draft.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Files that arrive: written as drafts, then placed as objects, so that no reader ever meets half a file. A
 * draft stays beside its object until the catalog has the row: it is what recovery (storage/recover.h) goes
 * by.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "storage/settling.h"
#include "storage/store_inside.h"

_Static_assert((int)STORE_DIGEST_BYTES == (int)DIGEST_BYTES, "the store's digest is SHA-256");

enum { TAKEN_PIECE_BYTES = 256 * 1024 };

struct store_draft {
    struct store *store;
    uint64_t generation, size, look_at_space_from;
    uint64_t names_failed;  /* as settling_names_failed told before its name was made */
    struct digest *hashing; /* NULL: finished, in `digest` */
    uint8_t digest[STORE_DIGEST_BYTES];
    int fd;
    bool ended;  /* its bytes are on their way to the disk */
    bool broken; /* an append failed: what the file holds is not what was hashed */
    bool stays;  /* until the object's name is durable */
    char path[];
};

bool store_check_free_space(const struct store *store, struct error *err)
{
    struct statvfs about;

    if (store->free_space_floor == 0)
        return true;
    if (fstatvfs(store->drafts_fd, &about) != 0)
        return error_errno(err, errno, "fstatvfs");
    const uint64_t free_bytes = (uint64_t)about.f_bavail * about.f_frsize;
    if (free_bytes < store->free_space_floor)
        return error_set(err, FAULT_DISK_FULL, "%" PRIu64 " bytes free, free_space_floor %" PRIu64,
                         free_bytes, store->free_space_floor);
    return true;
}

/* Without a file so far. */
static bool draft_new(struct store *store, struct store_draft **ret, struct error *err)
{
    char name[DRAFT_NAME_SIZE];
    const size_t path_size = strlen(store->root) + sizeof "/drafts/" + DRAFT_NAME_SIZE;

    open_files_close_unlinked(store->open_files);
    if (!store_check_free_space(store, err))
        return false;
    struct store_draft *draft = calloc(1, sizeof *draft + path_size);
    if (!draft)
        return error_set(err, FAULT_BUSY, "no memory for a draft");
    draft->store = store;
    draft->fd = -1;
    draft->generation = atomic_fetch_add(&store->next_generation, 1);
    draft->names_failed = settling_names_failed(store->settling);
    draft->look_at_space_from = FREE_SPACE_EVERY_BYTES;
    draft_name(draft->generation, name);
    snprintf(draft->path, path_size, "%s/drafts/%s", store->root, name);
    *ret = draft;
    return true;
}

/* Failed before there was a file. */
static bool draft_failed(struct store_draft *draft, struct error *err, const char *doing)
{
    const int why = errno;

    error_errno(err, why, "%s draft %" PRIu64, doing, draft->generation);
    free(draft);
    return false;
}

static const char *name_of(const struct store_draft *draft)
{
    return strrchr(draft->path, '/') + 1;
}

bool store_draft_open(struct store *store, struct store_draft **ret, struct error *err)
{
    struct store_draft *draft;

    if (!draft_new(store, &draft, err))
        return false;
    draft->fd = openat(store->drafts_fd, name_of(draft), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (draft->fd < 0)
        return draft_failed(draft, err, "creating");
    draft->hashing = digest_new();
    *ret = draft;
    return true;
}

bool store_draft_append(struct store_draft *draft, struct bytes chunk, struct error *err)
{
    assert(draft->hashing && !draft->broken && !draft->ended);
    if (draft->size >= draft->look_at_space_from) {
        if (!store_check_free_space(draft->store, err))
            return false;
        draft->look_at_space_from = draft->size + FREE_SPACE_EVERY_BYTES;
    }
    if (!file_write(draft->fd, chunk, err)) {
        draft->broken = true;
        return error_while(err, "draft %" PRIu64, draft->generation);
    }
    digest_add(draft->hashing, chunk);
    draft->size += chunk.size;
    return true;
}

/* ── files that lie elsewhere ── */

/* All of the file at `fd`, hashed into the draft and, where it is copied byte by byte, written to it. */
static bool take_bytes(struct store_draft *draft, int fd, bool writes, struct error *err)
{
    uint8_t *piece = malloc(TAKEN_PIECE_BYTES);
    bool done = piece || error_set(err, FAULT_BUSY, "no memory to read a file");
    ssize_t got = 1;

    while (done && got > 0) {
        got = read(fd, piece, TAKEN_PIECE_BYTES);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        if (got < 0)
            done = error_errno(err, errno, "read");
        else if (writes)
            done = store_draft_append(draft, bytes_of(piece, (size_t)got), err);
        else {
            digest_add(draft->hashing, bytes_of(piece, (size_t)got));
            draft->size += (uint64_t)got;
        }
    }
    free(piece);
    return done;
}

/* Makes the draft's file; *ret_writes: its bytes are still to be written. */
static bool take_file(struct store_draft *draft, int fd, const char *path, enum store_taking how,
                      bool *ret_writes, struct error *err)
{
    struct store *store = draft->store;
    const char *name = name_of(draft);

    *ret_writes = false;
    if (how == STORE_COPY) {
        draft->fd = openat(store->drafts_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (draft->fd < 0)
            return draft_failed(draft, err, "creating");
        *ret_writes = ioctl(draft->fd, FICLONE, fd) != 0;
        return true;
    }
    if (how == STORE_LINK && linkat(AT_FDCWD, path, store->drafts_fd, name, 0) != 0) {
        if (errno != EXDEV)
            return draft_failed(draft, err, "linking");
        free(draft);
        return error_tell(err, FAULT_DISK, "The file lies on another volume: it can be copied, not linked.");
    }
    if (how == STORE_IN_PLACE && symlinkat(path, store->drafts_fd, name) != 0)
        return draft_failed(draft, err, "linking");
    draft->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (draft->fd >= 0)
        return true;
    error_errno(err, errno, "draft %" PRIu64, draft->generation);
    store_draft_close(draft);
    return false;
}

static bool is_same_file(const struct stat *before, int fd)
{
    struct stat now;

    return fstat(fd, &now) == 0 && now.st_size == before->st_size &&
           now.st_mtim.tv_sec == before->st_mtim.tv_sec && now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

bool store_draft_take(struct store *store, const char *path, enum store_taking how, uint64_t ceiling_bytes,
                      struct store_draft **ret, struct error *err)
{
    SCOPED(file) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct store_draft *draft;
    struct stat about;
    bool writes;

    if (fd < 0)
        return error_errno(err, errno, "opening a file");
    if (fstat(fd, &about) != 0)
        return error_errno(err, errno, "fstat");
    if (!S_ISREG(about.st_mode))
        return error_set(err, FAULT_NOT_DICOM, "not a file");
    if ((uint64_t)about.st_size > ceiling_bytes)
        return error_tell(err, FAULT_TOO_LARGE, "An instance may have %" PRIu64 " bytes.", ceiling_bytes);
    if (!draft_new(store, &draft, err) || !take_file(draft, fd, path, how, &writes, err))
        return false;
    draft->hashing = digest_new();
    if (!take_bytes(draft, fd, writes, err)) {
        store_draft_close(draft);
        return false;
    }
    if (draft->size != (uint64_t)about.st_size || !is_same_file(&about, fd)) {
        store_draft_close(draft);
        return error_tell(err, FAULT_DISK, "The file changed while it was read.");
    }
    *ret = draft;
    return true;
}

uint64_t store_draft_generation(const struct store_draft *draft)
{
    return draft->generation;
}

uint64_t store_draft_size(const struct store_draft *draft)
{
    return draft->size;
}

const char *store_draft_path(const struct store_draft *draft)
{
    return draft->path;
}

void store_draft_digest(struct store_draft *draft, uint8_t ret[STORE_DIGEST_BYTES])
{
    if (draft->hashing) {
        digest_get(draft->hashing, draft->digest);
        digest_free(TAKE(draft->hashing));
    }
    memcpy(ret, draft->digest, sizeof draft->digest);
}

void store_draft_ended(struct store_draft *draft)
{
    if (draft->ended)
        return;
    draft->ended = true;
    /* A start, not a promise: whether it fails, fdatasync will tell. docs/decisions/0003-durability.md */
    (void)sync_file_range(draft->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

void store_draft_close(struct store_draft *draft)
{
    if (!draft)
        return;
    file_close(draft->fd);
    if (draft->stays)
        settling_add(draft->store->settling, draft->generation);
    else
        store_remove_draft(draft->store, draft->generation);
    digest_free(draft->hashing);
    free(draft);
}

/* The folder exists and its name is durable. One thread makes it durable before another may rely on it. A
 * folder whose sync failed goes again: only a name that is made anew is looked at by the next one. */
static bool make_folder(struct store *store, uint64_t folder, struct error *err)
{
    char name[FOLDER_NAME_SIZE];
    bool done = true;

    folder_name(folder, name);
    pthread_mutex_lock(&store->folder_lock);
    if (store->durable_folder != folder) {
        if (mkdirat(store->objects_fd, name, 0700) != 0 && errno != EEXIST)
            done = error_errno(err, errno, "making folder objects/%s", name);
        else if (fsync(store->objects_fd) != 0) {
            done = error_errno(err, errno, "fsync of objects");
            /* Fails where it holds something: then it is old. */
            (void)unlinkat(store->objects_fd, name, AT_REMOVEDIR);
        } else
            store->durable_folder = folder;
    }
    pthread_mutex_unlock(&store->folder_lock);
    return done;
}

void store_draft_is_kept(struct store_draft *draft)
{
    draft->stays = true;
}

/* Their names too: an object or a row may survive only where the draft that tells recovery of it does. */
static bool sync_drafts(struct store *store, struct store_draft *const *drafts, size_t count,
                        struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        assert(!drafts[i]->broken);
        if (count > 1)
            store_draft_ended(drafts[i]); /* all before the first is waited for */
    }
    bool done = true;
    struct error names_err = { 0 };
    struct names_wait names;
    settling_ask_names(store->settling, &names);
    for (size_t i = 0; done && i < count; i++)
        done = fdatasync(drafts[i]->fd) == 0 ||
               error_errno(err, errno, "fdatasync of draft %" PRIu64, drafts[i]->generation);
    if (!settling_wait_names(store->settling, &names, &names_err)) {
        if (done)
            *err = names_err;
        return false;
    }
    const uint64_t failed = settling_names_failed(store->settling);
    for (size_t i = 0; done && i < count; i++)
        done = drafts[i]->names_failed == failed ||
               error_set(err, FAULT_DISK, "fsync of drafts failed since draft %" PRIu64 " was made",
                         drafts[i]->generation);
    return done;
}

static bool link_draft(struct store *store, uint64_t generation, struct error *err)
{
    char from[DRAFT_NAME_SIZE], to[OBJECT_NAME_SIZE];

    if (!make_folder(store, generation / GENERATIONS_PER_FOLDER, err))
        return false;
    draft_name(generation, from);
    object_name(generation, to);
    if (linkat(store->drafts_fd, from, store->objects_fd, to, 0) != 0)
        return error_errno(err, errno, "linking objects/%s", to);
    return true;
}

bool store_place(struct store *store, struct store_draft *const *drafts, size_t count, struct error *err)
{
    size_t linked = 0;
    bool done = sync_drafts(store, drafts, count, err);

    while (done && linked < count) {
        done = link_draft(store, drafts[linked]->generation, err);
        linked += done;
    }
    for (size_t i = 0; !done && i < linked; i++)
        store_forget(store, &drafts[i]->generation, 1);
    return done;
}

bool store_place_again(struct store *store, uint64_t generation, struct error *err)
{
    char name[OBJECT_NAME_SIZE];

    object_name(generation, name);
    if (unlinkat(store->objects_fd, name, 0) != 0 && errno != ENOENT)
        return error_errno(err, errno, "unlinking objects/%s", name);
    return link_draft(store, generation, err);
}

size_t store_settle(struct store *store)
{
    return settling_finish(store->settling);
}

bool store_each_draft(struct store *store, bool (*each)(void *context, uint64_t generation), void *context,
                      struct error *err)
{
    return folder_each_number(store->drafts_fd, DRAFT_NAME_SIZE - 1, "", each, context, err);
}

void store_remove_draft(struct store *store, uint64_t generation)
{
    char name[DRAFT_NAME_SIZE];

    draft_name(generation, name);
    if (unlinkat(store->drafts_fd, name, 0) != 0 && errno != ENOENT)
        log_line(LOG_WARNING, "store: draft %" PRIu64 " could not be removed: %s", generation,
                 strerrorname_np(errno));
}

bool store_has_draft(struct store *store, uint64_t generation)
{
    char name[DRAFT_NAME_SIZE];

    draft_name(generation, name);
    return faccessat(store->drafts_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
