/* dicom/code_stream.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Markers of ITU-T T.81 (JPEG), T.87 (JPEG-LS), T.800 (JPEG 2000) and T.814 (HTJ2K). All three begin with FF
 * and a code; segments have a length of two bytes behind it.
 */
#include "dicom/code_stream.h"

#include "dicom/jxl_stream.h"

enum {
    SOI = 0xD8,
    SOS = 0xDA,
    SOF_LOSSLESS = 0xC3,
    SOF_LS = 0xF7,
    APP0 = 0xE0,
    APP14 = 0xEE,
    J2K_SOC = 0x4F,
    J2K_CAP = 0x50,
    J2K_SIZ = 0x51,
    J2K_COD = 0x52,
    J2K_TLM = 0x55,
    J2K_SOT = 0x90,
    PROGRESSION_RPCL = 2,
};

static unsigned be16(struct bytes at, size_t offset)
{
    return offset + 2 <= at.size ? (unsigned)at.data[offset] << 8 | at.data[offset + 1] : 0;
}

static uint32_t be32(struct bytes at, size_t offset)
{
    return (uint32_t)be16(at, offset) << 16 | be16(at, offset + 2);
}

static unsigned byte_at(struct bytes at, size_t offset)
{
    return offset < at.size ? at.data[offset] : 0;
}

static void set_bits(struct pixel_shape *shape, unsigned bits)
{
    shape->bits_stored = (uint16_t)bits;
    shape->bits_allocated = bits > 16 ? 32 : bits > 8 ? 16 : 8;
}

/* ── JPEG and JPEG-LS ── */

struct jpeg {
    unsigned sof, precision, lines, samples, components;
    unsigned sampling; /* of the first component: horizontal in the upper four bits */
    bool named_rgb, jfif;
    int adobe_transform; /* -1: not said */
    unsigned scan_first; /* of the first scan: predictor, or NEAR */
};

static bool is_sof(unsigned marker)
{
    return marker == SOF_LS ||
           (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC);
}

static void read_sof(struct bytes segment, unsigned marker, struct jpeg *ret)
{
    ret->sof = marker;
    ret->precision = byte_at(segment, 2);
    ret->lines = be16(segment, 3);
    ret->samples = be16(segment, 5);
    ret->components = byte_at(segment, 7);
    ret->sampling = byte_at(segment, 9);
    ret->named_rgb = byte_at(segment, 8) == 'R' && byte_at(segment, 11) == 'G' && byte_at(segment, 14) == 'B';
}

static bool read_jpeg_markers(struct bytes head, struct jpeg *ret)
{
    *ret = (struct jpeg){ .adobe_transform = -1 };
    for (size_t at = 2; at + 4 <= head.size;) {
        if (head.data[at] != 0xFF)
            return false;
        const unsigned marker = head.data[at + 1];
        if (marker == 0xFF) { /* fill bytes */
            at++;
            continue;
        }
        const struct bytes segment = bytes_from(head, at + 2);
        const unsigned length = be16(segment, 0);
        if (length < 2)
            return false;
        if (is_sof(marker))
            read_sof(segment, marker, ret);
        else if (marker == APP14 && length >= 14 && segment.size >= 14 &&
                 memcmp(segment.data + 2, "Adobe", 5) == 0)
            ret->adobe_transform = segment.data[13];
        else if (marker == APP0 && segment.size >= 7 && memcmp(segment.data + 2, "JFIF", 5) == 0)
            ret->jfif = true;
        else if (marker == SOS) {
            ret->scan_first = byte_at(segment, 3 + 2 * (size_t)byte_at(segment, 2));
            return ret->sof != 0;
        }
        at += 2 + length;
    }
    return false;
}

static enum photometric jpeg_photometric(const struct jpeg *jpeg)
{
    if (jpeg->components == 1)
        return MONOCHROME2;
    if (jpeg->sof == SOF_LS || jpeg->sof == SOF_LOSSLESS || jpeg->named_rgb ||
        (jpeg->adobe_transform == 0 && !jpeg->jfif))
        return RGB;
    return jpeg->sampling >> 4 > 1 ? YBR_FULL_422 : YBR_FULL;
}

