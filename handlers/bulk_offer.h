/* handlers/bulk_offer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What bulk data values other than pixel data can be sent as (PS3.18 10.4.1.1.5, RET-44).
 */
#ifndef GANTRY_HANDLERS_BULK_OFFER_H
#define GANTRY_HANDLERS_BULK_OFFER_H

#include "handlers/offer.h"

/* The tag when `path` is one at the top level, else 0. */
uint32_t bulk_path_tag(struct bytes path);
/* Top-level Pixel Data, Float or Double Float Pixel Data: what the frame table has. */
bool bulk_path_is_pixel_data(struct bytes path);

/* Octets, little endian. An encapsulated document also by its own media type, and rather so: told by
 * `object`, the instance's metadata (may be empty). Fragments of a compressed icon: by the stored syntax. */
void offers_of_value(struct offers *offers, const struct instance_record *record, struct bytes path,
                     struct bytes object, bool is_encapsulated, struct arena *arena);

#endif
