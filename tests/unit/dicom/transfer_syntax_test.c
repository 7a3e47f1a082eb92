/* tests/unit/dicom/transfer_syntax_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/transfer_syntax.h"

#include "tests/support/expect.h"

TEST(every_syntax_is_found_by_its_uid)
{
    for (unsigned i = 1; i < SYNTAX_COUNT; i++) {
        const struct transfer_syntax_info *info = transfer_syntax_info((enum transfer_syntax)i);
        EXPECT(transfer_syntax_of_uid(bytes_of_text(info->uid)) == i, "%s", info->uid);
        EXPECT(transfer_syntax_has_media((enum transfer_syntax)i, bytes_of_text(info->media_type)), "%s",
               info->uid);
    }
}

TEST(a_private_syntax_is_unknown_and_an_octet_stream)
{
    EXPECT(transfer_syntax_of_uid(bytes_of_text("1.2.3")) == SYNTAX_UNKNOWN, "known");
    EXPECT(transfer_syntax_of_uid(bytes_of_text("")) == SYNTAX_UNKNOWN, "known");
    EXPECT(strcmp(transfer_syntax_info(SYNTAX_UNKNOWN)->media_type, "application/octet-stream") == 0,
           "other");
}

TEST(a_media_type_means_its_default_syntax)
{
    static const struct {
        const char *media;
        enum transfer_syntax syntax;
    } cases[] = {
        { "application/octet-stream", SYNTAX_EXPLICIT_LE },
        { "image/jpeg", SYNTAX_JPEG_LOSSLESS_SV1 },
        { "IMAGE/JPEG", SYNTAX_JPEG_LOSSLESS_SV1 },
        { "image/jls", SYNTAX_JPEG_LS_LOSSLESS },
        { "image/x-jls", SYNTAX_JPEG_LS_LOSSLESS },
        { "image/dicom+jpx", SYNTAX_JPEG_2000_MC_LOSSLESS },
        { "image/dicom+jp2", SYNTAX_JPEG_2000_LOSSLESS },
        { "image/x-dicom-rle", SYNTAX_RLE_LOSSLESS },
        { "image/dicom+rle", SYNTAX_RLE_LOSSLESS },
        { "video/mpeg2", SYNTAX_MPEG2_HIGH },
        { "image/jhc", SYNTAX_HTJ2K_LOSSLESS },
        { "video/mp4", SYNTAX_MPEG4_HIGH_41 },
        { "image/png", SYNTAX_UNKNOWN },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT(transfer_syntax_of_media(bytes_of_text(cases[i].media)) == cases[i].syntax, "%s gave %d",
               cases[i].media, transfer_syntax_of_media(bytes_of_text(cases[i].media)));
}

TEST(old_names_are_names_of_the_same_type)
{
    EXPECT(transfer_syntax_has_media(SYNTAX_JPEG_LS_NEAR_LOSSLESS, bytes_of_text("image/x-jls")), "no");
    EXPECT(!transfer_syntax_has_media(SYNTAX_JPEG_LS_NEAR_LOSSLESS, bytes_of_text("image/jp2")), "yes");
}
