/* storage/catalog_files.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's rows as a list of files, for what compares the two (storage/check.h). Any thread; may wait.
 */
#ifndef GANTRY_STORAGE_CATALOG_FILES_H
#define GANTRY_STORAGE_CATALOG_FILES_H

#include "storage/catalog.h"

struct catalogued_file {
    uint64_t generation, size;
    uint8_t digest[STORE_DIGEST_BYTES];
};

/* The rows of generations from `from` up to, not including, `below`, ascending; `ret` has room for `below -
 * from`. */
MUST_USE bool catalog_files(struct catalog *catalog, uint64_t from, uint64_t below,
                            struct catalogued_file *ret, size_t *ret_count, struct error *err);
/* The lowest generation of a row, `from` or above; *ret_found false: none. */
MUST_USE bool catalog_files_next(struct catalog *catalog, uint64_t from, uint64_t *ret, bool *ret_found,
                                 struct error *err);
/* How many rows there are, and how many below a generation. Walks an index. */
MUST_USE bool catalog_files_count(struct catalog *catalog, uint64_t below, uint64_t *ret, struct error *err);
/* What a generation is called; NOT_FOUND: it has no row. */
MUST_USE bool catalog_files_key(struct catalog *catalog, uint64_t generation, struct instance_key *ret,
                                struct error *err);

#endif
