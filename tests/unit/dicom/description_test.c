/* tests/unit/dicom/description_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whole files in, descriptions out; the metadata JSON is read back with a JSON library.
 */
#include "tests/support/expect.h"

#include <dirent.h>
#include <jansson.h>
#include <sys/stat.h>
#include <zlib.h>

#include "bridge/start.h"
#include "dicom/description.h"
#include "tests/support/elements.h"
#include "tests/support/make_dicom.h"

static const struct json_limits limits = { 1024, 65536, 131072 };
static const char explicit_le[] = "1.2.840.10008.1.2.1", implicit_le[] = "1.2.840.10008.1.2",
                  explicit_be[] = "1.2.840.10008.1.2.2", deflated_le[] = "1.2.840.10008.1.2.1.99";

static struct arena arena;
static struct description found;
static struct error err;
static json_t *json;

static bool describe(struct bytes file)
{
    description_done(&found);
    json_decref(json);
    json = NULL;
    err = (struct error){ 0 };
    if (!bridge_start(&err) || !description_read(elements_path(file), &limits, &arena, &found, &err))
        return false;
    /* The mark is no JSON; whoever sends it puts the base in its place. */
    char *text = arena_text(&arena, block_bytes(found.json));
    for (char *at = text; *at; at++)
        if (*at == JSON_BASE_MARK)
            *at = '~';
    json_error_t where;
    json = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    EXPECT(json, "%s in %s", where.text, text);
    return true;
}

static bool describe_elements(struct elements *file)
{
    const bool described = describe(buffer_bytes(&file->bytes));

    EXPECT(described, "%s: %s", fault_info(err.fault)->name, err.detail);
    buffer_done(&file->bytes);
    return described;
}

/* The attribute object as compact text. */
static struct bytes attribute(const char *tag)
{
    const json_t *object = json_object_get(json, tag);
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    const struct bytes kept = arena_copy(&arena, bytes_of_text(text));

    free(text);
    return kept;
}
#define EXPECT_ATTRIBUTE(tag, want) EXPECT_TEXT(attribute(tag), want)

static void begin(struct elements *file, const char *syntax, enum elements_form form)
{
    elements_file(file, syntax);
    file->form = form;
}

TEST(a_file_that_has_vanished_is_the_disks_failure_and_not_the_senders)
{
    description_done(&found);
    err = (struct error){ 0 };
    EXPECT(bridge_start(&err) && !description_read("/nonexistent/file", &limits, &arena, &found, &err) &&
               err.fault == FAULT_DISK,
           "%s: %s", fault_info(err.fault)->name, err.detail);
}

TEST(a_plain_image_is_described)
{
    struct buffer file;

    buffer_init(&file, 1 << 20);
    make_dicom(&file, &(struct make_dicom){ .frames = 3 });
    if (EXPECT(describe(buffer_bytes(&file)), "%s", err.detail)) {
        EXPECT_TEXT(uid_bytes(&found.key.study), "1.2.3.1");
        EXPECT_TEXT(uid_bytes(&found.key.series), "1.2.3.1.1");
        EXPECT_TEXT(uid_bytes(&found.key.instance), "1.2.3.1.1.1");
        EXPECT_TEXT(uid_bytes(&found.syntax_uid), explicit_le);
        EXPECT(found.syntax == SYNTAX_EXPLICIT_LE, "syntax %d", found.syntax);
        EXPECT(found.shape.rows == 8 && found.shape.columns == 8 && found.shape.bits_allocated == 16,
               "shape");
        EXPECT(found.frames && frame_table_count(found.frames) == 3, "frames");
        EXPECT(found.file_size == file.size && found.data_set_offset > 132, "sizes");
        EXPECT(found.warning_reason == 0, "warned %04x", found.warning_reason);
        EXPECT_TEXT(found.values[KEY_PatientName], "Doe^Jane");
        EXPECT_TEXT(found.values[KEY_Rows], "8");
        EXPECT_TEXT(found.values[KEY_NumberOfFrames], "3");
        EXPECT_TEXT(found.values[KEY_StudyDate], "20240102");
        EXPECT_ATTRIBUTE("7FE00010", "{\"vr\":\"OW\",\"BulkDataURI\":\"~/studies/1.2.3.1/series/1.2.3.1.1/"
                                     "instances/1.2.3.1.1.1/bulkdata/7FE00010\"}");
        EXPECT_ATTRIBUTE("00280010", "{\"vr\":\"US\",\"Value\":[8]}");
    }
    buffer_done(&file);
}

