/* server/file_watch.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A thread that waits for inotify; see file_watch.h. Network file systems tell nothing of what others change,
 * and a user may have too few watches: so the files are looked at every minute in any case.
 */
#include "server/file_watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

enum { LOOK_EVERY_MS = 60000, QUIET_MS = 200, QUIET_ROUNDS_MOST = 25, DEPTH_MOST = 2, ENTRIES_MOST = 4096 };

struct file_watch {
    void (*changed)(void *context);
    void *context;
    int inotify, wake;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    pthread_mutex_t lock; /* over the rest */
    char *paths[FILE_WATCH_PATHS_MOST];
    unsigned path_count;
    uint64_t state; /* of the files, as last seen */
};

/* ── what the files look like ── */

static void mix(uint64_t *state, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        *state = (*state ^ bytes[i]) * 1099511628211u; /* FNV-1a */
}

static void mix_file(uint64_t *state, const char *path, unsigned depth);

static void mix_folder(uint64_t *state, const char *path, unsigned depth)
{
    struct dirent **entries = NULL;
    const int count = scandir(path, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        char entry[PATH_MAX];
        if (entries[i]->d_name[0] != '.' && i < ENTRIES_MOST &&
            snprintf(entry, sizeof entry, "%s/%s", path, entries[i]->d_name) < (int)sizeof entry) {
            mix(state, entries[i]->d_name, strlen(entries[i]->d_name));
            mix_file(state, entry, depth + 1);
        }
        free(entries[i]);
    }
    free(entries);
}

static void mix_file(uint64_t *state, const char *path, unsigned depth)
{
    struct stat about;

    if (stat(path, &about) != 0) {
        mix(state, &errno, sizeof errno);
    } else if (S_ISDIR(about.st_mode)) {
        if (depth < DEPTH_MOST)
            mix_folder(state, path, depth);
    } else {
        mix(state, &about.st_dev, sizeof about.st_dev);
        mix(state, &about.st_ino, sizeof about.st_ino);
        mix(state, &about.st_size, sizeof about.st_size);
        mix(state, &about.st_mode, sizeof about.st_mode);
        mix(state, &about.st_mtim, sizeof about.st_mtim);
        mix(state, &about.st_ctim, sizeof about.st_ctim);
    }
}

static uint64_t state_of(const struct file_watch *watch)
{
    uint64_t state = 14695981039346656037u;

    for (unsigned i = 0; i < watch->path_count; i++)
        mix_file(&state, watch->paths[i], 0);
    return state;
}

/* ── the thread ── */

static void drain(int fd)
{
    char room[4096];

    while (read(fd, room, sizeof room) > 0)
        continue;
}

/* True: something of inotify came. */
static bool wait_for_event(struct file_watch *watch, int timeout_ms)
{
    struct pollfd fds[] = { { .fd = watch->inotify, .events = POLLIN },
                            { .fd = watch->wake, .events = POLLIN } };

    if (poll(fds, 2, timeout_ms) <= 0)
        return false;
    if (fds[1].revents)
        drain(watch->wake);
    if (fds[0].revents)
        drain(watch->inotify);
    return fds[0].revents != 0;
}

/* A certificate and its key are two files: not between the two. */
static void wait_for_quiet(struct file_watch *watch)
{
    for (unsigned i = 0; i < QUIET_ROUNDS_MOST && !atomic_load(&watch->stop); i++)
        if (!wait_for_event(watch, QUIET_MS))
            return;
}

static void *watch_files(void *context)
{
    struct file_watch *watch = context;

    while (!atomic_load(&watch->stop)) {
        if (wait_for_event(watch, LOOK_EVERY_MS))
            wait_for_quiet(watch);
        pthread_mutex_lock(&watch->lock);
        const uint64_t state = state_of(watch);
        const bool differs = state != watch->state;
        watch->state = state;
        pthread_mutex_unlock(&watch->lock);
        if (differs && !atomic_load(&watch->stop))
            watch->changed(watch->context);
    }
    return NULL;
}

/* ── the set ── */

static void watch_folder(const struct file_watch *watch, const char *folder)
{
    const uint32_t events = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;

    /* One that is watched already stays so. */
    if (inotify_add_watch(watch->inotify, folder, events | IN_ONLYDIR) < 0 && errno == ENOSPC)
        log_line(LOG_WARNING, "no watch is left for a folder of certificates (fs.inotify.max_user_watches); "
                              "changes are seen within a minute");
}

static void watch_parent(const struct file_watch *watch, const char *path)
{
    char folder[PATH_MAX];

    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return;
    char *slash = strrchr(folder, '/');
    if (!slash)
        watch_folder(watch, ".");
    else if (slash == folder)
        watch_folder(watch, "/");
    else {
        *slash = '\0';
        watch_folder(watch, folder);
    }
}

/* A folder itself, and the folders in it: certbot has one for each certificate. */
static void watch_below(const struct file_watch *watch, const char *path)
{
    struct dirent **entries = NULL;
    const int count = scandir(path, &entries, NULL, alphasort);

    if (count >= 0)
        watch_folder(watch, path);
    for (int i = 0; i < count; i++) {
        char entry[PATH_MAX];
        if (entries[i]->d_name[0] != '.' && i < ENTRIES_MOST &&
            snprintf(entry, sizeof entry, "%s/%s", path, entries[i]->d_name) < (int)sizeof entry)
            watch_folder(watch, entry);
        free(entries[i]);
    }
    free(entries);
}

void file_watch_set(struct file_watch *watch, const char *const *paths, unsigned count)
{
    pthread_mutex_lock(&watch->lock);
    for (unsigned i = 0; i < watch->path_count; i++)
        free(watch->paths[i]);
    watch->path_count = 0;
    for (unsigned i = 0; i < count && i < FILE_WATCH_PATHS_MOST; i++) {
        char *copy = strdup(paths[i]);
        if (!copy)
            continue;
        watch->paths[watch->path_count++] = copy;
        watch_parent(watch, copy);
        watch_below(watch, copy);
    }
    watch->state = state_of(watch);
    pthread_mutex_unlock(&watch->lock);
}

bool file_watch_start(void (*changed)(void *context), void *context, struct file_watch **ret,
                      struct error *err)
{
    struct file_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return error_set(err, FAULT_BUSY, "no memory to watch files");
    watch->changed = changed;
    watch->context = context;
    watch->state = state_of(watch);
    pthread_mutex_init(&watch->lock, NULL);
    watch->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->inotify < 0 || watch->wake < 0) {
        error_errno(err, errno, "watching files");
        file_watch_stop(watch);
        return false;
    }
    const int why = pthread_create(&watch->thread, NULL, watch_files, watch);
    if (why != 0) {
        file_watch_stop(watch);
        return error_errno(err, why, "watching files");
    }
    pthread_setname_np(watch->thread, "file-watch");
    watch->running = true;
    *ret = watch;
    return true;
}

void file_watch_stop(struct file_watch *watch)
{
    if (!watch)
        return;
    if (watch->running) {
        atomic_store(&watch->stop, true);
        eventfd_write(watch->wake, 1);
        pthread_join(watch->thread, NULL);
    }
    for (unsigned i = 0; i < watch->path_count; i++)
        free(watch->paths[i]);
    file_close(watch->inotify);
    file_close(watch->wake);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}
