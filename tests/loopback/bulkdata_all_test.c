/* tests/loopback/bulkdata_all_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * All bulk data, and all pixel data, of a study, a series, an instance.
 */
#include "tests/loopback/sample.h"
#include "tests/support/elements.h"

#define OCTETS "accept: multipart/related; type=\"application/octet-stream\"; transfer-syntax=*\n"
#define JPEG_SERIES STUDY "/series/1.2.3.1.2"

enum { FRAMES = 3 };

static void store(struct loopback *house, const struct make_dicom *what)
{
    SCOPED(buffer) struct buffer file = sample(what);
    const struct bytes view = buffer_bytes(&file);

    EXPECT(loopback_store(house, &view, 1) == 200, "%s was not stored", what->instance);
}

/* Two native images in one series, a JPEG of three frames in another; in the first series also one without
 * pixels. */
static struct loopback *house_with_study(void)
{
    struct loopback *house = loopback_open(NULL);

    store(house, &(struct make_dicom){ .instance = "1.2.3.1.1.1", .instance_number = "1" });
    store(house, &(struct make_dicom){ .instance = "1.2.3.1.1.2", .instance_number = "2", .seed = 7 });
    store(house,
          &(struct make_dicom){ .instance = "1.2.3.1.1.3", .instance_number = "3", .no_pixel_data = true });
    store(house, &(struct make_dicom){ .series = "1.2.3.1.2",
                                       .instance = "1.2.3.1.2.1",
                                       .series_number = "2",
                                       .transfer_syntax = "1.2.840.10008.1.2.4.50",
                                       .bits_allocated = 8,
                                       .frames = FRAMES,
                                       .fragment_count = 2 });
    return house;
}

static bool is_frame(struct bytes part, const struct make_dicom *what, uint32_t frame)
{
    SCOPED(buffer) struct buffer expected = { 0 };

    buffer_init(&expected, 1 << 20);
    make_dicom_frame(&expected, what, frame);
    return bytes_equal(part, buffer_bytes(&expected));
}

TEST(RET_46_all_pixel_data_of_a_study_come_in_order_and_by_their_links)
{
    struct loopback *house = house_with_study();
    const struct loopback_answer *answer = get(house, STUDY "/pixeldata", OCTETS);
    struct bytes head = NOTHING;

    EXPECT(answer->status == 200 && !answer->cut, "%d", answer->status);
    EXPECT(is_frame(part_of(answer->body, 0, &head), &(struct make_dicom){ 0 }, 1), "the first image");
    EXPECT(has(head, "Content-Location: https://localhost" INSTANCE "/bulkdata/7FE00010"), "%.*s",
           BYTES_ARG(head));
    EXPECT(has(head, "transfer-syntax=1.2.840.10008.1.2.1"), "%.*s", BYTES_ARG(head));
    EXPECT(is_frame(part_of(answer->body, 1, NULL), &(struct make_dicom){ .seed = 7 }, 1), "the second");
    for (unsigned n = 0; n < FRAMES; n++) {
        const struct make_dicom jpeg = { .transfer_syntax = "1.2.840.10008.1.2.4.50",
                                         .bits_allocated = 8,
                                         .frames = FRAMES,
                                         .fragment_count = 2 };
        EXPECT(is_frame(part_of(answer->body, 2 + n, &head), &jpeg, n + 1), "frame %u as it is stored",
               n + 1);
        EXPECT(has(head, "transfer-syntax=1.2.840.10008.1.2.4.50") &&
                   has(head, "/instances/1.2.3.1.2.1/bulkdata/7FE00010"),
               "%.*s", BYTES_ARG(head));
    }
    EXPECT(!part_of(answer->body, 2 + FRAMES, NULL).data, "more than that");
    loopback_close(house);
}

TEST(RET_46_a_series_and_an_instance_have_their_own)
{
    struct loopback *house = house_with_study();
    const struct loopback_answer *answer = get(house, SERIES "/pixeldata", OCTETS);

    EXPECT(answer->status == 200 && part_of(answer->body, 1, NULL).data &&
               !part_of(answer->body, 2, NULL).data,
           "%d", answer->status);
    answer = get(house, INSTANCE "/pixeldata", NULL);
    EXPECT(answer->status == 200 && part_of(answer->body, 0, NULL).data &&
               !part_of(answer->body, 1, NULL).data,
           "%d", answer->status);
    EXPECT(bytes_starts_with(loopback_header(house, "content-type"),
                             bytes_of_text("multipart/related; type=\"application/octet-stream\"")),
           "%.*s", BYTES_ARG(loopback_header(house, "content-type")));
    answer = get(house, JPEG_SERIES "/pixeldata", "accept: multipart/related; type=\"image/jpeg\"\n");
    EXPECT(answer->status == 200 && part_of(answer->body, FRAMES - 1, NULL).data, "%d", answer->status);
    EXPECT(bytes_starts_with(loopback_header(house, "content-type"),
                             bytes_of_text("multipart/related; type=\"image/jpeg\"")),
           "%.*s", BYTES_ARG(loopback_header(house, "content-type")));
    loopback_close(house);
}

