/* tests/loopback/metadata_forms_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Metadata in all the forms that they go out in: compressed, in part, as XML, only some attributes.
 */
#include <zlib.h>
#include <zstd.h>

#include "tests/loopback/sample.h"

#define OTHER_SERIES STUDY "/series/1.2.3.1.2"
#define XML_PARTS "accept: multipart/related; type=\"application/dicom+xml\"\n"

enum { INSTANCES = 5, TEXT_MOST = 1 << 20 };

static void store(struct loopback *house, const char *series, const char *instance, const char *number)
{
    SCOPED(buffer)
    struct buffer file = sample(&(struct make_dicom){
        .series = series, .instance = instance, .instance_number = number, .patient_name = "A&B^<C>" });
    const struct bytes view = buffer_bytes(&file);

    EXPECT(loopback_store(house, &view, 1) == 200, "instance %s was not stored", instance);
}

static struct loopback *house_with_study(void)
{
    struct loopback *house = loopback_open(NULL);

    for (unsigned i = 1; i <= INSTANCES; i++) {
        char uid[32], number[8];
        snprintf(uid, sizeof(uid), "1.2.3.1.1.%u", i);
        snprintf(number, sizeof(number), "%u", i);
        store(house, NULL, uid, number);
    }
    store(house, "1.2.3.1.2", "1.2.3.1.2.1", "1");
    return house;
}

static struct buffer text_of(const struct loopback_answer *answer)
{
    struct buffer text;

    buffer_init(&text, TEXT_MOST);
    buffer_append(&text, answer->body);
    return text;
}

static struct bytes gunzip(struct bytes body, uint8_t *room)
{
    z_stream zlib = { .next_in = (uint8_t *)(uintptr_t)body.data, .avail_in = (uInt)body.size };

    EXPECT(inflateInit2(&zlib, MAX_WBITS + 16) == Z_OK, "zlib");
    zlib.next_out = room;
    zlib.avail_out = TEXT_MOST;
    /* One member with the right checksum: browsers drop all behind the first. */
    const int code = inflate(&zlib, Z_FINISH);
    EXPECT(code == Z_STREAM_END && zlib.avail_in == 0, "inflating gave %d, %u bytes left", code,
           zlib.avail_in);
    const size_t size = zlib.total_out;
    inflateEnd(&zlib);
    return bytes_of(room, size);
}

static struct bytes unzstd(struct bytes body, uint8_t *room)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = { body.data, body.size, 0 };
    ZSTD_outBuffer out = { room, TEXT_MOST, 0 };
    size_t left = 1;

    while (in.pos < in.size && !ZSTD_isError(left))
        left = ZSTD_decompressStream(context, &out, &in);
    EXPECT(left == 0, "the last frame is not whole");
    ZSTD_freeDCtx(context);
    return bytes_of(room, out.pos);
}

static const char *const levels[] = { STUDY "/metadata", SERIES "/metadata", OTHER_SERIES "/metadata" };

TEST(RET_27_compressed_metadata_say_the_same_as_plain_ones)
{
    struct loopback *house = house_with_study();
    uint8_t *room = malloc(TEXT_MOST);

    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        SCOPED(buffer) struct buffer plain = text_of(get(house, levels[i], NULL));
        EXPECT(!loopback_header(house, "content-encoding").data, "plain metadata name a coding");
        const struct loopback_answer *answer = get(house, levels[i], "accept-encoding: gzip, deflate, br\n");
        EXPECT_TEXT(loopback_header(house, "content-encoding"), "gzip");
        EXPECT(has(loopback_header(house, "vary"), "Accept-Encoding"), "HTP-46: no Vary");
        EXPECT(bytes_equal(gunzip(answer->body, room), buffer_bytes(&plain)), "%s: gzip says otherwise",
               levels[i]);
        answer = get(house, levels[i], "accept-encoding: zstd\n");
        EXPECT_TEXT(loopback_header(house, "content-encoding"), "zstd");
        EXPECT(bytes_equal(unzstd(answer->body, room), buffer_bytes(&plain)), "%s: zstd says otherwise",
               levels[i]);
        answer = get(house, levels[i], "accept-encoding: br\n");
        EXPECT(bytes_equal(answer->body, buffer_bytes(&plain)), "%s: no coding of ours", levels[i]);
    }
    free(room);
    loopback_close(house);
}

