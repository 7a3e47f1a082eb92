/* storage/catalog.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is stored, and how it is found: SQLite (WAL, synchronous FULL) behind a face that shows no SQL. One
 * committer thread groups the additions of all callers into one transaction; readers have their own
 * connections; records are cached. Any thread.
 */
#ifndef GANTRY_STORAGE_CATALOG_H
#define GANTRY_STORAGE_CATALOG_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/patience.h"
#include "dicom/description.h"
#include "storage/instance_record.h"
#include "storage/metadata_cache.h"
#include "storage/search.h"

struct catalog;

struct catalog_options {
    const char *path;            /* of the database file; made when missing */
    size_t record_cache_entries; /* instance records kept in memory */
    uint64_t sqlite_cache_bytes; /* over all connections */
    size_t metadata_cache_bytes; /* packs of metadata kept in memory; 0: none */
    uint64_t known_deletions;    /* keys of what was deleted, the newest so many: GONE instead of NOT_FOUND */
    bool only_looks; /* for reading beside another process that writes: makes and changes nothing */
    /* Filled from files by one caller who can begin again: what was added last may be lost with the power (no
     * more than that), and instances are found by their UIDs only after catalog_rebuilt. */
    bool rebuilds;
};

MUST_USE bool catalog_open(const struct catalog_options *options, struct catalog **ret, struct error *err);
void catalog_close(struct catalog *catalog);
/* The highest that a row ever had; 0: none yet. */
MUST_USE bool catalog_last_generation(struct catalog *catalog, uint64_t *ret, struct error *err);
MUST_USE bool catalog_has_generation(struct catalog *catalog, uint64_t generation, bool *ret,
                                     struct error *err);

/* What becomes of an instance whose SOP Instance UID is known already (STO-63 to STO-65). */
enum duplicate_policy { DUPLICATE_REJECT, DUPLICATE_REPLACE, DUPLICATE_KEEP };
enum addition_outcome {
    ADDED,           /* new, findable */
    ADDED_REPLACING, /* the older generation is in `replaced`: forget its file */
    ADDED_BEFORE,    /* identical bytes, or KEEP: nothing written; the new file is to be forgotten */
    REFUSED_DUPLICATE
};
struct addition {
    const struct description *description;
    uint64_t generation;
    uint8_t digest[STORE_DIGEST_BYTES];
    int64_t stored_unix_ms; /* when it came; 0: now */
    /* set by catalog_add: */
    enum addition_outcome outcome;
    uint64_t replaced;
};
/* All of them in one transaction, durable and findable on return; possibly together with other callers'. On
 * an error none is. May wait. */
MUST_USE bool catalog_add(struct catalog *catalog, struct addition *additions, size_t count,
                          enum duplicate_policy policy, struct error *err);

/* Files of rows that were replaced or deleted are unlinked by the caller; until it says that they have gone,
 * the catalog notes their generations, for recovery and for who compares files and rows. A store_told_fn with
 * the catalog as its context. Never waits. */
void catalog_has_left(void *catalog, const uint64_t *generations, size_t count);
/* May wait. `each` returns false to stop; it must not write. */
MUST_USE bool catalog_is_leaving(struct catalog *catalog, uint64_t generation, bool *ret, struct error *err);
MUST_USE bool catalog_each_leaving(struct catalog *catalog, bool (*each)(void *context, uint64_t generation),
                                   void *context, struct error *err);
/* All that were noted have gone: for recovery, before anybody else writes. A catalog that is only looked at
 * keeps its notes. */
MUST_USE bool catalog_none_is_leaving(struct catalog *catalog, struct error *err);

/* Of a catalog that was opened for a rebuild: all is added. May wait for long. */
MUST_USE bool catalog_rebuilt(struct catalog *catalog, struct error *err);

/* Generations up to this one were in use: they do not come again. May wait. */
MUST_USE bool catalog_note_generation(struct catalog *catalog, uint64_t generation, struct error *err);

/* One instance. NOT_FOUND: unknown, or under another study or series;
 * GONE: known to be deleted, here and wherever NOT_FOUND is said below. WOULD_WAIT when not cached. The
 * caller unrefs. */
MUST_USE bool catalog_find(struct catalog *catalog, const struct instance_key *key, enum patience patience,
                           const struct instance_record **ret, struct error *err);

/* The instances of a study, series or of one instance, as many levels as `key` has, in stable order
 * (SeriesNumber, series UID, InstanceNumber, instance UID). */
struct listed_instance {
    struct instance_key key;
    uint64_t instance_id; /* for catalog_metadata */
    uint64_t generation, file_size;
    struct uid syntax_uid;
    enum transfer_syntax syntax;
    bool needs_head; /* as of a record */
};
/* A copy of the whole list (100 bytes an entry and its UIDs), freed by catalog_listing_free. NOT_FOUND when
 * empty. May wait. */
struct catalog_listing {
    struct listed_instance *list;
    size_t count;
};
MUST_USE bool catalog_list(struct catalog *catalog, const struct instance_key *key,
                           struct catalog_listing **ret, struct error *err);
void catalog_listing_free(struct catalog_listing *listing);

/* Stored metadata JSON of the instances from list[from] on, joined with commas, appended to `into` until it
 * has at least `enough` bytes or the list ends; *ret_next is the first one not appended. May wait. */
MUST_USE bool catalog_metadata(struct catalog *catalog, const struct catalog_listing *listing, size_t from,
                               size_t enough, struct buffer *into, size_t *ret_next, struct error *err);

/* The metadata of a study, a series, or of an instance that is alone in its series, as packs under the public
 * base: from memory, or read at once. *ret NULL: too many for that, or not packed yet, or not alone: read
 * them by catalog_list and catalog_metadata. WOULD_WAIT when not in memory; NOT_FOUND. The caller unrefs. */
MUST_USE bool catalog_metadata_set(struct catalog *catalog, const struct instance_key *key, const char *base,
                                   enum patience patience, const struct metadata_set **ret,
                                   struct error *err);
/* The base of metadata_set->version for a listing: the same for the same instances. */
struct metadata_version catalog_listing_version(const struct catalog_listing *listing);
/* The public base under which metadata are packed ahead of the first request; NULL: it is not known, that of
 * the first request is taken. Any time. */
void catalog_public_base(struct catalog *catalog, const char *base_or_null);
/* Packs now what would be packed once at rest; for tests. */
void catalog_pack_now(struct catalog *catalog);

/* Runs a search. The rows of the page as JSON objects joined with commas (links marked, dicom/dicom_json.h)
 * are appended to `into`; *ret_rows how many; *ret_remaining how many more matches there are (never too high,
 * SEA-34). TOO_LARGE when `into` overflows. May wait. */
MUST_USE bool catalog_search(struct catalog *catalog, const struct search *search, struct buffer *into,
                             uint64_t *ret_rows, uint64_t *ret_remaining, struct error *err);

/* Removes a study, series or instance; durable on return. `each` gets every generation that went (files to
 * forget). NOT_FOUND: nothing such. May wait. */
MUST_USE bool catalog_delete(struct catalog *catalog, const struct instance_key *key,
                             void (*each)(void *context, uint64_t generation), void *context,
                             uint64_t *ret_instances, struct error *err);

/* Can it still answer and write? For /readyz. May wait. */
MUST_USE bool catalog_ping(struct catalog *catalog, struct error *err);

#endif