TEST(JSN_04_JSN_05_attributes_ascend_and_leave_out_what_is_none)
{
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_bytes(&file, 0x00080000, "UL", "\1\0\0\0", 4);
    elements_class(&file);
    elements_text(&file, 0x00080060, "CS", "OT");
    elements_text(&file, 0x00100020, "LO", "ID");
    elements_study(&file);
    elements_bytes(&file, 0x7FE00010, "OB", "", 0);
    elements_text(&file, 0x7FE10010, "LO", "ACME");
    if (!describe_elements(&file))
        return;
    const char *key, *before = "";
    json_t *value;
    json_object_foreach(json, key, value)
    {
        EXPECT(strcmp(before, key) < 0 && strcmp(key + 4, "0000") != 0 && strcmp(key, "0008") > 0,
               "%s after %s", key, before);
        before = key;
    }
    EXPECT_ATTRIBUTE("7FE00010", "{\"vr\":\"OB\"}");
    EXPECT_ATTRIBUTE("7FE10010", "{\"vr\":\"LO\",\"Value\":[\"ACME\"]}"); /* behind the pixels, and there */
}

TEST(values_of_every_kind_are_written)
{
    static const struct {
        uint32_t tag;
        const char *vr, *value;
        size_t size;
        const char *want;
    } cases[] = {
        { 0x00090010, "LO", "ACME", 4, "{\"vr\":\"LO\",\"Value\":[\"ACME\"]}" },
        { 0x00091001, "UN", "\1\2\3\4", 4, "{\"vr\":\"UN\",\"InlineBinary\":\"AQIDBA==\"}" },
        { 0x00091002, "OB", "\1\2", 2, "{\"vr\":\"OB\",\"InlineBinary\":\"AQI=\"}" },
        { 0x00091003, "US", "\1\0\377\377", 4, "{\"vr\":\"US\",\"Value\":[1,65535]}" },
        { 0x00091004, "SS", "\1\0\377\377", 4, "{\"vr\":\"SS\",\"Value\":[1,-1]}" },
        { 0x00091005, "UL", "\377\377\377\377", 4, "{\"vr\":\"UL\",\"Value\":[4294967295]}" },
        { 0x00091006, "SL", "\377\377\377\377", 4, "{\"vr\":\"SL\",\"Value\":[-1]}" },
        { 0x00091007, "UV", "\377\377\377\377\377\377\37\0", 8,
          "{\"vr\":\"UV\",\"Value\":[9007199254740991]}" },
        { 0x00091008, "UV", "\377\377\377\377\377\377\377\377", 8,
          "{\"vr\":\"UV\",\"Value\":[\"18446744073709551615\"]}" },
        { 0x00091009, "SV", "\0\0\0\0\0\0\0\200", 8, "{\"vr\":\"SV\",\"Value\":[\"-9223372036854775808\"]}" },
        { 0x0009100A, "AT", "\20\0\40\0\340\177\20\0", 8,
          "{\"vr\":\"AT\",\"Value\":[\"00100020\",\"7FE00010\"]}" },
        { 0x0009100B, "FD", "\0\0\0\0\0\0\340\277", 8, "{\"vr\":\"FD\",\"Value\":[-0.5]}" },
        { 0x0009100C, "OW", "", 0, "{\"vr\":\"OW\"}" },
        { 0x0009100D, "SQ", "", 0, "{\"vr\":\"SQ\"}" },
        { 0x0009100E, "ZZ", "", 0, "{\"vr\":\"UN\"}" },
        { 0x0009100F, "UT", "a\\b ", 4, "{\"vr\":\"UT\",\"Value\":[\"a\\\\b\"]}" },
        { 0x00091010, "PN", "A^B=C ", 6,
          "{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"A^B\",\"Ideographic\":\"C\"}]}" },
    };
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_class(&file);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (strcmp(cases[i].vr, "ZZ") != 0)
            elements_bytes(&file, cases[i].tag, cases[i].vr, cases[i].value, cases[i].size);
        else
            buffer_append(&file.bytes, bytes_of("\11\0\16\20ZZ\0\0\0\0\0\0", 12));
    elements_study(&file);
    if (!describe_elements(&file))
        return;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char tag[9];
        snprintf(tag, sizeof tag, "%08X", cases[i].tag);
        EXPECT_ATTRIBUTE(tag, cases[i].want);
    }
}

