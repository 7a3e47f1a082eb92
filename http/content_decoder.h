/* http/content_decoder.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A request body that came compressed (RFC 9110 8.4): decoded while it arrives, in front of the sink that it
 * is for, with a bound on how much a small body may become.
 */
#ifndef GANTRY_HTTP_CONTENT_DECODER_H
#define GANTRY_HTTP_CONTENT_DECODER_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "http/body.h"

/* The value of Accept-Encoding in a 415 to other codings (RFC 9110 15.5.16). */
extern const char content_codings[];

/* *ret is `inner` itself where `coding` is empty or identity. UNSUPPORTED_MEDIA: another coding than gzip.
 * The state is freed with the arena. From the sink: MALFORMED when the data are broken or cut off; TOO_LARGE
 * when they become more than `expansion_ceiling` bytes a byte (the first MiB is free). */
MUST_USE bool content_decoder(struct bytes coding, struct body_sink *inner, uint32_t expansion_ceiling,
                              struct arena *arena, struct body_sink **ret, struct error *err);
/* The sink behind the decoder, or the sink itself. */
struct body_sink *content_decoder_inner(struct body_sink *sink);

#endif