TEST(RET_47_what_has_no_such_data_is_not_found)
{
    struct loopback *house = house_with_study();

    EXPECT(get(house, SERIES "/instances/1.2.3.1.1.3/pixeldata", OCTETS)->status == 404, "no pixel data");
    EXPECT(get(house, SERIES "/instances/1.2.3.1.1.3/bulkdata", OCTETS)->status == 404, "no bulk data");
    EXPECT(get(house, "/dicom-web/studies/1.9.9/bulkdata", OCTETS)->status == 404, "no such study");
    EXPECT(get(house, "/dicom-web/studies/a/pixeldata", OCTETS)->status == 400, "no UID");
    loopback_close(house);
}

TEST(RET_09_NEG_07_what_can_be_had_comes_and_the_rest_is_told)
{
    struct loopback *house = house_with_study();
    const struct loopback_answer *answer =
        get(house, STUDY "/pixeldata", "accept: multipart/related; type=\"video/mp4\"\n");

    EXPECT(answer->status == 406, "nothing can be had as video: %d", answer->status);
    EXPECT(get(house, STUDY "/pixeldata", "accept: application/octet-stream\n")->status == 406, "NEG-13");
    answer = get(house, STUDY "/pixeldata",
                 "accept: multipart/related; type=\"application/octet-stream\"; "
                 "transfer-syntax=1.2.840.10008.1.2.4.50\n");
    EXPECT(answer->status == 206 && part_of(answer->body, FRAMES - 1, NULL).data, "%d", answer->status);
    EXPECT(has(loopback_header(house, "warning"), "values are not available as requested"), "%.*s",
           BYTES_ARG(loopback_header(house, "warning")));
    EXPECT(has(loopback_header(house, "cache-control"), "no-store"), "RET-09");
    loopback_close(house);
}

TEST(RET_45_nested_values_come_too_and_little_endian)
{
    struct loopback *house = loopback_open(NULL);
    struct elements file;
    static uint16_t samples[4000];

    for (size_t i = 0; i < COUNT_OF(samples); i++)
        samples[i] = (uint16_t)(i * 3);
    elements_file(&file, "1.2.840.10008.1.2.2");
    file.form = ELEMENTS_BIG;
    elements_class(&file);
    elements_study(&file);
    elements_header(&file, 0x54000100, "SQ", UINT32_MAX);
    for (unsigned item = 0; item < 2; item++) {
        elements_header(&file, 0xFFFEE000, "", UINT32_MAX);
        elements_header(&file, 0x54001010, "OW", sizeof(samples));
        for (size_t i = 0; i < COUNT_OF(samples); i++)
            elements_number(&file, samples[i], 2);
        elements_header(&file, 0xFFFEE00D, "", 0);
    }
    elements_header(&file, 0xFFFEE0DD, "", 0);
    const struct bytes view = buffer_bytes(&file.bytes);
    EXPECT(loopback_store(house, &view, 1) == 200, "not stored");
    buffer_done(&file.bytes);

    const struct loopback_answer *answer = get(house, "/dicom-web/studies/1.2/bulkdata", OCTETS);
    EXPECT(answer->status == 200, "%d", answer->status);
    for (unsigned item = 0; item < 2; item++) {
        struct bytes head = NOTHING;
        char location[64];
        snprintf(location, sizeof(location), "/bulkdata/54000100/%u/54001010\r\n", item + 1);
        EXPECT(bytes_equal(part_of(answer->body, item, &head), bytes_of(samples, sizeof(samples))), "item %u",
               item + 1);
        EXPECT(has(head, location), "%.*s", BYTES_ARG(head));
    }
    EXPECT(!part_of(answer->body, 2, NULL).data, "more than that");
    EXPECT(get(house, "/dicom-web/studies/1.2/pixeldata", OCTETS)->status == 404,
           "a waveform is no pixel data");
    loopback_close(house);
}
