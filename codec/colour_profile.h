/* codec/colour_profile.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * ICC profiles of pictures (Little CMS 2): PS3.18 8.3.5.1.5. Any thread.
 */
#ifndef GANTRY_CODEC_COLOUR_PROFILE_H
#define GANTRY_CODEC_COLOUR_PROFILE_H

#include "base/buffer.h"
#include "codec/codec.h"

enum colour_space {
    COLOURS_AS_THEY_ARE, /* those of the source's profile, sRGB where there is none */
    COLOURS_SRGB,
    COLOURS_ADOBE_RGB,
    COLOURS_ROMM_RGB
};

/* The picture, gray made RGB, in the colours asked for, in place or as a new one; `source` is the profile of
 * what it shows, empty or unusable: sRGB. The profile to go with it is appended to `profile`. 8 bits only.
 * BUSY, INTERNAL. */
MUST_USE bool colour_profile_apply(struct pixels *picture, struct bytes source, enum colour_space space,
                                   struct buffer *profile, struct error *err);
/* Gray as three equal samples, in place. BUSY. */
MUST_USE bool picture_to_colours(struct pixels *picture, struct error *err);

#endif
