/* storage/catalog.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Opening and closing the catalog, its generations, and whether it is well. What it does stands in
 * catalog_write.c, catalog_read.c and search_rows.c; how writers share a transaction in catalog_commit.c.
 */
#include "storage/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "storage/catalog_internal.h"
#include "storage/catalog_schema.h"

enum { READERS_LEAST = 4, READERS_MOST = 32, PING_FRESH_MS = 1000 };

/* Made by us, so that it and SQLite's files beside it (same mode) are nobody else's to read. */
static bool make_file(const char *path, struct error *err)
{
    SCOPED(file) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char *slash;

    if (fd < 0)
        return error_errno(err, errno, "catalog: opening the database file");
    char *folder = strdup(path);
    if (!folder)
        return error_set(err, FAULT_BUSY, "catalog: no memory");
    slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    const bool ok = file_sync_folder(slash ? folder : ".", err);
    free(folder);
    return ok;
}

static bool insert_text(enum query_level level, const char *own, unsigned own_count, char **ret,
                        struct error *err)
{
    SCOPED(buffer) struct buffer sql = { 0 };

    buffer_init(&sql, 1u << 16);
    catalog_schema_insert(&sql, level, own, own_count);
    buffer_append_byte(&sql, 0);
    if (!buffer_check(&sql, "a statement", err))
        return false;
    *ret = strdup((const char *)buffer_bytes(&sql).data);
    return *ret || error_set(err, FAULT_BUSY, "catalog: no memory");
}

static bool make_statements(struct catalog *catalog, struct error *err)
{
    return insert_text(LEVEL_STUDY, "series_count", 1, &catalog->sql.insert_study, err) &&
           insert_text(LEVEL_SERIES, "study_id, request_attributes", 2, &catalog->sql.insert_series, err) &&
           insert_text(
               LEVEL_INSTANCE,
               "id, series_id, file_size, data_set_offset, syntax_uid, shape, digest, stored_unix_ms, frames",
               9, &catalog->sql.insert_instance, err);
}

static void configure_sqlite(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* its counters are one lock for all threads */
}

static bool open_writer(struct catalog *catalog, const char *path, uint64_t cache_bytes, struct error *err)
{
    return make_file(path, err) &&
           connection_open(path, CONNECTION_WRITES, cache_bytes, &catalog->writer, err) &&
           catalog_schema_make(catalog->writer, err) && make_statements(catalog, err);
}

/* What a rebuild that was stopped has added already. */
static bool recall_uids(struct catalog *catalog, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *index = NULL, *rows = NULL;
    bool row, fits = true;

    if (!connection_prepare(catalog->writer, "SELECT 1 FROM sqlite_master WHERE name = 'instance_uid'",
                            &index, err) ||
        !statement_step(catalog->writer, index, &row, err))
        return false;
    if (row)
        return true;
    catalog->known_uids = uid_map_new();
    if (!connection_prepare(catalog->writer, "SELECT id, k_SOPInstanceUID FROM instance", &rows, err))
        return false;
    for (row = true; row && fits;) {
        if (!statement_step(catalog->writer, rows, &row, err))
            return false;
        if (row)
            fits = uid_map_put(catalog->known_uids, statement_text(rows, 1), statement_number(rows, 0));
    }
    if (fits)
        return true;
    statement_drop(&rows);
    uid_map_free(catalog->known_uids);
    catalog->known_uids = NULL;
    return catalog_schema_index_instances(catalog->writer, err);
}

static bool open_rebuild(struct catalog *catalog, const char *path, uint64_t cache_bytes, struct error *err)
{
    return make_file(path, err) &&
           connection_open(path, CONNECTION_REBUILDS, cache_bytes, &catalog->writer, err) &&
           catalog_schema_make_for_rebuild(catalog->writer, err) && recall_uids(catalog, err) &&
           make_statements(catalog, err);
}

static bool run_index(struct commit_request *request, struct connection *writer, struct error *err)
{
    (void)request;
    return catalog_schema_index_instances(writer, err);
}

bool catalog_rebuilt(struct catalog *catalog, struct error *err)
{
    struct commit_request request = { .run = run_index };

    if (!catalog_commit(catalog, &request, err))
        return error_while(err, "making the index of SOP Instance UIDs");
    uid_map_free(catalog->known_uids);
    catalog->known_uids = NULL;
    return true;
}

/* Is it one that we understand? */
static bool look_first(const char *path, uint64_t cache_bytes, struct error *err)
{
    struct connection *connection;

    if (!connection_open(path, CONNECTION_READS, cache_bytes, &connection, err))
        return false;
    const bool known = catalog_schema_check(connection, err);
    connection_close(connection);
    return known;
}

