/* handlers/made_frame.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of one frame in memory: as it is stored, and as a codec makes it.
 */
#ifndef GANTRY_HANDLERS_MADE_FRAME_H
#define GANTRY_HANDLERS_MADE_FRAME_H

#include "dicom/pixel_shape.h"
#include "handlers/handler.h"
#include "http/body.h"
#include "storage/instance_record.h"

/* The frame as the stored transfer syntax has it, as a body: little endian and from the first bit on where it
 * is native (an inflated or turned one too), the fragments joined where it is compressed. `frame` counts from
 * 1 and is in the table. Body and reader end with `arena`. May wait. */
MUST_USE bool stored_frame_body(const struct instance_record *record, uint32_t frame,
                                struct store_reader *reader, struct arena *arena, struct body_source **ret,
                                struct error *err);
/* All of native pixel data, likewise; bits stay where they are. */
MUST_USE bool stored_pixels_body(const struct instance_record *record, struct store_reader *reader,
                                 struct arena *arena, struct body_source **ret, struct error *err);
/* Is a frame's body just the bytes of the file, at the extents of the frame table? */
bool stored_frame_lies_ready(const struct instance_record *record);
/* The same in a block that the caller owns. */
MUST_USE bool stored_frame(const struct instance_record *record, uint32_t frame, struct store_reader *reader,
                           struct block **ret, struct error *err);

/* The frame in `to`, which codec_can said can be made of what is stored; an OFFER_MADE is answered with this
 * and with nothing else. From the cache of frames, or made now, once for all that ask at the same time (see
 * frame_cache_get for waiting). NOT_ACCEPTABLE: it turned out not to be possible; CORRUPT_PIXELS: the stored
 * frame does not decode; TOO_LARGE: over the ceiling; BUSY. The caller owns the reference. */
MUST_USE bool made_frame(const struct service *service, const struct request *request,
                         const struct instance_record *record, uint32_t frame, enum transfer_syntax to,
                         struct store_reader *reader, enum patience patience, struct block **ret,
                         struct error *err);

/* What describes such a frame, and the size of the first one, which is made for it. As made_frame; may wait.
 */
struct made_shape {
    struct pixel_shape shape;
    uint64_t frame_bytes;
};
MUST_USE bool made_frame_shape(const struct service *service, const struct request *request,
                               const struct instance_record *record, enum transfer_syntax to,
                               struct store_reader *reader, struct made_shape *ret, struct error *err);

#endif
