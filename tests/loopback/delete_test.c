/* tests/loopback/delete_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * DELETE, through the whole house without a socket.
 */
#include "tests/loopback/sample.h"
#include "tests/support/temp_folder.h"

static int delete_at(struct loopback *house, const char *target)
{
    return loopback_call(house, "DELETE", target, NULL, NOTHING, 0)->status;
}

static struct loopback *house_with_two_instances(const struct limits *limits)
{
    struct loopback *house = loopback_open(&(struct loopback_options){ .limits = limits });
    SCOPED(buffer) struct buffer a = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer b = sample(&(struct make_dicom){ .instance = "1.2.3.1.1.2" });
    const struct bytes files[] = { buffer_bytes(&a), buffer_bytes(&b) };

    EXPECT(loopback_store(house, files, COUNT_OF(files)) == 200, "the samples were not stored");
    return house;
}

TEST(STO_70_what_is_deleted_is_gone_with_its_file)
{
    struct loopback *house = house_with_two_instances(NULL);

    EXPECT(temp_folder_files(loopback_folder(house), ".dcm") == 2, "not two files");
    EXPECT(delete_at(house, INSTANCE) == 204, "the first time");
    EXPECT(delete_at(house, INSTANCE) == 410, "the second time");
    EXPECT(get(house, INSTANCE, NULL)->status == 410, "still there");
    EXPECT(get(house, INSTANCE "/frames/1", NULL)->status == 410, "its frame is still there");
    EXPECT(get(house, INSTANCE "/metadata", NULL)->status == 410, "its metadata are still there");
    EXPECT(get(house, SERIES "/instances/1.2.3.1.1.99", NULL)->status == 404, "never there is not gone");
    EXPECT(get(house, SERIES, NULL)->status == 200, "its sister is gone");
    EXPECT(temp_folder_files(loopback_folder(house), ".dcm") == 1, "the file is still there");
    loopback_close(house);
}

TEST(a_study_goes_as_a_whole)
{
    struct loopback *house = house_with_two_instances(NULL);

    EXPECT(delete_at(house, STUDY) == 204, "the study");
    EXPECT(get(house, "/dicom-web/studies", NULL)->status == 204, "it is still found");
    EXPECT(get(house, STUDY "/metadata", NULL)->status == 410, "its metadata are still there");
    EXPECT(get(house, SERIES, NULL)->status == 410, "its series is still there");
    EXPECT(temp_folder_files(loopback_folder(house), ".dcm") == 0, "files are left");
    loopback_close(house);
}

TEST(what_was_never_there_is_not_found)
{
    struct loopback *house = house_with_two_instances(NULL);

    EXPECT(delete_at(house, "/dicom-web/studies/1.9.9") == 404, "a study");
    EXPECT(delete_at(house, "/dicom-web/studies/1.9.9/series/1.2.3.1.1") == 404,
           "a series under another study");
    EXPECT(delete_at(house, "/dicom-web/studies/x") == 400, "no UID");
    EXPECT(get(house, SERIES, NULL)->status == 200, "the samples are gone");
    loopback_close(house);
}

TEST(deletion_can_be_switched_off)
{
    struct limits limits = sample_limits();
    limits.deletion = false;
    struct loopback *house = house_with_two_instances(&limits);

    EXPECT(delete_at(house, STUDY) == 405, "deleted");
    EXPECT_TEXT(loopback_header(house, "allow"), "GET, HEAD, POST, OPTIONS");
    EXPECT(get(house, INSTANCE, NULL)->status == 200, "it is gone");
    loopback_close(house);
}
