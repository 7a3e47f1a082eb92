/* tests/faults/recorded_disk.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a disk may hold after a power cut: every change below a folder is recorded, and for each moment the
 * folder is built again as it may then be found. Only syncs count: what a file held when it was last synced,
 * and the names that a folder had when that was, is there; of everything later, any part may be. What a sync
 * that failed should have kept no later sync keeps: Linux takes it for written.
 */
#ifndef GANTRY_TESTS_RECORDED_DISK_H
#define GANTRY_TESTS_RECORDED_DISK_H

#include <stddef.h>
#include <stdint.h>

/* Records from now on; `root` exists, is empty and its own name is safe. One recording at a time, one thread.
 */
void recorded_disk_begin(const char *root);
/* Notes at this moment that something was told to somebody: bits that are or'ed together. */
void recorded_disk_told(unsigned what);
/* Runs `then` once, within the call that next links a file into a folder of objects, before anything else
 * happens: what another thread would do at that moment. */
void recorded_disk_at_next_object(void (*then)(void));
/* Ends recording; returns how many moments there are: before the first change, and after each. */
size_t recorded_disk_end(void);
void recorded_disk_free(void);

/* Of what was not synced: */
enum survivors {
    SURVIVES_NOTHING,
    SURVIVES_ALL,
    SURVIVES_DATA,  /* no names */
    SURVIVES_NAMES, /* no data: files are empty or short */
    SURVIVES_SOME   /* chosen by `seed`; of a write all, its first half, or only its length */
};
/* Builds the folder as it may be found when power is cut at `moment`, below `folder` (empty). Returns what
 * had been told by then. */
unsigned recorded_disk_build(size_t moment, enum survivors survivors, uint32_t seed, const char *folder);
/* The change before `moment`, for messages; until the next call. */
const char *recorded_disk_change(size_t moment);

#endif
