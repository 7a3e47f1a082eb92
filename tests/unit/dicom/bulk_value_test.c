/* tests/unit/dicom/bulk_value_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "bridge/start.h"
#include "dicom/bulk_value.h"
#include "tests/support/elements.h"

static struct bulk_value value;
static struct error err;

static bool read_bulk(const struct elements *file, const char *path)
{
    block_unref(value.block);
    value = (struct bulk_value){ 0 };
    err = (struct error){ 0 };
    return EXPECT(bridge_start(&err), "%s", err.detail) &&
           bulk_value_read(elements_path(buffer_bytes(&file->bytes)), bytes_of_text(path), &value, &err);
}

static void make(struct elements *file, const char *syntax, enum elements_form form)
{
    elements_file(file, syntax);
    file->form = form;
    elements_class(file);
    elements_study(file);
    elements_bytes(file, 0x00420011, "OB", "%PDF", 4);
    elements_header(file, 0x54000100, "SQ", UINT32_MAX);
    elements_header(file, 0xFFFEE000, "", 0);
    elements_header(file, 0xFFFEE000, "", UINT32_MAX);
    elements_header(file, 0x54001010, "OW", 4);
    elements_number(file, 0x0102, 2);
    elements_number(file, 0x0304, 2);
    elements_header(file, 0xFFFEE00D, "", 0);
    elements_header(file, 0xFFFEE0DD, "", 0);
    elements_bytes(file, 0x7FE00010, "OW", "1234", 4);
    elements_text(file, 0x7FE10010, "LO", "ACME");
    elements_bytes(file, 0x7FE11001, "OB", "tail", 4);
}

TEST(RET_24_paths_of_links_lead_to_the_value_little_endian)
{
    static const struct {
        const char *syntax;
        enum elements_form form;
    } forms[] = { { "1.2.840.10008.1.2.1", ELEMENTS_EXPLICIT },
                  { "1.2.840.10008.1.2", ELEMENTS_IMPLICIT },
                  { "1.2.840.10008.1.2.2", ELEMENTS_BIG } };

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct elements file;

        make(&file, forms[i].syntax, forms[i].form);
        if (EXPECT(read_bulk(&file, "00420011"), "%zu: %s", i, err.detail)) {
            EXPECT_TEXT(block_bytes(value.block), "%PDF");
            EXPECT(strcmp(value.vr, "OB") == 0, "%s", value.vr);
        }
        if (EXPECT(read_bulk(&file, "54000100/2/54001010"), "%zu: %s", i, err.detail)) {
            EXPECT_TEXT(block_bytes(value.block), "\2\1\4\3");
            EXPECT(strcmp(value.vr, "OW") == 0, "%s", value.vr);
        }
        if (EXPECT(read_bulk(&file, "7FE11001"), "%zu: %s", i, err.detail)) /* behind the pixels */
            EXPECT_TEXT(block_bytes(value.block), "tail");
        buffer_done(&file.bytes);
    }
    block_unref(value.block);
    value = (struct bulk_value){ 0 };
}

TEST(what_is_not_there_is_not_found)
{
    static const char *const paths[] = {
        "00420012", "54000100", "54000100/3/54001010", "54000100/1/54001010", "00420011/1/00420011",
        "7FE00010", "7FE11002"
    };
    struct elements file;

    make(&file, "1.2.840.10008.1.2.1", ELEMENTS_EXPLICIT);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        EXPECT(!read_bulk(&file, paths[i]) && err.fault == FAULT_NOT_FOUND, "%s: fault %d", paths[i],
               err.fault);
    buffer_done(&file.bytes);
}

TEST(what_is_no_path_is_malformed)
{
    static const char *const paths[] = { "",
                                         "0042001",
                                         "00420011/",
                                         "54000100/0/54001010",
                                         "54000100/2",
                                         "/00420011",
                                         "54000100/2/",
                                         "54000100/-1/54001010",
                                         "../../etc/passwd",
                                         "PixelData",
                                         "54000100/99999999999/54001010" };
    struct elements file;

    make(&file, "1.2.840.10008.1.2.1", ELEMENTS_EXPLICIT);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        EXPECT(!read_bulk(&file, paths[i]) && err.fault == FAULT_MALFORMED, "%s: fault %d", paths[i],
               err.fault);
    buffer_done(&file.bytes);
}

TEST(compressed_icons_give_their_fragments_without_the_table)
{
    struct elements file;

    elements_file(&file, "1.2.840.10008.1.2.4.50");
    elements_class(&file);
    elements_study(&file);
    elements_header(&file, 0x00880200, "SQ", UINT32_MAX);
    elements_header(&file, 0xFFFEE000, "", UINT32_MAX);
    elements_header(&file, 0x7FE00010, "OB", UINT32_MAX);
    elements_bytes(&file, 0xFFFEE000, "", "", 0);
    elements_bytes(&file, 0xFFFEE000, "", "abcd", 4);
    elements_bytes(&file, 0xFFFEE000, "", "ef", 2);
    elements_header(&file, 0xFFFEE0DD, "", 0);
    elements_header(&file, 0xFFFEE00D, "", 0);
    elements_header(&file, 0xFFFEE0DD, "", 0);
    elements_header(&file, 0x7FE00010, "OB", UINT32_MAX);
    elements_bytes(&file, 0xFFFEE000, "", "", 0);
    elements_bytes(&file, 0xFFFEE000, "", "frame ", 6);
    elements_header(&file, 0xFFFEE0DD, "", 0);
    if (EXPECT(read_bulk(&file, "00880200/1/7FE00010"), "%s", err.detail))
        EXPECT_TEXT(block_bytes(value.block), "abcdef");
    buffer_done(&file.bytes);
    block_unref(value.block);
    value = (struct bulk_value){ 0 };
}
