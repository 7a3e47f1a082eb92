/* tests/loopback/frames_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Frames, through the whole house without a socket: each against the bytes that the sample was made of.
 */
#include "tests/loopback/sample.h"

static const char CORNERSTONE[] =
    "accept: multipart/related; type=application/octet-stream; transfer-syntax=*\n";

static struct loopback *house_with(const struct make_dicom *what)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(what);
    const struct bytes view = buffer_bytes(&file);

    EXPECT(loopback_store(house, &view, 1) == 200, "the sample was not stored");
    return house;
}

static struct buffer frame_of(const struct make_dicom *what, uint32_t frame)
{
    struct buffer bytes;

    buffer_init(&bytes, SAMPLE_CEILING_BYTES);
    make_dicom_frame(&bytes, what, frame);
    return bytes;
}

TEST(RET_50_and_51_every_frame_is_what_was_stored)
{
    static const struct make_dicom cases[] = {
        { .frames = 5 },
        { .frames = 3, .bits_allocated = 8, .samples_per_pixel = 3 },
        { .frames = 2, .transfer_syntax = "1.2.840.10008.1.2" },
        { .frames = 4,
          .transfer_syntax = "1.2.840.10008.1.2.4.80",
          .fragment_count = 1,
          .fragment_bytes = 1000 },
        { .frames = 4,
          .transfer_syntax = "1.2.840.10008.1.2.4.50",
          .fragment_count = 3,
          .fragment_bytes = 200,
          .offset_table = true },
        { .frames = 1,
          .transfer_syntax = "1.2.840.10008.1.2.4.90",
          .fragment_count = 3,
          .fragment_bytes = 100 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct loopback *house = house_with(&cases[i]);

        for (uint32_t frame = 1; frame <= cases[i].frames; frame++) {
            char target[200];
            SCOPED(buffer) struct buffer want = frame_of(&cases[i], frame);

            snprintf(target, sizeof(target), INSTANCE "/frames/%u", frame);
            const struct loopback_answer *answer = get(house, target, CORNERSTONE);
            EXPECT(answer->status == 200 && !answer->cut &&
                       bytes_equal(part_of(answer->body, 0, NULL), buffer_bytes(&want)),
                   "case %zu, frame %u: %d, %zu bytes, want %zu", i, frame, answer->status, answer->body.size,
                   want.size);
        }
        loopback_close(house);
    }
}

TEST(MPR_03_the_framing_is_what_the_viewers_look_for)
{
    struct loopback *house = house_with(&(struct make_dicom){ .frames = 2 });
    const struct loopback_answer *answer = get(house, INSTANCE "/frames/2", CORNERSTONE);
    struct bytes head = { 0 };

    part_of(answer->body, 0, &head);
    EXPECT(bytes_starts_with(answer->body, bytes_of_text("--")), "no delimiter at the start");
    EXPECT(has(head, "\r\nContent-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n"),
           "%.*s", BYTES_ARG(head));
    EXPECT(has(head, "\r\nContent-Location: https://localhost" INSTANCE "/frames/2\r\n"), "%.*s",
           BYTES_ARG(head));
    EXPECT(answer->body.size > 4 &&
               bytes_equal_text(bytes_from(answer->body, answer->body.size - 4), "--\r\n"),
           "no closing delimiter");
    EXPECT(has(loopback_header(house, "content-type"),
               "multipart/related; type=\"application/octet-stream\"; boundary="),
           "MPR-01: %.*s", BYTES_ARG(loopback_header(house, "content-type")));
    loopback_close(house);
}

TEST(RET_48_a_list_comes_in_its_order)
{
    static const uint32_t order[] = { 3, 1, 3, 2 };
    const struct make_dicom what = { .frames = 3 };
    struct loopback *house = house_with(&what);
    const struct loopback_answer *answer = get(house, INSTANCE "/frames/3,1%2C3,2", CORNERSTONE);

    for (unsigned i = 0; i < COUNT_OF(order); i++) {
        SCOPED(buffer) struct buffer want = frame_of(&what, order[i]);
        EXPECT(bytes_equal(part_of(answer->body, i, NULL), buffer_bytes(&want)), "part %u", i);
    }
    EXPECT(!part_of(answer->body, COUNT_OF(order), NULL).data, "a part too many");
    loopback_close(house);
}

TEST(a_long_list_comes_whole_and_has_a_ceiling)
{
    const struct make_dicom what = { .frames = 2, .rows = 1, .columns = 2 };
    struct limits limits = sample_limits();
    limits.frame_list_ceiling = 1000;
    struct loopback *house = loopback_open(&(struct loopback_options){ .limits = &limits });
    SCOPED(buffer) struct buffer file = sample(&what);
    SCOPED(buffer) struct buffer target = { 0 };
    const struct bytes view = buffer_bytes(&file);

    EXPECT(loopback_store(house, &view, 1) == 200, "the sample was not stored");
    buffer_init(&target, SAMPLE_CEILING_BYTES);
    buffer_append_text(&target, INSTANCE "/frames/1");
    for (int i = 1; i < 1000; i++)
        buffer_printf(&target, ",%d", i % 2 + 1);
    buffer_append_byte(&target, 0);
    const struct loopback_answer *answer = get(house, (const char *)target.data, CORNERSTONE);
    EXPECT(answer->status == 200 && !answer->cut && times(answer->body, "\r\nContent-Type: ") == 1000,
           "%d, %zu bytes", answer->status, answer->body.size);
    buffer_cut(&target, target.size - 1);
    buffer_append_text(&target, ",1");
    buffer_append_byte(&target, 0);
    EXPECT(get(house, (const char *)target.data, CORNERSTONE)->status == 413, "a thousand and one");
    loopback_close(house);
}

TEST(RET_48_frames_that_cannot_be_are_told_apart)
{
    static const struct {
        const char *target;
        int status;
    } cases[] = {
        { INSTANCE "/frames/0", 400 },      { INSTANCE "/frames/x", 400 },
        { INSTANCE "/frames/1,,2", 400 },   { INSTANCE "/frames/4", 404 },
        { INSTANCE "/frames/1,9999", 404 }, { INSTANCE "/frames/99999999999", 400 },
        { INSTANCE "/frames/", 404 },       { SERIES "/instances/1.2.9/frames/1", 404 },
    };
    struct loopback *house = house_with(&(struct make_dicom){ .frames = 3 });

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const int status = get(house, cases[i].target, CORNERSTONE)->status;
        EXPECT(status == cases[i].status, "%s: %d", cases[i].target, status);
    }
    loopback_close(house);
}

