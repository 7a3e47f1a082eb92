/* base/error.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A place for a failure on the caller's stack: nothing to allocate, nothing to free. Told once, where
 * first known (error_set, error_tell); each caller that can add what was being done adds it
 * (error_while); one place, the dispatcher, logs it. What it means to HTTP, to STOW and to the client
 * stands in fault.def.
 */
#ifndef GANTRY_BASE_ERROR_H
#define GANTRY_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

GANTRY_C_BEGIN

enum fault {
    FAULT_NONE = 0,
    FAULT_WOULD_WAIT, /* no failure: ask again where waiting is allowed */
#define FAULT(name, http, stow, told) FAULT_##name,
#include "base/fault.def"
#undef FAULT
    FAULT_COUNT
};

struct error {
    enum fault fault;
    char detail[240]; /* for the log only: no patient data, never sent to a client */
    char told[320];   /* for the client too: names an attribute, header or limit; never a stored value */
};

struct fault_info {
    const char *name;
    int http_status;
    uint16_t failure_reason; /* (0008,1197) */
    const char *sentence;
};
const struct fault_info *fault_info(enum fault fault);
/* About the one stored thing that was asked for, and the same whenever it is asked for again: it does not
 * decode, cannot be had in that form, or is over a limit. No reason to end an answer that has other things.
 */
bool fault_is_lasting(enum fault fault);

/* All three return false, so that a failing function can say `return error_set(...)`.
 * error_set: a detail for the log. error_tell: the same text for the log and for the client.
 * error_while: puts "doing: " in front of the detail, keeps fault and told. */
bool error_set(struct error *err, enum fault fault, const char *format, ...) PRINTF_LIKE(3, 4);
bool error_tell(struct error *err, enum fault fault, const char *format, ...) PRINTF_LIKE(3, 4);
bool error_while(struct error *err, const char *doing, ...) PRINTF_LIKE(2, 3);
/* FAULT_DISK, or DISK_FULL for ENOSPC and EDQUOT, or BUSY for EMFILE, ENFILE and ENOMEM, with errno's name.
 */
bool error_errno(struct error *err, int error_number, const char *doing, ...) PRINTF_LIKE(3, 4);
void error_clear(struct error *err);

GANTRY_C_END

#endif