TEST(HTP_41_each_form_has_a_tag_of_its_own_and_is_not_sent_again)
{
    static const char *const forms[] = { "", "accept-encoding: gzip\n", "accept-encoding: zstd\n",
                                         XML_PARTS };
    struct loopback *house = house_with_study();
    char tags[COUNT_OF(forms)][80];

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        char headers[500];

        EXPECT(get(house, SERIES "/metadata", forms[i])->status == 200, "form %zu", i);
        snprintf(tags[i], sizeof(tags[i]), "%.*s", BYTES_ARG(loopback_header(house, "etag")));
        EXPECT(tags[i][0] == '"', "form %zu has no strong tag", i);
        snprintf(headers, sizeof(headers), "%sif-none-match: %s\n", forms[i], tags[i]);
        const struct loopback_answer *answer = get(house, SERIES "/metadata", headers);
        EXPECT(answer->status == 304 && answer->body.size == 0, "form %zu: %d", i, answer->status);
        for (size_t n = 0; n < i; n++)
            EXPECT(strcmp(tags[i], tags[n]) != 0, "forms %zu and %zu share a tag", n, i);
    }
    loopback_close(house);
}

TEST(HTP_41_the_tag_changes_when_an_instance_comes_or_goes_and_on_no_other_series)
{
    struct loopback *house = house_with_study();
    char before[80], study[80], other[80], headers[120];

    get(house, STUDY "/metadata", NULL);
    snprintf(study, sizeof(study), "%.*s", BYTES_ARG(loopback_header(house, "etag")));
    get(house, OTHER_SERIES "/metadata", NULL);
    snprintf(other, sizeof(other), "%.*s", BYTES_ARG(loopback_header(house, "etag")));
    get(house, SERIES "/metadata", NULL);
    snprintf(before, sizeof(before), "%.*s", BYTES_ARG(loopback_header(house, "etag")));

    EXPECT(loopback_call(house, "DELETE", INSTANCE, NULL, NOTHING, 0)->status / 100 == 2, "DELETE");
    snprintf(headers, sizeof(headers), "if-none-match: %s\n", before);
    EXPECT(get(house, SERIES "/metadata", headers)->status == 200, "one is gone");
    snprintf(headers, sizeof(headers), "if-none-match: %s\n", study);
    EXPECT(get(house, STUDY "/metadata", headers)->status == 200, "one of the study is gone");
    snprintf(headers, sizeof(headers), "if-none-match: %s\n", other);
    EXPECT(get(house, OTHER_SERIES "/metadata", headers)->status == 304, "nothing of it is gone");
    store(house, NULL, "1.2.3.1.1.1", "1"); /* the same bytes, but stored anew */
    snprintf(headers, sizeof(headers), "if-none-match: %s\n", before);
    EXPECT(get(house, SERIES "/metadata", headers)->status == 200, "it was stored anew");
    loopback_close(house);
}

TEST(HTP_ranges_of_metadata_add_up_to_the_whole)
{
    static const char *const codings[] = { "", "accept-encoding: gzip\n" };
    struct loopback *house = house_with_study();

    for (size_t i = 0; i < COUNT_OF(codings); i++) {
        SCOPED(buffer)
        struct buffer whole = text_of(get(house, STUDY "/metadata", codings[i])), parts = { 0 };

        buffer_init(&parts, TEXT_MOST);
        for (size_t from = 0; from < whole.size; from += 777) {
            char headers[120];
            snprintf(headers, sizeof(headers), "%srange: bytes=%zu-%zu\n", codings[i], from, from + 776);
            const struct loopback_answer *answer = get(house, STUDY "/metadata", headers);
            EXPECT(answer->status == 206, "from %zu: %d", from, answer->status);
            buffer_append(&parts, answer->body);
        }
        EXPECT(bytes_equal(buffer_bytes(&whole), buffer_bytes(&parts)), "another whole");
    }
    loopback_close(house);
}

