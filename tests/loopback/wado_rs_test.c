/* tests/loopback/wado_rs_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Retrieve of studies, series, instances and bulk data, through the whole house without a socket.
 */
#include "tests/loopback/sample.h"

enum { INSTANCES = 3 };

static struct loopback *house_with_series(struct buffer files[INSTANCES])
{
    struct loopback *house = loopback_open(NULL);
    struct bytes views[INSTANCES];
    char uids[INSTANCES][32], numbers[INSTANCES][4];

    for (int i = 0; i < INSTANCES; i++) {
        snprintf(uids[i], sizeof(uids[i]), "1.2.3.1.1.%d", i + 1);
        snprintf(numbers[i], sizeof(numbers[i]), "%d", i + 1);
        files[i] = sample(&(struct make_dicom){ .instance = uids[i],
                                                .instance_number = numbers[i],
                                                .seed = (uint32_t)i,
                                                .rows = 50,
                                                .columns = 70 });
        views[i] = buffer_bytes(&files[i]);
    }
    EXPECT(loopback_store(house, views, INSTANCES) == 200, "the samples were not stored");
    return house;
}

static void done(struct loopback *house, struct buffer files[INSTANCES])
{
    for (int i = 0; i < INSTANCES; i++)
        buffer_done(&files[i]);
    loopback_close(house);
}

static struct loopback *house_with(const struct make_dicom *what, struct buffer *ret_file)
{
    struct loopback *house = loopback_open(NULL);

    *ret_file = sample(what);
    const struct bytes file = buffer_bytes(ret_file);
    EXPECT(loopback_store(house, &file, 1) == 200, "the sample was not stored");
    return house;
}

TEST(RET_06_an_instance_comes_as_one_part_by_default)
{
    struct buffer files[INSTANCES];
    struct loopback *house = house_with_series(files);
    const struct loopback_answer *answer = get(house, INSTANCE, "accept: */*\n");
    struct bytes head = { 0 };
    const struct bytes content = part_of(answer->body, 0, &head);

    EXPECT(answer->status == 200 && !answer->cut, "status %d", answer->status);
    EXPECT(has(loopback_header(house, "content-type"),
               "multipart/related; type=\"application/dicom\"; boundary="),
           "%.*s", BYTES_ARG(loopback_header(house, "content-type")));
    EXPECT(bytes_equal(content, buffer_bytes(&files[0])), "%zu bytes", content.size);
    EXPECT(has(head, "\r\nContent-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n"),
           "NEG-17: %.*s", BYTES_ARG(head));
    EXPECT(has(head, "Content-Location: https://localhost" INSTANCE), "MPR-06: %.*s", BYTES_ARG(head));
    EXPECT(head.size < 512, "MPR-05: %zu bytes", head.size);
    done(house, files);
}

TEST(NEG_14_an_instance_comes_alone_when_asked_for)
{
    struct buffer files[INSTANCES];
    struct loopback *house = house_with_series(files);
    const struct loopback_answer *answer = get(house, INSTANCE, "accept: application/dicom\n");

    EXPECT(answer->status == 200 && bytes_equal(answer->body, buffer_bytes(&files[0])), "%d, %zu bytes",
           answer->status, answer->body.size);
    EXPECT_TEXT(loopback_header(house, "content-type"),
                "application/dicom; transfer-syntax=1.2.840.10008.1.2.1");
    EXPECT_TEXT(loopback_header(house, "content-location"), "https://localhost" INSTANCE);
    EXPECT(has(loopback_header(house, "cache-control"), "private"), "HTP-44");
    EXPECT(has(loopback_header(house, "vary"), "Accept"), "NEG-18");
    EXPECT(get(house, SERIES, "accept: application/dicom\n")->status == 406, "NEG-13: a series alone");
    done(house, files);
}

TEST(RET_01_a_study_and_a_series_come_whole_and_in_order)
{
    static const char *const targets[] = { STUDY, SERIES };
    struct buffer files[INSTANCES];
    struct loopback *house = house_with_series(files);

    for (size_t t = 0; t < COUNT_OF(targets); t++) {
        const struct loopback_answer *answer = get(house, targets[t], NULL);

        EXPECT(answer->status == 200 && !answer->cut, "%s: %d%s", targets[t], answer->status,
               answer->cut ? ", cut" : "");
        for (unsigned i = 0; i < INSTANCES; i++) {
            const struct bytes content = part_of(answer->body, i, NULL);
            EXPECT(bytes_equal(content, buffer_bytes(&files[i])), "%s: part %u has %zu bytes", targets[t], i,
                   content.size);
        }
        EXPECT(!part_of(answer->body, INSTANCES, NULL).data, "%s: a part too many", targets[t]);
    }
    done(house, files);
}