static enum transfer_syntax jpeg_syntax(const struct jpeg *jpeg)
{
    switch (jpeg->sof) {
    case 0xC0:
        return SYNTAX_JPEG_BASELINE_8;
    case 0xC1:
        return SYNTAX_JPEG_EXTENDED_12;
    case 0xC2:
        return SYNTAX_JPEG_PROGRESSIVE;
    case SOF_LOSSLESS:
        return jpeg->scan_first == 1 ? SYNTAX_JPEG_LOSSLESS_SV1 : SYNTAX_JPEG_LOSSLESS;
    case SOF_LS:
        return jpeg->scan_first == 0 ? SYNTAX_JPEG_LS_LOSSLESS : SYNTAX_JPEG_LS_NEAR_LOSSLESS;
    default:
        return SYNTAX_UNKNOWN;
    }
}

static bool read_jpeg(struct bytes head, struct code_stream *ret)
{
    struct jpeg jpeg;

    if (!read_jpeg_markers(head, &jpeg) || jpeg_syntax(&jpeg) == SYNTAX_UNKNOWN || jpeg.lines == 0 ||
        jpeg.samples == 0 || (jpeg.components != 1 && jpeg.components != 3) || jpeg.precision < 2 ||
        jpeg.precision > 16)
        return false;
    ret->syntax = jpeg_syntax(&jpeg);
    ret->shape = (struct pixel_shape){ .rows = jpeg.lines,
                                       .columns = jpeg.samples,
                                       .samples_per_pixel = (uint16_t)jpeg.components,
                                       .photometric = jpeg_photometric(&jpeg) };
    set_bits(&ret->shape, jpeg.precision);
    return true;
}

/* ── JPEG 2000 and HTJ2K ── */

/* Where the code stream's box is in a file (T.800 Annex I); 0: no boxes, the stream itself. */
static bool find_stream(struct bytes head, uint64_t *ret_begin, uint64_t *ret_size)
{
    static const uint8_t signature[] = { 0, 0, 0, 12, 'j', 'P', ' ', ' ' };

    *ret_begin = *ret_size = 0;
    if (!bytes_starts_with(head, bytes_of(signature, sizeof signature)))
        return true;
    for (uint64_t at = 0; at + 8 <= head.size;) {
        uint64_t size = be32(head, (size_t)at), header = 8;
        if (size == 1 && at + 16 <= head.size) {
            size = (uint64_t)be32(head, (size_t)at + 8) << 32 | be32(head, (size_t)at + 12);
            header = 16;
        }
        if (memcmp(head.data + at + 4, "jp2c", 4) == 0) {
            *ret_begin = at + header;
            *ret_size = size > header ? size - header : 0;
            return true;
        }
        if (size < header || size > head.size)
            return false;
        at += size;
    }
    return false;
}

struct j2k {
    unsigned components, precision;
    bool is_signed, reversible, transformed, high_throughput, rpcl, tlm;
    uint32_t rows, columns;
};

static bool read_j2k_markers(struct bytes stream, struct j2k *ret)
{
    bool sized = false, coded = false;

    *ret = (struct j2k){ 0 };
    for (size_t at = 2; at + 4 <= stream.size && stream.data[at] == 0xFF;) {
        const unsigned marker = stream.data[at + 1];
        const struct bytes segment = bytes_from(stream, at + 2);
        const unsigned length = be16(segment, 0);

        if (marker == J2K_SOT)
            return sized && coded;
        if (length < 2)
            return false;
        if (marker == J2K_SIZ && segment.size >= 41) {
            const uint32_t right = be32(segment, 4), bottom = be32(segment, 8), left = be32(segment, 12),
                           above = be32(segment, 16);
            if (right <= left || bottom <= above)
                return false;
            ret->columns = right - left;
            ret->rows = bottom - above;
            ret->components = be16(segment, 36);
            ret->precision = (segment.data[38] & 0x7Fu) + 1;
            ret->is_signed = segment.data[38] >> 7;
            sized = true;
        } else if (marker == J2K_CAP) {
            ret->high_throughput = be32(segment, 2) >> 17 & 1; /* Pcap, bit of Part 15 */
        } else if (marker == J2K_COD && segment.size >= 12) {
            ret->rpcl = segment.data[3] == PROGRESSION_RPCL;
            ret->transformed = segment.data[6] == 1;
            ret->reversible = segment.data[11] == 1;
            coded = true;
        } else if (marker == J2K_TLM) {
            ret->tlm = true;
        }
        at += 2 + length;
    }
    return sized && coded;
}

