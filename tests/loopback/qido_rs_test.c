/* tests/loopback/qido_rs_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Search transaction, through the whole house without a socket. Matching itself is tested in its rooms.
 */
#include "tests/loopback/sample.h"

static struct loopback *house_with_two_studies(void)
{
    struct loopback *house = loopback_open(NULL);
    SCOPED(buffer) struct buffer a = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer)
    struct buffer b = sample(&(struct make_dicom){ .instance = "1.2.3.1.1.2", .instance_number = "2" });
    SCOPED(buffer)
    struct buffer c = sample(&(struct make_dicom){ .study = "1.2.3.2",
                                                   .series = "1.2.3.2.1",
                                                   .instance = "1.2.3.2.1.1",
                                                   .patient_name = "Roe^Richard",
                                                   .patient_id = "ID2",
                                                   .modality = "MR",
                                                   .study_date = "20230506" });
    const struct bytes files[] = { buffer_bytes(&a), buffer_bytes(&b), buffer_bytes(&c) };

    EXPECT(loopback_store(house, files, COUNT_OF(files)) == 200, "the samples were not stored");
    return house;
}

TEST(SEA_01_all_six_resources_answer)
{
    static const struct {
        const char *target;
        unsigned rows;
    } cases[] = {
        { "/dicom-web/studies", 2 }, { STUDY "/series", 1 },     { STUDY "/instances", 2 },
        { "/dicom-web/series", 2 },  { SERIES "/instances", 2 }, { "/dicom-web/instances", 3 },
    };
    struct loopback *house = house_with_two_studies();

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct loopback_answer *answer =
            get(house, cases[i].target, "accept: application/dicom+json\n");

        EXPECT(answer->status == 200, "%s: %d", cases[i].target, answer->status);
        EXPECT(times(answer->body, "\"00081190\"") == cases[i].rows, "%s: %.*s", cases[i].target,
               BYTES_ARG(answer->body));
        EXPECT(answer->body.size && answer->body.data[0] == '[', "%s: no array", cases[i].target);
        EXPECT(has(answer->body, "https://localhost/dicom-web/studies/1.2.3.1"), "%s: GEN-02 %.*s",
               cases[i].target, BYTES_ARG(answer->body));
        EXPECT(!memchr(answer->body.data, JSON_BASE_MARK, answer->body.size), "%s: a mark is left",
               cases[i].target);
        EXPECT_TEXT(loopback_header(house, "content-type"), "application/dicom+json");
    }
    loopback_close(house);
}

TEST(SEA_04_no_match_is_204_also_below_an_unknown_study)
{
    static const char *const targets[] = { "/dicom-web/studies?PatientID=none",
                                           "/dicom-web/studies/1.9.9/series",
                                           "/dicom-web/studies/1.9.9/series/1.9/instances" };
    struct loopback *house = house_with_two_studies();

    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        const struct loopback_answer *answer = get(house, targets[i], NULL);
        EXPECT(answer->status == 204 && answer->body.size == 0, "%s: %d", targets[i], answer->status);
    }
    loopback_close(house);
}

TEST(a_key_finds_its_study)
{
    static const char *const targets[] = { "/dicom-web/studies?PatientID=ID2",
                                           "/dicom-web/studies?PatientName=roe*",
                                           "/dicom-web/studies?00080020=20230101-20231231",
                                           "/dicom-web/studies?ModalitiesInStudy=MR%2CPT" };
    struct loopback *house = house_with_two_studies();

    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        const struct loopback_answer *answer = get(house, targets[i], NULL);
        EXPECT(answer->status == 200 && times(answer->body, "\"0020000D\"") == 1 &&
                   has(answer->body, "1.2.3.2"),
               "%s: %d %.*s", targets[i], answer->status, BYTES_ARG(answer->body));
    }
    loopback_close(house);
}

TEST(SEA_33_what_remains_is_told_in_a_warning)
{
    struct loopback *house = house_with_two_studies();

    const struct loopback_answer *answer = get(house, "/dicom-web/studies?limit=1", NULL);
    EXPECT(answer->status == 200 && times(answer->body, "\"0020000D\"") == 1, "%d", answer->status);
    EXPECT(has(answer->head,
               "warning: 299 https://localhost/dicom-web: There are 1 additional results that can be "
               "requested\n"),
           "%.*s", BYTES_ARG(answer->head));
    answer = get(house, "/dicom-web/studies?limit=0", NULL);
    EXPECT(answer->status == 204 && has(answer->head, "There are 2 additional"), "SEA-36: %d %.*s",
           answer->status, BYTES_ARG(answer->head));
    answer = get(house, "/dicom-web/studies?limit=1&offset=1", NULL);
    EXPECT(answer->status == 200 && !has(answer->head, "additional"), "the last page warns: %.*s",
           BYTES_ARG(answer->head));
    EXPECT(get(house, "/dicom-web/studies?offset=99999", NULL)->status == 204, "beyond the end");
    loopback_close(house);
}

TEST(SEA_18_a_key_that_cannot_be_matched_is_told)
{
    struct loopback *house = house_with_two_studies();
    const struct loopback_answer *answer = get(house, "/dicom-web/studies?SeriesNumber=1", NULL);

    EXPECT(answer->status == 200, "status %d", answer->status);
    EXPECT(has(answer->head, "warning: 299 https://localhost/dicom-web: "), "%.*s", BYTES_ARG(answer->head));
    loopback_close(house);
}

TEST(SEA_06_bad_values_are_400_and_name_the_parameter)
{
    static const struct {
        const char *target, *named;
    } cases[] = {
        { "/dicom-web/studies?limit=ten", "limit" },
        { "/dicom-web/studies?offset=-1", "offset" },
        { "/dicom-web/studies?StudyDate=2024-01-01", "StudyDate" },
        { "/dicom-web/studies?PatientID=1&00100020=2", "" },
        { "/dicom-web/studies?PatientName=%FF", "" },
        { "/dicom-web/studies/1.2.abc/series", "" },
    };
    struct loopback *house = house_with_two_studies();

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct loopback_answer *answer = get(house, cases[i].target, NULL);
        EXPECT(answer->status == 400, "%s: %d", cases[i].target, answer->status);
        EXPECT(has(answer->body, cases[i].named) || !cases[i].named[0], "%s: %.*s", cases[i].target,
               BYTES_ARG(answer->body));
    }
    loopback_close(house);
}

TEST(SEA_03_json_is_an_alias_and_other_types_are_not_acceptable)
{
    struct loopback *house = house_with_two_studies();

    EXPECT(get(house, "/dicom-web/studies", "accept: application/json\n")->status == 200, "application/json");
    EXPECT(get(house, "/dicom-web/studies", "accept: text/html,application/xhtml+xml,*/*;q=0.8\n")->status ==
               200,
           "a browser");
    EXPECT(get(house, "/dicom-web/studies", "accept: text/csv\n")->status == 406, "text/csv");
    EXPECT(get(house, "/dicom-web/studies?accept=application/dicom%2Bjson", "accept: text/csv\n")->status ==
               200,
           "the parameter wins");
    loopback_close(house);
}

TEST(SEA_08_head_is_like_get_without_a_body)
{
    struct loopback *house = house_with_two_studies();
    const struct loopback_answer *answer =
        loopback_call(house, "HEAD", "/dicom-web/studies", NULL, NOTHING, 0);

    EXPECT(answer->status == 200 && answer->body.size == 0, "%d, %zu bytes", answer->status,
           answer->body.size);
    EXPECT(post(house, "/dicom-web/series", STOW_TYPE, bytes_of_text("x"))->status == 405,
           "POST on a search");
    loopback_close(house);
}
