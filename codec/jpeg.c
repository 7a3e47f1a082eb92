/* codec/jpeg.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG of all kinds (ITU-T T.81): reads the marker segments up to the frame header, so that the library is
 * chosen by what the stream is and not by what its transfer syntax says (TSX-22), and so that no library is
 * the first to see its size.
 */
#include "codec/inside.h"

enum {
    SOF_FIRST = 0xC0,
    SOF_LAST = 0xCF,
    DHT = 0xC4,
    JPG = 0xC8,
    DAC = 0xCC,
    SOI = 0xD8,
    SOS = 0xDA,
    SOF_LS = 0xF7,
    SOF_LOSSLESS = 0xC3
};

static bool is_frame_header(unsigned marker)
{
    return marker == SOF_LS ||
           (marker >= SOF_FIRST && marker <= SOF_LAST && marker != DHT && marker != JPG && marker != DAC);
}

/* SOFn: precision, lines, samples a line, components and their sampling factors. */
static bool read_frame_header(struct bytes segment, struct jpeg_header *header, struct error *err)
{
    const uint8_t *at = segment.data;

    if (segment.size < 6 || segment.size < 6 + 3u * at[5])
        return decoding_failed(err, "JPEG: a frame header of %zu bytes", segment.size);
    header->facts = (struct stream_facts){
        .bits = at[0],
        .rows = (uint32_t)at[1] << 8 | at[2],
        .columns = (uint32_t)at[3] << 8 | at[4],
        .components = at[5],
    };
    for (unsigned i = 1; i < header->facts.components; i++)
        if (at[6 + 3 * i + 1] != at[6 + 1])
            header->subsampled = true;
    return true;
}

bool jpeg_header_read(struct bytes coded, struct jpeg_header *ret, struct error *err)
{
    size_t at = 2;

    *ret = (struct jpeg_header){ 0 };
    if (coded.size < 4 || coded.data[0] != 0xFF || coded.data[1] != SOI)
        return decoding_failed(err, "JPEG: no start of image");
    while (at + 4 <= coded.size) {
        if (coded.data[at] != 0xFF) {
            at++; /* garbage between segments: decoders pass over it */
            continue;
        }
        const unsigned marker = coded.data[at + 1];
        if (marker == 0xFF || marker == 0 || (marker >= 0xD0 && marker <= 0xD8) || marker == 0x01) {
            at += marker == 0xFF ? 1 : 2; /* fill bytes, and markers without a length */
            continue;
        }
        if (marker == SOS || marker == 0xD9)
            break;
        const size_t length = (size_t)coded.data[at + 2] << 8 | coded.data[at + 3];
        if (length < 2 || length > coded.size - at - 2)
            return decoding_failed(err, "JPEG: segment %02X of %zu bytes at %zu of %zu", marker, length, at,
                                   coded.size);
        if (is_frame_header(marker)) {
            ret->sof = marker;
            return read_frame_header(bytes_of(coded.data + at + 4, length - 2), ret, err);
        }
        at += 2 + length;
    }
    return decoding_failed(err, "JPEG: no frame header");
}

bool jpeg_decode(const struct decoding *task, struct pixels *ret, struct error *err)
{
    struct jpeg_header header;

    if (!jpeg_header_read(task->coded, &header, err))
        return false;
    if (header.sof == SOF_LS)
        return jpeg_ls_decode(task, ret, err);
    if (!decoding_check(task, &header.facts, err))
        return false;
    /* Baseline, extended, progressive, and the last two again with arithmetic coding. */
    if (header.facts.bits == 8 && (header.sof <= 0xC2 || header.sof == 0xC9 || header.sof == 0xCA))
        return jpeg_turbo_decode(task, &header, ret, err);
    if (header.sof == SOF_LOSSLESS || (header.facts.bits == 12 && header.sof <= 0xC2))
        return jpeg_ijg_decode(task, &header, ret, err);
    return decoding_failed(err, "JPEG: nothing decodes SOF %02X of %u bits", header.sof, header.facts.bits);
}

bool jpeg_encode(enum transfer_syntax to, const struct pixels *pixels,
                 const struct codec_parameters *parameters, struct pixels *ret, struct error *err)
{
    if (to == SYNTAX_JPEG_LOSSLESS || to == SYNTAX_JPEG_LOSSLESS_SV1)
        return jpeg_ijg_encode_lossless(pixels, ret, err);
    if (pixels->shape.bits_stored > 8)
        return jpeg_ijg_encode_12(pixels, parameters, ret, err);
    return jpeg_turbo_encode(to, pixels, parameters, ret, err);
}