TEST(RET_54_big_endian_samples_are_swapped)
{
    static const uint16_t bits[] = { 16, 32 };

    for (size_t i = 0; i < COUNT_OF(bits); i++) {
        const struct make_dicom what = { .frames = 2,
                                         .transfer_syntax = "1.2.840.10008.1.2.2",
                                         .bits_allocated = bits[i] };
        struct loopback *house = house_with(&what);
        SCOPED(buffer) struct buffer want = frame_of(&what, 2);
        const size_t bytes = bits[i] / 8u;

        for (size_t at = 0; at + bytes <= want.size; at += bytes)
            for (size_t k = 0; k < bytes / 2; k++) {
                const uint8_t low = want.data[at + k];
                want.data[at + k] = want.data[at + bytes - 1 - k];
                want.data[at + bytes - 1 - k] = low;
            }
        const struct loopback_answer *answer = get(house, INSTANCE "/frames/2", CORNERSTONE);
        EXPECT(answer->status == 200 && bytes_equal(part_of(answer->body, 0, NULL), buffer_bytes(&want)),
               "%u bits: %d", bits[i], answer->status);
        EXPECT(has(answer->body, "transfer-syntax=1.2.840.10008.1.2.1\r\n"), "the label says otherwise");
        loopback_close(house);
    }
}

TEST(RET_52_frames_of_bits_begin_on_a_byte)
{
    const struct make_dicom what = { .frames = 3, .bits_allocated = 1, .rows = 5, .columns = 7 };
    struct loopback *house = house_with(&what);

    for (uint32_t frame = 1; frame <= 3; frame++) {
        char target[200];
        SCOPED(buffer) struct buffer want = { 0 };

        buffer_init(&want, SAMPLE_CEILING_BYTES);
        /* The sample's bits of all frames lie one behind the other: 35 a frame. */
        const struct loopback_answer *all =
            get(house, INSTANCE "/bulkdata/7FE00010", "accept: application/octet-stream\n");
        for (unsigned byte = 0; byte < 5; byte++) {
            unsigned value = 0;
            for (unsigned bit = 0; bit < 8 && byte * 8 + bit < 35; bit++) {
                const unsigned at = (frame - 1) * 35 + byte * 8 + bit;
                if (at / 8 < all->body.size)
                    value |= (all->body.data[at / 8] >> at % 8 & 1u) << bit;
            }
            buffer_append_byte(&want, (uint8_t)value);
        }
        snprintf(target, sizeof(target), INSTANCE "/frames/%u", frame);
        const struct loopback_answer *answer = get(house, target, CORNERSTONE);
        EXPECT(answer->status == 200 && bytes_equal(part_of(answer->body, 0, NULL), buffer_bytes(&want)),
               "frame %u: %d, %zu bytes", frame, answer->status, answer->body.size);
    }
    loopback_close(house);
}

