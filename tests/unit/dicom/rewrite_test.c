/* tests/unit/dicom/rewrite_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The same elements in three forms: what comes of implicit and of big endian is the explicit one.
 */
#include "dicom/rewrite.h"

#include "bridge/start.h"
#include "tests/support/elements.h"
#include "tests/support/expect.h"

static const char implicit_le[] = "1.2.840.10008.1.2", explicit_be[] = "1.2.840.10008.1.2.2",
                  explicit_le[] = "1.2.840.10008.1.2.1";
static const struct pixel_shape shape = { .bits_allocated = 16 };

static bool read_bytes(void *reader, uint64_t offset, void *into, size_t size, struct error *err)
{
    const struct bytes *file = reader;

    if (offset > file->size || size > file->size - offset)
        return error_set(err, FAULT_DISK, "the file ends");
    memcpy(into, file->data + offset, size);
    return true;
}

static bool plan(const struct elements *file, enum transfer_syntax syntax, struct rewrite **ret,
                 struct error *err)
{
    struct bytes bytes = buffer_bytes(&file->bytes);
    struct rewrite_source source = {
        .read = read_bytes,
        .reader = &bytes,
        .file_size = bytes.size,
        .syntax = syntax,
        .shape = &shape,
    };

    snprintf(source.sop_class.text, sizeof source.sop_class.text, "1.2.840.10008.5.1.4.1.1.7");
    snprintf(source.sop_instance.text, sizeof source.sop_instance.text, "1.2.3.4");
    return EXPECT(bridge_start(err), "%s", err->detail) &&
           rewrite_plan(&source, SYNTAX_EXPLICIT_LE, ret, err);
}

/* All that a plan says, as bytes. */
static void carry_out(const struct rewrite *rewrite, const struct elements *file, struct buffer *into)
{
    const struct bytes text = block_bytes(rewrite->text);

    for (size_t i = 0; i < rewrite->count; i++) {
        const struct rewrite_piece *piece = &rewrite->pieces[i];
        const uint8_t *from = piece->unit ? file->bytes.data : text.data;

        for (uint64_t at = 0; at < piece->size; at++) {
            const uint64_t in_unit = piece->unit > 1 ? at % piece->unit : 0;
            const uint64_t turned = piece->unit > 1 ? at - in_unit + piece->unit - 1 - in_unit : at;
            buffer_append_byte(into, from[piece->offset + turned]);
        }
    }
    EXPECT(into->size == rewrite->size, "%zu bytes, told %zu", into->size, (size_t)rewrite->size);
}

/* Behind the file meta information. */
static struct bytes data_set_of(struct bytes file)
{
    const uint32_t length = (uint32_t)file.data[140] | (uint32_t)file.data[141] << 8;

    return bytes_from(file, 144 + length);
}

static void numbers(struct elements *to, uint32_t tag, const char *vr, unsigned size, unsigned count)
{
    elements_header(to, tag, vr, size * count);
    for (unsigned i = 0; i < count; i++)
        elements_number(to, 0x0102030405060708u + i * 0x1111, size);
}

static void item(struct elements *to, bool defined, uint16_t value)
{

    elements_header(to, 0xFFFEE000, "", defined ? 10 : UINT32_MAX);
    elements_short(to, 0x00280010, "US", value);
    if (!defined)
        elements_header(to, 0xFFFEE00D, "", 0);
}

