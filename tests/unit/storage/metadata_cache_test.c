/* tests/unit/storage/metadata_cache_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/metadata_cache.h"

#include <pthread.h>
#include <stdio.h>

#include "tests/support/expect.h"

#define BASE "https://localhost/dicom-web"

static struct instance_key key_of(int study, int series)
{
    struct instance_key key = { 0 };

    snprintf(key.study.text, sizeof key.study.text, "1.2.%d", study);
    if (series)
        snprintf(key.series.text, sizeof key.series.text, "1.2.%d.%d", study, series);
    return key;
}

static const struct metadata_set *set_of(int study, int series, const char *base)
{
    const struct instance_key key = key_of(study, series);
    struct metadata_packing *packing = NULL;
    const struct metadata_pack *pack = NULL;
    const struct metadata_set *set = NULL;
    struct error err = { 0 };

    EXPECT(metadata_packing_begin(base, &packing, &err) &&
               metadata_packing_add(packing, (uint64_t)(100 * study + series), bytes_of_text("{}"), &err) &&
               metadata_packing_end(packing, &pack, &err) &&
               metadata_set_new(&key, base, &pack, 1, &set, &err),
           "%s", err.detail);
    metadata_packing_free(packing);
    return set;
}

static void put(struct metadata_cache *cache, int study, int series, const char *base)
{
    const struct metadata_set *set = set_of(study, series, base);

    metadata_cache_put(cache, set, metadata_cache_epoch(cache));
    metadata_set_unref(set);
}

static bool has(struct metadata_cache *cache, int study, int series, const char *base)
{
    const struct instance_key key = key_of(study, series);
    const struct metadata_set *set = metadata_cache_get(cache, &key, base);

    metadata_set_unref(set);
    return set != NULL;
}

TEST(what_was_put_is_found_under_its_key_and_base_alone)
{
    struct metadata_cache *cache = metadata_cache_new(1 << 20);

    put(cache, 1, 1, BASE);
    EXPECT(has(cache, 1, 1, BASE), "the series");
    EXPECT(!has(cache, 1, 0, BASE), "the study was not put");
    EXPECT(!has(cache, 1, 2, BASE), "another series");
    EXPECT(!has(cache, 1, 1, "https://elsewhere/dicom-web"), "another base");
    metadata_cache_free(cache);
}

TEST(a_change_of_a_study_forgets_its_series_and_itself)
{
    struct metadata_cache *cache = metadata_cache_new(1 << 20);
    const struct instance_key key = key_of(1, 0);

    put(cache, 1, 0, BASE);
    put(cache, 1, 1, BASE);
    put(cache, 2, 1, BASE);
    metadata_cache_forget(cache, &key.study);
    EXPECT(!has(cache, 1, 0, BASE) && !has(cache, 1, 1, BASE), "still there");
    EXPECT(has(cache, 2, 1, BASE), "another study went");
    metadata_cache_free(cache);
}

TEST(what_was_read_before_a_change_is_not_put)
{
    struct metadata_cache *cache = metadata_cache_new(1 << 20);
    const struct instance_key key = key_of(1, 1);
    const struct metadata_set *set = set_of(1, 1, BASE);
    const uint64_t epoch = metadata_cache_epoch(cache);

    metadata_cache_forget(cache, &key.study);
    metadata_cache_put(cache, set, epoch);
    EXPECT(!has(cache, 1, 1, BASE), "an old set was put");
    metadata_set_unref(set);
    metadata_cache_free(cache);
}

TEST(the_longest_unused_goes_when_the_budget_is_spent)
{
    struct metadata_cache *cache = metadata_cache_new(16 * 1024);
    int kept = 0;

    for (int study = 1; study <= 200; study++) {
        put(cache, study, 1, BASE);
        EXPECT(has(cache, 1, 1, BASE), "the one in use went at study %d", study);
    }
    for (int study = 1; study <= 200; study++)
        kept += has(cache, study, 1, BASE);
    EXPECT(kept > 5 && kept < 100, "%d kept", kept);
    EXPECT(has(cache, 200, 1, BASE), "the newest went");
    metadata_cache_free(cache);
}

TEST(a_cache_without_a_budget_keeps_nothing)
{
    struct metadata_cache *cache = metadata_cache_new(0);

    put(cache, 1, 1, BASE);
    EXPECT(!has(cache, 1, 1, BASE), "kept");
    metadata_cache_free(cache);
}

static void *use(void *of)
{
    struct metadata_cache *cache = of;

    for (int i = 0; i < 2000; i++) {
        const struct instance_key key = key_of(i % 7, 1);
        const struct metadata_set *set = metadata_cache_get(cache, &key, BASE);
        if (set)
            EXPECT(set->instances == 1 && set->packs[0]->count == 1, "another's set");
        else
            put(cache, i % 7, 1, BASE);
        metadata_set_unref(set);
        if (i % 50 == 0)
            metadata_cache_forget(cache, &key.study);
    }
    return NULL;
}

TEST(many_threads_may_use_it_at_once)
{
    struct metadata_cache *cache = metadata_cache_new(8 * 1024);
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        EXPECT(pthread_create(&threads[i], NULL, use, cache) == 0, "a thread");
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    metadata_cache_free(cache);
}