TEST(an_answer_is_the_same_however_it_is_pulled)
{
    static const size_t reads[] = { 1, 7, 100, 4096, 1 << 20 };
    static const char *const targets[] = { SERIES, INSTANCE "/frames/1", SERIES "/metadata" };
    struct buffer want[COUNT_OF(targets)];

    for (size_t i = 0; i < COUNT_OF(reads); i++) {
        struct loopback *house = loopback_open(&(struct loopback_options){ .read_bytes = reads[i] });
        SCOPED(buffer) struct buffer a = sample(&(struct make_dicom){ 0 });
        SCOPED(buffer) struct buffer b = sample(&(struct make_dicom){ .instance = "1.2.3.1.1.2", .seed = 3 });
        const struct bytes files[] = { buffer_bytes(&a), buffer_bytes(&b) };

        EXPECT(loopback_store(house, files, COUNT_OF(files)) == 200, "the samples were not stored");
        for (size_t t = 0; t < COUNT_OF(targets); t++) {
            const struct loopback_answer *answer = get(house, targets[t], NULL);

            if (i == 0) {
                buffer_init(&want[t], SAMPLE_CEILING_BYTES);
                buffer_append(&want[t], answer->body);
            }
            EXPECT(!answer->cut && bytes_equal(answer->body, buffer_bytes(&want[t])),
                   "%s by %zu: %zu of %zu bytes", targets[t], reads[i], answer->body.size, want[t].size);
        }
        loopback_close(house);
    }
    for (size_t t = 0; t < COUNT_OF(targets); t++)
        buffer_done(&want[t]);
}

TEST(RET_02_an_instance_is_only_where_it_belongs)
{
    static const struct {
        const char *target;
        int status;
    } cases[] = {
        { "/dicom-web/studies/1.2.3.9/series/1.2.3.1.1/instances/1.2.3.1.1.1", 404 },
        { STUDY "/series/1.2.3.9/instances/1.2.3.1.1.1", 404 },
        { "/dicom-web/studies/1.2.3.9", 404 },
        { "/dicom-web/studies/1.2.3.9/series/1.2.3.1.1", 404 },
        { "/dicom-web/studies/1.2.abc", 400 },
        { SERIES "/instances/1..2", 400 },
        { SERIES "/instances/1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4", 400 },
    };
    struct buffer files[INSTANCES];
    struct loopback *house = house_with_series(files);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const int status = get(house, cases[i].target, NULL)->status;
        EXPECT(status == cases[i].status, "%s: %d", cases[i].target, status);
    }
    done(house, files);
}

TEST(HTP_41_what_the_client_has_is_not_sent_again)
{
    static const char *const targets[] = { INSTANCE, SERIES, INSTANCE "/bulkdata/7FE00010" };
    struct buffer files[INSTANCES];
    struct loopback *house = house_with_series(files);

    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        char header[200];

        get(house, targets[i], NULL);
        snprintf(header, sizeof(header), "if-none-match: \"x\", %.*s\n",
                 BYTES_ARG(loopback_header(house, "etag")));
        const struct loopback_answer *answer = get(house, targets[i], header);
        EXPECT(answer->status == 304 && answer->body.size == 0, "%s: %d", targets[i], answer->status);
        EXPECT(loopback_header(house, "etag").data, "%s: 304 without a tag", targets[i]);
        EXPECT(get(house, targets[i], "if-none-match: \"other\"\n")->status == 200, "%s", targets[i]);
    }
    done(house, files);
}

TEST(MPR_08_ranges_of_a_series_fit_together)
{
    struct buffer files[INSTANCES];
    struct loopback *house = house_with_series(files);
    SCOPED(buffer) struct buffer whole = { 0 };

    buffer_init(&whole, SAMPLE_CEILING_BYTES);
    buffer_append(&whole, get(house, SERIES, NULL)->body);
    for (size_t from = 0; from < whole.size; from += 5003) {
        char header[64];
        snprintf(header, sizeof(header), "range: bytes=%zu-%zu\n", from, from + 5002);
        const struct loopback_answer *answer = get(house, SERIES, header);
        struct bytes want = bytes_from(buffer_bytes(&whole), from);

        want.size = want.size < 5003 ? want.size : 5003;
        EXPECT(answer->status == 206 && bytes_equal(answer->body, want), "from %zu: %d, %zu bytes", from,
               answer->status, answer->body.size);
    }
    EXPECT(get(house, SERIES, "range: bytes=99999999-\n")->status == 416, "beyond the end");
    EXPECT(has(loopback_header(house, "content-range"), "bytes */"), "ERR-06");
    EXPECT(get(house, SERIES, "range: lines=1-2\n")->status == 200, "an unknown unit");
    done(house, files);
}

