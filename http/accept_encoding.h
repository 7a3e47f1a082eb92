/* http/accept_encoding.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which content coding an answer gets (RFC 9110 12.5.3, HTP-60, HTP-63). A handler that has a body in a
 * coding already asks here whether the client takes it and sets Content-Encoding; such an answer is left
 * alone afterwards. All others are http/compress.h's.
 */
#ifndef GANTRY_HTTP_ACCEPT_ENCODING_H
#define GANTRY_HTTP_ACCEPT_ENCODING_H

#include "base/attributes.h"
#include "base/bytes.h"

enum content_coding { CODING_IDENTITY, CODING_GZIP, CODING_ZSTD };
enum { CONTENT_CODINGS = 3 };

/* The coding of the highest q among identity and `offered` (a set of 1 << enum content_coding); among equal
 * ones zstd before gzip before identity. No header, or an empty one: identity. An element that cannot be read
 * is passed over. False: the client takes neither identity nor any of the offered. */
MUST_USE bool accept_encoding_choose(struct bytes header, unsigned offered, enum content_coding *ret);
/* For Content-Encoding; NULL for identity. */
const char *content_coding_name(enum content_coding coding);

#endif
