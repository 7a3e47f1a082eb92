/* handlers/instance_metadata.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The metadata of one instance, and texts out of them.
 */
#ifndef GANTRY_HANDLERS_INSTANCE_METADATA_H
#define GANTRY_HANDLERS_INSTANCE_METADATA_H

#include "base/buffer.h"
#include "handlers/handler.h"

/* Its DICOM JSON object as the catalog keeps it, or, when its row has gone, as its file says it again,
 * appended to `into`. NOT_FOUND: both have gone. May wait. */
MUST_USE bool instance_metadata_read(const struct service *service, const struct instance_record *record,
                                     struct buffer *into, struct error *err);
/* The first value of an attribute as text, in the arena where it was escaped; a person's name by its
 * alphabetic components; empty: none. */
struct bytes instance_metadata_text(struct bytes object, uint32_t tag, struct arena *arena);
/* One group ("Alphabetic", "Ideographic", "Phonetic") of its first value, a person's name; empty: none. */
struct bytes instance_metadata_name(struct bytes object, uint32_t tag, const char *group,
                                    struct arena *arena);

#endif
