/* tests/support/catalogued.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A catalog in a folder of its own, and instances described by hand, so that its tests need no DICOM.
 */
#ifndef GANTRY_TESTS_CATALOGUED_H
#define GANTRY_TESTS_CATALOGUED_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/catalog.h"
#include "tests/support/expect.h"

enum { CATALOGUED_DELETIONS = 3 }; /* remembered */

struct catalogued {
    char folder[64], path[96];
    struct catalog *catalog;
    uint64_t generation; /* the next */
    bool rebuilds;       /* is opened as for a rebuild */
};

struct instance_value {
    enum query_key key;
    const char *value;
};

static inline void catalogued_reopen(struct catalogued *house)
{
    const struct catalog_options options = { .path = house->path,
                                             .record_cache_entries = 1000,
                                             .sqlite_cache_bytes = 8 << 20,
                                             .metadata_cache_bytes = 1 << 20,
                                             .known_deletions = CATALOGUED_DELETIONS,
                                             .rebuilds = house->rebuilds };
    struct error err = { 0 };

    catalog_close(house->catalog);
    house->catalog = NULL;
    if (!catalog_open(&options, &house->catalog, &err)) {
        printf("no catalog: %s\n", err.detail);
        abort();
    }
}

static inline void catalogued_make(struct catalogued *house, bool rebuilds)
{
    *house =
        (struct catalogued){ .folder = "/tmp/gantry-catalog-XXXXXX", .generation = 1, .rebuilds = rebuilds };
    if (!mkdtemp(house->folder))
        abort();
    snprintf(house->path, sizeof house->path, "%s/catalog.db", house->folder);
    catalogued_reopen(house);
}

static inline void catalogued_open(struct catalogued *house)
{
    catalogued_make(house, false);
}

static inline void catalogued_close(struct catalogued *house)
{
    static const char *const ends[] = { "", "-wal", "-shm" };

    catalog_close(house->catalog);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", house->path, ends[i]);
        unlink(path);
    }
    rmdir(house->folder);
}

static inline void describe(struct description *ret, const char *study, const char *series,
                            const char *instance, const struct instance_value *values, size_t count,
                            const char *json)
{
    struct error err = { 0 };

    *ret = (struct description){ .file_size = 1000, .syntax = SYNTAX_EXPLICIT_LE };
    snprintf(ret->key.study.text, sizeof ret->key.study.text, "%s", study);
    snprintf(ret->key.series.text, sizeof ret->key.series.text, "%s", series);
    snprintf(ret->key.instance.text, sizeof ret->key.instance.text, "%s", instance);
    snprintf(ret->sop_class.text, sizeof ret->sop_class.text, "1.2.840.10008.5.1.4.1.1.2");
    snprintf(ret->syntax_uid.text, sizeof ret->syntax_uid.text, "1.2.840.10008.1.2.1");
    ret->shape = (struct pixel_shape){ .rows = 512,
                                       .columns = 256,
                                       .samples_per_pixel = 1,
                                       .bits_allocated = 16,
                                       .bits_stored = 12,
                                       .is_signed = true,
                                       .photometric = MONOCHROME2 };
    for (size_t i = 0; i < count; i++)
        ret->values[values[i].key] = bytes_of_text(values[i].value);
    const size_t size = strlen(json);
    if (!block_take(size + 1, &ret->json, &err))
        abort();
    memcpy(block_room(ret->json, NULL), json, size);
    block_seal(ret->json, size);
}

static inline void described_done(struct description *description)
{
    frame_table_unref(description->frames);
    block_unref(description->json);
}

/* Adds one instance; its digest is `mark` repeated. */
static inline enum addition_outcome catalogued_add(struct catalogued *house, const char *study,
                                                   const char *series, const char *instance,
                                                   const struct instance_value *values, size_t count,
                                                   const char *json, uint8_t mark,
                                                   enum duplicate_policy policy)
{
    struct description description;
    struct addition addition = { .description = &description, .generation = house->generation++ };
    struct error err = { 0 };

    describe(&description, study, series, instance, values, count, json);
    memset(addition.digest, mark, sizeof addition.digest);
    EXPECT(catalog_add(house->catalog, &addition, 1, policy, &err), "%s", err.detail);
    described_done(&description);
    return addition.outcome;
}

#define ADD(house, study, series, instance, ...) \
    ({ \
        const struct instance_value values_[] = { __VA_ARGS__ }; \
        catalogued_add(house, study, series, instance, values_, COUNT_OF(values_), "{}", 1, \
                       DUPLICATE_REJECT); \
    })
#define ADD_JSON(house, study, series, instance, json, ...) \
    ({ \
        const struct instance_value values_[] = { __VA_ARGS__ }; \
        catalogued_add(house, study, series, instance, values_, COUNT_OF(values_), json, 1, \
                       DUPLICATE_REJECT); \
    })

static inline struct instance_key key_of(const char *study, const char *series, const char *instance)
{
    struct instance_key key = { 0 };

    snprintf(key.study.text, sizeof key.study.text, "%s", study);
    snprintf(key.series.text, sizeof key.series.text, "%s", series);
    snprintf(key.instance.text, sizeof key.instance.text, "%s", instance);
    return key;
}

#endif
