/* storage/catalog_internal.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the catalog share: the catalog itself, and the queue of those who write.
 */
#ifndef GANTRY_STORAGE_CATALOG_INTERNAL_H
#define GANTRY_STORAGE_CATALOG_INTERNAL_H

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "storage/catalog.h"
#include "storage/catalog_connection.h"
#include "storage/catalog_leaving.h"
#include "storage/metadata_packer.h"
#include "storage/record_cache.h"
#include "storage/uid_map.h"

/* One caller's change, run within the transaction of a group. `run` may be called a second time, when the
 * group it was in failed as a whole; it then starts from nothing. */
struct commit_request {
    bool (*run)(struct commit_request *request, struct connection *writer, struct error *err);
    bool read_only; /* changed nothing, so nothing need be durable; set by run */
    bool ok;
    struct error error;
    /* of catalog_commit: */
    bool leads; /* nobody has run it: its caller is to lead */
    sem_t woken;
    struct commit_request *next;
};

struct catalog {
    struct connection *writer; /* used by the leader of a commit alone */
    struct connection_pool *readers;
    struct record_cache *records;
    struct metadata_cache *metadata;
    struct metadata_packer *packer;
    uint64_t known_deletions; /* kept, at most */

    pthread_mutex_t commit_lock;
    struct commit_request *waiting, **waiting_end;
    bool has_leader;
    atomic_uint_fast64_t committed_at_ms; /* when a transaction was last made durable; monotonic */
    struct catalog_left left;
    struct uid_map *known_uids; /* in place of the index of SOP Instance UIDs; NULL: it is there */

    struct {
        char *insert_study, *insert_series, *insert_instance;
    } sql;
};

/* Runs the request in a transaction, together with those of other callers; durable on return. May wait. */
MUST_USE bool catalog_commit(struct catalog *catalog, struct commit_request *request, struct error *err);

/* SCOPED(reader) struct reader reader: a connection with a snapshot, given back at the end. */
struct reader {
    struct connection_pool *pool;
    struct connection *connection;
};
MUST_USE static inline bool reader_take(struct catalog *catalog, struct reader *ret, struct error *err)
{
    ret->pool = catalog->readers;
    return connection_pool_take(catalog->readers, &ret->connection, err);
}
static inline void reader_drop(struct reader *reader)
{
    if (reader->connection)
        connection_pool_give(reader->pool, reader->connection);
}

/* The number that the one column of a statement's first row holds; 0 where there is no row. */
MUST_USE bool catalog_number(struct catalog *catalog, const char *sql, uint64_t parameter, uint64_t *ret,
                             bool *ret_row, struct error *err);

#endif
