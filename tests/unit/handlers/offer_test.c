/* tests/unit/handlers/offer_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is sent for what is stored, by what the client accepts: the headers that clients were seen to send.
 */
#include "handlers/offer.h"

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
        { SYNTAX_ENCAPSULATED_LE, "*/*", "multipart application/octet-stream 1.2.840.10008.1.2.1" },
        { SYNTAX_UNKNOWN, CORNERSTONE, "multipart application/octet-stream 1.2.3.4" },
        { SYNTAX_UNKNOWN, "*/*", "406" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct offers offers = { .count = 0 };
        const struct transfer_syntax_info *info = transfer_syntax_info(cases[i].stored);
        const enum frame_kind kind =
            info->encapsulated || cases[i].stored == SYNTAX_UNKNOWN ? FRAMES_ENCAPSULATED : FRAMES_NATIVE;

        offers_of_frames(&offers, cases[i].stored, info->uid[0] ? info->uid : "1.2.3.4", kind);
        const char *got = chosen(&arena, &offers, cases[i].accept, true);
        EXPECT(strcmp(got, cases[i].want) == 0, "case %zu, \"%s\": got %s, want %s", i, cases[i].accept, got,
               cases[i].want);
        arena_release(&arena);
    }
}

TEST(NEG_13_a_single_part_is_only_for_a_single_item)
{
    struct arena arena = { 0 };
    struct offers offers = { .count = 0 };

    offers_of_frames(&offers, SYNTAX_EXPLICIT_LE, "1.2.840.10008.1.2.1", FRAMES_NATIVE);
    EXPECT_TEXT(bytes_of_text(chosen(&arena, &offers, "application/octet-stream", false)), "406");
    EXPECT_TEXT(bytes_of_text(chosen(&arena, &offers, "*/*", false)),
                "multipart application/octet-stream 1.2.840.10008.1.2.1");
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
        { SYNTAX_IMPLICIT_LE, "multipart/related; type=\"application/dicom\"; transfer-syntax=*", "406" },
        { SYNTAX_EXPLICIT_BE, "*/*", "406" },
        { SYNTAX_DEFLATED_LE, "*/*", "406" },
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

        offers_of_instance(&offers, cases[i].stored, uid[0] ? uid : "1.2.3.4");
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
    offers_of_frames(&offers, SYNTAX_JPEG_LS_LOSSLESS, "1.2.840.10008.1.2.4.80", FRAMES_ENCAPSULATED);
    EXPECT(!offers_choose(&offers, &accept, true, &choice, &err), "text/csv was chosen");
    EXPECT(err.fault == FAULT_NOT_ACCEPTABLE &&
               strstr(err.told, "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80"),
           "told \"%s\"", err.told);
    EXPECT(!strstr(err.told, "x-jls"), "an old name is advertised: \"%s\"", err.told);
    arena_release(&arena);
}
