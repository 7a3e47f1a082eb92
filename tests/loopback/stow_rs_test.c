/* tests/loopback/stow_rs_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Store transaction, through the whole house without a socket.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/loopback/sample.h"
#include "tests/support/temp_folder.h"

static struct buffer one_part(const char *part_headers, struct bytes content)
{
    struct buffer body;

    buffer_init(&body, SAMPLE_CEILING_BYTES);
    add_part(&body, part_headers, content);
    end_parts(&body);
    return body;
}

static int status_of(struct loopback *house, const char *target)
{
    return get(house, target, NULL)->status;
}

TEST(STO_43_an_instance_is_stored_and_told_by_its_url)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer body = one_part(DICOM_PART, buffer_bytes(&file));
    const struct loopback_answer *answer = post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body));

    EXPECT(answer->status == 200, "status %d: %.*s", answer->status, BYTES_ARG(answer->body));
    EXPECT_TEXT(loopback_header(house, "content-type"), "application/dicom+json");
    EXPECT_TEXT(loopback_header(house, "location"), "https://localhost" STUDY);
    EXPECT(answer->body.size && answer->body.data[0] == '{', "STO-45: %.*s", BYTES_ARG(answer->body));
    EXPECT(has(answer->body, "\"00081155\":{\"vr\":\"UI\",\"Value\":[\"1.2.3.1.1.1\"]}"), "%.*s",
           BYTES_ARG(answer->body));
    EXPECT(has(answer->body, "\"https://localhost" INSTANCE "\""), "%.*s", BYTES_ARG(answer->body));
    EXPECT(!has(answer->body, "00081198") && !has(answer->body, "0008119A"), "STO-56: %.*s",
           BYTES_ARG(answer->body));
    EXPECT(status_of(house, INSTANCE) == 200, "the instance is not there");
    loopback_close(house);
}

TEST(STO_02_the_parameters_of_the_content_type_come_in_any_form)
{
    static const char *const types[] = {
        "content-type: multipart/related;boundary=\"B\";type=application/dicom\n",
        ("content-type: Multipart/Related; TYPE=\"application/dicom\"; Boundary=B; start=\"<1>\"; "
         "charset=utf-8\n"),
        "content-type: multipart/related; boundary=B\n",
        "content-type: multipart/related; type=\"Application/DICOM\"; boundary=B\n",
    };

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct loopback *house = loopback_open(NULL);
        SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
        SCOPED(buffer) struct buffer body = one_part(i % 2 ? DICOM_PART : "", buffer_bytes(&file));

        EXPECT(post(house, "/dicom-web/studies?x=1", types[i], buffer_bytes(&body))->status == 200, "%s",
               types[i]);
        loopback_close(house);
    }
}

TEST(STO_04_other_content_types_are_refused_by_name_of_what_is_taken)
{
    static const struct {
        const char *type;
        int status;
    } cases[] = {
        { "content-type: text/plain\n", 415 },
        { "", 415 },
        { "content-type: multipart/form-data; boundary=B\n", 415 },
        { "content-type: multipart/mixed; boundary=B\n", 415 },
        { "content-type: multipart/related; type=\"image/jpeg\"; boundary=B\n", 415 },
        { "content-type: ;;;\n", 415 },
        { "content-type: multipart/related; type=\"application/dicom\"\n", 400 },
        { "content-type: multipart/related; type=\"application/dicom\"; boundary=\"\"\n", 400 },
        { "content-type: multipart/related; type=\"application/dicom\"; boundary=\"B{}\"\n", 400 },
        { STOW_TYPE "content-encoding: br\n", 415 },
        { STOW_TYPE "content-encoding: gzip\n", 400 },
    };
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer body = one_part(DICOM_PART, buffer_bytes(&file));

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct loopback_answer *answer =
            post(house, "/dicom-web/studies", cases[i].type, buffer_bytes(&body));

        EXPECT(answer->status == cases[i].status, "%s: %d", cases[i].type, answer->status);
        if (i < 6)
            EXPECT(has(answer->body, "application/dicom"), "%s: %.*s", cases[i].type,
                   BYTES_ARG(answer->body));
        EXPECT(status_of(house, INSTANCE) == 404, "%s: stored nevertheless", cases[i].type);
    }
    loopback_close(house);
}

TEST(STO_09_a_body_may_come_in_pieces_of_any_size)
{
    static const size_t chunks[] = { 1, 2, 3, 7, 61, 1000 };

    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        struct loopback *house = loopback_open(&(struct loopback_options){ .chunk_bytes = chunks[i] });
        SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
        SCOPED(buffer) struct buffer body = { 0 };

        buffer_init(&body, SAMPLE_CEILING_BYTES);
        buffer_append_text(&body, "\r\n"); /* as OHIF begins, STO-08 */
        add_part(&body, DICOM_PART, buffer_bytes(&file));
        end_parts(&body);
        buffer_append_text(&body, "epilogue");
        const int status = loopback_call(house, "POST", "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body),
                                         UINT64_MAX) /* chunked: STO-06 */
                               ->status;
        EXPECT(status == 200, "in pieces of %zu: %d", chunks[i], status);
        const struct loopback_answer *answer = get(house, INSTANCE, "accept: application/dicom\n");
        EXPECT(bytes_equal(answer->body, buffer_bytes(&file)), "%zu bytes came back", answer->body.size);
        loopback_close(house);
    }
}

