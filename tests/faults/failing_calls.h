/* tests/faults/failing_calls.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Makes the n-th system call that changes files fail, or makes the process die before it: in our own code and
 * in the libraries (SQLite), because a program's functions go before those of the C library.
 */
#ifndef GANTRY_TESTS_FAILING_CALLS_H
#define GANTRY_TESTS_FAILING_CALLS_H

#include <stdbool.h>

enum failing {
    FAIL_NOTHING, /* only counts */
    FAIL_EIO,     /* once */
    FAIL_ENOSPC,  /* once */
    FAIL_EMFILE,  /* once; where a descriptor is wanted */
    FAIL_SHORT,   /* a write takes half of what it is given */
    FAIL_DIE      /* SIGKILL before the call */
};

/* From now on calls are counted, from 1; the n-th fails so. Any thread's. Unlinking never fails (its failing
 * can leave nothing but the file itself) but the process can die before it. */
void failing_calls_arm(enum failing how, unsigned n);
/* How many there were since. */
unsigned failing_calls_disarm(void);
/* The call that failed, for the test's message; "none". */
const char *failing_calls_which(void);

#endif