#define BULK(tag) "\"BulkDataURI\":\"~/studies/1.2/series/1.2.3/instances/1.2.3.4/bulkdata/" tag "\"}"

TEST(JSN_22_RET_23_what_json_cannot_hold_or_should_not_becomes_a_reference)
{
    static const uint8_t large[70000];
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_class(&file);
    elements_text(&file, 0x00090010, "LO", "ACME");
    elements_bytes(&file, 0x00091001, "FL", "\0\0\300\177", 4);         /* NaN */
    elements_bytes(&file, 0x00091002, "FD", "\0\0\0\0\0\0\360\377", 8); /* minus infinity */
    elements_bytes(&file, 0x00091003, "OB", large, 1024);
    elements_bytes(&file, 0x00091004, "OB", large, 1026);
    elements_bytes(&file, 0x00091005, "UL", "\1\0", 2); /* half a number */
    elements_study(&file);
    if (!describe_elements(&file))
        return;
    EXPECT_ATTRIBUTE("00091001", "{\"vr\":\"FL\"," BULK("00091001"));
    EXPECT_ATTRIBUTE("00091002", "{\"vr\":\"FD\"," BULK("00091002"));
    EXPECT(json_object_get(json_object_get(json, "00091003"), "InlineBinary"), "1024 bytes are not inline");
    EXPECT_ATTRIBUTE("00091004", "{\"vr\":\"OB\"," BULK("00091004"));
    EXPECT_ATTRIBUTE("00091005", "{\"vr\":\"UL\"," BULK("00091005"));

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_class(&file);
    elements_study(&file);
    elements_bytes(&file, 0x00420010, "UT", memset((char[70000]){ 0 }, 'x', 70000), 70000);
    elements_bytes(&file, 0x00420011, "OB", large, sizeof large);
    if (!describe_elements(&file))
        return;
    EXPECT_ATTRIBUTE("00420010", "{\"vr\":\"UT\"," BULK("00420010"));
    EXPECT_ATTRIBUTE("00420011", "{\"vr\":\"OB\"," BULK("00420011"));
}

static void nested_item(struct elements *file)
{
    elements_header(file, 0xFFFEE000, "", UINT32_MAX);
    elements_text(file, 0x00080100, "SH", "A");
    elements_header(file, 0x54001010, "OW", 2000);
    for (int i = 0; i < 1000; i++)
        elements_number(file, (uint64_t)i, 2);
    elements_header(file, 0xFFFEE00D, "", 0);
}

TEST(JSN_10_RET_24_sequences_nest_and_links_name_the_item)
{
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_class(&file);
    elements_study(&file);
    elements_header(&file, 0x54000100, "SQ", UINT32_MAX);
    elements_header(&file, 0xFFFEE000, "", 0);
    nested_item(&file);
    elements_header(&file, 0xFFFEE0DD, "", 0);
    if (!describe_elements(&file))
        return;
    EXPECT_ATTRIBUTE("54000100",
                     "{\"vr\":\"SQ\",\"Value\":[{},{\"00080100\":{\"vr\":\"SH\",\"Value\":[\"A\"]},"
                     "\"54001010\":{\"vr\":\"OW\"," BULK("54000100/2/54001010") "}]}");
}

