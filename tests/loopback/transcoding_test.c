/* tests/loopback/transcoding_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Made frames and instances through the dispatcher: many who ask for the same at once, some of whom leave.
 */
#include <pthread.h>

#include "codec/codec.h"
#include "tests/loopback/sample.h"

enum { ASKERS = 8, TURNS = 6, FRAMES = 5 };

static const char *const wanted[] = {
    "accept: multipart/related; type=\"image/jp2\"\n",
    "accept: multipart/related; type=\"image/jls\"\n",
    "accept: multipart/related; type=\"image/dicom-rle\"\n",
};

struct asker {
    struct loopback *house;
    pthread_t thread;
    unsigned number, wrong;
    const struct buffer *expected; /* of each kind and frame */
};

static void frame_target(char into[120], unsigned frame)
{
    snprintf(into, 120, INSTANCE "/frames/%u", frame);
}

/* Everyone asks for the same frames in the same order: nearly always another is at it. */
static void *ask(void *of)
{
    struct asker *asker = of;

    for (unsigned turn = 0; turn < TURNS; turn++)
        for (unsigned frame = 1; frame <= FRAMES; frame++) {
            const unsigned kind = turn % COUNT_OF(wanted);
            char target[120];
            frame_target(target, frame);
            struct loopback_answer *answer =
                loopback_call_new(asker->house, "GET", target, wanted[kind], NOTHING, 0, false);
            asker->wrong +=
                !answer || answer->status != 200 || answer->cut ||
                !bytes_equal(answer->body, buffer_bytes(&asker->expected[kind * FRAMES + frame - 1]));
            loopback_answer_free(answer);
            /* A list of them, too, which waits in the middle of its body. */
            answer = loopback_call_new(asker->house, "GET", INSTANCE "/frames/1,2,3,4,5", wanted[kind],
                                       NOTHING, 0, false);
            asker->wrong += !answer || answer->status != 200 || answer->cut;
            loopback_answer_free(answer);
        }
    return NULL;
}

static struct loopback *house_of_frames(void)
{
    const struct make_dicom what = { .rows = 64, .columns = 64, .frames = FRAMES };
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&what);
    const struct bytes bytes = buffer_bytes(&file);

    if (loopback_store(house, &bytes, 1) != 200)
        abort();
    return house;
}

TEST(equal_requests_at_once_wait_for_each_other_and_get_the_same)
{
    struct buffer expected[COUNT_OF(wanted) * FRAMES];
    struct asker askers[ASKERS];
    struct loopback *house = house_of_frames();

    for (unsigned i = 0; i < COUNT_OF(expected); i++) {
        char target[120];
        frame_target(target, i % FRAMES + 1);
        const struct loopback_answer *answer = get(house, target, wanted[i / FRAMES]);
        EXPECT(answer->status == 200, "%d", answer->status);
        buffer_init(&expected[i], SAMPLE_CEILING_BYTES);
        buffer_append(&expected[i], answer->body);
    }
    loopback_close(house);
    house = house_of_frames(); /* with nothing made */
    for (unsigned i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){ .house = house, .number = i, .expected = expected };
        pthread_create(&askers[i].thread, NULL, ask, &askers[i]);
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        pthread_join(askers[i].thread, NULL);
        EXPECT(askers[i].wrong == 0, "asker %u: %u wrong answers", i, askers[i].wrong);
    }
    loopback_close(house);
    for (unsigned i = 0; i < COUNT_OF(expected); i++)
        buffer_done(&expected[i]);
    EXPECT(block_in_use() == 0, "%zu bytes of blocks left", block_in_use());
}

TEST(NEG_34_an_instance_goes_out_in_the_syntax_that_was_named)
{
    static const char *const syntaxes[] = { "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90",
                                            "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.5" };
    struct loopback *house = house_of_frames();

    for (size_t i = 0; i < COUNT_OF(syntaxes); i++) {
        char accept[120];
        snprintf(accept, sizeof accept, "accept: application/dicom; transfer-syntax=%s\n", syntaxes[i]);
        const struct loopback_answer *answer = get(house, INSTANCE, accept);
        EXPECT(answer->status == 200 && has(answer->body, syntaxes[i]), "%s: %d", syntaxes[i],
               answer->status);
        const struct bytes end = bytes_from(answer->body, answer->body.size - 8);
        EXPECT(answer->body.size > 8 && bytes_equal(end, bytes_of("\xFE\xFF\xDD\xE0\0\0\0\0", 8)),
               "%s: no delimiter at the end", syntaxes[i]);
    }
    EXPECT(get(house, INSTANCE, "accept: application/dicom; transfer-syntax=1.2.840.10008.1.2.4.100\n")
                   ->status == 406,
           "MPEG");
    loopback_close(house);
}

