/* http/multipart_writer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * multipart/related answers (MPR-01 to MPR-09): heads and tails of parts as text, sizes known beforehand.
 */
#ifndef GANTRY_HTTP_MULTIPART_WRITER_H
#define GANTRY_HTTP_MULTIPART_WRITER_H

#include "base/arena.h"
#include "base/bytes.h"

/* 32 letters and digits and dashes, the same for the same `seed` (what the answer is made of) within one
 * process' secret: repeated requests give the same bytes, and nobody can put the boundary into pixels
 * beforehand. */
struct bytes multipart_boundary(struct arena *arena, struct bytes seed);
/* Sets the secret (all of it counts) in place of the random one of this process, so that ranges of an answer
 * go on fitting after a restart. Once, at the start, before any thread asks for a boundary. */
void multipart_boundary_secret(struct bytes secret);
/* multipart/related; type="..."; boundary=...[; transfer-syntax=...] */
const char *multipart_content_type(struct arena *arena, struct bytes boundary, const char *part_type,
                                   const char *transfer_syntax_or_null);
/* "--b CRLF Content-Type: ... CRLF Content-Location: ... CRLF Content-Length: ... CRLF CRLF"; for every part
 * but the first with a CRLF before it. `size` BODY_SIZE_UNKNOWN leaves the length out. Over 512 bytes the
 * location loses scheme and host, over 900 it is left out: dicomweb-client looks 1000 bytes far for the blank
 * line (MPR-05). */
struct bytes multipart_part_head(struct arena *arena, struct bytes boundary, bool first,
                                 const char *part_type, const char *transfer_syntax_or_null,
                                 const char *location_or_null, uint64_t size);
struct bytes multipart_tail(struct arena *arena, struct bytes boundary); /* CRLF --b-- CRLF */

#endif
