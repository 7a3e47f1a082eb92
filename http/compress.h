/* http/compress.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Content coding of answers while they are sent: JSON, XML and text by Accept-Encoding (HTP-60 to HTP-63).
 * Images, instances, bulk data and parts of things are never coded.
 */
#ifndef GANTRY_HTTP_COMPRESS_H
#define GANTRY_HTTP_COMPRESS_H

#include "http/request.h"
#include "http/response.h"

/* How many answers may be compressed at once, over the process; each takes about 300 KiB, or 700 KiB for
 * zstd. What comes on top goes out as it is. Used compressors are kept. Once, before threads. */
void compress_limit(unsigned answers);

/* Codes the answer, if it is one that gains by it: Content-Encoding, Vary, a weak ETag in the place of a
 * strong one (the bytes depend on the coding, what they say does not), a body whose size is mostly unknown.
 * One with a Content-Encoding is left alone, and so are bodies known to be smaller than `least_bytes`,
 * answers to requests with Range (HTP-53), and all statuses but 200, 202 and 409 (the answers of STOW-RS). A
 * small body is read and coded at once, without waiting: the faults of its source. A large one is only read
 * where waiting is allowed: compressing is a worker's business. */
MUST_USE bool compress_apply(const struct request *request, struct response *response, uint64_t least_bytes,
                             struct error *err);

#endif
