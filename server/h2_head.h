/* server/h2_head.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The header section of an HTTP/2 request (RFC 9113 8.2, 8.3) becomes the request that the dispatcher knows:
 * :authority is the Host, crumbs of a cookie are joined. What is wrong is remembered as the error with which
 * the request will be answered, as over HTTP/1.1, not as a reset without a word.
 */
#ifndef GANTRY_SERVER_H2_HEAD_H
#define GANTRY_SERVER_H2_HEAD_H

#include "base/arena.h"
#include "base/error.h"
#include "http/request.h"

struct h2_head_limits {
    size_t bytes;    /* of names and values and 32 for each field, as SETTINGS_MAX_HEADER_LIST_SIZE counts */
    unsigned fields; /* pseudo fields included */
};

/* All zero: nothing has come yet. */
struct h2_head {
    struct bytes method, scheme, authority, host;
    struct fields crumbs; /* of Cookie */
    size_t bytes;
    unsigned fields;
    bool host_twice;
};

/* One field, of the header section or of the trailers (`request` NULL: it is counted and dropped). The first
 * thing that is wrong goes to `err`, which is left alone when it tells of something already. False: so much
 * more than the limit that the connection is to end. */
MUST_USE bool h2_head_add(struct h2_head *head, const struct h2_head_limits *limits, struct bytes name,
                          struct bytes value, struct request *request, struct error *err);
/* A field that the library will not hand out: its name is no token in lower case, or there are control
 * characters in its value. */
void h2_head_add_invalid(struct error *err);
/* The section has ended. `body`: more than this is to come of the request. On failure `err` says what is
 * wrong, and the request is as complete as it can be. */
MUST_USE bool h2_head_end(struct h2_head *head, bool body, struct request *request, struct error *err);

#endif
