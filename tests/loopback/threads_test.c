/* tests/loopback/threads_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Storing, searching, retrieving and leaving half-way, all at once: every answer is right for what it asked.
 * Meant for the thread sanitizer, true without it.
 */
#include "tests/loopback/sample.h"

#include <pthread.h>

enum { STORERS = 3, READERS = 3, ROUNDS = 12 };

struct part {
    struct loopback *house;
    pthread_t thread;
    unsigned number, wrong;
    struct buffer frame;
};

static struct buffer upload_of(unsigned number, unsigned round)
{
    char study[32], series[32], instance[40];
    struct buffer body;

    snprintf(study, sizeof study, "1.2.9.%u", number + 1);
    snprintf(series, sizeof series, "1.2.9.%u.1", number + 1);
    snprintf(instance, sizeof instance, "1.2.9.%u.1.%u", number + 1, round + 1);
    const struct make_dicom what = {
        .study = study, .series = series, .instance = instance, .rows = 64, .columns = 64
    };
    struct buffer file = sample(&what);
    buffer_init(&body, SAMPLE_CEILING_BYTES);
    buffer_append_text(&body, "--B\r\nContent-Type: application/dicom\r\n\r\n");
    buffer_append(&body, buffer_bytes(&file));
    buffer_append_text(&body, "\r\n--B--\r\n");
    buffer_done(&file);
    return body;
}

static void *store_some(void *of)
{
    struct part *part = of;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct buffer body = upload_of(part->number, round);
        /* Every third client leaves before the end of its body, then comes again. */
        if (round % 3 == 0) {
            struct loopback_answer *none =
                loopback_call_new(part->house, "POST", "/dicom-web/studies", STOW_TYPE,
                                  bytes_of(body.data, body.size - 10), body.size, true);
            part->wrong += none != NULL;
            loopback_answer_free(none);
        }
        struct loopback_answer *answer = loopback_call_new(part->house, "POST", "/dicom-web/studies",
                                                           STOW_TYPE, buffer_bytes(&body), body.size, false);
        part->wrong += !answer || answer->status != 200;
        loopback_answer_free(answer);
        buffer_done(&body);
    }
    return NULL;
}

static void *read_some(void *of)
{
    struct part *part = of;
    const struct bytes frame = buffer_bytes(&part->frame);

    for (unsigned round = 0; round < 3 * ROUNDS; round++) {
        struct loopback_answer *answer =
            loopback_call_new(part->house, "GET", INSTANCE "/frames/1",
                              "accept: application/octet-stream; transfer-syntax=*\n", NOTHING, 0, false);
        part->wrong += !answer || answer->status != 200 || !bytes_equal(answer->body, frame);
        loopback_answer_free(answer);
        answer =
            loopback_call_new(part->house, "GET", STUDY,
                              "accept: multipart/related; type=\"application/dicom\"\n", NOTHING, 0, false);
        part->wrong += !answer || answer->status != 200 || answer->cut;
        loopback_answer_free(answer);
        answer = loopback_call_new(part->house, "GET", "/dicom-web/studies?PatientID=ID1",
                                   "accept: application/json\n", NOTHING, 0, false);
        part->wrong += !answer || answer->status != 200;
        loopback_answer_free(answer);
        answer = loopback_call_new(part->house, "GET", STUDY "/metadata", NULL, NOTHING, 0, false);
        part->wrong += !answer || answer->status != 200;
        loopback_answer_free(answer);
    }
    return NULL;
}

TEST(storing_searching_and_retrieving_at_once_give_right_answers)
{
    const struct make_dicom what = { .rows = 64, .columns = 64 };
    struct loopback *house = loopback_open(NULL);
    struct part parts[STORERS + READERS] = { 0 };
    struct buffer file = sample(&what);
    const struct bytes first = buffer_bytes(&file);

    EXPECT(loopback_store(house, &first, 1) == 200, "the first instance");
    for (unsigned i = 0; i < COUNT_OF(parts); i++) {
        parts[i].house = house;
        parts[i].number = i;
        buffer_init(&parts[i].frame, SAMPLE_CEILING_BYTES);
        make_dicom_frame(&parts[i].frame, &what, 1);
        pthread_create(&parts[i].thread, NULL, i < STORERS ? store_some : read_some, &parts[i]);
    }
    for (unsigned i = 0; i < COUNT_OF(parts); i++) {
        pthread_join(parts[i].thread, NULL);
        EXPECT(parts[i].wrong == 0, "%s %u: %u wrong answers", i < STORERS ? "storer" : "reader", i,
               parts[i].wrong);
        buffer_done(&parts[i].frame);
    }
    for (unsigned i = 0; i < STORERS; i++) {
        char target[80];
        snprintf(target, sizeof target, "/dicom-web/studies/1.2.9.%u/instances", i + 1);
        const struct loopback_answer *answer = get(house, target, NULL);
        const unsigned found = times(answer->body, "\"00080018\"");
        EXPECT(answer->status == 200 && found == ROUNDS, "%u of %d instances of study %u", found, (int)ROUNDS,
               i);
    }
    buffer_done(&file);
    loopback_close(house);
}