TEST(NEG_14_one_frame_comes_alone_when_asked_for)
{
    const struct make_dicom what = { .frames = 2 };
    struct loopback *house = house_with(&what);
    SCOPED(buffer) struct buffer want = frame_of(&what, 1);
    const struct loopback_answer *answer =
        get(house, INSTANCE "/frames/1", "accept: application/octet-stream; transfer-syntax=*\n");

    EXPECT(answer->status == 200 && bytes_equal(answer->body, buffer_bytes(&want)), "%d", answer->status);
    EXPECT_TEXT(loopback_header(house, "content-type"),
                "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1");
    EXPECT_TEXT(loopback_header(house, "content-location"), "https://localhost" INSTANCE "/frames/1");
    EXPECT(get(house, INSTANCE "/frames/1,2", "accept: application/octet-stream\n")->status == 406, "NEG-13");
    answer = get(house, INSTANCE "/frames/1", "accept: image/jpeg\n");
    EXPECT(answer->status == 200 && bytes_starts_with(answer->body, bytes_of("\xFF\xD8", 2)), "%d",
           answer->status);
    EXPECT_TEXT(loopback_header(house, "content-type"), "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70");
    EXPECT(get(house, INSTANCE "/frames/1", "accept: video/mp4\n")->status == 406, "no encoder");
    EXPECT(get(house, INSTANCE "/frames/1", "accept: bogus,,;;=, */*;q=0\n")->status == 406, "NEG-01");
    loopback_close(house);
}

TEST(NEG_36_stored_code_streams_go_out_as_octets_or_by_their_type)
{
    const struct make_dicom what = {
        .transfer_syntax = "1.2.840.10008.1.2.4.80", .frames = 2, .fragment_count = 1, .fragment_bytes = 333
    };
    struct loopback *house = house_with(&what);

    const struct loopback_answer *answer = get(house, INSTANCE "/frames/1", CORNERSTONE);
    EXPECT(answer->status == 200 &&
               has(answer->body,
                   "Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.80\r\n"),
           "%d", answer->status);
    answer = get(house, INSTANCE "/frames/1", "accept: multipart/related; type=\"image/jls\"\n");
    EXPECT(answer->status == 200 &&
               has(answer->body, "Content-Type: image/jls; transfer-syntax=1.2.840.10008.1.2.4.80\r\n"),
           "%d", answer->status);
    /* 333 bytes of nothing are no code stream: what cannot be decoded is said, with a status. */
    answer = get(house, INSTANCE "/frames/1",
                 "accept: multipart/related; type=\"application/octet-stream\"; "
                 "transfer-syntax=1.2.840.10008.1.2.1\n");
    EXPECT(answer->status == 500 && has(answer->body, "cannot be decoded"), "%d: %.*s", answer->status,
           BYTES_ARG(answer->body));
    EXPECT(has(get(house, INSTANCE "/frames/1", "accept: text/csv\n")->body, "1.2.840.10008.1.2.4.80"),
           "NEG-16");
    loopback_close(house);
}

