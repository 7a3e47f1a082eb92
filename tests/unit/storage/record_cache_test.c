/* tests/unit/storage/record_cache_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/record_cache.h"

#include <pthread.h>

#include "tests/support/expect.h"

static const struct instance_record *record_of(int study, int instance, uint32_t frames)
{
    struct instance_record record = { .generation = (uint64_t)instance };

    snprintf(record.key.study.text, sizeof record.key.study.text, "1.2.%d", study);
    snprintf(record.key.series.text, sizeof record.key.series.text, "1.2.%d.1", study);
    snprintf(record.key.instance.text, sizeof record.key.instance.text, "1.2.%d.1.%d", study, instance);
    if (frames)
        record.frames = frame_table_of_native(FRAMES_NATIVE, 0, 8, frames, frames);
    return instance_record_new(&record);
}

static void put(struct record_cache *cache, int study, int instance, uint32_t frames)
{
    const struct instance_record *record = record_of(study, instance, frames);

    record_cache_put(cache, record, record_cache_epoch(cache));
    instance_record_unref(record);
}

static bool has(struct record_cache *cache, int study, int instance)
{
    struct uid uid;

    snprintf(uid.text, sizeof uid.text, "1.2.%d.1.%d", study, instance);
    SCOPED(instance_record) const struct instance_record *record = record_cache_get(cache, &uid);
    EXPECT(!record || record->generation == (uint64_t)instance, "another's record");
    return record != NULL;
}

static struct instance_key key_of_study(int study)
{
    struct instance_key key = { 0 };

    snprintf(key.study.text, sizeof key.study.text, "1.2.%d", study);
    return key;
}

TEST(what_is_put_is_got_and_a_study_is_forgotten_as_a_whole)
{
    struct record_cache *cache = record_cache_new(1000);

    for (int i = 0; i < 20; i++)
        put(cache, i % 2, i, 0);
    for (int i = 0; i < 20; i++)
        EXPECT(has(cache, i % 2, i), "%d", i);
    const struct instance_key key = key_of_study(1);
    record_cache_forget(cache, &key);
    for (int i = 0; i < 20; i++)
        EXPECT(has(cache, i % 2, i) == (i % 2 == 0), "%d", i);
    record_cache_free(cache);
}

TEST(a_record_read_before_an_invalidation_is_not_kept)
{
    struct record_cache *cache = record_cache_new(1000);
    const uint64_t epoch = record_cache_epoch(cache);
    const struct instance_record *record = record_of(1, 1, 0);
    const struct instance_key key = key_of_study(7);

    record_cache_forget(cache, &key);
    record_cache_put(cache, record, epoch);
    EXPECT(!has(cache, 1, 1), "kept");
    instance_record_unref(record);
    record_cache_free(cache);
}

TEST(it_stays_within_its_entries)
{
    struct record_cache *cache = record_cache_new(64);
    unsigned kept = 0;

    for (int i = 0; i < 5000; i++)
        put(cache, 1, i, 0);
    for (int i = 0; i < 5000; i++)
        kept += has(cache, 1, i);
    EXPECT(kept > 16 && kept <= 64 + 16, "%u kept", kept);
    record_cache_free(cache);
}

TEST(a_frame_table_counts_by_its_size)
{
    struct record_cache *cache = record_cache_new(16 * 10);

    put(cache, 1, 1, 100000); /* larger than a shard's share */
    EXPECT(!has(cache, 1, 1), "kept");
    for (int i = 0; i < 200; i++)
        put(cache, 2, i, 500);
    EXPECT(has(cache, 2, 199), "the newest is gone");
    record_cache_free(cache);
}

static void *churn(void *context)
{
    struct record_cache *cache = context;

    for (int i = 0; i < 3000; i++) {
        put(cache, i % 5, i % 300, 2);
        has(cache, i % 5, (i * 7) % 300);
        if (i % 100 == 0) {
            const struct instance_key key = key_of_study(i / 100 % 5);
            record_cache_forget(cache, &key);
        }
    }
    return NULL;
}

TEST(threads_may_put_get_and_forget_at_once)
{
    struct record_cache *cache = record_cache_new(100);
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        if (pthread_create(&threads[i], NULL, churn, cache))
            SKIP("no threads");
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    record_cache_free(cache);
}
