/* tests/unit/dicom/element_scan_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "bridge/start.h"
#include "dicom/element_scan.h"
#include "tests/support/elements.h"

static bool scan(const struct elements *from, struct element_skeleton *ret, struct error *err)
{
    static const enum dataset_encoding encodings[] = { DATASET_EXPLICIT_LE, DATASET_IMPLICIT_LE,
                                                       DATASET_EXPLICIT_BE };
    const struct element_source source = {
        .memory = from->bytes.data, .memory_size = from->bytes.size, .fd = -1, .size = from->bytes.size
    };

    return EXPECT(bridge_start(err), "%s", err->detail) &&
           element_scan(&source, 0, encodings[from->form], ret, err);
}

static void nest(struct elements *into, uint32_t depth, uint32_t tag, const char *vr)
{
    for (uint32_t i = 0; i < depth; i++) {
        elements_header(into, tag, vr, UINT32_MAX);
        elements_header(into, 0xFFFEE000, "", UINT32_MAX);
        if (strcmp(vr, "UN") == 0)
            into->form = ELEMENTS_IMPLICIT; /* what is inside UN is implicit */
    }
    for (uint32_t i = 0; i < depth; i++) {
        elements_header(into, 0xFFFEE00D, "", 0);
        elements_header(into, 0xFFFEE0DD, "", 0);
    }
}

TEST(pixel_data_is_found_behind_all_kinds_of_elements)
{
    for (unsigned form = 0; form < 3; form++) {
        struct elements file = { .form = (enum elements_form)form };
        struct element_skeleton skeleton;
        struct error err = { 0 };

        buffer_init(&file.bytes, 1 << 20);
        elements_text(&file, 0x00080060, "CS", "CT");
        nest(&file, 3, 0x0040A730, "SQ");
        elements_header(&file, 0x00081140, "SQ", 16); /* of defined length */
        elements_header(&file, 0xFFFEE000, "", 0);
        elements_header(&file, 0xFFFEE000, "", 0);
        elements_short(&file, 0x00280010, "US", 4);
        const size_t pixels = file.bytes.size;
        elements_bytes(&file, 0x7FE00010, "OW", "12345678", 8);
        if (EXPECT(scan(&file, &skeleton, &err), "form %u: %s", form, err.detail)) {
            EXPECT(skeleton.has_pixel_data && skeleton.end == pixels, "form %u: %u at %zu", form,
                   skeleton.has_pixel_data, (size_t)skeleton.end);
            EXPECT(skeleton.pixel_size == 8 && strcmp(skeleton.pixel_vr, "OW") == 0, "form %u", form);
        }
        buffer_done(&file.bytes);
    }
}

TEST(JSN_34_depth_has_a_limit_in_every_encoding)
{
    static const struct {
        enum elements_form form;
        const char *vr;
    } cases[] = { { ELEMENTS_EXPLICIT, "SQ" },
                  { ELEMENTS_EXPLICIT, "UN" },
                  { ELEMENTS_IMPLICIT, "SQ" },
                  { ELEMENTS_BIG, "SQ" } };
    static const uint32_t depths[] = { 1, 64, ELEMENT_SCAN_DEPTH, ELEMENT_SCAN_DEPTH + 1, 100000 };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t d = 0; d < COUNT_OF(depths); d++) {
            struct elements file = { .form = cases[i].form };
            struct element_skeleton skeleton;
            struct error err = { 0 };

            buffer_init(&file.bytes, 16 << 20);
            nest(&file, depths[d], 0x0040A730, cases[i].vr);
            file.form = cases[i].form;
            const bool found = scan(&file, &skeleton, &err);
            EXPECT(found == (depths[d] <= ELEMENT_SCAN_DEPTH), "case %zu depth %u: %s", i, depths[d],
                   err.detail);
            EXPECT(found || err.fault == FAULT_NOT_DICOM, "case %zu: fault %d", i, err.fault);
            buffer_done(&file.bytes);
        }
}

TEST(lengths_beyond_the_end_are_refused_at_once)
{
    static const uint32_t lengths[] = { 9, 0x7FFFFFFF, 0xFFFFFFFE };

    for (unsigned form = 0; form < 3; form++)
        for (size_t i = 0; i < COUNT_OF(lengths); i++) {
            struct elements file = { .form = (enum elements_form)form };
            struct element_skeleton skeleton;
            struct error err = { 0 };

            buffer_init(&file.bytes, 1024);
            elements_header(&file, 0x00420011, "OB", lengths[i]);
            elements_number(&file, 0, 8);
            EXPECT(!scan(&file, &skeleton, &err) && err.fault == FAULT_NOT_DICOM, "form %u length %u", form,
                   lengths[i]);
            buffer_done(&file.bytes);
        }
}

