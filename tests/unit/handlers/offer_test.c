/* tests/unit/handlers/offer_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is sent for what is stored, by what the client accepts: the headers that clients were seen to send.
 */
#include "handlers/offer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"

#include "tests/support/expect.h"

static const char MICROSCOPY[] =
    "multipart/related; type=\"image/jls\"; transfer-syntax=1.2.840.10008.1.2.4.80, "
    "multipart/related; type=\"image/jls\"; transfer-syntax=1.2.840.10008.1.2.4.81, "
    "multipart/related; type=\"image/jp2\"; transfer-syntax=1.2.840.10008.1.2.4.90, "
    "multipart/related; type=\"image/jp2\"; transfer-syntax=1.2.840.10008.1.2.4.91, "
    "multipart/related; type=\"image/jpx\"; transfer-syntax=1.2.840.10008.1.2.4.92, "
    "multipart/related; type=\"image/jpx\"; transfer-syntax=1.2.840.10008.1.2.4.93, "
    "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*, "
    "multipart/related; type=\"image/jpeg\"; transfer-syntax=1.2.840.10008.1.2.4.50";
static const char CORNERSTONE[] = "multipart/related; type=application/octet-stream; transfer-syntax=*";

/* "multipart image/jpeg 1.2...", or "406". */
static const char *chosen(struct arena *arena, const struct offers *offers, const char *accept_header,
                          bool one_item)
{
    struct accept accept = { 0 };
    struct choice choice = { 0 };
    struct error err = { 0 };

    accept_parse(bytes_of_text(accept_header), arena, &accept);
    if (!offers_choose(offers, &accept, one_item, &choice, &err))
        return arena_printf(arena, "%d", fault_info(err.fault)->http_status);
    return arena_printf(arena, "%s %s %s", choice.multipart ? "multipart" : "single",
                        choice.offer->media_type,
                        choice.offer->transfer_syntax ? choice.offer->transfer_syntax : "-");
}

/* A record of frames stored so; its frame table is the caller's to let go. No codec takes samples of 64 bits.
 */
static struct instance_record record_of(enum transfer_syntax syntax, uint16_t bits)
{
    const struct transfer_syntax_info *info = transfer_syntax_info(syntax);
    struct instance_record record = { .syntax = syntax,
                                      .shape = { .rows = 8, .columns = 8, .samples_per_pixel = 1 } };

    record.shape.bits_allocated = record.shape.bits_stored = bits;
    record.shape.photometric = MONOCHROME2;
    snprintf(record.syntax_uid.text, sizeof record.syntax_uid.text, "%s",
             info->uid[0] ? info->uid : "1.2.3.4");
    if (info->encapsulated || syntax == SYNTAX_UNKNOWN) {
        uint64_t *starts = calloc(2, sizeof *starts);
        starts[0] = 8;
        starts[1] = 116;
        record.frames =
            frame_table_of_fragments(FRAMES_ENCAPSULATED, (struct extent){ 0, 108 }, starts, 1, NULL, 1);
    } else {
        record.frames = frame_table_of_native(FRAMES_NATIVE, 0, 512, 1, 64);
    }
    return record;
}