TEST(HTP_01_head_costs_no_body)
{
    struct buffer files[INSTANCES];
    struct loopback *house = house_with_series(files);
    const struct loopback_answer *answer = loopback_call(house, "HEAD", SERIES, NULL, NOTHING, 0);

    EXPECT(answer->status == 200 && answer->body.size == 0, "%d, %zu bytes", answer->status,
           answer->body.size);
    EXPECT(loopback_header(house, "etag").data, "no tag");
    done(house, files);
}

TEST(RET_09_a_study_comes_without_what_cannot_be_sent)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer explicit_file = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer)
    struct buffer private_file =
        sample(&(struct make_dicom){ .instance = "1.2.3.1.1.2", .transfer_syntax = "1.2.840.113619.5.99" });
    const struct bytes files[] = { buffer_bytes(&private_file), buffer_bytes(&explicit_file) };

    EXPECT(loopback_store(house, files, COUNT_OF(files)) == 200, "the samples were not stored");
    const struct loopback_answer *answer = get(house, STUDY, NULL);
    EXPECT(answer->status == 206 && bytes_equal(part_of(answer->body, 0, NULL), buffer_bytes(&explicit_file)),
           "%d", answer->status);
    EXPECT(has(answer->head, "warning: 299 https://localhost/dicom-web: 1 of 2 instances"), "%.*s",
           BYTES_ARG(answer->head));
    EXPECT_TEXT(loopback_header(house, "cache-control"), "no-store");
    EXPECT(get(house, SERIES "/instances/1.2.3.1.1.2", NULL)->status == 406, "NEG-40");
    EXPECT(get(house, STUDY,
               "accept: multipart/related; type=\"application/dicom\"; "
               "transfer-syntax=1.2.840.10008.1.2.4.100\n")
                   ->status == 406,
           "none can be made");
    loopback_close(house);
}

/* The same image in another form: explicit little endian is what comes of it, but for the meta the very bytes
 * that a file so stored has. */
static struct bytes data_set_of(struct bytes file)
{
    const uint32_t length = (uint32_t)file.data[140] | (uint32_t)file.data[141] << 8;

    return bytes_from(file, 144 + length);
}

TEST(GEN_08_NEG_33_no_data_set_leaves_implicit_big_endian_or_deflated)
{
    static const char *const stored[] = { "1.2.840.10008.1.2", "1.2.840.10008.1.2.2",
                                          "1.2.840.10008.1.2.1.99" };
    static const struct make_dicom shapes[] = {
        { .frames = 2, .rows = 60, .columns = 70 },
        { .frames = 1, .rows = 3, .columns = 5, .nested = 6 },
        { .no_pixel_data = true, .nested = 3 },
    };

    for (size_t i = 0; i < COUNT_OF(stored) * COUNT_OF(shapes); i++) {
        struct make_dicom what = shapes[i / COUNT_OF(stored)];
        SCOPED(buffer) struct buffer want = sample(&what);
        struct buffer file;

        what.transfer_syntax = stored[i % COUNT_OF(stored)];
        struct loopback *house = house_with(&what, &file);
        const struct loopback_answer *answer =
            get(house, INSTANCE, "accept: application/dicom; transfer-syntax=*\n");
        EXPECT(answer->status == 200 && !answer->cut &&
                   bytes_equal(data_set_of(answer->body), data_set_of(buffer_bytes(&want))),
               "case %zu: %d, %zu bytes", i, answer->status, answer->body.size);
        EXPECT_TEXT(loopback_header(house, "content-type"),
                    "application/dicom; transfer-syntax=1.2.840.10008.1.2.1");
        answer = get(house, SERIES, NULL);
        EXPECT(answer->status == 200 && !answer->cut &&
                   (has(answer->body, "Content-Length") ||
                    strcmp(what.transfer_syntax, "1.2.840.10008.1.2.1.99") == 0),
               "case %zu, in the series: %d", i, answer->status);
        answer = get(house, INSTANCE, "accept: application/dicom; transfer-syntax=1.2.840.10008.1.2.1.99\n");
        if (strcmp(what.transfer_syntax, "1.2.840.10008.1.2.1.99") == 0)
            EXPECT(answer->status == 200 && bytes_equal(answer->body, buffer_bytes(&file)),
                   "deflated, as asked: %d", answer->status);
        else
            EXPECT(answer->status == 406, "case %zu deflated: %d", i, answer->status);
        buffer_done(&file);
        loopback_close(house);
    }
}

