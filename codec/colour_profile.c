/* codec/colour_profile.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Profiles made, read and applied; each call has a context of its own, so that no thread waits for another.
 */
#include "codec/colour_profile.h"

#include <lcms2.h>
#include <stdlib.h>

#include "codec/scaling.h"

/* White points and primaries: Adobe RGB (1998) 4.3.1, ISO 22028-2 (ROMM). */
static const cmsCIExyY D65 = { 0.3127, 0.3290, 1.0 }, D50 = { 0.3457, 0.3585, 1.0 };
static const cmsCIExyYTRIPLE adobe = { { 0.64, 0.33, 1.0 }, { 0.21, 0.71, 1.0 }, { 0.15, 0.06, 1.0 } };
static const cmsCIExyYTRIPLE romm = { { 0.7347, 0.2653, 1.0 },
                                      { 0.1596, 0.8404, 1.0 },
                                      { 0.0366, 0.0001, 1.0 } };

static cmsHPROFILE make_with_gamma(cmsContext context, const cmsCIExyY *white,
                                   const cmsCIExyYTRIPLE *primaries, double gamma)
{
    cmsToneCurve *curve = cmsBuildGamma(context, gamma);
    cmsToneCurve *const three[3] = { curve, curve, curve };
    cmsHPROFILE made = curve ? cmsCreateRGBProfileTHR(context, white, primaries, three) : NULL;

    cmsFreeToneCurve(curve);
    return made;
}

static cmsHPROFILE make_profile(cmsContext context, enum colour_space space)
{
    switch (space) {
    case COLOURS_ADOBE_RGB:
        return make_with_gamma(context, &D65, &adobe, 563.0 / 256.0);
    case COLOURS_ROMM_RGB:
        return make_with_gamma(context, &D50, &romm, 1.8);
    case COLOURS_AS_THEY_ARE:
    case COLOURS_SRGB:
        break;
    }
    return cmsCreate_sRGBProfileTHR(context);
}

/* The source's own, if it is one of RGB. */
static cmsHPROFILE open_source(cmsContext context, struct bytes source, bool *ret_own)
{
    cmsHPROFILE profile =
        source.size > 0 ? cmsOpenProfileFromMemTHR(context, source.data, (cmsUInt32Number)source.size) : NULL;

    if (profile && cmsGetColorSpace(profile) == cmsSigRgbData) {
        *ret_own = true;
        return profile;
    }
    if (profile)
        cmsCloseProfile(profile);
    *ret_own = false;
    return make_profile(context, COLOURS_SRGB);
}

static bool append_profile(cmsHPROFILE profile, struct buffer *into)
{
    cmsUInt32Number size = 0;

    if (!cmsSaveProfileToMem(profile, NULL, &size))
        return false;
    uint8_t *room = buffer_reserve(into, size);
    if (!room || !cmsSaveProfileToMem(profile, room, &size))
        return false;
    buffer_grew(into, size);
    return true;
}

static bool convert(cmsContext context, cmsHPROFILE from, cmsHPROFILE to, const struct pixels *picture)
{
    cmsHTRANSFORM transform =
        cmsCreateTransformTHR(context, from, TYPE_RGB_8, to, TYPE_RGB_8, INTENT_RELATIVE_COLORIMETRIC, 0);
    uint8_t *pixels = picture_room(picture);

    if (!transform)
        return false;
    for (uint32_t i = 0; i < picture->shape.rows; i++)
        cmsDoTransform(transform, pixels + (size_t)i * picture->shape.columns * 3,
                       pixels + (size_t)i * picture->shape.columns * 3, picture->shape.columns);
    cmsDeleteTransform(transform);
    return true;
}

bool picture_to_colours(struct pixels *picture, struct error *err)
{
    struct pixels colours = { 0 };

    if (picture->shape.samples_per_pixel == 3)
        return true;
    if (!picture_take(picture->shape.rows, picture->shape.columns, 3, 8, &colours, err))
        return false;
    const struct bytes gray = block_bytes(picture->block);
    uint8_t *room = picture_room(&colours);
    for (size_t i = 0; i < gray.size; i++)
        memset(room + 3 * i, gray.data[i], 3);
    pixels_done(picture);
    *picture = colours;
    return true;
}

bool colour_profile_apply(struct pixels *picture, struct bytes source, enum colour_space space,
                          struct buffer *profile, struct error *err)
{
    if (!picture_to_colours(picture, err))
        return false;
    cmsContext context = cmsCreateContext(NULL, NULL);
    bool own = false, done = false;
    cmsHPROFILE from = context ? open_source(context, source, &own) : NULL;
    cmsHPROFILE to = from && space != COLOURS_AS_THEY_ARE ? make_profile(context, space) : NULL;

    if (from && space == COLOURS_AS_THEY_ARE) {
        done = true;
        if (own)
            buffer_append(profile, source);
        else
            done = append_profile(from, profile);
    } else if (to) {
        done = ((!own && space == COLOURS_SRGB) || convert(context, from, to, picture)) &&
               append_profile(to, profile);
    }
    if (to)
        cmsCloseProfile(to);
    if (from)
        cmsCloseProfile(from);
    if (context)
        cmsDeleteContext(context);
    return done || error_set(err, FAULT_INTERNAL, "Little CMS: the profile could not be applied");
}