TEST(JSN_27_unknown_of_undefined_length_is_a_sequence_and_known_unknowns_get_their_vr)
{
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_class(&file);
    elements_text(&file, 0x00090010, "LO", "ACME");
    elements_header(&file, 0x00091001, "UN", UINT32_MAX);
    file.form = ELEMENTS_IMPLICIT;
    elements_header(&file, 0xFFFEE000, "", UINT32_MAX);
    elements_text(&file, 0x00080060, "CS", "CT");
    elements_header(&file, 0xFFFEE00D, "", 0);
    elements_header(&file, 0xFFFEE0DD, "", 0);
    file.form = ELEMENTS_EXPLICIT;
    elements_bytes(&file, 0x00100020, "UN", "ID", 2);
    elements_study(&file);
    elements_bytes(&file, 0x00280106, "UN", "\1\200", 2);
    if (!describe_elements(&file))
        return;
    EXPECT_ATTRIBUTE("00091001",
                     "{\"vr\":\"SQ\",\"Value\":[{\"00080060\":{\"vr\":\"CS\",\"Value\":[\"CT\"]}}]}");
    EXPECT_ATTRIBUTE("00100020", "{\"vr\":\"LO\",\"Value\":[\"ID\"]}");
    EXPECT_ATTRIBUTE("00280106", "{\"vr\":\"US\",\"Value\":[32769]}");
}

TEST(JSN_32_two_way_vrs_of_implicit_data_follow_pixel_representation)
{
    for (uint16_t is_signed = 0; is_signed < 2; is_signed++) {
        struct elements file;

        begin(&file, implicit_le, ELEMENTS_IMPLICIT);
        elements_class(&file);
        elements_text(&file, 0x00090010, "LO", "ACME");
        elements_text(&file, 0x00091001, "LO", "what");
        elements_study(&file);
        elements_short(&file, 0x00280103, "US", is_signed);
        elements_short(&file, 0x00280106, "US", 0xFFFF);
        elements_header(&file, 0x00283010, "SQ", UINT32_MAX);
        elements_header(&file, 0xFFFEE000, "", UINT32_MAX);
        elements_bytes(&file, 0x00283002, "US", "\0\1\377\377\20\0", 6);
        elements_bytes(&file, 0x00283006, "US", "\1\0\2\0", 4);
        elements_header(&file, 0xFFFEE00D, "", 0);
        elements_header(&file, 0xFFFEE0DD, "", 0);
        elements_bytes(&file, 0x60003000, "OW", "\1\2", 2);
        if (!describe_elements(&file))
            return;
        EXPECT_ATTRIBUTE("00280106",
                         is_signed ? "{\"vr\":\"SS\",\"Value\":[-1]}" : "{\"vr\":\"US\",\"Value\":[65535]}");
        const char *const lut[] = { "{\"vr\":\"US\",\"Value\":[256,65535,16]}",
                                    "{\"vr\":\"SS\",\"Value\":[256,-1,16]}" };
        const json_t *item = json_array_get(json_object_get(json_object_get(json, "00283010"), "Value"), 0);
        char *text = json_dumps(json_object_get(item, "00283002"), JSON_COMPACT);
        EXPECT(strcmp(text, lut[is_signed]) == 0, "%s", text);
        free(text);
        text = json_dumps(json_object_get(item, "00283006"), JSON_COMPACT);
        EXPECT(strcmp(text, "{\"vr\":\"OW\",\"InlineBinary\":\"AQACAA==\"}") == 0, "%s", text);
        free(text);
        EXPECT_ATTRIBUTE("60003000", "{\"vr\":\"OW\",\"InlineBinary\":\"AQI=\"}");
        EXPECT_ATTRIBUTE("00091001", "{\"vr\":\"UN\",\"InlineBinary\":\"d2hhdA==\"}");
    }
}