TEST(MPR_08_ranges_of_a_rewritten_instance_fit_together)
{
    static const char *const stored[] = { "1.2.840.10008.1.2", "1.2.840.10008.1.2.2" };

    for (size_t i = 0; i < COUNT_OF(stored); i++) {
        struct buffer file;
        struct loopback *house = house_with(
            &(struct make_dicom){ .transfer_syntax = stored[i], .frames = 3, .rows = 50, .columns = 41 },
            &file);
        SCOPED(buffer) struct buffer whole = { 0 };

        buffer_init(&whole, SAMPLE_CEILING_BYTES);
        buffer_append(&whole, get(house, INSTANCE, NULL)->body);
        EXPECT(whole.size > 12300, "%zu bytes", whole.size);
        for (size_t from = 0; from < whole.size; from += 777) {
            char headers[60];
            struct bytes want = bytes_from(buffer_bytes(&whole), from);

            want.size = want.size < 777 ? want.size : 777;
            snprintf(headers, sizeof(headers), "range: bytes=%zu-%zu\n", from, from + 776);
            const struct loopback_answer *answer = get(house, INSTANCE, headers);
            EXPECT(answer->status == 206 && bytes_equal(answer->body, want), "from %zu: %d, %zu bytes", from,
                   answer->status, answer->body.size);
        }
        buffer_done(&file);
        loopback_close(house);
    }
}

TEST(NEG_33_a_compressed_instance_comes_as_stored)
{
    struct buffer file;
    struct loopback *house = house_with(&(struct make_dicom){ .transfer_syntax = "1.2.840.10008.1.2.4.80",
                                                              .frames = 3,
                                                              .fragment_count = 1,
                                                              .fragment_bytes = 500 },
                                        &file);
    const struct loopback_answer *answer =
        get(house, INSTANCE, "accept: multipart/related; type=application/dicom; transfer-syntax=*\n");

    EXPECT(answer->status == 200 && bytes_equal(part_of(answer->body, 0, NULL), buffer_bytes(&file)), "%d",
           answer->status);
    EXPECT(has(loopback_header(house, "content-type"), "; transfer-syntax=1.2.840.10008.1.2.4.80"), "%.*s",
           BYTES_ARG(loopback_header(house, "content-type")));
    buffer_done(&file);
    loopback_close(house);
}

TEST(RET_40_native_pixel_data_are_one_value)
{
    const struct make_dicom what = { .frames = 3 };
    struct buffer file;
    struct loopback *house = house_with(&what, &file);
    SCOPED(buffer) struct buffer want = { 0 };
    struct bytes head = { 0 };

    buffer_init(&want, SAMPLE_CEILING_BYTES);
    for (uint32_t frame = 1; frame <= 3; frame++)
        make_dicom_frame(&want, &what, frame);
    const struct loopback_answer *answer =
        get(house, INSTANCE "/bulkdata/7FE00010", "accept: multipart/related; type=\"*/*\"\n");
    EXPECT(answer->status == 200 && bytes_equal(part_of(answer->body, 0, &head), buffer_bytes(&want)),
           "%d, %zu bytes", answer->status, answer->body.size);
    EXPECT(has(head, "Content-Location: https://localhost" INSTANCE "/bulkdata/7FE00010\r\n"), "MPR-06: %.*s",
           BYTES_ARG(head));
    answer = get(house, INSTANCE "/bulkdata/7FE00010", "accept: application/octet-stream\n");
    EXPECT(answer->status == 200 && bytes_equal(answer->body, buffer_bytes(&want)), "alone: %d",
           answer->status);
    buffer_done(&file);
    loopback_close(house);
}

TEST(RET_41_encapsulated_pixel_data_are_one_part_a_frame)
{
    const struct make_dicom what = { .transfer_syntax = "1.2.840.10008.1.2.4.90",
                                     .frames = 3,
                                     .fragment_count = 2,
                                     .fragment_bytes = 300,
                                     .offset_table = true };
    struct buffer file;
    struct loopback *house = house_with(&what, &file);
    const struct loopback_answer *answer =
        get(house, INSTANCE "/bulkdata/7FE00010",
            "accept: multipart/related; type=application/octet-stream; transfer-syntax=*\n");

    EXPECT(answer->status == 200, "status %d", answer->status);
    for (uint32_t frame = 1; frame <= 3; frame++) {
        SCOPED(buffer) struct buffer want = { 0 };

        buffer_init(&want, SAMPLE_CEILING_BYTES);
        make_dicom_frame(&want, &what, frame);
        EXPECT(bytes_equal(part_of(answer->body, frame - 1, NULL), buffer_bytes(&want)), "frame %u", frame);
    }
    EXPECT(!part_of(answer->body, 3, NULL).data, "a part too many");
    buffer_done(&file);
    loopback_close(house);
}

