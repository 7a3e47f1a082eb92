/* tests/unit/dicom/part10_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/part10.h"

#include <stdlib.h>

#include "tests/support/expect.h"
#include "tests/support/make_dicom.h"

static struct bytes head_of(const struct buffer *file)
{
    return bytes_of(file->data, file->size < PART10_HEAD_BYTES ? file->size : PART10_HEAD_BYTES);
}

TEST(the_head_tells_uids_syntax_and_where_the_data_set_begins)
{
    static const char *const syntaxes[] = { "1.2.840.10008.1.2",      "1.2.840.10008.1.2.1",
                                            "1.2.840.10008.1.2.2",    "1.2.840.10008.1.2.1.99",
                                            "1.2.840.10008.1.2.4.50", "1.2.3.4.5" };

    for (size_t i = 0; i < COUNT_OF(syntaxes); i++) {
        const struct make_dicom what = { .transfer_syntax = syntaxes[i] };
        SCOPED(buffer) struct buffer file;
        struct part10 part10;
        struct error err = { 0 };
        buffer_init(&file, 1 << 20);
        make_dicom(&file, &what);
        EXPECT(part10_read(head_of(&file), &part10, &err), "%s: %s", syntaxes[i], err.detail);
        EXPECT_TEXT(uid_bytes(&part10.syntax), syntaxes[i]);
        EXPECT_TEXT(uid_bytes(&part10.sop_instance), "1.2.3.1.1.1");
        EXPECT_TEXT(uid_bytes(&part10.sop_class), "1.2.840.10008.5.1.4.1.1.2");
        EXPECT(part10.preamble && part10.meta, "%s", syntaxes[i]);
        EXPECT(part10.transfer_syntax == transfer_syntax_of_uid(bytes_of_text(syntaxes[i])), "%s",
               syntaxes[i]);
        const size_t length = file.data[140] + file.data[141] * 256u;
        EXPECT(part10.data_set == 144 + length, "%s: %llu", syntaxes[i], (unsigned long long)part10.data_set);
    }
}

TEST(STO_25_missing_preamble_or_meta_are_made_up_for)
{
    static const struct {
        struct make_dicom what;
        enum transfer_syntax syntax;
        bool preamble, meta;
    } cases[] = {
        { { .no_preamble = true }, SYNTAX_EXPLICIT_LE, false, true },
        { { .no_preamble = true, .no_meta = true }, SYNTAX_EXPLICIT_LE, false, false },
        { { .no_preamble = true, .no_meta = true, .character_set = "ISO_IR 192" },
          SYNTAX_EXPLICIT_LE,
          false,
          false },
        { { .no_preamble = true, .no_meta = true, .transfer_syntax = "1.2.840.10008.1.2" },
          SYNTAX_IMPLICIT_LE,
          false,
          false },
        { { .no_meta = true, .transfer_syntax = "1.2.840.10008.1.2" }, SYNTAX_IMPLICIT_LE, true, false },
        { { .no_meta = true }, SYNTAX_EXPLICIT_LE, true, false },
        { { .no_meta = true, .no_preamble = true, .transfer_syntax = "1.2.840.10008.1.2.2" },
          SYNTAX_EXPLICIT_BE,
          false,
          false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCOPED(buffer) struct buffer file;
        struct part10 part10 = { 0 };
        struct error err = { 0 };
        buffer_init(&file, 1 << 20);
        make_dicom(&file, &cases[i].what);
        EXPECT(part10_read(head_of(&file), &part10, &err), "case %zu: %s", i, err.detail);
        EXPECT(part10.transfer_syntax == cases[i].syntax, "case %zu: %d", i, part10.transfer_syntax);
        EXPECT(part10.preamble == cases[i].preamble && part10.meta == cases[i].meta, "case %zu", i);
        EXPECT(part10.meta || part10.data_set == (part10.preamble ? 132 : 0), "case %zu", i);
        EXPECT(part10.meta || part10.syntax.text[0] == 0, "case %zu", i);
    }
}

TEST(the_letters_dicm_within_a_bare_data_set_are_no_preamble)
{
    const struct make_dicom what = { .no_preamble = true, .no_meta = true };
    SCOPED(buffer) struct buffer file;
    struct part10 part10 = { 0 };
    struct error err = { 0 };

    buffer_init(&file, 1 << 20);
    make_dicom(&file, &what);
    memcpy(file.data + 128, "DICM", 4);
    EXPECT(part10_read(head_of(&file), &part10, &err), "%s", err.detail);
    EXPECT(!part10.preamble && part10.data_set == 0, "preamble");
}

TEST(a_wrong_group_length_changes_nothing)
{
    static const uint32_t lengths[] = { 0, 1, 50, 5000, UINT32_MAX };
    const struct make_dicom what = { 0 };
    SCOPED(buffer) struct buffer file;
    struct part10 right = { 0 }, part10 = { 0 };
    struct error err = { 0 };

    buffer_init(&file, 1 << 20);
    make_dicom(&file, &what);
    EXPECT(part10_read(head_of(&file), &right, &err), "%s", err.detail);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        memcpy(file.data + 140, &lengths[i], 4);
        EXPECT(part10_read(head_of(&file), &part10, &err), "%u: %s", lengths[i], err.detail);
        EXPECT(part10.data_set == right.data_set, "%u", lengths[i]);
    }
}

TEST(private_information_longer_than_the_head_is_skipped_by_the_group_length)
{
    static const uint8_t private_information[] = {
        2, 0, 2, 1, 'O', 'B', 0, 0, 0, 0, 2, 0
    }; /* 131072 bytes */
    const struct make_dicom what = { 0 };
    SCOPED(buffer) struct buffer file, longer;
    struct part10 part10 = { 0 };
    struct error err = { 0 };

    buffer_init(&file, 1 << 20);
    buffer_init(&longer, 1 << 20);
    make_dicom(&file, &what);
    EXPECT(part10_read(head_of(&file), &part10, &err), "%s", err.detail);
    const size_t meta = (size_t)part10.data_set;
    buffer_append(&longer, bytes_of(file.data, meta));
    buffer_append(&longer, bytes_of(private_information, sizeof private_information));
    memset(buffer_reserve(&longer, 131072), 0, 131072);
    buffer_grew(&longer, 131072);
    buffer_append(&longer, bytes_from(buffer_bytes(&file), meta));
    const uint32_t length = (uint32_t)(meta - 144 + 131072 + 12);
    memcpy(longer.data + 140, &length, 4);
    EXPECT(part10_read(head_of(&longer), &part10, &err), "%s", err.detail);
    EXPECT(part10.data_set == 144 + length, "%llu", (unsigned long long)part10.data_set);
    EXPECT_TEXT(uid_bytes(&part10.syntax), "1.2.840.10008.1.2.1");
}

