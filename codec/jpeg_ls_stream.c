/* codec/jpeg_ls_stream.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The marker segments of JPEG-LS (T.87 Annex C), read and written. Whoever asks for more than what is known
 * here hears no, and CharLS is asked.
 */
#include "codec/jpeg_ls_segments.h"

enum {
    SOI = 0xD8,
    EOI = 0xD9,
    SOS = 0xDA,
    DRI = 0xDD,
    APP0 = 0xE0,
    APP8 = 0xE8,
    APP15 = 0xEF,
    SOF_LS = 0xF7,
    LSE = 0xF8,
    COM = 0xFE,
    PRESET_PARAMETERS = 1,
    FRAME_BYTES = 6,
    SCAN_BYTES = 4,
    NOT_SUBSAMPLED = 0x11,
    /* Beyond so many bits all who wrote before the standard was mended disagree on the defaults: they are
     * told. */
    BITS_OF_DEFAULTS = 12
};

static unsigned word_at(struct bytes from, size_t at)
{
    return (unsigned)from.data[at] << 8 | from.data[at + 1];
}

static bool read_frame(struct bytes segment, struct ls_headers *headers)
{
    struct ls_stream *stream = &headers->stream;

    if (stream->components || segment.size < FRAME_BYTES)
        return false;
    *stream = (struct ls_stream){ .rows = word_at(segment, 1),
                                  .columns = word_at(segment, 3),
                                  .components = segment.data[5],
                                  .bits = segment.data[0] };
    if (stream->bits < 2 || stream->bits > LS_BITS_MOST || stream->rows == 0 || stream->columns == 0 ||
        (stream->components != 1 && stream->components != LS_COMPONENTS) ||
        segment.size != FRAME_BYTES + 3 * (size_t)stream->components)
        return false;
    for (unsigned i = 0; i < stream->components; i++) {
        const uint8_t *component = segment.data + FRAME_BYTES + 3 * i;
        if (component[1] != NOT_SUBSAMPLED || (i && component[0] == headers->names[i - 1]))
            return false;
        headers->names[i] = component[0];
    }
    return true;
}

static bool read_preset(struct bytes segment, struct ls_headers *headers)
{
    if (segment.size != 11 || segment.data[0] != PRESET_PARAMETERS)
        return false;
    for (size_t i = 0; i < COUNT_OF(headers->preset); i++)
        headers->preset[i] = (int32_t)word_at(segment, 1 + 2 * i);
    return true;
}

/* HP's colour transformations are announced in APP8, where SPIFF has its header too. */
static bool is_passed_over(unsigned marker, struct bytes segment)
{
    return marker == COM || (marker >= APP0 && marker <= APP15 &&
                             !(marker == APP8 && bytes_starts_with(segment, bytes_of_text("mrfx"))));
}

/* Any number of FF may stand before a marker (T.81 B.1.1.2). */
static size_t behind_fill(struct bytes coded, size_t at)
{
    while (at + 1 < coded.size && coded.data[at] == 0xFF && coded.data[at + 1] == 0xFF)
        at++;
    return at;
}

/* What the preset says instead of the defaults (C.2.4.1.1). */
static bool use_preset(const int32_t *preset, struct ls_parameters *p)
{
    /* CharLS 2.4.1 does not read back what it writes with another RESET: there is no judge for that. */
    if ((preset[0] && preset[0] != p->maxval) || (preset[4] && preset[4] != LS_RESET))
        return false;
    p->t1 = preset[1] ? preset[1] : p->t1;
    p->t2 = preset[2] ? preset[2] : p->t2;
    p->t3 = preset[3] ? preset[3] : p->t3;
    return p->near < p->t1 && p->t1 <= p->t2 && p->t2 <= p->t3 && p->t3 <= p->maxval;
}