TEST(frames_go_out_as_the_client_and_the_stored_syntax_allow)
{
    static const struct {
        enum transfer_syntax stored;
        const char *accept, *want;
    } cases[] = {
        { SYNTAX_EXPLICIT_LE, CORNERSTONE, "multipart application/octet-stream 1.2.840.10008.1.2.1" },
        { SYNTAX_EXPLICIT_LE, "*/*", "multipart application/octet-stream 1.2.840.10008.1.2.1" },
        { SYNTAX_IMPLICIT_LE, CORNERSTONE, "multipart application/octet-stream 1.2.840.10008.1.2.1" },
        { SYNTAX_EXPLICIT_LE, "application/octet-stream",
          "single application/octet-stream 1.2.840.10008.1.2.1" },
        { SYNTAX_EXPLICIT_LE, "application/octet-stream; transfer-syntax=*",
          "single application/octet-stream 1.2.840.10008.1.2.1" },
        { SYNTAX_EXPLICIT_LE, "multipart/related; type=\"*/*\"",
          "multipart application/octet-stream 1.2.840.10008.1.2.1" },
        { SYNTAX_EXPLICIT_LE, MICROSCOPY, "multipart application/octet-stream 1.2.840.10008.1.2.1" },
        { SYNTAX_EXPLICIT_LE, "image/jpeg", "406" },
        { SYNTAX_EXPLICIT_LE,
          "multipart/related; type=\"application/octet-stream\"; transfer-syntax=1.2.840.10008.1.2", "406" },
        { SYNTAX_JPEG_LS_LOSSLESS, CORNERSTONE, "multipart application/octet-stream 1.2.840.10008.1.2.4.80" },
        { SYNTAX_JPEG_LS_LOSSLESS,
          "multipart/related; type=\"image/jls\"; transfer-syntax=\"1.2.840.10008.1.2.4.80\"",
          "multipart image/jls 1.2.840.10008.1.2.4.80" },
        { SYNTAX_JPEG_LS_LOSSLESS, "multipart/related; type=\"image/x-jls\"",
          "multipart image/x-jls 1.2.840.10008.1.2.4.80" },
        { SYNTAX_JPEG_LS_LOSSLESS, "*/*", "multipart image/jls 1.2.840.10008.1.2.4.80" },
        { SYNTAX_JPEG_LS_LOSSLESS, "multipart/related; type=\"*/*\"",
          "multipart image/jls 1.2.840.10008.1.2.4.80" },
        { SYNTAX_JPEG_LS_LOSSLESS, "multipart/related; type=\"application/octet-stream\"", "406" },
        { SYNTAX_JPEG_BASELINE_8, MICROSCOPY, "multipart image/jpeg 1.2.840.10008.1.2.4.50" },
        { SYNTAX_JPEG_BASELINE_8, CORNERSTONE, "multipart application/octet-stream 1.2.840.10008.1.2.4.50" },
        { SYNTAX_JPEG_BASELINE_8, "image/jpeg", "single image/jpeg 1.2.840.10008.1.2.4.50" },
        { SYNTAX_JPEG_BASELINE_8, "multipart/related; type=\"application/octet-stream\"",
          "multipart application/octet-stream 1.2.840.10008.1.2.4.50" },
        { SYNTAX_JPEG_BASELINE_8,
          "multipart/related; type=\"image/jpeg\"; transfer-syntax=1.2.840.10008.1.2.4.70", "406" },
        { SYNTAX_RLE_LOSSLESS, "multipart/related; type=\"image/x-dicom-rle\"",
          "multipart image/x-dicom-rle 1.2.840.10008.1.2.5" },
        { SYNTAX_HTJ2K_LOSSLESS_RPCL,
          "multipart/related; type=\"image/jhc\"; transfer-syntax=1.2.840.10008.1.2.4.202",
          "multipart image/jhc 1.2.840.10008.1.2.4.202" },
        { SYNTAX_ENCAPSULATED_LE, "*/*", "multipart application/octet-stream 1.2.840.10008.1.2.1" },
        { SYNTAX_UNKNOWN, CORNERSTONE, "multipart application/octet-stream 1.2.3.4" },
        { SYNTAX_UNKNOWN, "*/*", "406" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct offers offers = { .count = 0 };
        const struct instance_record record = record_of(cases[i].stored, 64);

        offers_of_frames(&offers, &record);
        const char *got = chosen(&arena, &offers, cases[i].accept, true);
        EXPECT(strcmp(got, cases[i].want) == 0, "case %zu, \"%s\": got %s, want %s", i, cases[i].accept, got,
               cases[i].want);
        arena_release(&arena);
        frame_table_unref(record.frames);
    }
}

TEST(what_a_codec_can_make_stands_behind_what_is_stored)
{
    static const char octets_le[] = "multipart application/octet-stream 1.2.840.10008.1.2.1";
    static const struct {
        enum transfer_syntax stored;
        const char *accept, *want;
    } cases[] = {
        /* NEG-31, NEG-32: without a transfer syntax octets are Explicit VR LE */
        { SYNTAX_JPEG_BASELINE_8, "multipart/related; type=\"application/octet-stream\"", octets_le },
        { SYNTAX_RLE_LOSSLESS, "multipart/related; type=\"application/octet-stream\"", octets_le },
        /* NEG-12 */
        { SYNTAX_RLE_LOSSLESS, "*/*", octets_le },
        { SYNTAX_JPEG_BASELINE_8, "multipart/related; type=\"*/*\"", octets_le },
        { SYNTAX_JPEG_BASELINE_8, "multipart/related; type=\"image/*\"",
          "multipart image/jpeg 1.2.840.10008.1.2.4.50" },
        /* NEG-33, NEG-36: any syntax is the stored one */
        { SYNTAX_RLE_LOSSLESS, CORNERSTONE, "multipart application/octet-stream 1.2.840.10008.1.2.5" },
        { SYNTAX_JPEG_BASELINE_8, MICROSCOPY, "multipart image/jpeg 1.2.840.10008.1.2.4.50" },
        { SYNTAX_RLE_LOSSLESS, MICROSCOPY, "multipart application/octet-stream 1.2.840.10008.1.2.5" },
        { SYNTAX_EXPLICIT_LE, MICROSCOPY, octets_le },
        /* stored wins a tie, the better quality wins over stored */
        { SYNTAX_RLE_LOSSLESS,
          "multipart/related; type=application/octet-stream, multipart/related; type=image/dicom-rle",
          "multipart image/dicom-rle 1.2.840.10008.1.2.5" },
        { SYNTAX_RLE_LOSSLESS,
          "multipart/related; type=application/octet-stream, multipart/related; type=image/dicom-rle; q=0.9",
          octets_le },
        { SYNTAX_RLE_LOSSLESS, "multipart/related; type=application/octet-stream, image/dicom-rle",
          "single image/dicom-rle 1.2.840.10008.1.2.5" },
        /* NEG-34: made what was named; a lossy one only so */
        { SYNTAX_EXPLICIT_LE, "image/dicom-rle", "single image/dicom-rle 1.2.840.10008.1.2.5" },
        { SYNTAX_EXPLICIT_LE, "image/x-dicom-rle", "single image/x-dicom-rle 1.2.840.10008.1.2.5" },
        { SYNTAX_EXPLICIT_LE, "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50",
          "single image/jpeg 1.2.840.10008.1.2.4.50" },
        { SYNTAX_JPEG_BASELINE_8, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.5",
          "single application/octet-stream 1.2.840.10008.1.2.5" },
        { SYNTAX_RLE_LOSSLESS, "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.100", "406" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct offers offers = { .count = 0 };
        const struct instance_record record = record_of(cases[i].stored, 8);

        offers_of_frames(&offers, &record);
        EXPECT(offers.count < OFFERS_MOST, "no room for %zu offers", offers.count);
        const char *got = chosen(&arena, &offers, cases[i].accept, true);
        EXPECT(strcmp(got, cases[i].want) == 0, "case %zu, \"%s\": got %s, want %s", i, cases[i].accept, got,
               cases[i].want);
        arena_release(&arena);
        frame_table_unref(record.frames);
    }
}

TEST(NEG_13_a_single_part_is_only_for_a_single_item)
{
    struct arena arena = { 0 };
    struct offers offers = { .count = 0 };

    const struct instance_record record = record_of(SYNTAX_EXPLICIT_LE, 64);

    offers_of_frames(&offers, &record);
    EXPECT_TEXT(bytes_of_text(chosen(&arena, &offers, "application/octet-stream", false)), "406");
    EXPECT_TEXT(bytes_of_text(chosen(&arena, &offers, "*/*", false)),
                "multipart application/octet-stream 1.2.840.10008.1.2.1");
    frame_table_unref(record.frames);
    arena_release(&arena);
}

TEST(GEN_08_instances_never_leave_implicit_or_big_endian)
{
    static const struct {
        enum transfer_syntax stored;
        const char *accept, *want;
    } cases[] = {
        { SYNTAX_EXPLICIT_LE, "*/*", "multipart application/dicom 1.2.840.10008.1.2.1" },
        { SYNTAX_EXPLICIT_LE, "application/dicom", "single application/dicom 1.2.840.10008.1.2.1" },
        { SYNTAX_EXPLICIT_LE, "multipart/related; type=application/dicom; transfer-syntax=*",
          "multipart application/dicom 1.2.840.10008.1.2.1" },
        { SYNTAX_JPEG_2000_LOSSLESS, "multipart/related; type=\"application/dicom\"",
          "multipart application/dicom 1.2.840.10008.1.2.4.90" },
        { SYNTAX_JPEG_2000_LOSSLESS,
          "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.1", "406" },
        { SYNTAX_IMPLICIT_LE, "multipart/related; type=\"application/dicom\"; transfer-syntax=*",
          "multipart application/dicom 1.2.840.10008.1.2.1" },
        { SYNTAX_IMPLICIT_LE, "application/dicom; transfer-syntax=1.2.840.10008.1.2", "406" },
        { SYNTAX_EXPLICIT_BE, "*/*", "multipart application/dicom 1.2.840.10008.1.2.1" },
        { SYNTAX_EXPLICIT_BE, "application/dicom; transfer-syntax=1.2.840.10008.1.2.2", "406" },
        { SYNTAX_DEFLATED_LE, "*/*", "multipart application/dicom 1.2.840.10008.1.2.1" },
        { SYNTAX_DEFLATED_LE, "application/dicom; transfer-syntax=*",
          "single application/dicom 1.2.840.10008.1.2.1" },
        { SYNTAX_DEFLATED_LE, "application/dicom; transfer-syntax=1.2.840.10008.1.2.1.99",
          "single application/dicom 1.2.840.10008.1.2.1.99" },
        { SYNTAX_UNKNOWN, "multipart/related; type=\"application/dicom\"; transfer-syntax=*",
          "multipart application/dicom 1.2.3.4" },
        { SYNTAX_UNKNOWN, "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.3.4",
          "multipart application/dicom 1.2.3.4" },
        { SYNTAX_UNKNOWN, "multipart/related; type=\"application/dicom\"", "406" },
        { SYNTAX_EXPLICIT_LE, "text/csv", "406" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct offers offers = { .count = 0 };
        const char *uid = transfer_syntax_info(cases[i].stored)->uid;

        offers_of_instance(&offers, cases[i].stored, uid[0] ? uid : "1.2.3.4", NULL);
        const char *got = chosen(&arena, &offers, cases[i].accept, true);
        EXPECT(strcmp(got, cases[i].want) == 0, "case %zu, \"%s\": got %s, want %s", i, cases[i].accept, got,
               cases[i].want);
        arena_release(&arena);
    }
}

TEST(NEG_16_a_refusal_names_what_could_be_had)
{
    struct arena arena = { 0 };
    struct offers offers = { .count = 0 };
    struct accept accept = { 0 };
    struct choice choice;
    struct error err = { 0 };

    accept_parse(bytes_of_text("text/csv"), &arena, &accept);
    const struct instance_record record = record_of(SYNTAX_JPEG_LS_LOSSLESS, 64);
    offers_of_frames(&offers, &record);
    EXPECT(!offers_choose(&offers, &accept, true, &choice, &err), "text/csv was chosen");
    EXPECT(err.fault == FAULT_NOT_ACCEPTABLE &&
               strstr(err.told, "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80"),
           "told \"%s\"", err.told);
    EXPECT(!strstr(err.told, "x-jls"), "an old name is advertised: \"%s\"", err.told);
    frame_table_unref(record.frames);
    arena_release(&arena);
}

/* ── against a naive reading of RFC 9110 12.5.1 and PS3.18 8.7 ── */

struct naive_range {
    bool multipart;
    const char *type;   /* "*" "/" "*", "image" "/" "*", or whole */
    const char *syntax; /* NULL, "*", or a UID */
    unsigned tenths;
};

static unsigned random_below(unsigned *state, unsigned most)
{
    *state = *state * 1103515245 + 12345;
    return (*state >> 16) % most;
}

static struct naive_range random_range(unsigned *state)
{
    static const char *const types[] = { "*/*",        "image/*",          "application/*",
                                         "image/jpeg", "image/dicom-rle",  "application/octet-stream",
                                         "image/jls",  "image/x-dicom-rle" };
    static const char *const syntaxes[] = {
        NULL, NULL, "*", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.3"
    };

    return (struct naive_range){ random_below(state, 2) == 1, types[random_below(state, COUNT_OF(types))],
                                 syntaxes[random_below(state, COUNT_OF(syntaxes))], random_below(state, 11) };
}

static void write_range(struct buffer *into, const struct naive_range *range, bool first)
{
    buffer_append_text(into, first ? "" : ", ");
    if (range->multipart)
        buffer_printf(into, "multipart/related; type=\"%s\"", range->type);
    else
        buffer_append_text(into, range->type);
    if (range->syntax)
        buffer_printf(into, "; transfer-syntax=%s", range->syntax);
    buffer_printf(into, ";q=%u.%u", range->tenths / 10, range->tenths % 10);
}

/* 0: does not speak of it; more is more exact. */
static unsigned exactness(const struct naive_range *range, const struct offer *offer, bool multipart)
{
    const size_t length = strlen(range->type);
    unsigned exact;

    if (strcmp(range->type, "*/*") == 0 && !range->multipart)
        exact = 10;
    else if (range->multipart != multipart)
        return 0;
    else if (strcmp(range->type, "*/*") == 0)
        exact = 20;
    else if (range->type[length - 1] == '*')
        exact = strncmp(range->type, offer->media_type, length - 1) == 0 ? 30 : 0;
    else
        exact = strcmp(range->type, offer->media_type) == 0 ? 40 : 0;
    if (exact == 0)
        return 0;
    if (!range->syntax)
        return offer->meant_by & (exact <= 20 ? ACCEPT_BY_WILDCARD : ACCEPT_BY_TYPE) ? exact + 1 : 0;
    if (strcmp(range->syntax, "*") == 0)
        return offer->meant_by & ACCEPT_BY_ANY_SYNTAX ? exact : 0;
    return strcmp(range->syntax, offer->transfer_syntax) == 0 ? exact + 2 : 0;
}

static unsigned naive_tenths(const struct naive_range *ranges, size_t count, const struct offer *offer,
                             bool multipart)
{
    unsigned best = 0, tenths = 0;

    for (size_t i = 0; i < count; i++) {
        const unsigned exact = exactness(&ranges[i], offer, multipart);
        if (exact > best || (exact == best && exact > 0 && ranges[i].tenths > tenths)) {
            best = exact;
            tenths = ranges[i].tenths;
        }
    }
    return tenths;
}

TEST(NEG_05_06_any_header_gets_what_a_naive_reading_of_the_rules_gives)
{
    static const enum transfer_syntax stored[] = { SYNTAX_EXPLICIT_LE, SYNTAX_RLE_LOSSLESS,
                                                   SYNTAX_JPEG_BASELINE_8, SYNTAX_UNKNOWN };
    unsigned state = 7, compared = 0, refused = 0;

    for (unsigned round = 0; round < 20000; round++) {
        struct arena arena = { 0 };
        SCOPED(buffer) struct buffer header = { 0 };
        struct naive_range ranges[4];
        struct offers offers = { .count = 0 };
        const size_t count = 1 + random_below(&state, COUNT_OF(ranges));
        const struct instance_record record =
            record_of(stored[random_below(&state, COUNT_OF(stored))], random_below(&state, 2) ? 8 : 64);
        const struct offer *want = NULL;
        bool want_multipart = false;
        unsigned best = 0;

        buffer_init(&header, 4096);
        for (size_t i = 0; i < count; i++) {
            ranges[i] = random_range(&state);
            write_range(&header, &ranges[i], i == 0);
        }
        buffer_append_byte(&header, 0);
        offers_of_frames(&offers, &record);
        for (size_t i = 0; i < offers.count; i++)
            for (int form = 0; form < 2; form++) {
                const unsigned tenths = naive_tenths(ranges, count, &offers.list[i], form == 0);
                if (tenths > best) {
                    best = tenths;
                    want = &offers.list[i];
                    want_multipart = form == 0;
                }
            }
        const char *got = chosen(&arena, &offers, (const char *)header.data, true);
        const char *ought = want ? arena_printf(&arena, "%s %s %s", want_multipart ? "multipart" : "single",
                                                want->media_type, want->transfer_syntax)
                                 : "406";
        EXPECT(strcmp(got, ought) == 0, "stored %s, \"%s\": got %s, want %s", record.syntax_uid.text,
               (const char *)header.data, got, ought);
        compared++;
        refused += want == NULL;
        frame_table_unref(record.frames);
        arena_release(&arena);
    }
    EXPECT(compared == 20000 && refused > 1000 && refused < 19000, "%u of %u refused", refused, compared);
}