TEST(JSN_28_JSN_29_text_is_utf8_and_says_so)
{
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_text(&file, 0x00080005, "CS", "ISO_IR 100");
    elements_class(&file);
    elements_text(&file, 0x00100010, "PN", "J\xE9r\xF4me");
    elements_study(&file);
    elements_header(&file, 0x0040A730, "SQ", UINT32_MAX);
    elements_header(&file, 0xFFFEE000, "", UINT32_MAX);
    elements_text(&file, 0x00080005, "CS", "ISO_IR 144");
    elements_text(&file, 0x0040A160, "UT", "\xBB");
    elements_header(&file, 0xFFFEE00D, "", 0);
    elements_header(&file, 0xFFFEE000, "", UINT32_MAX); /* inherits Latin 1 */
    elements_text(&file, 0x0040A160, "UT", "\xE9");
    elements_header(&file, 0xFFFEE00D, "", 0);
    elements_header(&file, 0xFFFEE0DD, "", 0);
    if (!describe_elements(&file))
        return;
    EXPECT_ATTRIBUTE("00080005", "{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]}");
    EXPECT_TEXT(found.values[KEY_PatientName], "Jérôme");
    EXPECT_ATTRIBUTE("00100010", "{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"J\\u00E9r\\u00F4me\"}]}");
    EXPECT_ATTRIBUTE("0040A730",
                     "{\"vr\":\"SQ\",\"Value\":[{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},"
                     "\"0040A160\":{\"vr\":\"UT\",\"Value\":[\"\\u041B\"]}},"
                     "{\"0040A160\":{\"vr\":\"UT\",\"Value\":[\"\\u00E9\"]}}]}");
}

TEST(JSN_29_a_character_set_that_was_missing_is_added_when_needed)
{
    for (int how = 0; how < 3; how++) {
        struct elements file;

        begin(&file, explicit_le, ELEMENTS_EXPLICIT);
        if (how == 1)
            elements_text(&file, 0x00080001, "UL", "\1\2\3\4"); /* something stands before it */
        if (how == 2)
            elements_text(&file, 0x00080005, "CS", "");
        elements_class(&file);
        elements_text(&file, 0x00100010, "PN", "J\xE9");
        elements_study(&file);
        if (!describe_elements(&file))
            return;
        EXPECT_ATTRIBUTE("00080005", "{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]}");
        EXPECT_ATTRIBUTE("00100010",
                         "{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"J\\uFFFD\"}]}"); /* JSN-30 */
    }
}

TEST(big_endian_files_give_the_same_metadata)
{
    struct elements file;

    begin(&file, explicit_be, ELEMENTS_BIG);
    elements_class(&file);
    elements_study(&file);
    elements_short(&file, 0x00280010, "US", 2);
    elements_short(&file, 0x00280011, "US", 2);
    elements_short(&file, 0x00280100, "US", 16);
    elements_header(&file, 0x00281201, "OW", 4);
    elements_number(&file, 1, 2);
    elements_number(&file, 0x0203, 2);
    elements_bytes(&file, 0x7FE00010, "OW", "12345678", 8);
    if (!describe_elements(&file))
        return;
    EXPECT_ATTRIBUTE("00280010", "{\"vr\":\"US\",\"Value\":[2]}");
    EXPECT_ATTRIBUTE("00281201", "{\"vr\":\"OW\",\"InlineBinary\":\"AQADAg==\"}");
    EXPECT(found.shape.rows == 2 && found.frames && frame_table_kind(found.frames) == FRAMES_NATIVE_BIG,
           "frames");
}

