/* server/command_import.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * `gantry import DIR...`: existing trees of files into the store. Needs the data folder for itself.
 */
#ifndef GANTRY_SERVER_COMMAND_IMPORT_H
#define GANTRY_SERVER_COMMAND_IMPORT_H

#include <stddef.h>

#include "config/settings.h"

/* `roots`: folders or files. Returns enum command_exit. */
int command_import(const struct settings *settings, char *const *roots, size_t root_count);

#endif