/* `scan`: how many there were before. */
static bool read_scan(struct bytes segment, unsigned scan, struct ls_headers *headers)
{
    struct ls_stream *stream = &headers->stream;

    if (stream->components == 0 || segment.size < SCAN_BYTES)
        return false;
    const unsigned components = segment.data[0];
    if (segment.size != SCAN_BYTES + 2 * (size_t)components ||
        (components == 1 ? scan >= stream->components : scan > 0 || components != stream->components))
        return false;
    for (unsigned i = 0; i < components; i++)
        if (segment.data[1 + 2 * i] != headers->names[scan + i] || segment.data[2 + 2 * i] != 0)
            return false; /* another order, or a mapping table */
    const uint8_t *rest = segment.data + 1 + 2 * components;
    const int32_t near = rest[0], maxval = (1 << stream->bits) - 1;
    const unsigned interleave = rest[1];
    if (near > maxval / 2 || rest[2] != 0 ||
        (components == 1 ? interleave != LS_PLANES : interleave != LS_LINES && interleave != LS_SAMPLES))
        return false;
    stream->interleave = (enum ls_interleave)interleave;
    ls_parameters_default(stream->bits, near, &headers->parameters);
    return use_preset(headers->preset, &headers->parameters);
}

bool ls_headers_read(struct bytes coded, unsigned scan, struct ls_headers *headers)
{
    size_t at = headers->end;

    if (at == 0) {
        if (coded.size < 2 || coded.data[0] != 0xFF || coded.data[1] != SOI)
            return false;
        at = 2;
    }
    for (at = behind_fill(coded, at); at + 4 <= coded.size; at = behind_fill(coded, at)) {
        const unsigned marker = coded.data[at + 1];
        const size_t length = word_at(coded, at + 2);
        if (coded.data[at] != 0xFF || length < 2 || length > coded.size - at - 2)
            return false;
        const struct bytes segment = bytes_of(coded.data + at + 4, length - 2);
        at += 2 + length;
        headers->end = at;
        if (marker == SOS)
            return read_scan(segment, scan, headers);
        if (marker == SOF_LS ? !read_frame(segment, headers)
            : marker == LSE  ? !read_preset(segment, headers)
            : marker == DRI  ? segment.size != 2
                             : !is_passed_over(marker, segment))
            return false;
        if (marker == DRI)
            headers->restart_lines = word_at(segment, 0);
    }
    return false;
}

bool ls_headers_ended(struct bytes coded, const struct ls_headers *headers)
{
    const struct bytes rest = bytes_from(coded, behind_fill(coded, headers->end));

    return rest.size == 0 || (rest.size >= 2 && rest.data[0] == 0xFF && rest.data[1] == EOI);
}

bool ls_stream_read(struct bytes coded, struct ls_stream *ret)
{
    struct ls_headers headers = { 0 };

    if (!ls_headers_read(coded, 0, &headers))
        return false;
    *ret = headers.stream;
    return true;
}

static uint8_t *put_word(uint8_t *at, unsigned word)
{
    at[0] = (uint8_t)(word >> 8);
    at[1] = (uint8_t)word;
    return at + 2;
}

/* The marker, and the length of what is put behind it. */
static uint8_t *put_marker(uint8_t *at, unsigned marker, unsigned length)
{
    at[0] = 0xFF;
    at[1] = (uint8_t)marker;
    return put_word(at + 2, length + 2);
}

size_t ls_headers_write(const struct ls_stream *stream, const struct ls_parameters *p, uint8_t *into)
{
    const int32_t preset[] = { p->maxval, p->t1, p->t2, p->t3, LS_RESET };
    uint8_t *at = into;

    *at++ = 0xFF;
    *at++ = SOI;
    at = put_marker(at, SOF_LS, FRAME_BYTES + 3 * stream->components);
    *at++ = (uint8_t)stream->bits;
    at = put_word(put_word(at, stream->rows), stream->columns);
    *at++ = (uint8_t)stream->components;
    for (unsigned i = 1; i <= stream->components; i++) {
        *at++ = (uint8_t)i;
        *at++ = NOT_SUBSAMPLED;
        *at++ = 0;
    }
    if (stream->bits > BITS_OF_DEFAULTS) {
        at = put_marker(at, LSE, 11);
        *at++ = PRESET_PARAMETERS;
        for (size_t i = 0; i < COUNT_OF(preset); i++)
            at = put_word(at, (unsigned)preset[i]);
    }
    at = put_marker(at, SOS, SCAN_BYTES + 2 * stream->components);
    *at++ = (uint8_t)stream->components;
    for (unsigned i = 1; i <= stream->components; i++) {
        *at++ = (uint8_t)i;
        *at++ = 0;
    }
    *at++ = (uint8_t)p->near;
    *at++ = (uint8_t)stream->interleave;
    *at++ = 0;
    return (size_t)(at - into);
}
