/* codec/webp.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * WebP by libwebp, lossy, at its fastest method but one: a picture is looked at once.
 */
#include "codec/picture_format.h"

#include <stdlib.h>
#include <webp/encode.h>
#include <webp/mux.h>

enum { WEBP_METHOD = 1 };

static int take_bytes(const uint8_t *data, size_t size, const WebPPicture *picture)
{
    buffer_append(picture->custom_ptr, bytes_of(data, size));
    return 1;
}

/* WebP knows no gray: three equal samples. */
static uint8_t *gray_as_colours(struct bytes gray)
{
    uint8_t *colours = malloc(gray.size * 3 + 1);

    for (size_t i = 0; colours && i < gray.size; i++)
        memset(colours + 3 * i, gray.data[i], 3);
    return colours;
}

static bool import(WebPPicture *webp, const struct pixels *picture, struct error *err)
{
    const struct bytes pixels = block_bytes(picture->block);
    const int stride = (int)picture->shape.columns * 3;

    if (picture->shape.samples_per_pixel == 3)
        return WebPPictureImportRGB(webp, pixels.data, stride) ||
               error_set(err, FAULT_BUSY, "libwebp: no memory");
    uint8_t *colours = gray_as_colours(pixels);
    const bool done = colours && WebPPictureImportRGB(webp, colours, stride);
    free(colours);
    return done || error_set(err, FAULT_BUSY, "libwebp: no memory");
}

static bool add_profile(struct buffer *into, struct bytes profile, struct error *err)
{
    const WebPData image = { into->data, into->size }, icc = { profile.data, profile.size };
    WebPData whole = { NULL, 0 };
    WebPMux *mux = WebPMuxNew();
    const bool done = mux && WebPMuxSetImage(mux, &image, 1) == WEBP_MUX_OK &&
                      WebPMuxSetChunk(mux, "ICCP", &icc, 1) == WEBP_MUX_OK &&
                      WebPMuxAssemble(mux, &whole) == WEBP_MUX_OK;

    WebPMuxDelete(mux);
    if (!done)
        return error_set(err, FAULT_INTERNAL, "libwebp: no profile could be added");
    buffer_cut(into, 0);
    buffer_append(into, bytes_of(whole.bytes, whole.size));
    WebPDataClear(&whole);
    return true;
}

bool webp_write(const struct pixels *picture, const struct picture_wish *wish, struct buffer *into,
                struct error *err)
{
    WebPConfig config;
    WebPPicture webp;

    if (picture->shape.columns > WEBP_MAX_DIMENSION || picture->shape.rows > WEBP_MAX_DIMENSION)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "image/webp has at most %d pixels a side.",
                          WEBP_MAX_DIMENSION);
    if (!WebPConfigInit(&config) || !WebPPictureInit(&webp))
        return error_set(err, FAULT_INTERNAL, "libwebp: another version");
    config.quality = (float)(wish->quality ? wish->quality : PICTURE_QUALITY);
    config.method = WEBP_METHOD;
    webp.width = (int)picture->shape.columns;
    webp.height = (int)picture->shape.rows;
    webp.writer = take_bytes;
    webp.custom_ptr = into;
    bool done = import(&webp, picture, err);
    if (done && !WebPEncode(&config, &webp))
        done = error_set(err, FAULT_INTERNAL, "libwebp: error %d", (int)webp.error_code);
    WebPPictureFree(&webp);
    return done && (wish->icc_profile.size == 0 || add_profile(into, wish->icc_profile, err));
}
