/* tests/faults/failing_calls.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each function stands in front of the C library's own, which dlsym finds.
 */
#include "tests/faults/failing_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static struct failing_state own_state;
static struct failing_state *state = &own_state;

void failing_calls_share(struct failing_state *shared)
{
    state = shared;
}

void failing_calls_arm(enum failing how, unsigned n)
{
    atomic_store(&state->how, how);
    atomic_store(&state->n, n);
    atomic_store(&state->calls, 0);
    snprintf(state->failed, sizeof state->failed, "none");
    atomic_store(&state->armed, 1);
}

unsigned failing_calls_disarm(void)
{
    atomic_store(&state->armed, 0);
    return atomic_load(&state->calls);
}

const char *failing_calls_which(void)
{
    return state->failed;
}

enum call { CALL_OPENS, CALL_MAKES, CALL_WRITES, CALL_CHANGES, CALL_REMOVES };

static bool is_counted(enum call kind, unsigned how)
{
    switch ((enum failing)how) {
    case FAIL_DIE:
        return true;
    case FAIL_EMFILE:
        return kind == CALL_OPENS || kind == CALL_MAKES;
    case FAIL_SHORT:
        return kind == CALL_WRITES;
    case FAIL_ENOSPC:
    case FAIL_EROFS: /* reading goes on */
        return kind != CALL_REMOVES && kind != CALL_OPENS;
    default:
        return kind != CALL_REMOVES;
    }
}

static int errno_of(unsigned how)
{
    return how == FAIL_EIO      ? EIO
           : how == FAIL_ENOSPC ? ENOSPC
           : how == FAIL_EROFS  ? EROFS
           : how == FAIL_EMFILE ? EMFILE
                                : 0;
}

/* True: this is a call that is to fail, errno is set (0 for a short write). */
static bool is_failing(enum call kind, const char *name)
{
    const unsigned how = atomic_load(&state->how), n = atomic_load(&state->n);

    if (!atomic_load(&state->armed) || !is_counted(kind, how))
        return false;
    const unsigned call = atomic_fetch_add(&state->calls, 1) + 1;
    if (how == FAIL_NOTHING || (atomic_load(&state->from_then_on) ? call < n : call != n))
        return false;
    snprintf(state->failed, sizeof state->failed, "%s", name);
    if (how == FAIL_DIE) {
        kill(getpid(), SIGKILL);
        pause();
    }
    errno = errno_of(how);
    return true;
}

/* Of a server, what is written to sockets, pipes and the log is not the disk's. */
static bool is_of_the_disk(int fd)
{
    struct stat about;

    return !atomic_load(&state->only_files) ||
           (fd > STDERR_FILENO && fstat(fd, &about) == 0 && S_ISREG(about.st_mode));
}

static const char *unsynced_end;
static atomic_uint unsynced_times;

void failing_calls_refuse_syncs(const char *end, unsigned times)
{
    unsynced_end = end;
    atomic_store(&unsynced_times, times);
}

static bool is_refused_sync(int fd)
{
    char link[40], path[4096];

    if (atomic_load(&unsynced_times) == 0)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t size = readlink(link, path, sizeof path);
    const size_t end = strlen(unsynced_end);
    if (size < (ssize_t)end || memcmp(path + size - (ssize_t)end, unsynced_end, end) != 0)
        return false;
    atomic_fetch_sub(&unsynced_times, 1);
    errno = EIO;
    return true;
}

static void (*observer)(const struct observed_call *call);

void failing_calls_observe(void (*each)(const struct observed_call *call))
{
    observer = each;
}

/* A call and its note are one step, so that what is noted has the order of what was done, whichever threads
 * did it. The observer may itself make calls. */
static pthread_mutex_t one_step = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static void (*behind_step)(void); /* one_step */

void failing_calls_behind_step(void (*then)(void))
{
    behind_step = then;
}

static bool begin_step(void)
{
    return observer && pthread_mutex_lock(&one_step) == 0;
}

static void end_step(const bool *begun)
{
    const int kept = errno;

    if (*begun) {
        void (*then)(void) = behind_step;
        behind_step = NULL;
        pthread_mutex_unlock(&one_step);
        if (then)
            then();
    }
    errno = kept;
}
#define AS_ONE_STEP() \
    __attribute__((cleanup(end_step))) const bool begun = begin_step(); \
    (void)begun