bool catalog_open(const struct catalog_options *options, struct catalog **ret, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned readers = cores > 0 ? 2 * (unsigned)cores : READERS_LEAST;

    pthread_once(&once, configure_sqlite);
    readers = readers < READERS_LEAST ? READERS_LEAST : readers > READERS_MOST ? READERS_MOST : readers;
    const uint64_t cache_each = options->sqlite_cache_bytes / (readers + 1);

    struct catalog *catalog = calloc(1, sizeof *catalog);
    if (!catalog)
        return error_set(err, FAULT_BUSY, "catalog: no memory");
    pthread_mutex_init(&catalog->commit_lock, NULL);
    pthread_mutex_init(&catalog->left.lock, NULL);
    catalog->waiting_end = &catalog->waiting;
    catalog->known_deletions = options->known_deletions;
    catalog->records = record_cache_new(options->record_cache_entries);
    catalog->metadata = metadata_cache_new(options->metadata_cache_bytes);
    catalog->packer = metadata_packer_new(catalog);
    if ((options->only_looks ? look_first(options->path, cache_each, err)
         : options->rebuilds ? open_rebuild(catalog, options->path, options->sqlite_cache_bytes, err)
                             : open_writer(catalog, options->path, cache_each, err)) &&
        connection_pool_open(options->path, readers, cache_each, &catalog->readers, err)) {
        *ret = catalog;
        return true;
    }
    catalog_close(catalog);
    return error_while(err, "opening the catalog");
}

static bool change_nothing(struct commit_request *request, struct connection *writer, struct error *err)
{
    (void)request;
    (void)writer;
    (void)err;
    return true;
}

/* A clean end leaves no notes of files that have gone; where that fails the next start finds them. */
static void forget_left(struct catalog *catalog)
{
    struct commit_request request = { .run = change_nothing };
    struct error err = { 0 };

    if (catalog->left.count && !catalog_commit(catalog, &request, &err))
        log_line(LOG_DEBUG, "%s", err.detail);
}

void catalog_close(struct catalog *catalog)
{
    if (!catalog)
        return;
    metadata_packer_stop(catalog->packer); /* it reads and writes */
    forget_left(catalog);
    connection_pool_close(catalog->readers);
    connection_close(catalog->writer); /* the last one: SQLite then moves the log into the file */
    metadata_packer_free(catalog->packer);
    metadata_cache_free(catalog->metadata);
    record_cache_free(catalog->records);
    uid_map_free(catalog->known_uids);
    free(catalog->sql.insert_study);
    free(catalog->sql.insert_series);
    free(catalog->sql.insert_instance);
    free(catalog->left.list);
    pthread_mutex_destroy(&catalog->left.lock);
    pthread_mutex_destroy(&catalog->commit_lock);
    free(catalog);
}

bool catalog_number(struct catalog *catalog, const char *sql, uint64_t parameter, uint64_t *ret,
                    bool *ret_row, struct error *err)
{
    SCOPED(reader) struct reader reader = { 0 };
    SCOPED(statement) sqlite3_stmt *statement = NULL;

    if (!reader_take(catalog, &reader, err) || !connection_prepare(reader.connection, sql, &statement, err))
        return false;
    statement_bind_number(statement, 1, parameter);
    if (!statement_step(reader.connection, statement, ret_row, err))
        return false;
    *ret = *ret_row ? statement_number(statement, 0) : 0;
    return true;
}

bool catalog_last_generation(struct catalog *catalog, uint64_t *ret, struct error *err)
{
    bool row;

    return catalog_number(catalog, "SELECT last_generation FROM house WHERE id = ?", 1, ret, &row, err);
}

bool catalog_has_generation(struct catalog *catalog, uint64_t generation, bool *ret, struct error *err)
{
    uint64_t id;

    *ret = false;
    return catalog_number(catalog, "SELECT id FROM instance WHERE id = ?", generation, &id, ret, err);
}

static bool touch(struct commit_request *request, struct connection *writer, struct error *err)
{
    (void)request;
    /* A row of its own that changes each time: what stays as it is SQLite does not write. */
    return connection_run(writer,
                          "INSERT INTO house (id, last_generation) VALUES (2, 1)"
                          " ON CONFLICT (id) DO UPDATE SET last_generation = last_generation + 1",
                          err);
}

bool catalog_ping(struct catalog *catalog, struct error *err)
{
    struct commit_request request = { .run = touch };
    uint64_t last;

    if (!catalog_last_generation(catalog, &last, err))
        return false;
    /* A sync for everyone who asks would be a gift to whoever asks often. */
    const uint64_t committed_at = atomic_load(&catalog->committed_at_ms);
    if (committed_at && clock_monotonic_ms() - committed_at < PING_FRESH_MS)
        return true;
    return catalog_commit(catalog, &request, err);
}