TEST(XML_02_every_instance_is_a_part_named_after_it)
{
    struct loopback *house = house_with_study();
    SCOPED(buffer) struct buffer body = text_of(get(house, SERIES "/metadata", XML_PARTS));
    struct bytes head = NOTHING;

    EXPECT(bytes_starts_with(loopback_header(house, "content-type"),
                             bytes_of_text("multipart/related; type=\"application/dicom+xml\"; boundary=")),
           "%.*s", BYTES_ARG(loopback_header(house, "content-type")));
    for (unsigned i = 0; i < INSTANCES; i++) {
        char location[160];
        const struct bytes part = part_of(buffer_bytes(&body), i, &head);
        snprintf(location, sizeof(location),
                 "Content-Location: https://localhost" SERIES "/instances/1.2.3.1.1.%u/metadata", i + 1);
        EXPECT(has(head, "Content-Type: application/dicom+xml"), "part %u: %.*s", i, BYTES_ARG(head));
        EXPECT(has(head, location), "part %u: %.*s", i, BYTES_ARG(head));
        EXPECT(bytes_starts_with(part, bytes_of_text("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")),
               "part %u", i);
        EXPECT(has(part, "<BulkData uri=\"https://localhost" SERIES "/instances/1.2.3.1.1."), "a link: %.*s",
               BYTES_ARG(part));
        EXPECT(has(part, "<FamilyName>A&amp;B</FamilyName><GivenName>&lt;C&gt;</GivenName>"), "XML-11: %.*s",
               BYTES_ARG(part));
        EXPECT(!memchr(part.data, 1, part.size), "a mark is left");
    }
    EXPECT(!part_of(buffer_bytes(&body), INSTANCES, NULL).data, "more parts than instances");
    loopback_close(house);
}

TEST(XML_a_single_document_is_for_a_single_instance)
{
    struct loopback *house = house_with_study();
    const struct loopback_answer *answer =
        get(house, INSTANCE "/metadata", "accept: application/dicom+xml\n");

    EXPECT(answer->status == 200 && bytes_starts_with(answer->body, bytes_of_text("<?xml")), "%d",
           answer->status);
    EXPECT_TEXT(loopback_header(house, "content-type"), "application/dicom+xml");
    EXPECT(get(house, SERIES "/metadata", "accept: application/dicom+xml\n")->status == 406, "NEG-13");
    answer = get(house, INSTANCE "/metadata", XML_PARTS);
    EXPECT(answer->status == 200 && part_of(answer->body, 0, NULL).data, "XML-02: a part for one, too");
    loopback_close(house);
}

TEST(only_the_attributes_that_were_asked_for_come_and_what_identifies)
{
    struct loopback *house = house_with_study();
    const struct loopback_answer *answer =
        get(house, SERIES "/metadata?includefield=PatientID,00280010&includefield=00100010", NULL);

    EXPECT(answer->status == 200, "%d", answer->status);
    EXPECT(times(answer->body, "\"00100020\"") == INSTANCES &&
               times(answer->body, "\"00280010\"") == INSTANCES &&
               times(answer->body, "\"00100010\"") == INSTANCES,
           "not all that were asked for: %.*s", BYTES_ARG(answer->body));
    EXPECT(times(answer->body, "\"00080018\"") == INSTANCES &&
               times(answer->body, "\"0020000E\"") == INSTANCES,
           "what identifies");
    EXPECT(!has(answer->body, "\"00280011\"") && !has(answer->body, "BulkDataURI"), "more than that");
    char tag[80], headers[120];
    snprintf(tag, sizeof(tag), "%.*s", BYTES_ARG(loopback_header(house, "etag")));
    snprintf(headers, sizeof(headers), "if-none-match: %s\n", tag);
    EXPECT(get(house, SERIES "/metadata", headers)->status == 200, "all of them have another tag");

    SCOPED(buffer) struct buffer whole = text_of(get(house, SERIES "/metadata", NULL));
    answer = get(house, SERIES "/metadata?includefield=PatientID&includefield=all", NULL);
    EXPECT(bytes_equal(answer->body, buffer_bytes(&whole)), "all is all");
    answer = get(house, SERIES "/metadata?includefield=NoSuchKeyword", NULL);
    EXPECT(answer->status == 200 && times(answer->body, "\"00080018\"") == INSTANCES,
           "an unknown name is passed over");
    answer = get(house, INSTANCE "/metadata?includefield=PatientID", XML_PARTS);
    EXPECT(has(answer->body, "PatientID") && !has(answer->body, "PatientName"), "XML too");
    loopback_close(house);
}

TEST(NEG_51_any_charset_is_answered_in_utf_8)
{
    struct loopback *house = house_with_study();

    EXPECT(get(house, SERIES "/metadata?charset=utf-8", "accept-charset: iso-8859-1\n")->status == 200,
           "RET-28");
    EXPECT(get(house, SERIES "/metadata?accept=application/dicom%2Bjson", "accept: */*\n")->status == 200,
           "NEG-09");
    loopback_close(house);
}
