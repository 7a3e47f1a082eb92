/* tests/loopback/listed_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Instances that are deleted or replaced between an answer's listing and their turn.
 */
#include "handlers/listed.h"

#include <time.h>

#include "handlers/instance_metadata.h"
#include "tests/loopback/sample.h"
#include "tests/support/temp_folder.h"

static const struct instance_key STUDY_KEY = { .study = { "1.2.3.1" } };

static struct instance_key key_of_listed(const struct catalog_listing *listing)
{
    return listing->count == 1 ? listing->list[0].key : (struct instance_key){ 0 };
}

static void expect_same(const struct instance_record *was, const struct instance_record *is)
{
    EXPECT(uid_equal(&was->key.instance, &is->key.instance) && was->generation == is->generation,
           "another one");
    EXPECT(was->file_size == is->file_size && was->data_set_offset == is->data_set_offset &&
               was->needs_head == is->needs_head,
           "another file");
    EXPECT(uid_equal(&was->sop_class, &is->sop_class) && uid_equal(&was->syntax_uid, &is->syntax_uid) &&
               was->syntax == is->syntax,
           "another class or syntax");
    EXPECT(was->shape.rows == is->shape.rows && was->shape.columns == is->shape.columns &&
               was->shape.bits_stored == is->shape.bits_stored &&
               was->shape.photometric == is->shape.photometric,
           "another shape");
    EXPECT(frame_table_count(was->frames) == frame_table_count(is->frames) &&
               frame_table_value(was->frames).offset == frame_table_value(is->frames).offset,
           "other frames");
}

/* Ten seconds at most. */
static size_t files_left(struct loopback *house, size_t wanted)
{
    for (unsigned i = 0; i < 10000 && temp_folder_files(loopback_folder(house), ".dcm") != wanted; i++)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    return temp_folder_files(loopback_folder(house), ".dcm");
}

static void expect_said_by_its_file(bool replaced)
{
    struct limits limits = loopback_limits();
    limits.duplicates = DUPLICATE_REPLACE;
    struct loopback *house = loopback_open(&(struct loopback_options){ .limits = &limits });
    struct service service = loopback_service(house);
    service.limits = &limits;
    SCOPED(buffer) struct buffer file = sample(&(struct make_dicom){ 0 });
    SCOPED(buffer) struct buffer other = sample(&(struct make_dicom){ .rows = 3, .columns = 5 });
    SCOPED(buffer) struct buffer before, after;
    SCOPED(instance_record) const struct instance_record *was = NULL, *is = NULL;
    const struct bytes first = buffer_bytes(&file), second = buffer_bytes(&other);
    struct catalog_listing *listing = NULL;
    struct arena arena = { 0 };
    struct error err = { 0 };

    buffer_init(&before, 1 << 20);
    buffer_init(&after, 1 << 20);
    EXPECT(loopback_store(house, &first, 1) == 200, "not stored");
    EXPECT(listed_instances(&service, &arena, &STUDY_KEY, &listing, &err), "%s", err.detail);
    const struct instance_key key = key_of_listed(listing);
    EXPECT(catalog_find(service.catalog, &key, MAY_WAIT, &was, &err) &&
               instance_metadata_read(&service, was, &before, &err),
           "%s", err.detail);
    if (replaced)
        EXPECT(loopback_store(house, &second, 1) == 200, "not replaced");
    else
        EXPECT(loopback_call(house, "DELETE", STUDY, NULL, NOTHING, 0)->status == 204, "not deleted");
    EXPECT(listed_record(&service, &listing->list[0], &is, &err), "%s", err.detail);
    if (was && is)
        expect_same(was, is);
    EXPECT(is && instance_metadata_read(&service, is, &after, &err), "%s", err.detail);
    EXPECT(before.size > 100 && bytes_equal(buffer_bytes(&before), buffer_bytes(&after)), "other metadata");

    const struct listed_instance listed = listing->list[0];
    arena_release(&arena);
    EXPECT(files_left(house, replaced ? 1 : 0) == (replaced ? 1 : 0), "the file stays");
    instance_record_unref(TAKE(is));
    EXPECT(!listed_record(&service, &listed, &is, &err) && err.fault == FAULT_NOT_FOUND, "fault %d",
           err.fault);
    loopback_close(house);
}

TEST(STO_70_what_was_listed_and_is_deleted_is_said_by_its_file)
{
    expect_said_by_its_file(false);
}

TEST(STO_64_what_was_listed_and_is_replaced_is_said_by_its_file)
{
    expect_said_by_its_file(true);
}
