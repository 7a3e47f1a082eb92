/* http/request.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A request as a value.
 */
#ifndef GANTRY_HTTP_REQUEST_H
#define GANTRY_HTTP_REQUEST_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/patience.h"
#include "base/waiter.h"
#include "http/body.h"

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_UNKNOWN
};
enum method method_parse(struct bytes text); /* case-sensitive */
const char *method_text(enum method method);

struct field {
    struct bytes name, value;
};
struct fields {
    struct field *list;
    size_t count, capacity;
};
/* Name and value are borrowed. */
void fields_add(struct fields *fields, struct arena *arena, struct bytes name, struct bytes value);
/* The first field of this name (exact bytes), or NULL. */
const struct field *fields_find(const struct fields *fields, const char *name);

enum { REQUEST_PARAMS = 5 };

struct request {
    enum method method;
    struct bytes target;     /* as it came, path and query */
    struct bytes path;       /* without the query and without the base path, still percent-encoded */
    struct bytes query_text; /* behind the '?', still encoded */
    struct bytes
        params[REQUEST_PARAMS]; /* what the {} of the route matched, percent-decoded; data NULL: none */
    struct fields query;        /* split before decoding; '+' is a space (GEN-06) */
    struct fields headers;      /* names in lower case; several of one name stay several */
    const char *public_base;    /* https://host/dicom-web, no slash at the end */
    const char *principal;      /* who asks, or NULL */
    struct body_sink *body;     /* what the route's `receive` made, or NULL */
    uint64_t content_length;    /* BODY_SIZE_UNKNOWN when chunked, 0 when there is none */
    enum patience patience;
    struct waiter
        *waiter; /* to be given away by who may wait for another's work, or NULL: then the thread waits */
    struct arena *arena; /* lives until the last byte is sent */
    uint64_t id;         /* in every log line of this exchange, and in the X-Request-Id header */
};

/* The value of a header; of several fields of one name, joined by ", " (in the arena). data NULL: absent. */
struct bytes request_header(const struct request *request, const char *lower_case_name);
/* The decoded value of a query parameter, the first of its name; data NULL: absent. */
struct bytes request_query(const struct request *request, const char *name);
/* Is it there more than once? Some parameters have one value and no other. */
bool request_query_is_repeated(const struct request *request, const char *name);

#endif