TEST(STO_10_a_cut_body_keeps_what_was_whole)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer first = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer second = sample(&(struct make_dicom){ .instance = "1.2.3.1.1.2" });
    SCOPED(buffer) struct buffer body = { 0 };

    buffer_init(&body, SAMPLE_CEILING_BYTES);
    add_part(&body, DICOM_PART, buffer_bytes(&first));
    add_part(&body, DICOM_PART, buffer_bytes(&second));
    buffer_cut(&body, body.size - 40);
    const struct loopback_answer *answer = post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body));
    EXPECT(answer->status == 202, "status %d", answer->status);
    EXPECT(has(answer->body,
               "\"0008119A\":{\"vr\":\"SQ\",\"Value\":[{\"00081197\":{\"vr\":\"US\",\"Value\":[272]},"),
           "%.*s", BYTES_ARG(answer->body));
    EXPECT(status_of(house, INSTANCE) == 200, "the whole instance is not there");
    EXPECT(status_of(house, SERIES "/instances/1.2.3.1.1.2") == 404, "half an instance is there");
    loopback_close(house);
}

TEST(STO_10_a_body_cut_within_its_first_part_is_malformed)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer body = { 0 };

    buffer_init(&body, SAMPLE_CEILING_BYTES);
    add_part(&body, DICOM_PART, buffer_bytes(&file));
    EXPECT(post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body))->status == 400,
           "without the closing delimiter");
    EXPECT(status_of(house, INSTANCE) == 404, "stored nevertheless");
    loopback_close(house);
}

TEST(STO_11_a_wrong_part_length_fails_that_part_alone)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer first = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer second = sample(&(struct make_dicom){ .instance = "1.2.3.1.1.2" });
    SCOPED(buffer) struct buffer body = { 0 };

    buffer_init(&body, SAMPLE_CEILING_BYTES);
    add_part(&body, DICOM_PART "Content-Length: 5\r\n", buffer_bytes(&first));
    add_part(&body, DICOM_PART, buffer_bytes(&second));
    end_parts(&body);
    const struct loopback_answer *answer = post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body));
    EXPECT(answer->status == 202 && has(answer->body, "[272]"), "%d %.*s", answer->status,
           BYTES_ARG(answer->body));
    EXPECT(status_of(house, INSTANCE) == 404, "stored nevertheless");
    EXPECT(status_of(house, SERIES "/instances/1.2.3.1.1.2") == 200, "the good one is not there");
    loopback_close(house);
}