static void observe(struct observed_call call)
{
    const int kept = errno;

    if (observer)
        observer(&call);
    errno = kept;
}

/* dlsym's answer as a function pointer of the right type. */
#define REAL(function) ((__typeof__(&function))(uintptr_t)dlsym(RTLD_NEXT, #function))

#define OPENS(function, at_folder, declared, passed) \
    int function declared \
    { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | __O_TMPFILE)) { \
            va_list args; \
            va_start(args, flags); \
            mode = va_arg(args, mode_t); \
            va_end(args); \
        } \
        if (is_failing((flags & O_CREAT) ? CALL_MAKES : CALL_OPENS, #function)) \
            return -1; \
        AS_ONE_STEP(); \
        const bool makes = observer && (flags & O_CREAT) && faccessat(at_folder, path, F_OK, 0) != 0; \
        const int opened = REAL(function) passed; \
        if (opened >= 0 && makes) \
            observe((struct observed_call){ .what = OBSERVED_MADE, .folder = at_folder, .path = path }); \
        else if (opened >= 0 && (flags & O_TRUNC)) \
            observe((struct observed_call){ .what = OBSERVED_CUT, .fd = opened }); \
        return opened; \
    }
OPENS(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPENS(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPENS(openat, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPENS(openat64, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

#define WRITES(function, offset, declared, passed) \
    ssize_t function declared \
    { \
        if (is_of_the_disk(fd) && is_failing(CALL_WRITES, #function)) { \
            if (atomic_load(&state->how) != FAIL_SHORT) \
                return -1; \
            size = size > 1 ? size / 2 : size; \
        } \
        AS_ONE_STEP(); \
        const off_t from = observer ? offset : 0; \
        const ssize_t written = REAL(function) passed; \
        if (written > 0) \
            observe((struct observed_call){ \
                .what = OBSERVED_WROTE, .fd = fd, .data = data, .size = (size_t)written, .at = from }); \
        return written; \
    }
WRITES(write, lseek(fd, 0, SEEK_CUR), (int fd, const void *data, size_t size), (fd, data, size))
WRITES(pwrite, at, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRITES(pwrite64, at, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))

#define CHANGES(kind, function, declared, passed, ...) \
    int function declared \
    { \
        if (is_failing(kind, #function)) \
            return -1; \
        AS_ONE_STEP(); \
        const int changed = REAL(function) passed; \
        if (changed == 0) \
            observe((struct observed_call){ __VA_ARGS__ }); \
        return changed; \
    }
#define SYNCS(function) \
    int function(int fd) \
    { \
        AS_ONE_STEP(); \
        const bool fails = is_failing(CALL_CHANGES, #function) || is_refused_sync(fd); \
        const int done = fails ? -1 : REAL(function)(fd); \
        if (fails || done == 0) \
            observe( \
                (struct observed_call){ .what = fails ? OBSERVED_UNSYNCED : OBSERVED_SYNCED, .fd = fd }); \
        return done; \
    }
SYNCS(fsync)
SYNCS(fdatasync)
CHANGES(CALL_CHANGES, ftruncate, (int fd, off_t size), (fd, size), .what = OBSERVED_CUT, .fd = fd, .at = size)
CHANGES(CALL_CHANGES, ftruncate64, (int fd, off64_t size), (fd, size), .what = OBSERVED_CUT, .fd = fd,
        .at = size)
CHANGES(CALL_CHANGES, mkdir, (const char *path, mode_t mode), (path, mode), .what = OBSERVED_MADE,
        .folder = AT_FDCWD, .path = path)
CHANGES(CALL_CHANGES, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode),
        .what = OBSERVED_MADE, .folder = folder, .path = path)
CHANGES(CALL_CHANGES, rename, (const char *from, const char *to), (from, to), .what = OBSERVED_RENAMED,
        .from_folder = AT_FDCWD, .from = from, .folder = AT_FDCWD, .path = to)
CHANGES(CALL_CHANGES, linkat, (int from, const char *path, int to, const char *as, int flags),
        (from, path, to, as, flags), .what = OBSERVED_LINKED, .folder = to, .path = as)
CHANGES(CALL_REMOVES, unlink, (const char *path), (path), .what = OBSERVED_UNLINKED, .folder = AT_FDCWD,
        .path = path)
CHANGES(CALL_REMOVES, unlinkat, (int folder, const char *path, int flags), (folder, path, flags),
        .what = OBSERVED_UNLINKED, .folder = folder, .path = path)
