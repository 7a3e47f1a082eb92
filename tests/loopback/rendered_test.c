/* tests/loopback/rendered_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pictures through the whole house without a socket: from many threads at once, and while what they show is
 * deleted.
 */
#include <pthread.h>

#include "tests/loopback/sample.h"

enum { THREADS = 6, ROUNDS = 8, FRAMES = 5 };

static struct loopback *house_of_frames(void)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer)
    struct buffer file = sample(&(struct make_dicom){ .frames = FRAMES, .rows = 64, .columns = 48 });
    const struct bytes view = buffer_bytes(&file);

    EXPECT(loopback_store(house, &view, 1) == 200, "the sample was not stored");
    return house;
}

struct asking {
    struct loopback *house;
    unsigned first;
    unsigned wrong, answered;
    struct bytes want[FRAMES]; /* data NULL: whatever comes */
};

static void ask(struct asking *asking, unsigned frame)
{
    static const char *const resources[] = { "rendered", "thumbnail" };
    char target[200];

    for (size_t i = 0; i < COUNT_OF(resources); i++) {
        snprintf(target, sizeof(target), INSTANCE "/frames/%u/%s", frame + 1, resources[i]);
        struct loopback_answer *answer =
            loopback_call_new(asking->house, "GET", target, "accept: image/png\n", NOTHING, 0, false);
        if (!answer || (answer->status != 200 && answer->status != 404 && answer->status != 410))
            asking->wrong++;
        else if (answer->status == 200 && i == 0 && asking->want[frame].data &&
                 !bytes_equal(answer->body, asking->want[frame]))
            asking->wrong++;
        else if (answer->status == 200)
            asking->answered++;
        loopback_answer_free(answer);
    }
}

static void *ask_all(void *given)
{
    struct asking *asking = given;

    for (unsigned n = 0; n < ROUNDS * FRAMES; n++)
        ask(asking, (asking->first + n) % FRAMES);
    return NULL;
}

TEST(REN_61_many_that_ask_at_once_get_the_same_bytes)
{
    struct loopback *house = house_of_frames();
    struct asking one = { .house = house }, asking[THREADS];
    struct loopback_answer *answers[FRAMES];
    pthread_t threads[THREADS];
    char target[200];

    for (unsigned i = 0; i < FRAMES; i++) {
        snprintf(target, sizeof(target), INSTANCE "/frames/%u/rendered", i + 1);
        answers[i] = loopback_call_new(house, "GET", target, "accept: image/png\n", NOTHING, 0, false);
        if (EXPECT(answers[i] && answers[i]->status == 200, "frame %u", i + 1))
            one.want[i] = answers[i]->body;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        asking[i] = one;
        asking[i].first = i;
        pthread_create(&threads[i], NULL, ask_all, &asking[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        EXPECT(asking[i].wrong == 0 && asking[i].answered == 2 * ROUNDS * FRAMES,
               "thread %u: %u wrong, %u answered", i, asking[i].wrong, asking[i].answered);
    }
    for (unsigned i = 0; i < FRAMES; i++)
        loopback_answer_free(answers[i]);
    loopback_close(house);
}

TEST(an_instance_may_go_while_it_is_rendered)
{
    for (unsigned round = 0; round < 3; round++) {
        struct loopback *house = house_of_frames();
        struct asking asking[THREADS];
        pthread_t threads[THREADS];

        for (unsigned i = 0; i < THREADS; i++) {
            asking[i] = (struct asking){ .house = house, .first = i };
            pthread_create(&threads[i], NULL, ask_all, &asking[i]);
        }
        loopback_answer_free(loopback_call_new(house, "DELETE", INSTANCE, NULL, NOTHING, 0, false));
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            EXPECT(asking[i].wrong == 0, "thread %u: %u wrong", i, asking[i].wrong);
        }
        loopback_close(house);
    }
}

/* What is made has a name for the cache, of all that was asked for. */
TEST(an_animation_of_many_frames_and_a_region_of_many_digits_are_pictures_like_others)
{
    static const char *const targets[] = {
        "/rendered",
        "/frames/7/"
        "rendered?window=1234.0123456789012,1734.0123456789012,linear-exact&annotation=patient,technique"
        "&viewport=64,48,1.0123456789012345,2.0123456789012345,13.012345678901234,12.012345678901234"
        "&iccprofile=yes",
    };
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer)
    struct buffer file = sample(&(struct make_dicom){ .frames = 300, .rows = 16, .columns = 24 });
    const struct bytes view = buffer_bytes(&file);

    EXPECT(loopback_store(house, &view, 1) == 200, "the sample was not stored");
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        char target[400];
        snprintf(target, sizeof(target), INSTANCE "%s", targets[i]);
        const struct loopback_answer *answer =
            get(house, target, i == 0 ? "accept: image/gif\n" : "accept: image/png\n");
        EXPECT(answer->status == 200 && answer->body.size > 100, "%s: status %d, %.*s", targets[i],
               answer->status, answer->status == 200 ? 0 : (int)answer->body.size,
               (const char *)answer->body.data);
    }
    loopback_close(house);
}

TEST(REN_05_parts_are_made_while_they_are_sent)
{
    struct loopback *house = house_of_frames();
    const struct loopback_answer *answer =
        get(house, INSTANCE "/rendered", "accept: multipart/related; type=\"image/jpeg\"\n");

    EXPECT(answer->status == 200 && !answer->cut, "status %d", answer->status);
    for (unsigned i = 0; i < FRAMES; i++)
        EXPECT(bytes_starts_with(part_of(answer->body, i, NULL), bytes_of_text("\xFF\xD8\xFF")), "part %u",
               i);
    EXPECT(!part_of(answer->body, FRAMES, NULL).data, "a part too many");
    answer = get(house, INSTANCE "/rendered", "accept: image/gif\n");
    EXPECT(answer->status == 200 && bytes_starts_with(answer->body, bytes_of_text("GIF89a")), "status %d",
           answer->status);
    loopback_close(house);
}
