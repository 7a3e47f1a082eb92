/* tests/unit/dicom/dictionary_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "bridge/start.h"
#include "dicom/dictionary.h"
#include "dicom/query_keys.h"

static void start(void)
{
    struct error err = { 0 };

    EXPECT(bridge_start(&err), "%s", err.detail);
}

TEST(keywords_and_digits_name_tags)
{
    static const struct {
        const char *text;
        uint32_t tag; /* 0: none */
    } cases[] = {
        { "PatientName", 0x00100010 },
        { "patientname", 0 },
        { "OtherPatientIDs", 0x00101000 }, /* retired, which its keyword does not say */
        { "00100010", 0x00100010 },
        { "7fe00010", 0x7FE00010 },
        { "7FE0001", 0 },
        { "007FE00010", 0 },
        { "", 0 },
        { "NoSuchKeyword", 0 },
        { "PixelData", 0x7FE00010 },
        { "0010 010", 0 },
        { "StudyInstanceUID", 0x0020000D },
        { "OverlayData", 0x60003000 },
    };

    start();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t tag = 0;
        const bool found = dictionary_tag(bytes_of_text(cases[i].text), &tag);
        EXPECT(found == (cases[i].tag != 0) && tag == cases[i].tag, "\"%s\" gave %08X", cases[i].text, tag);
    }
}

TEST(two_way_vrs_give_the_general_one)
{
    static const struct {
        uint32_t tag;
        const char *vr;
    } cases[] = { { 0x00100010, "PN" }, { 0x7FE00010, "OW" }, { 0x00280106, "US" }, { 0x00283006, "OW" },
                  { 0x60023000, "OW" }, { 0x0040A730, "SQ" }, { 0x00091001, "" },   { 0xFFFEE000, "" } };

    start();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char vr[3] = "";
        const bool found = dictionary_vr(cases[i].tag, vr);
        EXPECT(found == (cases[i].vr[0] != 0) && strcmp(vr, cases[i].vr) == 0, "%08X gave %s", cases[i].tag,
               vr);
    }
}

TEST(the_catalogs_columns_agree_with_the_dictionary)
{
    start();
    for (unsigned key = 0; key < QUERY_KEY_COUNT; key++) {
        const struct query_key_info *info = query_key_info((enum query_key)key);
        char vr[3] = "";
        EXPECT(strcmp(dictionary_keyword(info->tag), info->keyword) == 0, "%08X is %s, not %s", info->tag,
               dictionary_keyword(info->tag), info->keyword);
        EXPECT(dictionary_vr(info->tag, vr) && strcmp(vr, info->vr) == 0, "%s is %s", info->keyword, vr);
    }
    EXPECT(dictionary_keyword(0x00091001)[0] == '\0', "a private tag has a keyword");
}