TEST(STO_14_nothing_to_store_is_malformed)
{
    static const char *const bodies[] = { "", "--B--\r\n", "\r\n--B--", "no delimiter at all", "--B" };
    struct loopback *house = loopback_open(NULL);

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        const struct loopback_answer *answer =
            post(house, "/dicom-web/studies", STOW_TYPE, bytes_of_text(bodies[i]));

        EXPECT(answer->status == 400, "\"%s\": %d", bodies[i], answer->status);
        EXPECT(answer->body.size > 0, "\"%s\": no reason told", bodies[i]);
    }
    loopback_close(house);
}

TEST(STO_16_a_body_over_the_ceiling_is_too_large)
{
    struct limits limits = sample_limits();
    limits.request_ceiling_bytes = 1000;
    struct loopback *house = loopback_open(&(struct loopback_options){ .limits = &limits });
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ .rows = 64, .columns = 64 });
    SCOPED(buffer) struct buffer body = one_part(DICOM_PART, buffer_bytes(&file));

    EXPECT(post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body))->status == 413, "announced");
    EXPECT(loopback_call(house, "POST", "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body), UINT64_MAX)
                   ->status == 413,
           "chunked");
    loopback_close(house);
}

TEST(STO_16_an_instance_over_its_ceiling_fails_alone)
{
    struct limits limits = sample_limits();
    limits.instance_ceiling_bytes = 2000;
    struct loopback *house = loopback_open(&(struct loopback_options){ .limits = &limits });
    SCOPED(buffer) struct buffer small = sample(&(struct make_dicom){ .rows = 1, .columns = 1 });
    SCOPED(buffer)
    struct buffer large =
        sample(&(struct make_dicom){ .instance = "1.2.3.1.1.2", .rows = 64, .columns = 64 });
    SCOPED(buffer) struct buffer body = { 0 };

    buffer_init(&body, SAMPLE_CEILING_BYTES);
    add_part(&body, DICOM_PART, buffer_bytes(&large));
    add_part(&body, DICOM_PART, buffer_bytes(&small));
    end_parts(&body);
    const struct loopback_answer *answer = post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body));
    EXPECT(answer->status == 202 && has(answer->body, "[42752]"), "%d %.*s", answer->status,
           BYTES_ARG(answer->body));
    EXPECT(status_of(house, INSTANCE) == 200, "the small one is not there");
    loopback_close(house);
}

TEST(STO_47_an_answer_that_cannot_be_given_stops_the_store)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer body = one_part(DICOM_PART, buffer_bytes(&file));

    EXPECT(post(house, "/dicom-web/studies", STOW_TYPE "accept: text/csv\n", buffer_bytes(&body))->status ==
               406,
           "text/csv");
    EXPECT(status_of(house, INSTANCE) == 404, "stored nevertheless");
    loopback_close(house);
}

TEST(STO_55_a_part_that_is_no_dicom_is_an_other_failure_among_good_ones)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer body = { 0 };

    buffer_init(&body, SAMPLE_CEILING_BYTES);
    add_part(&body, DICOM_PART,
             bytes_of_text("this is no DICOM file, but it is long enough to be looked at"));
    add_part(&body, DICOM_PART, buffer_bytes(&file));
    add_part(&body, "Content-Type: image/jpeg\r\n", bytes_of_text("x"));
    end_parts(&body);
    const struct loopback_answer *answer = post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body));
    EXPECT(answer->status == 202, "status %d", answer->status);
    EXPECT(has(answer->body, "\"0008119A\"") && has(answer->body, "[49152]") && has(answer->body, "[49442]"),
           "%.*s", BYTES_ARG(answer->body));
    EXPECT(has(answer->body, "\"00081199\"") && !has(answer->body, "\"00081198\""), "%.*s",
           BYTES_ARG(answer->body));
    EXPECT(loopback_header(house, "warning").data, "no Warning");
    loopback_close(house);
}