/* Every VR that byte order or the dictionary matters to, in ascending order. */
static void fill(struct elements *to)
{
    elements_class(to);
    numbers(to, 0x00081161, "UL", 4, 3);
    numbers(to, 0x00189073, "FD", 8, 2);
    elements_study(to);
    elements_text(to, 0x00204000, "LT", "a comment");
    numbers(to, 0x00280009, "AT", 2, 4);
    elements_short(to, 0x00280103, "US", 1);
    elements_short(to, 0x00280120, "SS", 0xF830); /* US or SS: by Pixel Representation */
    elements_header(to, 0x00283010, "SQ", UINT32_MAX);
    elements_header(to, 0xFFFEE000, "", UINT32_MAX);
    elements_short(to, 0x00280103, "US", 0);
    elements_short(to, 0x00280120, "US", 0xF830);
    numbers(to, 0x00283006, "OW", 2, 3000); /* stays in the file */
    elements_header(to, 0xFFFEE00D, "", 0);
    elements_header(to, 0xFFFEE0DD, "", 0);
    elements_text(to, 0x00290010, "LO", "SIEMENS CSA HEADER");
    elements_text(to, 0x00291008, "CS", "IMAGE NUM 4");
    elements_header(to, 0x00400260, "SQ", 36); /* of defined length, two items likewise */
    item(to, true, 7);
    item(to, true, 8);
    elements_header(to, 0x00400555, "SQ", 0);
    elements_text(to, 0x0040A160, "UT", "text");
    numbers(to, 0x00660016, "OF", 4, 5);
    numbers(to, 0x00660040, "OL", 4, 5);
    numbers(to, 0x00700022, "FL", 4, 2);
    numbers(to, 0x00700052, "SL", 4, 2);
    numbers(to, 0x60003000, "OW", 2, 4);
    numbers(to, 0x7FE00010, "OW", 2, 10000);
    elements_header(to, 0xFFFCFFFC, "OB", 4); /* padding behind the pixels */
    buffer_append(&to->bytes, bytes_of("\0\0\0\0", 4));
}

TEST(GEN_08_implicit_and_big_endian_become_what_explicit_little_endian_is)
{
    static const struct {
        const char *uid;
        enum elements_form form;
        enum transfer_syntax syntax;
    } cases[] = {
        { implicit_le, ELEMENTS_IMPLICIT, SYNTAX_IMPLICIT_LE },
        { explicit_be, ELEMENTS_BIG, SYNTAX_EXPLICIT_BE },
    };
    struct elements want;

    elements_file(&want, explicit_le);
    const size_t from = want.bytes.size;
    fill(&want);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct elements file;
        struct rewrite *rewrite = NULL;
        struct error err = { 0 };
        SCOPED(buffer) struct buffer got = { 0 };

        buffer_init(&got, 1 << 20);
        elements_file(&file, cases[i].uid);
        file.form = cases[i].form;
        fill(&file);
        if (EXPECT(plan(&file, cases[i].syntax, &rewrite, &err), "case %zu: %s", i, err.detail)) {
            carry_out(rewrite, &file, &got);
            const struct bytes is = data_set_of(buffer_bytes(&got));
            const struct bytes ought = bytes_from(buffer_bytes(&want.bytes), from);
            size_t at = 0;
            while (at < is.size && at < ought.size && is.data[at] == ought.data[at])
                at++;
            EXPECT(bytes_equal(is, ought), "case %zu: %zu and %zu bytes, differ at %zu", i, is.size,
                   ought.size, at);
            EXPECT(block_bytes(rewrite->text).size < 2000, "%zu bytes in memory",
                   block_bytes(rewrite->text).size);
        }
        rewrite_free(rewrite);
        buffer_done(&file.bytes);
    }
    buffer_done(&want.bytes);
}

TEST(RET_03_the_meta_is_written_anew_and_keeps_who_sent_it)
{
    struct elements file;
    struct rewrite *rewrite = NULL;
    struct error err = { 0 };
    SCOPED(buffer) struct buffer got = { 0 };

    buffer_init(&got, 1 << 20);
    elements_file(&file, implicit_le);
    elements_text(&file, 0x00020012, "UI", "1.2.9");
    elements_text(&file, 0x00020016, "AE", "SENDER");
    file.form = ELEMENTS_IMPLICIT;
    elements_class(&file);
    elements_study(&file);
    if (EXPECT(plan(&file, SYNTAX_IMPLICIT_LE, &rewrite, &err), "%s", err.detail)) {
        carry_out(rewrite, &file, &got);
        EXPECT(memmem(got.data, got.size, "UI\x14\0001.2.840.10008.1.2.1\0", 24), "no transfer syntax");
        EXPECT(memmem(got.data, got.size, "AE\6\0SENDER", 10), "the sender is gone");
        EXPECT(!memmem(got.data, got.size, "UI\6\0001.2.9\0", 10), "the old writer is named");
        EXPECT(memcmp(got.data + 128, "DICM\2\0\0\0UL\4\0", 12) == 0, "no group length");
        EXPECT(bytes_starts_with(data_set_of(buffer_bytes(&got)), bytes_of("\10\0\26\0UI", 6)),
               "the length is wrong");
    }
    rewrite_free(rewrite);
    buffer_done(&file.bytes);
}

