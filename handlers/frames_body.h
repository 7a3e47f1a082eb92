/* handlers/frames_body.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Frames of one instance as a response body.
 */
#ifndef GANTRY_HANDLERS_FRAMES_BODY_H
#define GANTRY_HANDLERS_FRAMES_BODY_H

#include "handlers/handler.h"
#include "handlers/offer.h"
#include "storage/instance_record.h"

struct frame_list {
    uint32_t *frames; /* from 1, in the order asked for, duplicates too; in the arena */
    size_t count;
    struct store_reader *held_or_null; /* of the instance, by who outlives the body: it is not opened then */
};

/* "1,3,2": MALFORMED for anything else, TOO_LARGE over `ceiling` frames (RET-48). */
MUST_USE bool frame_list_parse(struct bytes text, uint32_t ceiling, struct arena *arena,
                               struct frame_list *ret, struct error *err);

/* Does the instance have pixel data whose place is known? NOT_FOUND: it has none (RET-47, RET-55). */
MUST_USE bool frames_exist(const struct instance_record *record, struct error *err);
/* Is there this frame, counted from 1? NOT_FOUND, told, otherwise. */
MUST_USE bool frame_exists(const struct instance_record *record, uint32_t frame, struct error *err);

/* `record` and `wanted` outlive the exchange. `location_or_null`: of every part; NULL: {instance}/frames/{n}.
 * `boundary` data NULL: the only frame alone. */
MUST_USE bool frames_body(const struct service *service, const struct request *request,
                          const struct instance_record *record, const struct frame_list *wanted,
                          const struct offer *offer, const char *location_or_null, struct bytes boundary,
                          struct body_source **ret, struct error *err);
/* Native pixel data are one part, stored or decoded; encapsulated ones as many as there are frames (RET-41).
 */
bool pixels_are_one_part(const struct instance_record *record, const struct offer *offer);
/* All of the pixel data as one part: native as they are stored, or decoded (RET-41). `held_or_null`: as in
 * struct frame_list. */
MUST_USE bool pixels_body(const struct service *service, const struct request *request,
                          const struct instance_record *record, const struct offer *offer,
                          const char *location, struct bytes boundary, struct store_reader *held_or_null,
                          struct body_source **ret, struct error *err);

#endif