/* make_dicom's file without pixels, and behind it an encapsulated document. */
static struct buffer sample_document(struct bytes document)
{
    static const char type[] = "application/pdf ";
    struct buffer file = sample(&(struct make_dicom){
        .sop_class = "1.2.840.10008.5.1.4.1.1.104.1", .modality = "DOC", .no_pixel_data = true });
    const uint32_t size = (uint32_t)document.size;

    buffer_append(&file, bytes_of("\x42\x00\x11\x00OB\0\0", 8));
    for (unsigned shift = 0; shift < 32; shift += 8)
        buffer_append_byte(&file, (uint8_t)(size >> shift));
    buffer_append(&file, document);
    buffer_append(&file, bytes_of("\x42\x00\x12\x00LO\x10\0", 8));
    buffer_append(&file, bytes_of(type, 16));
    return file;
}

TEST(RET_44_an_encapsulated_document_comes_by_its_own_media_type)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer document = { 0 };

    buffer_init(&document, SAMPLE_CEILING_BYTES);
    buffer_append_text(&document, "%PDF-1.7\n");
    for (int i = 0; i < 3000; i++)
        buffer_append_byte(&document, (uint8_t)i);
    buffer_append_byte(&document, '\n');
    SCOPED(buffer) struct buffer file = sample_document(buffer_bytes(&document));
    const struct bytes view = buffer_bytes(&file);
    EXPECT(loopback_store(house, &view, 1) == 200, "the sample was not stored");

    const struct loopback_answer *answer =
        get(house, INSTANCE "/bulkdata/00420011", "accept: application/pdf\n");
    EXPECT(answer->status == 200 && bytes_equal(answer->body, buffer_bytes(&document)),
           "alone: %d, %zu bytes", answer->status, answer->body.size);
    EXPECT_TEXT(loopback_header(house, "content-type"), "application/pdf");
    answer = get(house, INSTANCE "/bulkdata/00420011",
                 "accept: multipart/related; type=\"application/pdf\", multipart/related; "
                 "type=\"application/octet-stream\"\n");
    EXPECT(answer->status == 200 && bytes_equal(part_of(answer->body, 0, NULL), buffer_bytes(&document)),
           "as OHIF asks: %d", answer->status);
    answer = get(house, INSTANCE "/bulkdata/00420011", "accept: application/octet-stream\n");
    EXPECT(answer->status == 200 && bytes_equal(answer->body, buffer_bytes(&document)), "as octets: %d",
           answer->status);
    EXPECT(get(house, INSTANCE "/frames/1", NULL)->status == 404, "RET-55");
    EXPECT(get(house, INSTANCE "/bulkdata/7FE00010", NULL)->status == 404, "RET-47");
    EXPECT(get(house, INSTANCE "/bulkdata/00420099", NULL)->status == 404, "no such element");
    EXPECT(get(house, INSTANCE "/bulkdata/pixels", NULL)->status == 400, "no path to a value");
    loopback_close(house);
}

TEST(RET_45_parts_of_octets_of_an_instance_are_its_values)
{
    static const char *const targets[] = { INSTANCE, SERIES, STUDY };
    struct buffer file;
    struct loopback *house = house_with(&(struct make_dicom){ .rows = 40, .columns = 30 }, &file);

    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct bytes head = NOTHING;
        const struct loopback_answer *answer =
            get(house, targets[i], "accept: multipart/related; type=\"application/octet-stream\"\n");
        const struct bytes value = part_of(answer->body, 0, &head);
        EXPECT(answer->status == 200 && value.size == 2400 && has(head, INSTANCE "/bulkdata/7FE00010\r\n"),
               "%s: %d, %zu bytes, %.*s", targets[i], answer->status, value.size, BYTES_ARG(head));
        answer = get(house, targets[i],
                     "accept: multipart/related; type=\"application/octet-stream\", "
                     "multipart/related; type=\"application/dicom\"\n");
        EXPECT(answer->status == 200 && has(answer->body, "Content-Type: application/dicom"), "%s: %d",
               targets[i], answer->status);
    }
    buffer_done(&file);
    loopback_close(house);
}