TEST(STO_28_elements_in_falling_order_do_not_take_quadratic_time)
{
    struct elements file = { .form = ELEMENTS_EXPLICIT };
    struct element_skeleton skeleton;
    struct error err = { 0 };

    buffer_init(&file.bytes, 16 << 20);
    for (uint32_t i = 0; i < 200000; i++)
        elements_header(&file, 0x70000000 - i, "LO", 0);
    EXPECT(!scan(&file, &skeleton, &err) && err.fault == FAULT_NOT_DICOM, "accepted");
    buffer_cut(&file.bytes, 1000 * 8);
    EXPECT(scan(&file, &skeleton, &err), "a thousand: %s", err.detail);
    buffer_done(&file.bytes);
}

TEST(what_stands_behind_the_pixel_data_is_found_when_it_is_sound)
{
    for (int encapsulated = 0; encapsulated < 2; encapsulated++) {
        struct elements file = { .form = ELEMENTS_EXPLICIT };
        struct element_skeleton skeleton;
        struct error err = { 0 };
        uint64_t from, end;

        buffer_init(&file.bytes, 1 << 20);
        if (encapsulated) {
            elements_header(&file, 0x7FE00010, "OB", UINT32_MAX);
            elements_bytes(&file, 0xFFFEE000, "", "", 0);
            elements_bytes(&file, 0xFFFEE000, "", "abcd", 4);
            elements_header(&file, 0xFFFEE0DD, "", 0);
        } else {
            elements_bytes(&file, 0x7FE00010, "OW", "1234", 4);
        }
        const size_t tail = file.bytes.size;
        elements_text(&file, 0x7FE10010, "LO", "ACME");
        const struct element_source source = {
            .memory = file.bytes.data, .memory_size = file.bytes.size, .fd = -1, .size = file.bytes.size
        };
        if (EXPECT(scan(&file, &skeleton, &err), "%s", err.detail)) {
            EXPECT(element_scan_tail(&source, &skeleton, 0, DATASET_EXPLICIT_LE, &from, &end) &&
                       from == tail && end == file.bytes.size,
                   "encapsulated %d", encapsulated);
            for (int i = 0; i < 100; i++) /* garbage */
                buffer_append_byte(&file.bytes, 0);
            const struct element_source longer = {
                .memory = file.bytes.data, .memory_size = file.bytes.size, .fd = -1, .size = file.bytes.size
            };
            (void)element_scan_tail(&longer, &skeleton, 0, DATASET_EXPLICIT_LE, &from, &end);
        }
        buffer_done(&file.bytes);
    }
}

TEST(every_cut_of_a_file_is_survived)
{
    struct elements file = { .form = ELEMENTS_EXPLICIT };

    buffer_init(&file.bytes, 1 << 20);
    elements_text(&file, 0x00080060, "CS", "CT");
    nest(&file, 4, 0x0040A730, "SQ");
    nest(&file, 2, 0x0040A731, "UN");
    file.form = ELEMENTS_EXPLICIT;
    elements_header(&file, 0x00880200, "SQ", UINT32_MAX);
    elements_header(&file, 0xFFFEE000, "", UINT32_MAX);
    elements_header(&file, 0x7FE00010, "OB", UINT32_MAX);
    elements_bytes(&file, 0xFFFEE000, "", "abcd", 4);
    elements_header(&file, 0xFFFEE0DD, "", 0);
    elements_header(&file, 0xFFFEE00D, "", 0);
    elements_header(&file, 0xFFFEE0DD, "", 0);
    elements_bytes(&file, 0x7FE00010, "OW", "1234", 4);
    for (size_t cut = 0; cut < file.bytes.size; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1); /* so that the sanitizer sees a step too far */
        struct elements part = { .form = ELEMENTS_EXPLICIT };
        struct element_skeleton skeleton;
        struct error err = { 0 };

        memcpy(exact, file.bytes.data, cut);
        part.bytes = (struct buffer){ .data = exact, .size = cut };
        EXPECT(scan(&part, &skeleton, &err) || err.fault == FAULT_NOT_DICOM, "cut %zu: fault %d", cut,
               err.fault);
        free(exact);
    }
    buffer_done(&file.bytes);
}
