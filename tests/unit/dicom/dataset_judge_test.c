/* tests/unit/dicom/dataset_judge_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Real files, ours and DCMTK's tree side by side. The files of the checkout are those that fuzzing once
 * found; GANTRY_TEST_DATA names a larger collection.
 */
#include "tests/support/expect.h"

#include <ftw.h>

#include "bridge/start.h"
#include "tests/support/dataset_judge.h"
#include "tests/support/elements.h"

static unsigned equal, alone, refused;

static int look_at(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    struct data_set state = { .fd = -1 };
    SCOPED(data_set) struct data_set *data_set = &state;
    struct error err = { 0 };
    char told[160];

    (void)about, (void)where;
    if (kind != FTW_F)
        return 0;
    if (!data_set_open(path, data_set, &err)) {
        refused++;
        return 0;
    }
    switch (judge(data_set, told)) {
    case JUDGED_EQUAL:
        equal++;
        break;
    case JUDGED_ALONE:
        alone++;
        EXPECT(false, "%s: refused by DCMTK alone: %s", path, told);
        break;
    case JUDGED_UNEQUAL:
        EXPECT(false, "%s: %s", path, told);
        break;
    }
    return 0;
}

static void item(struct elements *to, bool delimited, uint32_t length)
{
    elements_header(to, 0xFFFEE000, "", delimited ? UINT32_MAX : length);
}

/* Nested, in disorder, twice, private, unknown: everything that a reader may take for something else. */
static void make_everything(struct elements *to)
{
    static const uint8_t eight[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    elements_class(to);
    elements_text(to, 0x00080060, "CS", "OT");
    elements_header(to, 0x00081140, "SQ", 0);
    elements_header(to, 0x0040A730, "SQ", UINT32_MAX);
    for (int n = 0; n < 2; n++) {
        item(to, n, 10);
        elements_text(to, 0x00280106, n ? "SS" : "US", "ab");
        if (n)
            elements_header(to, 0xFFFEE00D, "", 0);
    }
    elements_header(to, 0xFFFEE0DD, "", 0);
    elements_text(to, 0x00100020, "LO", "in disorder");
    elements_text(to, 0x00100020, "LO", "and twice");
    elements_text(to, 0x20010012, "LO", "Philips Imaging DD 001");
    elements_header(to, 0x2001125F, "SQ", 8 + 10);
    item(to, false, 10);
    elements_text(to, 0x00080060, "CS", "MR");
    elements_bytes(to, 0x20011234, "FD", eight, sizeof eight);
    elements_bytes(to, 0x00720074, "FD", eight, sizeof eight);
    elements_bytes(to, 0x00660016, "OF", eight, sizeof eight);
    elements_bytes(to, 0x00280009, "AT", eight, sizeof eight);
    elements_bytes(to, 0x00281201, "OW", eight, sizeof eight);
    elements_bytes(to, 0x00189998, "zz", eight, 0);
    elements_bytes(to, 0x00189999, "UN", eight, sizeof eight);
    elements_study(to);
}

TEST(made_files_have_the_tree_that_dcmtk_makes)
{
    static const char *const syntaxes[] = { "1.2.840.10008.1.2.1", "1.2.840.10008.1.2",
                                            "1.2.840.10008.1.2.2" };
    struct error err = { 0 };

    if (!EXPECT(bridge_start(&err), "%s", err.detail))
        return;
    for (size_t i = 0; i < COUNT_OF(syntaxes); i++) {
        struct data_set state = { .fd = -1 };
        SCOPED(data_set) struct data_set *data_set = &state;
        struct elements file;
        char told[160];

        elements_file(&file, syntaxes[i]);
        file.form = (enum elements_form)i;
        make_everything(&file);
        if (EXPECT(data_set_open(elements_path(buffer_bytes(&file.bytes)), data_set, &err), "%s: %s",
                   syntaxes[i], err.detail))
            EXPECT(judge(data_set, told) == JUDGED_EQUAL, "%s: %s", syntaxes[i], told);
        buffer_done(&file.bytes);
    }
}

TEST(real_files_have_the_tree_that_dcmtk_makes)
{
    const char *folder = getenv("GANTRY_TEST_DATA");
    struct error err = { 0 };

    if (!folder)
        SKIP("the larger collection of real files is not here (GANTRY_TEST_DATA)");
    if (!EXPECT(bridge_start(&err), "%s", err.detail))
        return;
    EXPECT(nftw(folder, look_at, 16, FTW_PHYS) == 0, "%s cannot be walked", folder);
    EXPECT(equal > 0 && alone == 0, "%u equal, %u refused by DCMTK alone", equal, alone);
    printf("  %u equal, %u refused by both\n", equal, refused);
}
