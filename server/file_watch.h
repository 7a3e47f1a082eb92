/* server/file_watch.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Tells when one of a set of files or folders has changed (inotify): once for a set of changes, when they
 * have ceased for a moment. Watched are the folders in which they lie, since files are replaced by renaming,
 * symbolic links by others; whether something has changed is then seen by looking at the files themselves.
 */
#ifndef GANTRY_SERVER_FILE_WATCH_H
#define GANTRY_SERVER_FILE_WATCH_H

#include "base/attributes.h"
#include "base/error.h"

enum { FILE_WATCH_PATHS_MOST = 1024 };

struct file_watch;

/* Watches nothing until file_watch_set. `changed` is called on the watch's own thread. */
MUST_USE bool file_watch_start(void (*changed)(void *context), void *context, struct file_watch **ret,
                               struct error *err);
/* From now on these (copied); they may be missing. What of them is changed after this call is told: so call
 * it, then read the files. Of a folder, the entries are watched, and theirs if they are folders. Any thread.
 */
void file_watch_set(struct file_watch *watch, const char *const *paths, unsigned count);
void file_watch_stop(struct file_watch *watch); /* NULL is fine */

#endif
