/* tests/unit/bridge/dcmtk_dataset_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "bridge/dcmtk_dataset.h"
#include "bridge/start.h"
#include "tests/support/elements.h"

static bool parse(const struct elements *from, enum dcmtk_encoding encoding, struct dcmtk_dataset **ret)
{
    struct error err = { 0 };
    const struct dcmtk_source source = { from->bytes.data, from->bytes.size, -1, 0, from->bytes.size };

    if (!EXPECT(bridge_start(&err), "%s", err.detail))
        return false;
    if (dcmtk_parse(&source, encoding, ret, &err))
        return true;
    EXPECT(err.fault == FAULT_NOT_DICOM, "fault %d: %s", err.fault, err.detail);
    return false;
}

static void nest(struct elements *into, unsigned depth, bool delimited)
{
    for (unsigned i = 0; i < depth; i++) {
        elements_header(into, 0x0040A730, "SQ", UINT32_MAX);
        elements_header(into, 0xFFFEE000, "", UINT32_MAX);
    }
    for (unsigned i = 0; delimited && i < depth; i++) {
        elements_header(into, 0xFFFEE00D, "", 0);
        elements_header(into, 0xFFFEE0DD, "", 0);
    }
}

TEST(starting_twice_is_one_start)
{
    struct error err = { 0 };

    EXPECT(bridge_start(&err) && bridge_start(&err), "%s", err.detail);
}

TEST(JSN_34_a_hundred_levels_are_parsed_and_walked)
{
    struct elements file = { .form = ELEMENTS_EXPLICIT };
    struct dcmtk_dataset *dataset = NULL;
    unsigned depth = 0;

    buffer_init(&file.bytes, 1 << 20);
    nest(&file, 100, true);
    if (EXPECT(parse(&file, DCMTK_EXPLICIT_LE, &dataset), "not parsed")) {
        const struct dcmtk_item *item = dcmtk_root(dataset);
        struct dcmtk_element element = { 0 };
        while (item && dcmtk_next_element(item, &element)) {
            depth++;
            item = dcmtk_next_item(&element, NULL);
            element = (struct dcmtk_element){ 0 };
        }
        EXPECT(depth == 100, "%u levels", depth);
    }
    dcmtk_free(dataset);
    buffer_done(&file.bytes);
}

TEST(a_hundred_thousand_nested_sequences_end_as_an_error)
{
    for (int delimited = 0; delimited < 2; delimited++) {
        struct elements file = { .form = ELEMENTS_EXPLICIT };
        struct dcmtk_dataset *dataset = NULL;

        buffer_init(&file.bytes, 8 << 20);
        nest(&file, 100000, delimited);
        EXPECT(!parse(&file, DCMTK_EXPLICIT_LE, &dataset), "parsed");
        dcmtk_free(dataset);
        buffer_done(&file.bytes);
    }
}

TEST(values_come_little_endian_from_big_endian_data)
{
    static const struct {
        uint32_t tag;
        const char *vr;
        unsigned width;
    } cases[] = { { 0x00080001, "UL", 4 }, { 0x00280010, "US", 2 }, { 0x00280009, "AT", 2 },
                  { 0x00720074, "FD", 8 }, { 0x00281201, "OW", 2 }, { 0x00660040, "OL", 4 },
                  { 0x00660016, "OF", 4 }, { 0x00720082, "SV", 8 }, { 0x00420011, "OB", 1 },
                  { 0x00189999, "UN", 1 } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct elements file = { .form = ELEMENTS_BIG };
        struct dcmtk_dataset *dataset = NULL;
        struct dcmtk_element element = { 0 };
        struct error err = { 0 };
        uint8_t value[16];

        buffer_init(&file.bytes, 1024);
        elements_header(&file, cases[i].tag, cases[i].vr, 16);
        for (unsigned n = 0; n < 16 / cases[i].width; n++)
            elements_number(&file, 0x0807060504030201 + n, cases[i].width);
        if (EXPECT(parse(&file, DCMTK_EXPLICIT_BE, &dataset), "%s", cases[i].vr) &&
            EXPECT(dcmtk_find(dcmtk_root(dataset), cases[i].tag, &element), "%s", cases[i].vr) &&
            EXPECT(element.size == 16 && dcmtk_value(&element, value, &err), "%s %s", cases[i].vr,
                   err.detail))
            for (unsigned n = 0; n < 16; n++) {
                const unsigned at = n % cases[i].width, number = n / cases[i].width;
                const uint8_t want = (uint8_t)(at + 1 + (at == 0 ? number : 0));
                EXPECT(value[n] == want, "%s byte %u is %02x, not %02x", cases[i].vr, n, value[n], want);
            }
        dcmtk_free(dataset);
        buffer_done(&file.bytes);
    }
}

TEST(large_values_are_read_when_asked_for)
{
    struct elements file = { .form = ELEMENTS_EXPLICIT };
    struct dcmtk_dataset *dataset = NULL;
    struct dcmtk_element element = { 0 };
    struct error err = { 0 };
    static uint8_t value[100000];

    buffer_init(&file.bytes, 1 << 20);
    elements_header(&file, 0x00420011, "OB", sizeof value);
    for (size_t i = 0; i < sizeof value; i++)
        buffer_append_byte(&file.bytes, (uint8_t)(i * 7));
    elements_text(&file, 0x00420012, "LO", "application/pdf");
    const char *path = elements_path(buffer_bytes(&file.bytes));
    FILE *open_file = fopen(path, "rb");
    const struct dcmtk_source source = { NULL, 0, fileno(open_file), 0, file.bytes.size };
    if (EXPECT(dcmtk_parse(&source, DCMTK_EXPLICIT_LE, &dataset, &err), "%s", err.detail) &&
        EXPECT(dcmtk_next_element(dcmtk_root(dataset), &element), "nothing") &&
        EXPECT(element.size == sizeof value && dcmtk_value(&element, value, &err), "%s", err.detail))
        for (size_t i = 0; i < sizeof value; i++)
            if (!EXPECT(value[i] == (uint8_t)(i * 7), "byte %zu is %u", i, value[i]))
                break;
    EXPECT(dcmtk_next_element(dcmtk_root(dataset), &element) && element.tag == 0x00420012, "%08X",
           element.tag);
    EXPECT(!dcmtk_next_element(dcmtk_root(dataset), &element), "a third element");
    dcmtk_free(dataset);
    fclose(open_file);
    buffer_done(&file.bytes);
}
