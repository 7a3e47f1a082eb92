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
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_bool armed;
static atomic_uint calls;
static _Atomic(const char *) failed_call;
static enum failing failing_how;
static unsigned failing_n;

void failing_calls_arm(enum failing how, unsigned n)
{
    failing_how = how;
    failing_n = n;
    atomic_store(&calls, 0);
    atomic_store(&failed_call, "none");
    atomic_store(&armed, true);
}

unsigned failing_calls_disarm(void)
{
    atomic_store(&armed, false);
    return atomic_load(&calls);
}

const char *failing_calls_which(void)
{
    return atomic_load(&failed_call);
}

enum call { CALL_OPENS, CALL_WRITES, CALL_CHANGES, CALL_REMOVES };

/* True: this is the call that is to fail, errno is set (0 for a short write). */
static bool is_failing(enum call kind, const char *name)
{
    if (!atomic_load(&armed) || (failing_how != FAIL_DIE && kind == CALL_REMOVES) ||
        (failing_how == FAIL_EMFILE && kind != CALL_OPENS) ||
        (failing_how == FAIL_SHORT && kind != CALL_WRITES))
        return false;
    if (atomic_fetch_add(&calls, 1) + 1 != failing_n || failing_how == FAIL_NOTHING)
        return false;
    atomic_store(&failed_call, name);
    if (failing_how == FAIL_DIE) {
        kill(getpid(), SIGKILL);
        pause();
    }
    errno = failing_how == FAIL_EIO      ? EIO
            : failing_how == FAIL_ENOSPC ? ENOSPC
            : failing_how == FAIL_EMFILE ? EMFILE
                                         : 0;
    return true;
}

/* dlsym's answer as a function pointer of the right type. */
#define REAL(function) ((__typeof__(&function))(uintptr_t)dlsym(RTLD_NEXT, #function))

#define OPENS(function, declared, passed) \
    int function declared \
    { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | __O_TMPFILE)) { \
            va_list args; \
            va_start(args, flags); \
            mode = va_arg(args, mode_t); \
            va_end(args); \
        } \
        return is_failing(CALL_OPENS, #function) ? -1 : REAL(function) passed; \
    }
OPENS(open, (const char *path, int flags, ...), (path, flags, mode))
OPENS(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENS(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPENS(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

#define WRITES(function, declared, passed) \
    ssize_t function declared \
    { \
        if (is_failing(CALL_WRITES, #function)) { \
            if (failing_how != FAIL_SHORT) \
                return -1; \
            size = size > 1 ? size / 2 : size; \
        } \
        return REAL(function) passed; \
    }
WRITES(write, (int fd, const void *data, size_t size), (fd, data, size))
WRITES(pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRITES(pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))

#define CHANGES(kind, function, declared, passed) \
    int function declared \
    { \
        return is_failing(kind, #function) ? -1 : REAL(function) passed; \
    }
CHANGES(CALL_CHANGES, fsync, (int fd), (fd))
CHANGES(CALL_CHANGES, fdatasync, (int fd), (fd))
CHANGES(CALL_CHANGES, ftruncate, (int fd, off_t size), (fd, size))
CHANGES(CALL_CHANGES, ftruncate64, (int fd, off64_t size), (fd, size))
CHANGES(CALL_CHANGES, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
CHANGES(CALL_CHANGES, rename, (const char *from, const char *to), (from, to))
CHANGES(CALL_CHANGES, linkat, (int from, const char *path, int to, const char *as, int flags),
        (from, path, to, as, flags))
CHANGES(CALL_REMOVES, unlink, (const char *path), (path))
CHANGES(CALL_REMOVES, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
