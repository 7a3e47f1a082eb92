/* http/multipart_reader.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * multipart/related (RFC 2046 5.1, RFC 2387), pushed in slices of any size; keeps at most one delimiter's
 * worth and one part's header block (16 KiB). Preamble and epilogue are ignored; a first delimiter without
 * CRLF before it, and transport padding, are accepted (STO-08 to STO-12). One thread at a time.
 */
#ifndef GANTRY_HTTP_MULTIPART_READER_H
#define GANTRY_HTTP_MULTIPART_READER_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "http/request.h"

struct multipart_reader;

struct multipart_events {
    /* `headers`: names in lower case; valid during the call. */
    bool (*part_begin)(void *context, const struct fields *headers, struct error *err);
    bool (*part_bytes)(void *context, struct bytes chunk, struct error *err);
    bool (*part_end)(void *context, struct error *err);
};

/* `boundary` is 1 to 70 characters of RFC 2046's set, not ending in a space: MALFORMED otherwise (STO-03). */
MUST_USE bool multipart_reader_new(struct bytes boundary, const struct multipart_events *events,
                                   void *context, struct arena *arena, struct multipart_reader **ret,
                                   struct error *err);
/* Stops at the first false of an event. MALFORMED for broken part headers. */
MUST_USE bool multipart_reader_push(struct multipart_reader *reader, struct bytes chunk, struct error *err);
/* The body has ended. MALFORMED: no closing delimiter. */
MUST_USE bool multipart_reader_end(struct multipart_reader *reader, struct error *err);
bool multipart_reader_in_part(const struct multipart_reader *reader);   /* part_begin without part_end yet */
uint64_t multipart_reader_parts(const struct multipart_reader *reader); /* begun so far */

#endif
