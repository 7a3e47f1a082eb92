/* tests/faults/failing_calls.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Makes the n-th system call that changes files fail, or makes the process die before it: in our own code and
 * in the libraries (SQLite), because a program's functions go before those of the C library.
 */
#ifndef GANTRY_TESTS_FAILING_CALLS_H
#define GANTRY_TESTS_FAILING_CALLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum failing {
    FAIL_NOTHING, /* only counts */
    FAIL_EIO,     /* once */
    FAIL_ENOSPC,  /* once; not where something is only read */
    FAIL_EMFILE,  /* once; where a descriptor is wanted */
    FAIL_SHORT,   /* a write takes half of what it is given */
    FAIL_DIE,     /* SIGKILL before the call */
    FAIL_EROFS    /* as FAIL_ENOSPC */
};

/* What there is to know of all that; in a server, in memory that its test has mapped too (preload.c). */
struct failing_state {
    atomic_uint armed, how, n, calls;
    atomic_uint from_then_on; /* not the n-th alone but all from it on */
    atomic_uint only_files;   /* writes to anything else are let alone */
    char failed[32];
};
void failing_calls_share(struct failing_state *shared);

/* From now on calls are counted, from 1; the n-th fails so. Any thread's. Unlinking never fails (its failing
 * can leave nothing but the file itself) but the process can die before it. */
void failing_calls_arm(enum failing how, unsigned n);
/* So many syncs of a folder whose path ends in `end` fail with EIO, the next ones. */
void failing_calls_refuse_syncs(const char *end, unsigned times);
/* How many there were since. */
unsigned failing_calls_disarm(void);
/* The call that failed, for the test's message; "none". */
const char *failing_calls_which(void);

/* What a call has changed, told once it has succeeded; whether armed or not. Of a sync also that it failed.
 */
enum observed {
    OBSERVED_MADE,     /* a file or folder: folder, path */
    OBSERVED_WROTE,    /* fd, data, size, at */
    OBSERVED_CUT,      /* to the size `at`: fd */
    OBSERVED_SYNCED,   /* a file or folder: fd */
    OBSERVED_UNSYNCED, /* the same failed: fd */
    OBSERVED_LINKED,   /* folder, path: the new name */
    OBSERVED_RENAMED,  /* from_folder, from; folder, path: the new name */
    OBSERVED_UNLINKED, /* folder, path */
};
struct observed_call {
    enum observed what;
    int fd, folder, from_folder;
    const char *path, *from;
    const void *data;
    size_t size;
    off_t at;
};
/* One thread at a time; NULL: nobody looks. */
void failing_calls_observe(void (*each)(const struct observed_call *call));
/* From the observer: `then` runs within the call that is being told of, behind its note, when other threads
 * may make calls again. */
void failing_calls_behind_step(void (*then)(void));

#endif
