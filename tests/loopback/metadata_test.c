/* tests/loopback/metadata_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Retrieve Metadata, through the whole house without a socket.
 */
#include <jansson.h>

#include "tests/loopback/sample.h"

enum { INSTANCES = 5 };

static struct loopback *house_with_series(unsigned count, const char *patient_name)
{
    struct loopback *house = loopback_open(NULL);
    struct buffer *files = calloc(count, sizeof(*files));
    struct bytes *views = calloc(count, sizeof(*views));

    for (unsigned i = 0; i < count; i++) {
        char uid[32], number[8];
        snprintf(uid, sizeof(uid), "1.2.3.1.1.%u", i + 1);
        snprintf(number, sizeof(number), "%u", i + 1);
        files[i] = sample(
            &(struct make_dicom){ .instance = uid, .instance_number = number, .patient_name = patient_name });
        views[i] = buffer_bytes(&files[i]);
    }
    const int status = loopback_store(house, views, count);
    EXPECT(status == 200 || status == 202, "the samples were not stored: %d", status);
    for (unsigned i = 0; i < count; i++)
        buffer_done(&files[i]);
    free(files);
    free(views);
    return house;
}

/* The number of instances in the array, or -1: no such JSON. In order of InstanceNumber (RET-29). */
static int instances_in(struct bytes body)
{
    json_error_t error;
    json_t *array = json_loadb((const char *)body.data, body.size, 0, &error);
    const int count = json_is_array(array) ? (int)json_array_size(array) : -1;

    for (int i = 0; i < count; i++) {
        json_t *number = json_object_get(json_array_get(array, (size_t)i), "00200013");
        json_t *value = json_array_get(json_object_get(number, "Value"), 0);
        EXPECT(json_integer_value(value) == i + 1 ||
                   (json_is_string(value) && strtoull(json_string_value(value), NULL, 10) == (unsigned)i + 1),
               "instance %d is out of place", i);
    }
    json_decref(array);
    return count;
}

TEST(RET_20_metadata_are_one_array_on_every_level)
{
    static const struct {
        const char *target;
        int count;
    } cases[] = { { STUDY "/metadata", INSTANCES },
                  { SERIES "/metadata", INSTANCES },
                  { INSTANCE "/metadata", 1 } };
    struct loopback *house = house_with_series(INSTANCES, NULL);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct loopback_answer *answer =
            get(house, cases[i].target, "accept: application/dicom+json\n");

        EXPECT(answer->status == 200 && !answer->cut, "%s: %d", cases[i].target, answer->status);
        EXPECT(instances_in(answer->body) == cases[i].count, "%s: %.*s", cases[i].target,
               BYTES_ARG(answer->body));
        EXPECT_TEXT(loopback_header(house, "content-type"), "application/dicom+json");
        EXPECT(!has(answer->body, "\"0002"), "RET-22: group 0002 in %s", cases[i].target);
        EXPECT(!memchr(answer->body.data, JSON_BASE_MARK, answer->body.size), "%s: a mark is left",
               cases[i].target);
    }
    loopback_close(house);
}

TEST(RET_24_the_bulk_data_uri_leads_to_the_pixels)
{
    struct loopback *house = house_with_series(1, NULL);
    const struct loopback_answer *answer = get(house, INSTANCE "/metadata", NULL);

    EXPECT(has(answer->body, "\"BulkDataURI\":\"https://localhost" INSTANCE "/bulkdata/7FE00010\""), "%.*s",
           BYTES_ARG(answer->body));
    EXPECT(get(house, INSTANCE "/bulkdata/7FE00010", NULL)->status == 200, "it leads nowhere");
    loopback_close(house);
}

TEST(HTP_41_metadata_are_not_sent_again_until_the_series_grows)
{
    struct loopback *house = house_with_series(2, NULL);
    char header[200];

    get(house, SERIES "/metadata", NULL);
    snprintf(header, sizeof(header), "if-none-match: %.*s\n", BYTES_ARG(loopback_header(house, "etag")));
    EXPECT(get(house, SERIES "/metadata", header)->status == 304, "nothing changed");
    EXPECT(has(loopback_header(house, "cache-control"), "no-cache"), "HTP-44");

    SCOPED(buffer)
    struct buffer more = sample(&(struct make_dicom){ .instance = "1.2.3.1.1.9", .instance_number = "3" });
    const struct bytes view = buffer_bytes(&more);
    EXPECT(loopback_store(house, &view, 1) == 200, "the third was not stored");
    const struct loopback_answer *answer = get(house, SERIES "/metadata", header);
    EXPECT(answer->status == 200 && instances_in(answer->body) == 3, "the third is missing: %d",
           answer->status);
    loopback_close(house);
}

TEST(a_series_longer_than_what_is_made_at_once_streams)
{
    enum { MANY = 160, NAME = 40000 };
    char *name = malloc(NAME + 1);
    memset(name, 'A', NAME);
    name[NAME] = 0;
    struct loopback *house = house_with_series(MANY, name);
    const struct loopback_answer *answer = get(house, SERIES "/metadata", NULL);

    EXPECT(answer->status == 200 && !answer->cut, "%d", answer->status);
    EXPECT(answer->body.size > 5000000, "only %zu bytes: make it longer", answer->body.size);
    EXPECT(instances_in(answer->body) == MANY, "not %d instances", MANY);
    loopback_close(house);
    free(name);
}

TEST(MPR_11_a_client_that_takes_only_parts_gets_one)
{
    struct loopback *house = house_with_series(2, NULL);
    const struct loopback_answer *answer =
        get(house, SERIES "/metadata", "accept: multipart/related; type=\"application/dicom+json\"\n");

    EXPECT(answer->status == 200, "%d", answer->status);
    EXPECT(instances_in(part_of(answer->body, 0, NULL)) == 2, "%.*s", BYTES_ARG(answer->body));
    loopback_close(house);
}

TEST(metadata_of_nothing_and_in_no_known_form_are_refused)
{
    struct loopback *house = house_with_series(1, NULL);

    EXPECT(get(house, "/dicom-web/studies/1.9.9/metadata", NULL)->status == 404, "an unknown study");
    EXPECT(get(house, "/dicom-web/studies/1.9.9/series/1.2.3.1.1/metadata", NULL)->status == 404,
           "another study");
    EXPECT(get(house, "/dicom-web/studies/a/metadata", NULL)->status == 400, "no UID");
    EXPECT(get(house, SERIES "/metadata", "accept: text/csv\n")->status == 406, "text/csv");
    EXPECT(get(house, SERIES "/metadata", "accept: application/json\n")->status == 200, "the alias");
    EXPECT(loopback_call(house, "HEAD", SERIES "/metadata", NULL, NOTHING, 0)->status == 200, "HEAD");
    loopback_close(house);
}