TEST(a_uid_that_is_none_stays_empty)
{
    const struct make_dicom what = { .sop_class = "../../etc/passwd", .instance = "1.2.3" };
    SCOPED(buffer) struct buffer file;
    struct part10 part10 = { 0 };
    struct error err = { 0 };

    buffer_init(&file, 1 << 20);
    make_dicom(&file, &what);
    EXPECT(part10_read(head_of(&file), &part10, &err), "%s", err.detail);
    EXPECT(part10.sop_class.text[0] == 0, "kept");
    EXPECT_TEXT(uid_bytes(&part10.sop_instance), "1.2.3");
}

TEST(what_is_not_dicom_is_refused)
{
    static const char *const others[] = { "",
                                          "DICM",
                                          "%PDF-1.7",
                                          "{\"a\": 1}",
                                          "\x08",
                                          "\x08\x00\x05\x00",
                                          "\xFF\xD8\xFF\xE0 JFIF",
                                          "<html><body>nothing to see here at all</body></html>" };
    uint8_t zeros[1000] = { 0 };
    struct part10 part10;

    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct error err = { 0 };
        EXPECT(!part10_read(bytes_of_text(others[i]), &part10, &err) && err.fault == FAULT_NOT_DICOM,
               "case %zu", i);
    }
    struct error err = { 0 };
    EXPECT(!part10_read(bytes_of(zeros, sizeof zeros), &part10, &err), "zeros accepted");
    memcpy(zeros + 128, "DICM", 4);
    EXPECT(!part10_read(bytes_of(zeros, sizeof zeros), &part10, &err), "a mere preamble accepted");
}

TEST(a_head_cut_anywhere_is_read_or_refused)
{
    const struct make_dicom what = { 0 };
    SCOPED(buffer) struct buffer file;

    buffer_init(&file, 1 << 20);
    make_dicom(&file, &what);
    for (size_t size = 0; size < file.size; size++) {
        struct part10 part10;
        struct error err = { 0 };
        uint8_t *const exact = malloc(size ? size : 1); /* so that a sanitizer sees a byte too many */
        memcpy(exact, file.data, size);
        if (part10_read(bytes_of(exact, size), &part10, &err))
            EXPECT(part10.data_set <= size, "data set beyond %zu", size);
        else
            EXPECT(err.fault == FAULT_NOT_DICOM, "fault %d", err.fault);
        free(exact);
    }
}
