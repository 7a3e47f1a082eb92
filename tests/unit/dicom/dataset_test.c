/* tests/unit/dicom/dataset_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "bridge/start.h"
#include "dicom/dataset.h"
#include "tests/support/elements.h"

static bool parse(const struct elements *from, enum dataset_encoding encoding, struct dataset **ret)
{
    struct error err = { 0 };
    const struct element_source source = {
        .memory = from->bytes.data, .memory_size = from->bytes.size, .fd = -1, .size = from->bytes.size
    };
    struct element_skeleton skeleton;

    if (!EXPECT(bridge_start(&err), "%s", err.detail))
        return false;
    if (dataset_read(&source, 0, encoding, &skeleton, ret, &err))
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

TEST(JSN_34_a_hundred_levels_are_parsed_and_walked)
{
    struct elements file = { .form = ELEMENTS_EXPLICIT };
    struct dataset *dataset = NULL;
    unsigned depth = 0;

    buffer_init(&file.bytes, 1 << 20);
    nest(&file, 100, true);
    if (EXPECT(parse(&file, DATASET_EXPLICIT_LE, &dataset), "not parsed")) {
        const struct dataset_item *item = dataset_root(dataset);
        struct dataset_element element = { 0 };
        while (item && dataset_next_element(item, &element)) {
            depth++;
            item = dataset_next_item(&element, NULL);
            element = (struct dataset_element){ 0 };
        }
        EXPECT(depth == 100, "%u levels", depth);
    }
    dataset_free(dataset);
    buffer_done(&file.bytes);
}

TEST(a_hundred_thousand_nested_sequences_end_as_an_error)
{
    for (int delimited = 0; delimited < 2; delimited++) {
        struct elements file = { .form = ELEMENTS_EXPLICIT };
        struct dataset *dataset = NULL;

        buffer_init(&file.bytes, 8 << 20);
        nest(&file, 100000, delimited);
        EXPECT(!parse(&file, DATASET_EXPLICIT_LE, &dataset), "parsed");
        dataset_free(dataset);
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
        struct dataset *dataset = NULL;
        struct dataset_element element = { 0 };
        struct error err = { 0 };
        uint8_t value[16];

        buffer_init(&file.bytes, 1024);
        elements_header(&file, cases[i].tag, cases[i].vr, 16);
        for (unsigned n = 0; n < 16 / cases[i].width; n++)
            elements_number(&file, 0x0807060504030201 + n, cases[i].width);
        if (EXPECT(parse(&file, DATASET_EXPLICIT_BE, &dataset), "%s", cases[i].vr) &&
            EXPECT(dataset_find(dataset_root(dataset), cases[i].tag, &element), "%s", cases[i].vr) &&
            EXPECT(element.size == 16 && dataset_value(&element, value, &err), "%s %s", cases[i].vr,
                   err.detail))
            for (unsigned n = 0; n < 16; n++) {
                const unsigned at = n % cases[i].width, number = n / cases[i].width;
                const uint8_t want = (uint8_t)(at + 1 + (at == 0 ? number : 0));
                EXPECT(value[n] == want, "%s byte %u is %02x, not %02x", cases[i].vr, n, value[n], want);
            }
        dataset_free(dataset);
        buffer_done(&file.bytes);
    }
}

TEST(large_values_are_read_when_asked_for)
{
    struct elements file = { .form = ELEMENTS_EXPLICIT };
    struct dataset *dataset = NULL;
    struct dataset_element element = { 0 };
    struct error err = { 0 };
    static uint8_t value[100000];

    buffer_init(&file.bytes, 1 << 20);
    elements_header(&file, 0x00420011, "OB", sizeof value);
    for (size_t i = 0; i < sizeof value; i++)
        buffer_append_byte(&file.bytes, (uint8_t)(i * 7));
    elements_text(&file, 0x00420012, "LO", "application/pdf");
    const char *path = elements_path(buffer_bytes(&file.bytes));
    FILE *open_file = fopen(path, "rb");
    const struct element_source source = { .fd = fileno(open_file), .size = file.bytes.size };
    const uint8_t *in_place = value;
    if (EXPECT(dataset_read_all(&source, 0, DATASET_EXPLICIT_LE, &dataset, &err), "%s", err.detail) &&
        EXPECT(dataset_next_element(dataset_root(dataset), &element), "nothing") &&
        EXPECT(element.size == sizeof value && dataset_value(&element, value, &err), "%s", err.detail))
        for (size_t i = 0; i < sizeof value; i++)
            if (!EXPECT(value[i] == (uint8_t)(i * 7), "byte %zu is %u", i, value[i]))
                break;
    EXPECT(!dataset_value_in_place(&element, &in_place) && !in_place, "bytes of a file lie in memory");
    EXPECT(dataset_next_element(dataset_root(dataset), &element) && element.tag == 0x00420012, "%08X",
           element.tag);
    EXPECT(!dataset_next_element(dataset_root(dataset), &element), "a third element");
    dataset_free(dataset);
    fclose(open_file);
    buffer_done(&file.bytes);
}

TEST(elements_ascend_and_of_two_with_one_tag_the_first_stays)
{
    static const uint32_t tags[] = { 0x00100020, 0x00080060, 0x00200013, 0x00080018, 0x00100010 };
    struct elements file = { .form = ELEMENTS_EXPLICIT };
    struct dataset *dataset = NULL;
    struct dataset_element element = { 0 };
    uint32_t before = 0, count = 0;

    buffer_init(&file.bytes, 1024);
    for (size_t i = 0; i < COUNT_OF(tags); i++)
        elements_text(&file, tags[i], "LO", "first");
    for (size_t i = 0; i < COUNT_OF(tags); i++)
        elements_text(&file, tags[i], "LO", "the second");
    if (EXPECT(parse(&file, DATASET_EXPLICIT_LE, &dataset), "not parsed")) {
        while (dataset_next_element(dataset_root(dataset), &element)) {
            EXPECT(element.tag > before, "%08X behind %08X", element.tag, before);
            EXPECT(element.size == 6, "%08X has %u bytes", element.tag, (unsigned)element.size);
            before = element.tag;
            count++;
        }
        EXPECT(count == COUNT_OF(tags), "%u elements", count);
        for (size_t i = 0; i < COUNT_OF(tags); i++)
            EXPECT(dataset_find(dataset_root(dataset), tags[i], &element) && element.tag == tags[i], "%08X",
                   tags[i]);
        EXPECT(!dataset_find(dataset_root(dataset), 0x00080019, &element) &&
                   !dataset_find(dataset_root(dataset), 0x7FE00000, &element),
               "found what is not there");
    }
    dataset_free(dataset);
    buffer_done(&file.bytes);
}

TEST(a_small_picture_in_an_item_is_its_fragments_behind_the_table)
{
    struct elements file = { .form = ELEMENTS_EXPLICIT };
    struct dataset *dataset = NULL;
    struct dataset_element element = { 0 };
    struct error err = { 0 };
    uint8_t value[16] = { 0 };

    buffer_init(&file.bytes, 1024);
    elements_header(&file, 0x00880200, "SQ", UINT32_MAX);
    elements_header(&file, 0xFFFEE000, "", UINT32_MAX);
    elements_header(&file, 0x7FE00010, "OB", UINT32_MAX);
    elements_header(&file, 0xFFFEE000, "", 4);
    buffer_append_text(&file.bytes, "tabl");
    elements_header(&file, 0xFFFEE000, "", 4);
    buffer_append_text(&file.bytes, "abcd");
    elements_header(&file, 0xFFFEE000, "", 2);
    buffer_append_text(&file.bytes, "ef");
    elements_header(&file, 0xFFFEE0DD, "", 0);
    elements_header(&file, 0xFFFEE00D, "", 0);
    elements_header(&file, 0xFFFEE0DD, "", 0);
    if (EXPECT(parse(&file, DATASET_ENCAPSULATED, &dataset), "not parsed") &&
        EXPECT(dataset_next_element(dataset_root(dataset), &element) && element.is_sequence, "no sequence")) {
        const struct dataset_item *item = dataset_next_item(&element, NULL);
        EXPECT(item && !dataset_next_item(&element, item), "items");
        if (EXPECT(item && dataset_find(item, 0x7FE00010, &element), "no pixels"))
            EXPECT(element.is_encapsulated && element.size == 6 && strcmp(element.vr, "OB") == 0 &&
                       dataset_value(&element, value, &err) && memcmp(value, "abcdef", 6) == 0,
                   "%s, %u bytes, %.6s", element.vr, (unsigned)element.size, (const char *)value);
    }
    dataset_free(dataset);
    buffer_done(&file.bytes);
}

TEST(a_private_sequence_without_vr_is_known_by_its_creator)
{
    for (int known = 0; known < 2; known++) {
        struct elements file = { .form = ELEMENTS_IMPLICIT };
        struct dataset *dataset = NULL;
        struct dataset_element element = { 0 };

        buffer_init(&file.bytes, 1024);
        elements_text(&file, 0x20010012, "LO", known ? "Philips Imaging DD 001" : "Somebody Else");
        elements_header(&file, 0x2001125F, "SQ", 8 + 8 + 2);
        elements_header(&file, 0xFFFEE000, "", 8 + 2);
        elements_text(&file, 0x00080060, "CS", "MR");
        elements_text(&file, 0x20011299, "LO", "x ");
        if (EXPECT(parse(&file, DATASET_IMPLICIT_LE, &dataset), "not parsed") &&
            EXPECT(dataset_find(dataset_root(dataset), 0x2001125F, &element), "not there"))
            EXPECT(element.is_sequence == known && strcmp(element.vr, known ? "SQ" : "UN") == 0,
                   "creator known: %d, but %s", known, element.vr);
        EXPECT(dataset && dataset_find(dataset_root(dataset), 0x20010012, &element) &&
                   strcmp(element.vr, "LO") == 0,
               "a private creator is %s", element.vr);
        dataset_free(dataset);
        buffer_done(&file.bytes);
    }
}

TEST(values_lie_in_place_where_no_byte_must_be_turned)
{
    for (int big = 0; big < 2; big++) {
        struct elements file = { .form = big ? ELEMENTS_BIG : ELEMENTS_EXPLICIT };
        struct dataset *dataset = NULL;
        struct dataset_element element = { 0 };
        const uint8_t *in_place = NULL;

        buffer_init(&file.bytes, 1024);
        elements_text(&file, 0x00080060, "CS", "MR");
        elements_short(&file, 0x00280010, "US", 0x0102);
        if (EXPECT(parse(&file, big ? DATASET_EXPLICIT_BE : DATASET_EXPLICIT_LE, &dataset), "not parsed")) {
            EXPECT(dataset_find(dataset_root(dataset), 0x00080060, &element) &&
                       dataset_value_in_place(&element, &in_place) && memcmp(in_place, "MR", 2) == 0,
                   "text");
            EXPECT(dataset_find(dataset_root(dataset), 0x00280010, &element) &&
                       dataset_value_in_place(&element, &in_place) == !big,
                   "a number, big endian: %d", big);
        }
        dataset_free(dataset);
        buffer_done(&file.bytes);
    }
}
