/* handlers/handler.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a handler is: a function from a request to a response. All that it may reach is given to it.
 */
#ifndef GANTRY_HANDLERS_HANDLER_H
#define GANTRY_HANDLERS_HANDLER_H

#include "base/error.h"
#include "http/request.h"
#include "http/response.h"
#include "storage/catalog.h"
#include "storage/display_cache.h"
#include "storage/frame_cache.h"
#include "storage/store.h"

/* Limits and choices that handlers need: a snapshot of the settings, immutable while in use. */
struct limits {
    uint64_t instance_ceiling_bytes, request_ceiling_bytes;
    uint32_t max_results;        /* of one search */
    uint32_t frame_list_ceiling; /* frames in one request */
    uint32_t batch_instances;
    uint64_t batch_bytes;
    uint64_t answer_ceiling_bytes;   /* of one search answer in memory */
    uint64_t metadata_ceiling_bytes; /* JSON or XML metadata of one store */
    uint32_t expansion_ceiling;      /* decoded bytes of a request body for one of its coded ones */
    enum duplicate_policy duplicates;
    bool takes_foreign_meta;
    struct json_limits json;
    uint64_t decode_ceiling_bytes; /* of one decoded frame */
    bool lossy_uid_is_new;         /* of instances made in a lossy transfer syntax */
    bool unknown_matches;
    bool deletion;                     /* is DELETE offered? */
    uint32_t viewport_ceiling;         /* pixels a side of a rendered picture */
    uint32_t thumbnail_size;           /* pixels a side, where the client does not say */
    uint32_t rendered_quality;         /* 1..100, where the client does not say */
    uint64_t picture_ceiling_pixels;   /* of a picture made larger than the image */
    uint64_t animation_ceiling_pixels; /* of all frames of an animated picture together */
};

/* Made for one who looks; more are for one who collects. */
enum { FRAMES_AT_ONCE = 8 };
static inline enum response_work work_of_making(size_t frames)
{
    return frames > FRAMES_AT_ONCE ? WORK_COLLECTS : WORK_MAKES;
}

struct service {
    struct store *store;
    struct catalog *catalog;
    struct display_cache *displays; /* how images are shown; NULL: nothing is kept */
    const char *font;               /* path, for what is written on pictures */
    struct frame_cache *frame_cache;
    const struct limits *limits;
    /* Why the server is not ready, or NULL when it is; for /readyz. */
    const char *(*not_ready)(void *context);
    void *not_ready_context;
};

/* True: the response is complete. False: `err` says why and the dispatcher makes the answer; WOULD_WAIT under
 * MUST_NOT_WAIT means: call again on a worker (the arena was rewound to where it was). */
typedef bool handler_answer_fn(const struct service *service, const struct request *request,
                               struct response *response, struct error *err);
/* Called when the headers are in, before any body byte and before 100-continue: refuses (false), or makes the
 * sink that takes the body. Must not wait. */
typedef bool handler_receive_fn(const struct service *service, const struct request *request,
                                struct body_sink **ret, struct error *err);

#endif