TEST(MPR_08_ranges_of_a_frame_fit_together)
{
    static const struct make_dicom cases[] = {
        { .rows = 100, .columns = 100 },
        { .rows = 100, .columns = 100, .transfer_syntax = "1.2.840.10008.1.2.2", .frames = 2 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct loopback *house = house_with(&cases[i]);
        SCOPED(buffer) struct buffer whole = { 0 };

        buffer_init(&whole, SAMPLE_CEILING_BYTES);
        buffer_append(&whole, get(house, INSTANCE "/frames/1,1", CORNERSTONE)->body);
        for (size_t from = 0; from < whole.size; from += 3001) {
            char headers[200];
            snprintf(headers, sizeof(headers), "%srange: bytes=%zu-%zu\n", CORNERSTONE, from, from + 3000);
            const struct loopback_answer *answer = get(house, INSTANCE "/frames/1,1", headers);
            struct bytes want = bytes_from(buffer_bytes(&whole), from);

            want.size = want.size < 3001 ? want.size : 3001;
            EXPECT(answer->status == 206 && bytes_equal(answer->body, want),
                   "case %zu, from %zu: %d, %zu bytes", i, from, answer->status, answer->body.size);
        }
        loopback_close(house);
    }
}

TEST(HTP_40_tags_differ_by_what_was_asked_and_HTP_41_spare_the_body)
{
    struct loopback *house = house_with(&(struct make_dicom){ .frames = 2 });
    char tags[3][100] = { "" };
    static const char *const accepts[] = { "accept: application/octet-stream\n", CORNERSTONE, CORNERSTONE };
    static const char *const targets[] = { INSTANCE "/frames/1", INSTANCE "/frames/1", INSTANCE "/frames/2" };

    for (size_t i = 0; i < 3; i++) {
        get(house, targets[i], accepts[i]);
        snprintf(tags[i], sizeof(tags[i]), "%.*s", BYTES_ARG(loopback_header(house, "etag")));
        char headers[400];
        snprintf(headers, sizeof(headers), "%sif-none-match: %s\n", accepts[i], tags[i]);
        const struct loopback_answer *answer = get(house, targets[i], headers);
        EXPECT(answer->status == 304 && answer->body.size == 0, "%s: %d", targets[i], answer->status);
    }
    EXPECT(strcmp(tags[0], tags[1]) != 0 && strcmp(tags[1], tags[2]) != 0, "%s %s %s", tags[0], tags[1],
           tags[2]);
    loopback_close(house);
}

TEST(RET_51_frames_of_a_deflated_data_set_are_inflated)
{
    const struct make_dicom what = {
        .frames = 3, .transfer_syntax = "1.2.840.10008.1.2.1.99", .rows = 40, .columns = 50
    };
    struct loopback *house = house_with(&what);
    SCOPED(buffer) struct buffer all = { 0 };

    buffer_init(&all, SAMPLE_CEILING_BYTES);
    for (uint32_t frame = 3; frame >= 1; frame--) {
        char target[200];
        SCOPED(buffer) struct buffer want = frame_of(&what, frame);
        struct bytes head = NOTHING;

        snprintf(target, sizeof(target), INSTANCE "/frames/%u", frame);
        const struct loopback_answer *answer = get(house, target, CORNERSTONE);
        EXPECT(answer->status == 200 && bytes_equal(part_of(answer->body, 0, &head), buffer_bytes(&want)),
               "frame %u: %d", frame, answer->status);
        EXPECT(has(head, "transfer-syntax=1.2.840.10008.1.2.1\r\n"), "%.*s", BYTES_ARG(head));
    }
    const struct loopback_answer *answer = get(house, INSTANCE "/frames/1,2,3", CORNERSTONE);
    for (unsigned i = 0; i < 3; i++) {
        SCOPED(buffer) struct buffer want = frame_of(&what, i + 1);
        EXPECT(bytes_equal(part_of(answer->body, i, NULL), buffer_bytes(&want)), "part %u", i);
        buffer_append(&all, buffer_bytes(&want));
    }
    answer = get(house, INSTANCE "/bulkdata/7FE00010", "accept: application/octet-stream\n");
    EXPECT(answer->status == 200 && bytes_equal(answer->body, buffer_bytes(&all)), "the value: %d, %zu bytes",
           answer->status, answer->body.size);
    loopback_close(house);
}

TEST(the_paths_of_progressive_loaders_give_frames_of_their_kind)
{
    const struct make_dicom stored = {
        .frames = 2, .transfer_syntax = "1.2.840.10008.1.2.4.201", .fragment_count = 1, .fragment_bytes = 100
    };
    struct loopback *house = house_with(&stored);
    struct bytes head = NOTHING;
    SCOPED(buffer) struct buffer want = frame_of(&stored, 2);
    const struct loopback_answer *answer = get(house, INSTANCE "/htj2k/2", CORNERSTONE);

    EXPECT(answer->status == 200 && bytes_equal(part_of(answer->body, 0, &head), buffer_bytes(&want)), "%d",
           answer->status);
    EXPECT(has(head, "Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.201\r\n") &&
               has(head, "/frames/2\r\n"),
           "%.*s", BYTES_ARG(head));
    answer = get(house, INSTANCE "/htj2k/1", "accept: */*\n");
    part_of(answer->body, 0, &head);
    EXPECT(has(head, "Content-Type: image/jphc; transfer-syntax=1.2.840.10008.1.2.4.201\r\n"), "%.*s",
           BYTES_ARG(head));
    EXPECT(get(house, INSTANCE "/htj2k/3", CORNERSTONE)->status == 404, "a frame that is not there");
    EXPECT(get(house, INSTANCE "/lossy/0", CORNERSTONE)->status == 400, "no frame at all");
    EXPECT(get(house, INSTANCE "/frames/1/pixeldata", CORNERSTONE)->status == 200, "the frame's pixel data");
    loopback_close(house);
}