TEST(NEG_34_a_lossy_syntax_is_made_when_it_is_named_and_not_otherwise)
{
    struct loopback *house = house_of_frames();

    EXPECT_TEXT(
        (get(house, INSTANCE "/frames/1", "accept: image/jls\n"), loopback_header(house, "content-type")),
        "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80");
    EXPECT_TEXT(
        (get(house, INSTANCE "/frames/1", "accept: image/jls; transfer-syntax=1.2.840.10008.1.2.4.81\n"),
         loopback_header(house, "content-type")),
        "image/jls; transfer-syntax=1.2.840.10008.1.2.4.81");
    EXPECT_TEXT((get(house, INSTANCE "/frames/1", "accept: image/jls; transfer-syntax=*\n"),
                 loopback_header(house, "content-type")),
                "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80");
    loopback_close(house);
}

TEST(MPR_09_a_made_frame_has_a_length_and_the_same_tag_each_time)
{
    struct loopback *house = house_of_frames();
    char tag[80] = "";

    for (unsigned i = 0; i < 2; i++) {
        const struct loopback_answer *answer = get(house, INSTANCE "/frames/2", wanted[0]);
        const struct bytes now = loopback_header(house, "etag");
        EXPECT(answer->status == 200 && has(answer->body, "Content-Length: "), "%d", answer->status);
        EXPECT(now.size > 0 && now.size < sizeof tag, "no tag");
        if (i == 0)
            memcpy(tag, now.data, now.size < sizeof tag ? now.size : 0);
        else
            EXPECT_TEXT(now, tag);
    }
    loopback_close(house);
}

TEST(RET_41_compressed_pixel_data_come_decoded_as_one_value_or_frame_by_frame)
{
    const struct make_dicom what = { .rows = 64, .columns = 64, .frames = FRAMES };
    struct loopback *house = house_of_frames(), *other = loopback_open(NULL);
    SCOPED(buffer) struct buffer native, rle;

    buffer_init(&native, SAMPLE_CEILING_BYTES);
    buffer_init(&rle, SAMPLE_CEILING_BYTES);
    for (uint32_t frame = 1; frame <= FRAMES; frame++)
        make_dicom_frame(&native, &what, frame);
    const struct loopback_answer *answer =
        get(house, INSTANCE, "accept: application/dicom; transfer-syntax=1.2.840.10008.1.2.5\n");
    buffer_append(&rle, answer->body);
    const struct bytes file = buffer_bytes(&rle);
    EXPECT(loopback_store(other, &file, 1) == 200, "the RLE file");

    answer = get(other, INSTANCE "/bulkdata/7FE00010", "accept: application/octet-stream\n");
    EXPECT(answer->status == 200 && bytes_equal(answer->body, buffer_bytes(&native)), "%d, %zu bytes",
           answer->status, answer->body.size);
    answer = get(other, INSTANCE "/bulkdata/7FE00010",
                 "accept: multipart/related; type=\"application/octet-stream\"\n");
    EXPECT(answer->status == 200 && times(answer->body, "Content-Location: ") == 1, "%u parts",
           times(answer->body, "Content-Location: "));
    answer =
        get(other, INSTANCE "/bulkdata/7FE00010", "accept: multipart/related; type=\"image/dicom-rle\"\n");
    EXPECT(answer->status == 200 && times(answer->body, "Content-Location: ") == FRAMES, "%u parts",
           times(answer->body, "Content-Location: "));
    /* Native ones, asked for as something else, are what the label says. */
    answer = get(house, INSTANCE "/bulkdata/7FE00010", "accept: multipart/related; type=\"image/jls\"\n");
    EXPECT(answer->status == 200 &&
               times(answer->body, "Content-Type: image/jls; transfer-syntax=1.2.840.10008.1.2.4.80") ==
                   FRAMES &&
               times(answer->body, "\xFF\xD8\xFF\xF7") == FRAMES,
           "%d", answer->status);
    EXPECT(get(house, INSTANCE "/bulkdata/7FE00010", "accept: image/jls\n")->status == 406,
           "many frames as one JPEG-LS");
    loopback_close(house);
    loopback_close(other);
}