/* What follows the meta, deflated. */
static void deflate_tail(struct buffer *file, size_t from)
{
    z_stream zlib = { 0 };
    const size_t room = file->size + 1024;
    uint8_t *into = malloc(room);

    EXPECT(deflateInit2(&zlib, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
    zlib.next_in = file->data + from;
    zlib.avail_in = (uInt)(file->size - from);
    zlib.next_out = into;
    zlib.avail_out = (uInt)room;
    EXPECT(deflate(&zlib, Z_FINISH) == Z_STREAM_END, "zlib");
    buffer_cut(file, from);
    buffer_append(file, bytes_of(into, room - zlib.avail_out));
    deflateEnd(&zlib);
    free(into);
}

TEST(deflated_files_have_metadata_and_frames_that_count_in_the_inflated_data_set)
{
    struct elements file;

    begin(&file, deflated_le, ELEMENTS_EXPLICIT);
    const size_t from = file.bytes.size;
    elements_class(&file);
    elements_text(&file, 0x00080060, "CS", "OT");
    elements_study(&file);
    elements_bytes(&file, 0x00280010, "US", "\2\0", 2);
    elements_bytes(&file, 0x00280011, "US", "\2\0", 2);
    elements_bytes(&file, 0x00280100, "US", "\10\0", 2);
    elements_bytes(&file, 0x7FE00010, "OW", "12345678", 8);
    const size_t inflated = file.bytes.size - from;
    deflate_tail(&file.bytes, from);
    if (!describe_elements(&file))
        return;
    EXPECT_TEXT(found.values[KEY_Modality], "OT");
    EXPECT(found.frames && found.syntax == SYNTAX_DEFLATED_LE, "no frames of a deflated file");
    const struct extent value = frame_table_value(found.frames);
    EXPECT(value.offset == inflated - 8 && value.size == 8 && frame_table_frame_bytes(found.frames, 1) == 4,
           "%llu bytes at %llu of %zu", (unsigned long long)value.size, (unsigned long long)value.offset,
           inflated);
    EXPECT_ATTRIBUTE("7FE00010", "{\"vr\":\"OW\"," BULK("7FE00010"));
}

TEST(STO_28_a_deflate_bomb_is_refused_in_bounded_memory)
{
    struct elements file;

    begin(&file, deflated_le, ELEMENTS_EXPLICIT);
    file.bytes.ceiling = (size_t)256 << 20;
    const size_t from = file.bytes.size;
    elements_class(&file);
    elements_study(&file);
    elements_header(&file, 0x00420011, "OB", 80 << 20);
    memset(buffer_reserve(&file.bytes, 80 << 20), 0, 80 << 20);
    buffer_grew(&file.bytes, 80 << 20);
    deflate_tail(&file.bytes, from);
    EXPECT(!describe(buffer_bytes(&file.bytes)) && err.fault == FAULT_NOT_DICOM, "fault %d", err.fault);
    buffer_done(&file.bytes);
}

TEST(STO_22_uids_that_are_missing_or_bad_are_told_by_name)
{
    static const struct {
        uint32_t left_out;
        const char *keyword;
    } cases[] = { { 0x00080016, "SOPClassUID" },
                  { 0x00080018, "SOPInstanceUID" },
                  { 0x0020000D, "StudyInstanceUID" },
                  { 0x0020000E, "SeriesInstanceUID" } };
    static const uint32_t tags[] = { 0x00080016, 0x00080018, 0x0020000D, 0x0020000E };
    static const char *const values[] = { "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4", "1.2", "1.2.3" };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int bad = 0; bad < 2; bad++) {
            struct elements file;

            begin(&file, explicit_le, ELEMENTS_EXPLICIT);
            for (size_t t = 0; t < COUNT_OF(tags); t++)
                if (tags[t] != cases[i].left_out || bad)
                    elements_text(&file, tags[t], "UI",
                                  tags[t] == cases[i].left_out ? "1.2/../3" : values[t]);
            EXPECT(!describe(buffer_bytes(&file.bytes)) && err.fault == FAULT_MISMATCH, "%s",
                   cases[i].keyword);
            EXPECT(strncmp(err.told, cases[i].keyword, strlen(cases[i].keyword)) == 0, "told \"%s\"",
                   err.told);
            EXPECT(!strstr(err.detail, ".."), "a value in \"%s\"", err.detail);
            buffer_done(&file.bytes);
        }
}

TEST(STO_23_a_meta_that_names_another_instance_is_told)
{
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_text(&file, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7");
    elements_text(&file, 0x00080018, "UI", "1.2.3.5");
    elements_study(&file);
    EXPECT(describe(buffer_bytes(&file.bytes)) && found.foreign_meta, "%s", err.detail);
    EXPECT_TEXT(bytes_of_text(found.foreign_meta), "SOPInstanceUID");
    EXPECT_TEXT(uid_bytes(&found.key.instance), "1.2.3.5");
    buffer_done(&file.bytes);
}

TEST(STO_55_what_the_meta_says_is_known_of_a_broken_file)
{
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_class(&file);
    elements_header(&file, 0x00420011, "OB", 1000);
    EXPECT(!describe(buffer_bytes(&file.bytes)) && err.fault == FAULT_NOT_DICOM, "fault %d", err.fault);
    EXPECT_TEXT(uid_bytes(&found.key.instance), "1.2.3.4");
    EXPECT_TEXT(uid_bytes(&found.sop_class), "1.2.840.10008.5.1.4.1.1.7");
    buffer_done(&file.bytes);
}

TEST(STO_68_a_dicomdir_is_not_storable)
{
    struct buffer file;

    buffer_init(&file, 1 << 20);
    make_dicom(&file, &(struct make_dicom){ .sop_class = "1.2.840.10008.1.3.10", .no_pixel_data = true });
    EXPECT(!describe(buffer_bytes(&file)) && err.fault == FAULT_NOT_STORABLE, "fault %d", err.fault);
    buffer_done(&file);
}

TEST(STO_29_short_pixel_data_is_kept_with_a_warning)
{
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_class(&file);
    elements_study(&file);
    elements_text(&file, 0x00280008, "IS", "3");
    elements_short(&file, 0x00280010, "US", 2);
    elements_short(&file, 0x00280011, "US", 2);
    elements_short(&file, 0x00280100, "US", 8);
    elements_bytes(&file, 0x7FE00010, "OB", "12345678", 8);
    if (!describe_elements(&file))
        return;
    EXPECT(found.frames && frame_table_count(found.frames) == 2 && found.warning_reason == 0xB007, "%04x",
           found.warning_reason);
}

TEST(JSN_34_a_hundred_levels_work_and_thousands_do_not)
{
    struct buffer file;

    buffer_init(&file, 8 << 20);
    make_dicom(&file, &(struct make_dicom){ .nested = 100 });
    EXPECT(describe(buffer_bytes(&file)), "%s", err.detail);
    buffer_cut(&file, 0);
    make_dicom(&file, &(struct make_dicom){ .nested = 5000 });
    EXPECT(!describe(buffer_bytes(&file)) && err.fault == FAULT_NOT_DICOM, "fault %d", err.fault);
    buffer_done(&file);
}

TEST(every_cut_of_a_file_is_answered)
{
    struct buffer file;

    buffer_init(&file, 1 << 20);
    make_dicom(&file, &(struct make_dicom){ .rows = 1, .columns = 1, .nested = 2 });
    for (size_t cut = 0; cut < file.size; cut++)
        /* A cut exactly between two elements shows nowhere until pixels are missing. */
        EXPECT(!describe(bytes_of(file.data, cut)) || (!found.frames && !json_object_get(json, "7FE00010")),
               "%zu of %zu bytes were enough", cut, file.size);
    EXPECT(describe(buffer_bytes(&file)), "%s", err.detail);
    buffer_done(&file);
}

/* ---- real files, where there are some ---- */

static unsigned stored, refused;

static void try_folder(const char *folder)
{
    DIR *listing = opendir(folder);
    const struct dirent *entry;

    while (listing && (entry = readdir(listing))) {
        char path[1024];
        struct stat status;
        struct error why = { 0 };
        struct description of;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
            try_folder(path);
            continue;
        }
        if (description_read(path, &limits, &arena, &of, &why)) {
            stored++;
            json_error_t where;
            char *text = arena_text(&arena, block_bytes(of.json));
            for (char *at = text; *at; at++)
                if (*at == JSON_BASE_MARK)
                    *at = '~';
            json_t *read = json_loads(text, JSON_REJECT_DUPLICATES, &where);
            EXPECT(read, "%s: %s", path, where.text);
            json_decref(read);
            description_done(&of);
        } else {
            refused++;
            EXPECT(why.fault == FAULT_NOT_DICOM || why.fault == FAULT_MISMATCH ||
                       why.fault == FAULT_NOT_STORABLE,
                   "%s: %s, %s", path, fault_info(why.fault)->name, why.detail);
        }
        arena_release(&arena);
    }
    if (listing)
        closedir(listing);
}

TEST(real_files_are_described_or_refused)
{
    const char *folder = getenv("GANTRY_TEST_DATA");

    if (!folder)
        SKIP("GANTRY_TEST_DATA names no folder of DICOM files");
    EXPECT(bridge_start(&err), "%s", err.detail);
    try_folder(folder);
    printf("  %u described, %u refused\n", stored, refused);
    EXPECT(stored > 0, "none of the files is storable");
}

TEST(RET_23_what_a_viewer_wants_before_the_first_image_stands_in_the_metadata)
{
    static const struct {
        uint32_t tag;
        const char *name;
        bool for_display; /* may be longer than other binary values */
    } cases[] = { { 0x60003000, "60003000", true },  { 0x60023000, "60023000", true },
                  { 0x00283006, "00283006", true },  { 0x00281201, "00281201", true },
                  { 0x00281221, "00281221", true },  { 0x00282000, "00282000", false },
                  { 0x00291010, "00291010", false }, { 0x54001010, "54001010", false } };
    static const uint8_t value[140000];

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int size = 2000; size <= 140000; size += 138000) {
            struct elements file;
            begin(&file, explicit_le, ELEMENTS_EXPLICIT);
            elements_class(&file);
            elements_study(&file);
            elements_bytes(&file, cases[i].tag, "OW", value, (size_t)size);
            if (describe_elements(&file)) {
                const bool is_inline = cases[i].for_display && size == 2000;
                EXPECT(json_object_get(json_object_get(json, cases[i].name),
                                       is_inline ? "InlineBinary" : "BulkDataURI"),
                       "%s of %d bytes: not %s", cases[i].name, size, is_inline ? "inline" : "by reference");
            }
        }
}