static bool read_j2k(struct bytes head, struct code_stream *ret)
{
    struct j2k j2k;

    if (!find_stream(head, &ret->begin, &ret->size))
        return false;
    const struct bytes stream = bytes_from(head, (size_t)ret->begin);
    if (stream.size < 4 || be32(stream, 0) != 0xFF4FFF51 || !read_j2k_markers(stream, &j2k) ||
        (j2k.components != 1 && j2k.components != 3) || j2k.precision > 32)
        return false;
    ret->syntax = j2k.high_throughput ? (!j2k.reversible       ? SYNTAX_HTJ2K
                                         : j2k.rpcl && j2k.tlm ? SYNTAX_HTJ2K_LOSSLESS_RPCL
                                                               : SYNTAX_HTJ2K_LOSSLESS)
                  : j2k.reversible    ? SYNTAX_JPEG_2000_LOSSLESS
                                      : SYNTAX_JPEG_2000;
    ret->shape = (struct pixel_shape){ .rows = j2k.rows,
                                       .columns = j2k.columns,
                                       .samples_per_pixel = (uint16_t)j2k.components,
                                       .is_signed = j2k.is_signed,
                                       .photometric = j2k.components == 1 ? MONOCHROME2
                                                      : !j2k.transformed  ? RGB
                                                      : j2k.reversible    ? YBR_RCT
                                                                          : YBR_ICT };
    set_bits(&ret->shape, j2k.precision);
    return true;
}

bool code_stream_read(struct bytes head, struct code_stream *ret)
{
    *ret = (struct code_stream){ 0 };
    if (head.size < 4)
        return false;
    if (head.data[0] == 0xFF && head.data[1] == SOI)
        return read_jpeg(head, ret);
    return read_j2k(head, ret) || jxl_stream_read(head, ret);
}

bool code_stream_fits(enum transfer_syntax found, enum transfer_syntax syntax)
{
    static const struct {
        enum transfer_syntax found, wider;
    } pairs[] = {
        { SYNTAX_JPEG_BASELINE_8, SYNTAX_JPEG_EXTENDED_12 },
        { SYNTAX_JPEG_LOSSLESS_SV1, SYNTAX_JPEG_LOSSLESS },
        { SYNTAX_JPEG_LS_LOSSLESS, SYNTAX_JPEG_LS_NEAR_LOSSLESS },
        { SYNTAX_JPEG_2000_LOSSLESS, SYNTAX_JPEG_2000 },
        { SYNTAX_JPEG_2000_LOSSLESS, SYNTAX_JPEG_2000_MC_LOSSLESS },
        { SYNTAX_JPEG_2000_LOSSLESS, SYNTAX_JPEG_2000_MC },
        { SYNTAX_JPEG_2000, SYNTAX_JPEG_2000_MC },
        { SYNTAX_JPEG_XL_LOSSLESS, SYNTAX_JPEG_XL },
        { SYNTAX_JPEG_XL_RECOMPRESSION, SYNTAX_JPEG_XL },
        { SYNTAX_HTJ2K_LOSSLESS, SYNTAX_HTJ2K },
        { SYNTAX_HTJ2K_LOSSLESS_RPCL, SYNTAX_HTJ2K_LOSSLESS },
        { SYNTAX_HTJ2K_LOSSLESS_RPCL, SYNTAX_HTJ2K },
    };

    if (found == syntax)
        return true;
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        if (pairs[i].found == found && pairs[i].wider == syntax)
            return true;
    return false;
}
