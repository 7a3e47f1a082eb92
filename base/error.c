/* base/error.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Failures as values; see error.h.
 */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct fault_info faults[FAULT_COUNT] = {
    [FAULT_NONE] = { "NONE", 200, 0, "" },
    [FAULT_WOULD_WAIT] = { "WOULD_WAIT", 500, 0x0110, "Internal error." },
#define FAULT(name, http, stow, told) [FAULT_##name] = { #name, http, stow, told },
#include "base/fault.def"
#undef FAULT
};

const struct fault_info *fault_info(enum fault fault)
{
    assert((unsigned)fault < FAULT_COUNT);
    return &faults[fault];
}

bool fault_is_lasting(enum fault fault)
{
    return fault == FAULT_CORRUPT_PIXELS || fault == FAULT_CORRUPT_OBJECT || fault == FAULT_NOT_ACCEPTABLE ||
           fault == FAULT_TOO_LARGE || fault == FAULT_OVER_BUDGET;
}

bool error_set(struct error *err, enum fault fault, const char *format, ...)
{
    va_list args;

    err->fault = fault;
    err->told[0] = '\0';
    va_start(args, format);
    vsnprintf(err->detail, sizeof err->detail, format, args);
    va_end(args);
    return false;
}

bool error_tell(struct error *err, enum fault fault, const char *format, ...)
{
    va_list args;

    err->fault = fault;
    va_start(args, format);
    vsnprintf(err->told, sizeof err->told, format, args);
    va_end(args);
    snprintf(err->detail, sizeof err->detail, "%.*s", (int)sizeof err->detail - 1, err->told);
    return false;
}

bool error_while(struct error *err, const char *doing, ...)
{
    char before[sizeof err->detail];
    char what[120];
    va_list args;

    memcpy(before, err->detail, sizeof before);
    va_start(args, doing);
    vsnprintf(what, sizeof what, doing, args);
    va_end(args);
    snprintf(err->detail, sizeof err->detail, "%s: %.*s", what, (int)(sizeof before - strlen(what) - 3),
             before);
    return false;
}

bool error_errno(struct error *err, int error_number, const char *doing, ...)
{
    char what[160];
    enum fault fault = FAULT_DISK;
    va_list args;

    if (error_number == ENOSPC || error_number == EDQUOT)
        fault = FAULT_DISK_FULL;
    else if (error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM)
        fault = FAULT_BUSY;
    va_start(args, doing);
    vsnprintf(what, sizeof what, doing, args);
    va_end(args);
    const char *name = strerrorname_np(error_number);
    return error_set(err, fault, "%s: %s", what, name ? name : "unknown error");
}

void error_clear(struct error *err)
{
    err->fault = FAULT_NONE;
    err->detail[0] = '\0';
    err->told[0] = '\0';
}
