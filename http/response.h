/* http/response.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A response as a value.
 */
#ifndef GANTRY_HTTP_RESPONSE_H
#define GANTRY_HTTP_RESPONSE_H

#include "base/arena.h"
#include "http/body.h"
#include "http/request.h"

/* What its bytes cost: reading; making, for one who looks; making, for one who collects. Each goes behind the
 * one before. */
enum response_work { WORK_READS, WORK_MAKES, WORK_COLLECTS };

struct response {
    int status;
    struct fields headers;
    struct body_source *body; /* NULL: none */
    enum response_work work;
};

/* How to ask for what costs so much: only what is at hand until the answer was queued with such work, which
 * it is from now on; WOULD_WAIT then leads there. Who has no waiter is not queued again. */
enum patience response_patience(struct response *response, const struct request *request,
                                enum response_work work);

/* Adds a field. Control characters in the value become spaces. */
void response_header(struct response *response, struct arena *arena, const char *name, const char *format,
                     ...) PRINTF_LIKE(4, 5);
/* The first value of a field already set (name of any case), data NULL: none. */
struct bytes response_find(const struct response *response, const char *name);
/* Takes every field of this name (of any case) away. */
void response_remove(struct response *response, const char *name);
/* Adds a header's name to Vary, unless it is there. */
void response_vary(struct response *response, struct arena *arena, const char *name);
/* 200-style answer from a text that the arena holds. */
void response_text(struct response *response, struct arena *arena, int status, const char *content_type,
                   struct bytes body);

#endif
