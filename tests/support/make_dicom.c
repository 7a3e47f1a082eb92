/* tests/support/make_dicom.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sample DICOM files, byte by byte (PS3.5 section 7 and Annex A, PS3.10 section 7).
 */
#include "tests/support/make_dicom.h"

#include <stdio.h>
#include <stdlib.h>

enum form { IMPLICIT, EXPLICIT, BIG_ENDIAN_EXPLICIT };

static const char implicit_uid[] = "1.2.840.10008.1.2", explicit_uid[] = "1.2.840.10008.1.2.1",
                  deflated_uid[] = "1.2.840.10008.1.2.1.99", big_endian_uid[] = "1.2.840.10008.1.2.2";

static void add_number(struct buffer *into, enum form form, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        const unsigned shift = 8 * (form == BIG_ENDIAN_EXPLICIT ? bytes - 1 - i : i);
        buffer_append_byte(into, (uint8_t)(value >> shift));
    }
}

static void add_header(struct buffer *into, enum form form, uint32_t tag, const char *vr, uint32_t length)
{
    add_number(into, form, tag >> 16, 2);
    add_number(into, form, tag & 0xFFFF, 2);
    if (form == IMPLICIT) {
        add_number(into, form, length, 4);
        return;
    }
    buffer_append_text(into, vr);
    if (strstr("OB OW OF OD OL OV SQ UC UN UR UT SV UV", vr)) {
        add_number(into, form, 0, 2);
        add_number(into, form, length, 4);
    } else {
        add_number(into, form, length, 2);
    }
}

static void add_text(struct buffer *into, enum form form, uint32_t tag, const char *vr, const char *text)
{
    const size_t length = strlen(text);

    add_header(into, form, tag, vr, (uint32_t)(length + length % 2));
    buffer_append_text(into, text);
    if (length % 2)
        buffer_append_byte(into, strcmp(vr, "UI") == 0 ? 0 : ' ');
}

static void add_us(struct buffer *into, enum form form, uint32_t tag, unsigned value)
{
    add_header(into, form, tag, "US", 2);
    add_number(into, form, value, 2);
}

/* Items and delimiters have no VR in any form. */
static void add_item(struct buffer *into, enum form form, uint32_t tag, uint32_t length)
{
    add_number(into, form, tag >> 16, 2);
    add_number(into, form, tag & 0xFFFF, 2);
    add_number(into, form, length, 4);
}

static bool is_encapsulated(const char *syntax)
{
    return strncmp(syntax, "1.2.840.10008.1.2.4.", 20) == 0 || strcmp(syntax, "1.2.840.10008.1.2.5") == 0 ||
           strcmp(syntax, "1.2.840.10008.1.2.1.98") == 0 || strcmp(syntax, "1.2.840.10008.1.2.8.1") == 0;
}

static struct make_dicom with_defaults(const struct make_dicom *what)
{
    struct make_dicom full = *what;

    full.study = full.study ? full.study : "1.2.3.1";
    full.series = full.series ? full.series : "1.2.3.1.1";
    full.instance = full.instance ? full.instance : "1.2.3.1.1.1";
    full.sop_class = full.sop_class ? full.sop_class : "1.2.840.10008.5.1.4.1.1.2";
    full.transfer_syntax = full.transfer_syntax ? full.transfer_syntax : explicit_uid;
    full.patient_name = full.patient_name ? full.patient_name : "Doe^Jane";
    full.patient_id = full.patient_id ? full.patient_id : "ID1";
    full.study_date = full.study_date ? full.study_date : "20240102";
    full.modality = full.modality ? full.modality : "CT";
    full.series_number = full.series_number ? full.series_number : "1";
    full.instance_number = full.instance_number ? full.instance_number : "1";
    full.rows = full.rows ? full.rows : 8;
    full.columns = full.columns ? full.columns : 8;
    full.bits_allocated = full.bits_allocated ? full.bits_allocated : 16;
    full.samples_per_pixel = full.samples_per_pixel ? full.samples_per_pixel : 1;
    full.frames = full.frames ? full.frames : 1;
    if (full.fragment_count || is_encapsulated(full.transfer_syntax)) {
        full.fragment_count = full.fragment_count ? full.fragment_count : 1;
        full.fragment_bytes = full.fragment_bytes ? full.fragment_bytes + full.fragment_bytes % 2 : 64;
    }
    return full;
}

