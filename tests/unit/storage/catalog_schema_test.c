/* tests/unit/storage/catalog_schema_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/catalog_schema.h"

#include "tests/support/catalogued.h"

/* Another version's number in a catalog that is otherwise sound. */
static bool opens_with_version(const char *version, struct error *err)
{
    struct catalogued house;
    struct connection *writer = NULL;
    char sql[64];

    catalogued_open(&house);
    catalog_close(house.catalog);
    house.catalog = NULL;
    snprintf(sql, sizeof sql, "PRAGMA user_version = %s", version);
    EXPECT(connection_open(house.path, CONNECTION_WRITES, 1 << 20, &writer, err) &&
               connection_run(writer, sql, err),
           "%s", err->detail);
    connection_close(writer);
    const struct catalog_options options = { .path = house.path,
                                             .record_cache_entries = 10,
                                             .sqlite_cache_bytes = 1 << 20 };
    const bool opened = catalog_open(&options, &house.catalog, err);
    catalogued_close(&house);
    return opened;
}

TEST(a_catalog_of_an_older_or_a_newer_schema_is_refused_in_words)
{
    struct error err = { 0 };

    EXPECT(!opens_with_version("1", &err) && err.fault == FAULT_DISK, "an older one");
    EXPECT(strstr(err.detail, "older version (schema 1"), "%s", err.detail);
    err = (struct error){ 0 };
    EXPECT(!opens_with_version("99", &err) && err.fault == FAULT_DISK, "a newer one");
    EXPECT(strstr(err.detail, "newer version (schema 99"), "%s", err.detail);
}
