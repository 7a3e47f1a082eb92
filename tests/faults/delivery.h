/* tests/faults/delivery.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One life of a store and its catalog, for tests that interrupt it: instance A is there; then come a newer A,
 * B, C and B once more, in batches of two; then C is deleted. And what must hold whatever happened in
 * between.
 */
#ifndef GANTRY_TESTS_DELIVERY_H
#define GANTRY_TESTS_DELIVERY_H

#include "base/buffer.h"
#include "storage/catalog.h"
#include "storage/intake.h"
#include "storage/store.h"

enum sample { SAMPLE_A, SAMPLE_NEWER_A, SAMPLE_B, SAMPLE_C, SAMPLES };
enum { DELIVERED = 4 };
extern const enum sample delivered[DELIVERED];

struct house {
    char root[600];
    struct catalog *catalog;
    struct store *store;
};

/* Makes the samples, once per process however often it is called. Before any thread. */
void delivery_prepare(void);
/* Hundreds of lives and disks are shorter in memory: from here on folders are there, where it has room. */
void delivery_in_memory(void);
MUST_USE bool house_open(struct house *house, const char *folder, struct error *err);
void house_close(struct house *house); /* half-open ones too */

/* Are full batches of a delivery committed by threads of their own (intake_options)? */
extern bool delivery_commits_behind;

/* The part before anything is interrupted. */
MUST_USE bool deliver_first(struct house *house, struct error *err);
/* One sample, in a delivery of its own that replaces. */
MUST_USE bool deliver_one(struct house *house, enum sample sample, struct error *err);
/* Returns false when the delivery ended early; outcomes[i] is that of delivered[i], INTERNAL when it never
 * came so far. */
bool deliver_rest(struct house *house, struct error outcomes[DELIVERED], struct error *err);
MUST_USE bool withdraw_c(struct house *house, struct error *err);

/* Which sample is stored under its UID, whole and readable; NOT_FOUND: none; any other fault is a violation.
 */
bool house_has(struct house *house, enum sample sample, struct error *err);
/* Every row has its file, whole, every file its row, and there are no drafts. MALFORMED tells what is wrong.
 */
MUST_USE bool house_is_sound(struct house *house, struct error *err);

#endif