TEST(STO_43_when_none_is_stored_it_is_a_conflict)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer body = one_part(DICOM_PART, bytes_of_text("no DICOM at all, really none"));
    const struct loopback_answer *answer = post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body));

    EXPECT(answer->status == 409, "status %d", answer->status);
    EXPECT_TEXT(answer->body,
                "{\"00081190\":{\"vr\":\"UR\"},\"0008119A\":{\"vr\":\"SQ\",\"Value\":[{\"00081197\":"
                "{\"vr\":\"US\",\"Value\":[49152]},\"00741048\":{\"vr\":\"SQ\",\"Value\":[{\"00000902\":"
                "{\"vr\":\"LO\",\"Value\":[\"No transfer syntax, and the data set does not tell (no "
                "preamble, no meta).\"]}}]}}]}}");
    EXPECT(!loopback_header(house, "location").data, "a Location of nothing");
    loopback_close(house);
}

TEST(STO_60_instances_of_another_study_are_refused)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer ours = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer)
    struct buffer foreign =
        sample(&(struct make_dicom){ .study = "1.2.3.2", .series = "1.2.3.2.1", .instance = "1.2.3.2.1.1" });
    SCOPED(buffer) struct buffer body = { 0 };

    buffer_init(&body, SAMPLE_CEILING_BYTES);
    add_part(&body, DICOM_PART, buffer_bytes(&foreign));
    add_part(&body, DICOM_PART, buffer_bytes(&ours));
    end_parts(&body);
    const struct loopback_answer *answer = post(house, STUDY, STOW_TYPE, buffer_bytes(&body));
    EXPECT(answer->status == 202, "status %d", answer->status);
    EXPECT(has(answer->body, "\"00081198\"") && has(answer->body, "[43265]"), "%.*s",
           BYTES_ARG(answer->body));
    EXPECT(status_of(house, INSTANCE) == 200, "ours is not there");

    SCOPED(buffer) struct buffer alone = one_part(DICOM_PART, buffer_bytes(&foreign));
    EXPECT(post(house, STUDY, STOW_TYPE, buffer_bytes(&alone))->status == 409, "none fits");
    EXPECT(post(house, "/dicom-web/studies/1.2.abc", STOW_TYPE, buffer_bytes(&alone))->status == 400,
           "no UID");
    loopback_close(house);
}

TEST(STO_63_the_same_again_is_no_failure_and_STO_64_other_content_is)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer other = sample(&(struct make_dicom){ .seed = 7, .patient_id = "ID2" });
    SCOPED(buffer) struct buffer body = one_part(DICOM_PART, buffer_bytes(&file));
    SCOPED(buffer) struct buffer again = one_part(DICOM_PART, buffer_bytes(&other));

    EXPECT(post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body))->status == 200, "first");
    EXPECT(post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body))->status == 200,
           "the same again");
    const struct loopback_answer *answer = post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&again));
    EXPECT(answer->status == 409 && has(answer->body, "[273]") && has(answer->body, "\"00081198\""),
           "%d %.*s", answer->status, BYTES_ARG(answer->body));
    answer = get(house, INSTANCE, "accept: application/dicom\n");
    EXPECT(bytes_equal(answer->body, buffer_bytes(&file)), "the stored instance was touched");
    loopback_close(house);
}

TEST(a_single_file_is_stored_without_multipart)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ .rows = 200, .columns = 200 });
    const int status =
        post(house, "/dicom-web/studies", "content-type: application/dicom\n", buffer_bytes(&file))->status;

    EXPECT(status == 200, "status %d", status);
    const struct loopback_answer *answer = get(house, INSTANCE, "accept: application/dicom\n");
    EXPECT(bytes_equal(answer->body, buffer_bytes(&file)), "%zu bytes came back", answer->body.size);
    loopback_close(house);
}

