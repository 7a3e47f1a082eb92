/* server/access_log.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One line for each exchange on standard error, at level info: method, route pattern (never the path: UIDs go
 * to the audit log only), status, bytes, time, id. Lines are collected and written by a thread of its own,
 * ten times a second at most.
 */
#ifndef GANTRY_SERVER_ACCESS_LOG_H
#define GANTRY_SERVER_ACCESS_LOG_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"

struct access_log;

struct access_entry {
    const char *method, *pattern;
    int status;
    uint64_t body_bytes, microseconds, id;
    bool broken; /* the client did not get all of it */
};

/* `fd` is borrowed; STDERR_FILENO but in tests. */
MUST_USE bool access_log_open(int fd, struct access_log **ret, struct error *err);
void access_log_enable(struct access_log *log, bool enabled); /* log_level above info: off */
/* Never waits: when the reader of the log is slower, lines are dropped and counted. Any thread. NULL is fine.
 */
void access_log_write(struct access_log *log, const struct access_entry *entry);
void access_log_close(struct access_log *log); /* writes what is left; NULL is fine */

#endif
