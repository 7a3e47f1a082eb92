/* handlers/representation.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What every negotiated answer has in common: validators, caching, conditional and range requests (http.md
 * sections 3 and 4).
 */
#ifndef GANTRY_HANDLERS_REPRESENTATION_H
#define GANTRY_HANDLERS_REPRESENTATION_H

#include "handlers/handler.h"
#include "storage/catalog.h"
#include "storage/instance_record.h"

enum freshness {
    FRESH_FOR_LONG, /* of an object that never changes: a browser need not ask again */
    FRESH_IF_ASKED, /* of a collection that grows: kept, but asked for each time */
    FRESH_NEVER,    /* not to be kept */
};

struct representation {
    const char *content_type;
    const char *location; /* Content-Location, or NULL where each part has its own */
    const char *etag;     /* quoted, or NULL */
    enum freshness freshness;
};

/* Sets the headers that 200 and 304 share. True: the client holds this representation already, the response
 * is a complete 304 and nothing needs to be read. */
bool representation_is_held(const struct request *request, const struct representation *what,
                            struct response *response);
/* Makes it the 200 or 206 answer. Ranges are offered when the body's size is known and there is a tag. Faults
 * as of range_apply. */
MUST_USE bool representation_send(const struct request *request, const struct representation *what,
                                  struct body_source *body, struct response *response, struct error *err);
/* Over all that decides the bytes: the stored object, where it is said to be, how it is put. */
const char *representation_etag(const struct request *request, const struct instance_record *record,
                                const char *location, bool multipart, const char *content_type);
/* Over which generations of which instances are listed, in order, where they are said to be, how they are
 * put. */
const char *representation_etag_of_listing(const struct request *request,
                                           const struct catalog_listing *listing, const char *location,
                                           const char *content_type);
/* FRESH_FOR_LONG unless instances may be replaced under their name. */
enum freshness freshness_of_instances(const struct service *service);

#endif