TEST(RET_26_what_no_dictionary_knows_is_unknown_and_group_lengths_go)
{
    struct elements file, want;
    struct rewrite *rewrite = NULL;
    struct error err = { 0 };
    SCOPED(buffer) struct buffer got = { 0 };

    buffer_init(&got, 1 << 20);
    buffer_init(&want.bytes, 1 << 20);
    want.form = ELEMENTS_EXPLICIT;
    elements_file(&file, implicit_le);
    file.form = ELEMENTS_IMPLICIT;
    elements_header(&file, 0x00080000, "UL", 4);
    elements_number(&file, 99, 4);
    for (int i = 0; i < 2; i++) {
        struct elements *to = i ? &want : &file;
        elements_class(to);
        elements_text(to, 0x00090010, "LO", "NOBODY KNOWS");
        elements_bytes(to, 0x00091001, "UN", "abcd", 4);
        elements_bytes(to, 0x00191001, "UN", "no creator", 10);
        elements_study(to);
        elements_header(to, 0x00291010, i ? "SQ" : "", UINT32_MAX); /* only a sequence is so */
        item(to, false, 3);
        elements_header(to, 0xFFFEE0DD, "", 0);
    }
    if (EXPECT(plan(&file, SYNTAX_IMPLICIT_LE, &rewrite, &err), "%s", err.detail)) {
        carry_out(rewrite, &file, &got);
        EXPECT(bytes_equal(data_set_of(buffer_bytes(&got)), buffer_bytes(&want.bytes)), "%zu bytes",
               got.size);
    }
    rewrite_free(rewrite);
    buffer_done(&file.bytes);
    buffer_done(&want.bytes);
}

TEST(garbage_behind_the_pixels_stays_behind_and_before_them_is_refused)
{
    for (unsigned big = 0; big < 2; big++)
        for (unsigned before = 0; before < 2; before++)
            for (unsigned size = 10; size <= 10000; size += 9990) {
                struct elements file;
                struct rewrite *rewrite = NULL;
                struct error err = { 0 };

                elements_file(&file, big ? explicit_be : implicit_le);
                file.form = big ? ELEMENTS_BIG : ELEMENTS_IMPLICIT;
                elements_class(&file);
                if (before)
                    elements_header(&file, 0x00081140, "SQ", 1000000);
                elements_header(&file, 0x7FE00010, "OW", size);
                memset(buffer_reserve(&file.bytes, size), 'p', size);
                buffer_grew(&file.bytes, size);
                elements_text(&file, 0x7FE10010, "LO", "LOOKS FINE");
                numbers(&file, 0x88880001, "OW", 2, 5000);
                buffer_append_text(&file.bytes, "garbage of some length");
                const bool planned =
                    plan(&file, big ? SYNTAX_EXPLICIT_BE : SYNTAX_IMPLICIT_LE, &rewrite, &err);
                EXPECT(planned == !before, "big %u, before %u: %s", big, before, err.detail);
                if (planned) {
                    SCOPED(buffer) struct buffer got = { 0 };
                    buffer_init(&got, 1 << 20);
                    carry_out(rewrite, &file, &got);
                    EXPECT(got.size > size && got.data[got.size - 1] == 'p' &&
                               got.data[got.size - size] == 'p' && got.data[got.size - size - 1] != 'p',
                           "size %u: the pixels are not the end", size);
                } else {
                    EXPECT(err.fault == FAULT_NOT_DICOM, "fault %d", err.fault);
                }
                rewrite_free(rewrite);
                buffer_done(&file.bytes);
            }
}

TEST(every_cut_of_a_file_is_answered)
{
    struct elements file;

    elements_file(&file, implicit_le);
    file.form = ELEMENTS_IMPLICIT;
    fill(&file);
    const size_t whole = file.bytes.size;
    for (size_t size = 0; size < whole; size += size < 2000 || size + 100 > whole ? 1 : 997) {
        struct rewrite *rewrite = NULL;
        struct error err = { 0 };

        file.bytes.size = size;
        if (!plan(&file, SYNTAX_IMPLICIT_LE, &rewrite, &err))
            EXPECT(err.fault == FAULT_NOT_DICOM || err.fault == FAULT_DISK, "%zu bytes: %d", size, err.fault);
        rewrite_free(rewrite);
    }
    file.bytes.size = whole;
    buffer_done(&file.bytes);
}
