/* storage/intake.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The one door through which instances enter, whatever carried them: STOW-RS, C-STORE, a bulk import. One
 * intake is one delivery: a POST, an association. One thread at a time; may wait.
 */
#ifndef GANTRY_STORAGE_INTAKE_H
#define GANTRY_STORAGE_INTAKE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/patience.h"
#include "dicom/dicom_json.h"
#include "dicom/instance_key.h"
#include "storage/catalog.h"
#include "storage/store.h"

struct intake;

enum {
    INTAKE_OUTCOMES_MOST = 1000000
}; /* instances of one delivery: then intake_begin_instance is TOO_LARGE */

struct intake_outcome {      /* of one instance */
    struct instance_key key; /* as far as it was understood */
    struct uid sop_class;
    struct error error;      /* fault FAULT_NONE: stored, durable, findable */
    uint16_t warning_reason; /* 0: none */
    bool known;              /* it was stored before: nothing was written */
};

struct intake_options {
    const struct uid *only_study_or_null; /* POST /studies/{study} */
    uint64_t instance_ceiling_bytes;
    uint32_t batch_instances; /* committed together, at most */
    uint64_t batch_bytes;
    bool commits_behind; /* a full batch is committed by a thread of its own while the next one arrives */
    enum duplicate_policy duplicates;
    bool takes_foreign_meta; /* file meta information that names another instance: a warning, else MISMATCH
                                (STO-23) */
    struct json_limits json;
};

MUST_USE bool intake_open(struct store *store, struct catalog *catalog, const struct intake_options *options,
                          struct intake **ret, struct error *err);
/* begin, write..., end for each instance. A failing instance becomes its outcome and the intake goes on: only
 * what makes going on senseless is an error here (intake_begin: DISK_FULL, BUSY). */
MUST_USE bool intake_begin_instance(struct intake *intake, struct error *err);
/* begin, write and end in one, of a file that lies elsewhere (storage/store.h says how it may be taken). */
MUST_USE bool intake_take_file(struct intake *intake, const char *path, enum store_taking how,
                               struct error *err);
void intake_write(struct intake *intake, struct bytes chunk);
void intake_end_instance(struct intake *intake); /* its outcome is noted; may commit a batch */
/* For the instance under way, by whoever made its bytes: its UIDs, which its outcome names should it fail
 * before they were read from them; a warning (0008,1196) that it gets when it is stored and nothing else is
 * to be warned of. */
void intake_name_instance(struct intake *intake, const struct instance_key *key, const struct uid *sop_class);
void intake_warn_instance(struct intake *intake, uint16_t warning_reason);
/* The instance under way is not whole: its bytes are dropped and `why` is its outcome. */
void intake_abandon_instance(struct intake *intake, const struct error *why);
/* A part that never became an instance. */
void intake_refuse_instance(struct intake *intake, const struct error *why);
/* Makes the rest durable, then findable. An instance that fails is an outcome, not an error. */
MUST_USE bool intake_commit(struct intake *intake, struct error *err);
size_t intake_count(const struct intake *intake); /* of outcomes */
/* The outcomes one by one, in the order of arrival: after intake_commit, while the intake is open. In the
 * arena; one thread at a time. A delivery may have INTAKE_OUTCOMES_MOST of them, so only a window of them is
 * in memory. */
struct outcome_reader;
struct outcome_reader *intake_outcomes(struct intake *intake, struct arena *arena);
/* *ret_or_null lives until the next call; NULL behind the last. WOULD_WAIT under MUST_NOT_WAIT: they are on
 * the disk, ask again. DISK. */
MUST_USE bool outcome_reader_next(struct outcome_reader *reader, enum patience patience,
                                  const struct intake_outcome **ret_or_null, struct error *err);
void outcome_reader_rewind(struct outcome_reader *reader); /* to the first */
void intake_close(struct intake *intake);                  /* discards what was not committed; NULL is fine */

#endif
