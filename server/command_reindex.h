/* server/command_reindex.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * `gantry reindex`: the whole catalog anew, from the stored files alone. Needs the data folder for itself.
 */
#ifndef GANTRY_SERVER_COMMAND_REINDEX_H
#define GANTRY_SERVER_COMMAND_REINDEX_H

#include "config/settings.h"

/* Returns enum command_exit. */
int command_reindex(const struct settings *settings);
/* Before anything is changed by another: what a stopped reindex had made is out of date, and goes. */
void command_reindex_forget(const struct settings *settings);

#endif