static uint64_t noise(uint64_t seed, uint64_t frame, uint64_t index)
{
    uint64_t z = seed * 0x9E3779B97F4A7C15 + frame * 0xD1B54A32D192ED03 + index * 0xBF58476D1CE4E5B9 + 1;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

static void add_noise(struct buffer *into, uint64_t seed, uint64_t frame, size_t size)
{
    uint8_t *const room = buffer_reserve(into, size);

    if (!room)
        return;
    for (size_t i = 0; i < size; i += 8) {
        const uint64_t eight = noise(seed, frame, i / 8);
        memcpy(room + i, &eight, size - i < 8 ? size - i : 8);
    }
    buffer_grew(into, size);
}

static uint64_t frame_bits(const struct make_dicom *full)
{
    return (uint64_t)full->rows * full->columns * full->samples_per_pixel * full->bits_allocated;
}

/* A native frame that starts at a byte; unused bits of the last byte are 0. */
static void add_native_frame(struct buffer *into, const struct make_dicom *full, uint32_t frame)
{
    const uint64_t bits = frame_bits(full);
    const size_t from = into->size, size = (size_t)((bits + 7) / 8), sample = full->bits_allocated / 8u;

    add_noise(into, full->seed, frame, size);
    if (into->overflowed)
        return;
    if (bits % 8)
        into->data[from + size - 1] &= (uint8_t)((1u << (bits % 8)) - 1);
    if (strcmp(full->transfer_syntax, big_endian_uid) == 0 && sample > 1)
        for (size_t i = from; i + sample <= into->size; i += sample)
            for (size_t k = 0; k < sample / 2; k++) {
                const uint8_t low = into->data[i + k];
                into->data[i + k] = into->data[i + sample - 1 - k];
                into->data[i + sample - 1 - k] = low;
            }
}

static void add_native(struct buffer *into, enum form form, const struct make_dicom *full)
{
    const uint64_t bits = frame_bits(full), bytes = (bits * full->frames + 7) / 8;

    add_header(into, form, 0x7FE00010, full->bits_allocated > 8 ? "OW" : "OB", (uint32_t)(bytes + bytes % 2));
    if (bits % 8 == 0) {
        for (uint32_t frame = 1; frame <= full->frames; frame++)
            add_native_frame(into, full, frame);
    } else {
        uint8_t *const packed = calloc(1, (size_t)bytes + 1);
        for (uint32_t frame = 1; packed && frame <= full->frames; frame++) {
            struct buffer one;
            buffer_init(&one, SIZE_MAX / 2);
            add_native_frame(&one, full, frame);
            for (uint64_t i = 0; i < bits; i++) {
                const uint64_t at = (frame - 1) * bits + i;
                const unsigned bit = one.data[i / 8] >> (i % 8) & 1u;
                packed[at / 8] = (uint8_t)(packed[at / 8] | bit << (at % 8));
            }
            buffer_done(&one);
        }
        buffer_append(into, bytes_of(packed, (size_t)bytes));
        free(packed);
    }
    if (bytes % 2)
        buffer_append_byte(into, 0);
}

/* The bytes that begin a code stream of the syntax, so that a reader without an offset table can find it. */
static struct bytes stream_start(const char *syntax)
{
    static const uint8_t jpeg[] = { 0xFF, 0xD8, 0xFF, 0xE0 }, j2k[] = { 0xFF, 0x4F, 0xFF, 0x51 },
                         jxl[] = { 0xFF, 0x0A }, rle[] = { 1, 0, 0, 0, 64, 0, 0, 0 };
    const char *last = strncmp(syntax, "1.2.840.10008.1.2.4.", 20) == 0 ? syntax + 20 : "";

    if (strcmp(syntax, "1.2.840.10008.1.2.5") == 0)
        return bytes_of(rle, sizeof rle);
    if (last[0] == '9' || strncmp(last, "20", 2) == 0)
        return bytes_of(j2k, sizeof j2k);
    if (strncmp(last, "11", 2) == 0)
        return bytes_of(jxl, sizeof jxl);
    return last[0] >= '5' ? bytes_of(jpeg, sizeof jpeg) : bytes_of("", 0);
}

static void add_fragment(struct buffer *into, const struct make_dicom *full, uint32_t frame,
                         uint32_t fragment)
{
    const size_t from = into->size;

    add_noise(into, full->seed + 1000u * (fragment + 1), frame, full->fragment_bytes);
    if (into->overflowed)
        return;
    const struct bytes start = fragment == 0 ? stream_start(full->transfer_syntax) : bytes_of("", 0);
    memcpy(into->data + from, start.data,
           start.size < full->fragment_bytes ? start.size : full->fragment_bytes);
    if (fragment > 0)
        into->data[from] = 0x11; /* never the start of a code stream */
}

static void add_encapsulated(struct buffer *into, enum form form, const struct make_dicom *full)
{
    add_header(into, form, 0x7FE00010, "OB", 0xFFFFFFFF);
    add_item(into, form, 0xFFFEE000, full->offset_table ? 4 * full->frames : 0);
    for (uint32_t frame = 0; full->offset_table && frame < full->frames; frame++)
        add_number(into, form, (uint64_t)frame * full->fragment_count * (full->fragment_bytes + 8), 4);
    for (uint32_t frame = 1; frame <= full->frames; frame++)
        for (uint32_t fragment = 0; fragment < full->fragment_count; fragment++) {
            add_item(into, form, 0xFFFEE000, full->fragment_bytes);
            add_fragment(into, full, frame, fragment);
        }
    add_item(into, form, 0xFFFEE0DD, 0);
}

static void add_image(struct buffer *into, enum form form, const struct make_dicom *full)
{
    char frames[16];

    add_us(into, form, 0x00280002, full->samples_per_pixel);
    add_text(into, form, 0x00280004, "CS", full->samples_per_pixel > 1 ? "RGB" : "MONOCHROME2");
    if (full->samples_per_pixel > 1)
        add_us(into, form, 0x00280006, 0);
    if (full->frames > 1) {
        snprintf(frames, sizeof frames, "%u", full->frames);
        add_text(into, form, 0x00280008, "IS", frames);
    }
    add_us(into, form, 0x00280010, full->rows);
    add_us(into, form, 0x00280011, full->columns);
    add_us(into, form, 0x00280100, full->bits_allocated);
    add_us(into, form, 0x00280101, full->bits_allocated);
    add_us(into, form, 0x00280102, full->bits_allocated - 1u);
    add_us(into, form, 0x00280103, 0);
}

static void add_nested(struct buffer *into, enum form form, uint32_t depth)
{
    for (uint32_t i = 0; i < depth; i++) {
        add_header(into, form, 0x0040A730, "SQ", 0xFFFFFFFF);
        add_item(into, form, 0xFFFEE000, 0xFFFFFFFF);
    }
    if (depth)
        add_text(into, form, 0x00080104, "LO", "innermost");
    for (uint32_t i = 0; i < depth; i++) {
        add_item(into, form, 0xFFFEE00D, 0);
        add_item(into, form, 0xFFFEE0DD, 0);
    }
}

static void add_data_set(struct buffer *into, enum form form, const struct make_dicom *full)
{
    if (full->character_set)
        add_text(into, form, 0x00080005, "CS", full->character_set);
    add_text(into, form, 0x00080016, "UI", full->sop_class);
    add_text(into, form, 0x00080018, "UI", full->instance);
    add_text(into, form, 0x00080020, "DA", full->study_date);
    add_text(into, form, 0x00080030, "TM", "101112");
    add_text(into, form, 0x00080050, "SH", "A1");
    add_text(into, form, 0x00080060, "CS", full->modality);
    add_text(into, form, 0x00080090, "PN", "");
    add_text(into, form, 0x00100010, "PN", full->patient_name);
    add_text(into, form, 0x00100020, "LO", full->patient_id);
    add_text(into, form, 0x00100030, "DA", "");
    add_text(into, form, 0x00100040, "CS", "O");
    add_text(into, form, 0x0020000D, "UI", full->study);
    add_text(into, form, 0x0020000E, "UI", full->series);
    add_text(into, form, 0x00200010, "SH", "S1");
    add_text(into, form, 0x00200011, "IS", full->series_number);
    add_text(into, form, 0x00200013, "IS", full->instance_number);
    if (!full->no_pixel_data)
        add_image(into, form, full);
    add_nested(into, form, full->nested);
    if (full->no_pixel_data)
        return;
    if (full->fragment_count)
        add_encapsulated(into, form, full);
    else
        add_native(into, form, full);
}

/* RFC 1951 without compression: stored blocks, so that no library is needed. PS3.5 A.5: even length. */
static void add_deflated(struct buffer *into, struct bytes plain)
{
    size_t written = 0;

    do {
        const size_t size = plain.size < 65535 ? plain.size : 65535;
        buffer_append_byte(into, size == plain.size);
        add_number(into, EXPLICIT, size, 2);
        add_number(into, EXPLICIT, ~size, 2);
        buffer_append(into, bytes_of(plain.data, size));
        plain = bytes_from(plain, size);
        written += size + 5;
    } while (plain.size);
    if (written % 2)
        buffer_append_byte(into, 0);
}

static void add_meta(struct buffer *into, const struct make_dicom *full)
{
    struct buffer meta;

    buffer_init(&meta, 4096);
    add_header(&meta, EXPLICIT, 0x00020001, "OB", 2);
    add_number(&meta, EXPLICIT, 0x0100, 2);
    add_text(&meta, EXPLICIT, 0x00020002, "UI", full->sop_class);
    add_text(&meta, EXPLICIT, 0x00020003, "UI", full->instance);
    add_text(&meta, EXPLICIT, 0x00020010, "UI", full->transfer_syntax);
    add_text(&meta, EXPLICIT, 0x00020012, "UI", "1.2.3.999");
    add_header(into, EXPLICIT, 0x00020000, "UL", 4);
    add_number(into, EXPLICIT, meta.size, 4);
    buffer_append(into, buffer_bytes(&meta));
    buffer_done(&meta);
}

void make_dicom(struct buffer *into, const struct make_dicom *what)
{
    static const uint8_t preamble[128];
    const struct make_dicom full = with_defaults(what);
    const enum form form = strcmp(full.transfer_syntax, implicit_uid) == 0     ? IMPLICIT
                           : strcmp(full.transfer_syntax, big_endian_uid) == 0 ? BIG_ENDIAN_EXPLICIT
                                                                               : EXPLICIT;

    if (!full.no_preamble) {
        buffer_append(into, bytes_of(preamble, sizeof preamble));
        buffer_append_text(into, "DICM");
    }
    if (!full.no_meta)
        add_meta(into, &full);
    if (strcmp(full.transfer_syntax, deflated_uid) == 0) {
        struct buffer plain;
        buffer_init(&plain, SIZE_MAX / 2);
        add_data_set(&plain, form, &full);
        add_deflated(into, buffer_bytes(&plain));
        buffer_done(&plain);
    } else {
        add_data_set(into, form, &full);
    }
}

void make_dicom_frame(struct buffer *into, const struct make_dicom *what, uint32_t frame)
{
    const struct make_dicom full = with_defaults(what);

    if (full.fragment_count == 0) {
        add_native_frame(into, &full, frame);
        return;
    }
    for (uint32_t fragment = 0; fragment < full.fragment_count; fragment++)
        add_fragment(into, &full, frame, fragment);
}
