/* codec/j2k_stream.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   SOC │ SIZ │ COD COC QCD … │ SOT … SOD ▒▒▒▒ │ SOT … SOD ▒▒▒▒ │ EOC
 *         └───── main header ──┘ └── tile-part ─┘
 */
#include "codec/j2k_stream.h"

enum {
    SOC = 0xFF4F,
    CAP = 0xFF50,
    SIZ = 0xFF51,
    COD = 0xFF52,
    COC = 0xFF53,
    SOT = 0xFF90,
    SOD = 0xFF93,
    EOC = 0xFFD9,
    LEVELS_MOST = 32,
    COMPONENTS_MOST = 4,
    /* What a decoder keeps of each; measured on OpenJPEG's structures, rounded up. */
    TILE_BYTES = 6000,
    PRECINCT_BYTES = 400,
    BLOCK_BYTES = 400
};

struct siz {
    uint32_t x1, y1, x0, y0, tile_width, tile_height, tile_x0, tile_y0;
};

static unsigned u16_at(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static uint32_t u32_at(const uint8_t *at)
{
    return (uint32_t)u16_at(at) << 16 | u16_at(at + 2);
}

/* The code stream within the boxes of a JP2 file. */
static bool unbox(struct bytes coded, struct bytes *ret, struct error *err)
{
    static const uint8_t signature[] = { 0, 0, 0, 12, 'j', 'P', ' ', ' ' };

    *ret = coded;
    if (!bytes_starts_with(coded, bytes_of(signature, sizeof signature)))
        return true;
    for (size_t at = 0; at + 8 <= coded.size;) {
        const uint32_t length = u32_at(coded.data + at);

        if (memcmp(coded.data + at + 4, "jp2c", 4) == 0) {
            *ret = bytes_from(coded, at + (length == 1 ? 16 : 8));
            return true;
        }
        if (length < 8 || length > coded.size - at)
            break;
        at += length;
    }
    return decoding_failed(err, "JPEG 2000: no code stream in its boxes");
}

static bool read_siz(struct bytes segment, struct j2k_stream *stream, struct siz *siz, struct error *err)
{
    const uint8_t *at = segment.data;

    if (segment.size < 36 || segment.size < 36 + 3u * u16_at(at + 34))
        return decoding_failed(err, "JPEG 2000: SIZ of %zu bytes", segment.size);
    *siz = (struct siz){ u32_at(at + 2),  u32_at(at + 6),  u32_at(at + 10), u32_at(at + 14),
                         u32_at(at + 18), u32_at(at + 22), u32_at(at + 26), u32_at(at + 30) };
    stream->facts.components = u16_at(at + 34);
    if (siz->x1 <= siz->x0 || siz->y1 <= siz->y0 || siz->x1 > INT32_MAX || siz->y1 > INT32_MAX ||
        siz->tile_width == 0 || siz->tile_height == 0 || siz->tile_x0 > siz->x0 || siz->tile_y0 > siz->y0 ||
        (uint64_t)siz->tile_x0 + siz->tile_width <= siz->x0 ||
        (uint64_t)siz->tile_y0 + siz->tile_height <= siz->y0 || stream->facts.components == 0 ||
        stream->facts.components > COMPONENTS_MOST)
        return decoding_failed(err, "JPEG 2000: SIZ makes no image");
    stream->facts.columns = siz->x1 - siz->x0;
    stream->facts.rows = siz->y1 - siz->y0;
    stream->facts.bits = (at[36] & 0x7Fu) + 1;
    stream->facts.is_signed = at[36] >> 7;
    for (unsigned i = 0; i < stream->facts.components; i++) {
        stream->mixed = stream->mixed || at[36 + 3 * i] != at[36];
        stream->subsampled = stream->subsampled || at[36 + 3 * i + 1] != 1 || at[36 + 3 * i + 2] != 1;
    }
    return true;
}

static uint64_t divided_up(uint64_t value, unsigned shift)
{
    return (value + ((uint64_t)1 << shift) - 1) >> shift;
}

/* COD from its SPcod on, COC alike: levels, block size, style, transformation, precinct sizes. Adds what one
 * tile with this style costs a component to *worst, if it is more. */
static bool read_style(struct bytes style, bool has_precincts, const struct siz *siz,
                       struct j2k_stream *stream, uint64_t *worst, struct error *err)
{
    const uint8_t *at = style.data;

    if (style.size < 5 || at[0] > LEVELS_MOST || (has_precincts && style.size < 6u + at[0]) || at[1] > 8 ||
        at[2] > 8 || at[1] + at[2] > 8)
        return decoding_failed(err, "JPEG 2000: a coding style of %zu bytes", style.size);
    const unsigned levels = at[0], block_shift = at[1] + at[2] + 4u;
    const uint64_t width = siz->tile_width < siz->x1 - siz->x0 ? siz->tile_width : siz->x1 - siz->x0;
    const uint64_t height = siz->tile_height < siz->y1 - siz->y0 ? siz->tile_height : siz->y1 - siz->y0;
    uint64_t precincts = 0, blocks = 0;

    if (levels < stream->levels)
        stream->levels = levels;
    stream->is_high_throughput = stream->is_high_throughput || (at[3] & 0x40);
    stream->reversible = at[4] == 1;
    for (unsigned r = 0; r <= levels; r++) {
        const unsigned sizes = has_precincts ? at[5 + r] : 0xFF, px = sizes & 15, py = sizes >> 4;
        const uint64_t w = divided_up(width, levels - r), h = divided_up(height, levels - r);
        const uint64_t here = (divided_up(w, px) + 1) * (divided_up(h, py) + 1);
        /* Blocks are no larger than their precincts. */
        const unsigned precinct_shift = px + py < 2 ? 0 : px + py - 2;
        const unsigned shift = block_shift < precinct_shift ? block_shift : precinct_shift;

        precincts += here;
        blocks += 3 * here + divided_up(w * h, shift);
    }
    const uint64_t bytes = precincts * (PRECINCT_BYTES + 2u * stream->layers) + blocks * BLOCK_BYTES;
    if (bytes > *worst)
        *worst = bytes;
    return true;
}

/* COD: Scod, progression, layers, transform, then the style. */
static bool read_cod(struct bytes segment, const struct siz *siz, struct j2k_stream *stream, uint64_t *worst,
                     struct error *err)
{
    if (segment.size < 10)
        return decoding_failed(err, "JPEG 2000: COD of %zu bytes", segment.size);
    const unsigned layers = u16_at(segment.data + 2);
    if (layers > stream->layers)
        stream->layers = layers;
    stream->colour_transform = segment.data[4] != 0;
    return read_style(bytes_from(segment, 5), segment.data[0] & 1, siz, stream, worst, err);
}

/* The marker segments from `at` to `until`; *ret_end is where that stands. */
static bool read_header(struct bytes stream_bytes, size_t at, unsigned until, struct siz *siz,
                        struct j2k_stream *stream, uint64_t *worst, size_t *ret_end, struct error *err)
{
    while (at + 4 <= stream_bytes.size) {
        const unsigned marker = u16_at(stream_bytes.data + at);

        if (marker == until) {
            *ret_end = at;
            return true;
        }
        const size_t length = u16_at(stream_bytes.data + at + 2);
        if (marker < 0xFF00 || length < 2 || length > stream_bytes.size - at - 2)
            break;
        const struct bytes segment = bytes_of(stream_bytes.data + at + 4, length - 2);
        const size_t skipped = stream->facts.components < 257 ? 1 : 2;
        if (marker == SIZ && !read_siz(segment, stream, siz, err))
            return false;
        if ((marker == COD || marker == COC) && stream->facts.components == 0)
            return decoding_failed(err, "JPEG 2000: no SIZ");
        if (marker == COD && !read_cod(segment, siz, stream, worst, err))
            return false;
        if (marker == COC && segment.size < skipped + 1)
            return decoding_failed(err, "JPEG 2000: COC of %zu bytes", segment.size);
        if (marker == COC &&
            !read_style(bytes_from(segment, skipped + 1), segment.data[skipped] & 1, siz, stream, worst, err))
            return false;
        at += 2 + length;
    }
    return decoding_failed(err, "JPEG 2000: a header ends at byte %zu of %zu", at, stream_bytes.size);
}

/* Every tile-part has to lie in the stream; the last may say 0, to the end. */
static bool read_tile_parts(struct bytes bytes, size_t at, struct siz *siz, struct j2k_stream *stream,
                            uint64_t *worst, struct error *err)
{
    while (at + 12 <= bytes.size && u16_at(bytes.data + at) == SOT) {
        const uint32_t size = u32_at(bytes.data + at + 6);
        size_t data = 0;

        if (!read_header(bytes, at + 12, SOD, siz, stream, worst, &data, err))
            return false;
        if (size == 0)
            return true;
        if (size < 14 || size > bytes.size - at || data + 2 > at + size)
            return decoding_failed(err, "JPEG 2000: a tile-part of %lu bytes at %zu of %zu",
                                   (unsigned long)size, at, bytes.size);
        at += size;
    }
    /* Some writers leave the end marker out. */
    if (at + 2 <= bytes.size && u16_at(bytes.data + at) != EOC && bytes.size - at > 2)
        return decoding_failed(err, "JPEG 2000: no tile-part at %zu of %zu", at, bytes.size);
    return true;
}

bool j2k_stream_read(struct bytes coded, struct j2k_stream *ret, struct error *err)
{
    struct siz siz = { 0 };
    uint64_t worst = 0;
    size_t end = 0;

    *ret = (struct j2k_stream){ .levels = LEVELS_MOST + 1 };
    if (!unbox(coded, &ret->codestream, err))
        return false;
    const struct bytes bytes = ret->codestream;
    if (bytes.size < 4 || u16_at(bytes.data) != SOC || u16_at(bytes.data + 2) != SIZ)
        return decoding_failed(err, "JPEG 2000: no code stream");
    if (!read_header(bytes, 2, SOT, &siz, ret, &worst, &end, err))
        return false;
    if (ret->levels > LEVELS_MOST)
        return decoding_failed(err, "JPEG 2000: no COD");
    if (!read_tile_parts(bytes, end, &siz, ret, &worst, err))
        return false;
    const uint64_t tiles = (((uint64_t)siz.x1 - siz.tile_x0 + siz.tile_width - 1) / siz.tile_width) *
                           (((uint64_t)siz.y1 - siz.tile_y0 + siz.tile_height - 1) / siz.tile_height);
    if (tiles > 65535)
        return decoding_failed(err, "JPEG 2000: more tiles than 65535");
    ret->structure_bytes = tiles * (TILE_BYTES + worst * ret->facts.components);
    return true;
}