TEST(STO_49_several_studies_have_no_one_url)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer first = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer)
    struct buffer second =
        sample(&(struct make_dicom){ .study = "1.2.3.2", .series = "1.2.3.2.1", .instance = "1.2.3.2.1.1" });
    SCOPED(buffer) struct buffer body = { 0 };

    buffer_init(&body, SAMPLE_CEILING_BYTES);
    add_part(&body, DICOM_PART, buffer_bytes(&first));
    add_part(&body, DICOM_PART, buffer_bytes(&second));
    end_parts(&body);
    const struct loopback_answer *answer = post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body));
    EXPECT(answer->status == 200, "status %d", answer->status);
    EXPECT(!loopback_header(house, "location").data, "a Location");
    EXPECT(has(answer->body, "{\"00081190\":{\"vr\":\"UR\"},"), "%.*s", BYTES_ARG(answer->body));
    loopback_close(house);
}

TEST(STO_52_want_of_resources_alone_is_503_and_worth_another_try)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer body = one_part(DICOM_PART, buffer_bytes(&file));
    const int next = open("/dev/null", O_RDONLY);
    struct rlimit before, none;

    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)next; /* no descriptor is left for a draft */
    setrlimit(RLIMIT_NOFILE, &none);
    const struct loopback_answer *answer = post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body));
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT(answer->status == 503 && has(answer->body, "[42752]"), "%d %.*s", answer->status,
           BYTES_ARG(answer->body));
    EXPECT(loopback_header(house, "retry-after").data, "no Retry-After");
    EXPECT(post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body))->status == 200,
           "the second try");
    loopback_close(house);
}

TEST(a_client_that_leaves_leaves_nothing_half_stored)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ .rows = 300, .columns = 300 });
    SCOPED(buffer) struct buffer body = one_part(DICOM_PART, buffer_bytes(&file));

    for (size_t cut = 1; cut < body.size; cut += body.size / 7)
        loopback_answer_free(loopback_call_new(house, "POST", "/dicom-web/studies", STOW_TYPE,
                                               bytes_of(body.data, cut), body.size, true));
    EXPECT(status_of(house, STUDY) == 404, "something of it is found");
    EXPECT(temp_folder_files(loopback_folder(house), ".dcm") == 0, "something of it is a file");
    EXPECT(post(house, "/dicom-web/studies", STOW_TYPE, buffer_bytes(&body))->status == 200,
           "it does not fit any more");
    loopback_close(house);
}

struct poster {
    pthread_t thread;
    struct loopback *house;
    struct bytes body;
    int status;
};

static void *post_body(void *of)
{
    struct poster *poster = of;
    struct loopback_answer *answer = loopback_call_new(poster->house, "POST", "/dicom-web/studies", STOW_TYPE,
                                                       poster->body, poster->body.size, false);

    poster->status = answer ? answer->status : 0;
    loopback_answer_free(answer);
    return NULL;
}

TEST(STO_54_the_same_instance_from_many_sides_is_stored_once)
{
    enum { POSTERS = 16 };
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer body = one_part(DICOM_PART, buffer_bytes(&file));
    struct poster posters[POSTERS];

    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){ .house = house, .body = buffer_bytes(&body) };
        if (pthread_create(&posters[i].thread, NULL, post_body, &posters[i]) != 0)
            abort();
    }
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(posters[i].thread, NULL);
        EXPECT(posters[i].status == 200, "poster %d: %d", i, posters[i].status);
    }
    EXPECT(has(get(house, "/dicom-web/studies", NULL)->body, "\"00201208\":{\"vr\":\"IS\",\"Value\":[1]}"),
           "%.*s", BYTES_ARG(get(house, "/dicom-web/studies", NULL)->body));
    EXPECT(temp_folder_files(loopback_folder(house), ".dcm") == 1, "not one file");
    loopback_close(house);
}