TEST(RET_22_the_stored_transfer_syntax_is_told_in_its_place_once)
{
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_class(&file);
    elements_study(&file);
    if (describe_elements(&file))
        EXPECT_ATTRIBUTE("00083002", "{\"vr\":\"UI\",\"Value\":[\"1.2.840.10008.1.2.1\"]}");
    begin(&file, implicit_le, ELEMENTS_IMPLICIT);
    elements_class(&file);
    elements_text(&file, 0x00083002, "UI", "1.2.840.10008.1.2.4.90"); /* that of another place */
    elements_study(&file);
    if (describe_elements(&file))
        EXPECT_ATTRIBUTE("00083002", "{\"vr\":\"UI\",\"Value\":[\"1.2.840.10008.1.2\"]}");
}

TEST(JSN_06_the_creator_of_a_private_block_is_text_whatever_it_was_sent_as)
{
    struct elements file;

    begin(&file, explicit_le, ELEMENTS_EXPLICIT);
    elements_class(&file);
    elements_bytes(&file, 0x00090010, "UN", "ACME", 4);
    elements_bytes(&file, 0x00091001, "UN", "ab", 2);
    elements_study(&file);
    if (describe_elements(&file)) {
        EXPECT_ATTRIBUTE("00090010", "{\"vr\":\"LO\",\"Value\":[\"ACME\"]}");
        EXPECT_ATTRIBUTE("00091001", "{\"vr\":\"UN\",\"InlineBinary\":\"YWI=\"}");
    }
}
