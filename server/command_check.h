/* server/command_check.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * `gantry check`: files against catalog and SHA-256, both ways; beside a running server or without one.
 */
#ifndef GANTRY_SERVER_COMMAND_CHECK_H
#define GANTRY_SERVER_COMMAND_CHECK_H

#include "config/settings.h"

/* Findings go to standard output, one a line, progress to standard error. Returns enum command_exit. */
int command_check(const struct settings *settings);

#endif
