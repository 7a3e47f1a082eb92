/* server/command.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the offline commands share: exit codes, a line of progress, and being stopped.
 */
#ifndef GANTRY_SERVER_COMMAND_H
#define GANTRY_SERVER_COMMAND_H

#include <stdint.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/error.h"

/* What a command of gantry ends with; `gantry --help` tells them. */
enum command_exit {
    COMMAND_WELL = 0,    /* done, and nothing is wrong */
    COMMAND_FOUND = 1,   /* done; what was found wrong is told */
    COMMAND_USAGE = 2,   /* the words of the command are wrong */
    COMMAND_FAILED = 3,  /* could not be done */
    COMMAND_STOPPED = 4, /* told to stop; the same command goes on where it was */
};

/* From now on SIGINT and SIGTERM are answered by command_is_stopped; a second one ends the process. */
void command_watch_signals(void);
bool command_is_stopped(void);

/* The line of progress on standard error: written over itself on a terminal, every ten seconds anew
 * elsewhere. */
struct progress {
    const char *command;
    uint64_t began_ms, told_ms;
    bool is_terminal, is_open; /* the terminal's cursor stands behind a line */
};
void progress_begin(struct progress *progress, const char *command);
/* Is it time for another line? */
bool progress_is_due(struct progress *progress);
void progress_tell(struct progress *progress, const char *format, ...) PRINTF_LIKE(2, 3);
/* Before anything else is printed. */
void progress_clear(struct progress *progress);
double progress_seconds(const struct progress *progress);

/* "1,234,567" and "1.2 GB" and "2 h 03 min", into small buffers. */
enum { COMMAND_TEXT = 32 };
const char *command_count(uint64_t count, char into[COMMAND_TEXT]);
const char *command_bytes(double bytes, char into[COMMAND_TEXT]);
const char *command_time(double seconds, char into[COMMAND_TEXT]);

/* "gantry: <what>", for the error of a command; COMMAND_FAILED. */
int command_fail(struct progress *progress, const struct error *err);

#endif
