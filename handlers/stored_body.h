/* handlers/stored_body.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of a stored file that are not sent as they lie there, as bodies: turned round, inflated, written
 * anew. They read while they are sent, and borrow the reader. What is not bytes of the file alone is made by
 * workers: asked to read without waiting, the inflated ones say WOULD_WAIT.
 */
#ifndef GANTRY_HANDLERS_STORED_BODY_H
#define GANTRY_HANDLERS_STORED_BODY_H

#include "base/arena.h"
#include "base/block.h"
#include "dicom/frame_table.h"
#include "dicom/rewrite.h"
#include "http/body.h"
#include "storage/instance_record.h"

/* Each `unit` (2, 4, 8) bytes turned round; 1: as they are. */
struct body_source *stored_body_turned(struct arena *arena, struct store_reader *reader, struct extent extent,
                                       unsigned unit);
/* The bytes `extent` of the data set that a deflated file holds; size BODY_SIZE_UNKNOWN: to its end. BUSY: no
 * memory. */
MUST_USE bool stored_body_inflated(struct arena *arena, struct store_reader *reader, uint64_t data_set_offset,
                                   uint64_t file_size, struct extent extent, struct body_source **ret,
                                   struct error *err);
/* The whole file in Explicit VR Little Endian. The size is known but for deflated ones. Faults as of
 * rewrite_plan, but CORRUPT_OBJECT where the file is broken. May wait. */
MUST_USE bool stored_body_rewritten(struct arena *arena, struct store_reader *reader,
                                    const struct instance_record *record, struct body_source **ret,
                                    struct error *err);
/* The file as it lies there, but with a head as PS3.10 7.1 wants it: of one that needs_head. The size is
 * known. Faults as above. May wait. */
MUST_USE bool stored_body_headed(struct arena *arena, struct store_reader *reader,
                                 const struct instance_record *record, struct body_source **ret,
                                 struct error *err);
/* What stands around the pixel data of a file that is written anew in `to`; `with`: the changes, the frame
 * type, the frames and the SOP Instance UID (dicom/rewrite.h), which must last as long as the body. Both of
 * known size; the second may be empty. Of a deflated one the
 * whole data set is inflated in memory: TOO_LARGE if it is more than `ceiling_bytes`. Faults as above. May
 * wait. */
MUST_USE bool stored_body_around_pixels(struct arena *arena, struct store_reader *reader,
                                        const struct instance_record *record, enum transfer_syntax to,
                                        const struct rewrite_source *with, uint64_t ceiling_bytes,
                                        struct body_source **ret_before, struct body_source **ret_behind,
                                        struct error *err);
/* All of `source`, whose size is known, in a block that the caller owns; its end before that is
 * CORRUPT_PIXELS, BUSY: over the budget of blocks. May wait. */
MUST_USE bool stored_body_gather(struct body_source *source, struct block **ret, struct error *err);

#endif
