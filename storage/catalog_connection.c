/* storage/catalog_connection.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Connections to the catalog's database and the pool of readers. Pages are mapped, not copied; each
 * connection is used by one thread at a time, so SQLite's own locks are off.
 */
#include "storage/catalog_connection.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/condition.h"
#include "storage/search_sql.h"

enum { WAIT_FOR_LOCK_MS = 10000, MAPPED_BYTES_MOST = 1 << 30 };

bool connection_failed(struct connection *connection, int code, const char *doing, struct error *err)
{
    const int system_error = connection->db ? sqlite3_system_errno(connection->db) : 0;
    enum fault fault;

    switch (code & 0xff) {
    case SQLITE_FULL:
        fault = FAULT_DISK_FULL;
        break;
    case SQLITE_IOERR:
        fault = system_error == ENOSPC || system_error == EDQUOT ? FAULT_DISK_FULL : FAULT_DISK;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        fault = FAULT_DISK;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
        fault = FAULT_BUSY;
        break;
    default:
        fault = FAULT_INTERNAL;
    }
    /* errstr, not errmsg: the latter may quote parts of a statement. */
    return error_set(err, fault, "catalog: %s: %s (%d)", doing, sqlite3_errstr(code), code);
}

static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return hash;
}

static bool set_up(struct connection *connection, enum connection_use use, uint64_t cache_bytes,
                   struct error *err)
{
    const uint64_t cache_kib = cache_bytes / 1024 < 64 ? 64 : cache_bytes / 1024;
    char text[512];

    sqlite3_busy_timeout(connection->db, WAIT_FOR_LOCK_MS);
    sqlite3_extended_result_codes(connection->db, 1);
    sqlite3_db_config(connection->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* 4 KiB pages: a small commit writes half as much to the log as with 8, and sums half as much up;
     * metadata of a CT are 1.3 KB compressed. A checkpoint every 32 MiB of log, not 4: each costs the
     * committing caller two syncs. A rebuild sorts an index of all instances, in files: there may be many. */
    snprintf(text, sizeof text,
             "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = %s;"
             "PRAGMA wal_autocheckpoint = 8192; PRAGMA journal_size_limit = 67108864;"
             "PRAGMA mmap_size = %d; PRAGMA cache_size = -%" PRIu64 "; PRAGMA temp_store = %s;"
             "PRAGMA secure_delete = FAST; %s",
             use == CONNECTION_REBUILDS ? "NORMAL" : "FULL", MAPPED_BYTES_MOST, cache_kib,
             use == CONNECTION_REBUILDS ? "FILE" : "MEMORY",
             use == CONNECTION_READS ? "PRAGMA query_only = ON;" : "");
    const int code = sqlite3_exec(connection->db, text, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return connection_failed(connection, code, "setting up a connection", err);
    if (!search_sql_register(connection))
        return connection_failed(connection, sqlite3_errcode(connection->db), "registering functions", err);
    return true;
}

bool connection_open(const char *path, enum connection_use use, uint64_t cache_bytes, struct connection **ret,
                     struct error *err)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (!connection)
        return error_set(err, FAULT_BUSY, "catalog: no memory for a connection");
    const int code =
        sqlite3_open_v2(path, &connection->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        connection_failed(connection, code, "opening", err);
    else if (set_up(connection, use, cache_bytes, err)) {
        *ret = connection;
        return true;
    }
    connection_close(connection);
    return false;
}

static void forget_prepared(struct prepared *prepared)
{
    sqlite3_finalize(prepared->statement);
    free(prepared->sql);
    *prepared = (struct prepared){ 0 };
}

void connection_close(struct connection *connection)
{
    if (!connection)
        return;
    for (size_t i = 0; i < PREPARED_STATEMENTS; i++)
        forget_prepared(&connection->prepared[i]);
    sqlite3_close_v2(connection->db);
    free(connection);
}

bool connection_prepare(struct connection *connection, const char *sql, sqlite3_stmt **ret, struct error *err)
{
    const uint64_t hash = hash_text(sql);
    struct prepared *oldest = NULL;

    for (size_t i = 0; i < PREPARED_STATEMENTS; i++) {
        struct prepared *prepared = &connection->prepared[i];
        if (prepared->sql && prepared->hash == hash && strcmp(prepared->sql, sql) == 0) {
            prepared->used_at = ++connection->turn;
            *ret = prepared->statement;
            return true;
        }
        if (prepared->statement && sqlite3_stmt_busy(prepared->statement))
            continue;
        if (!oldest || prepared->used_at < oldest->used_at)
            oldest = prepared;
    }
    assert(oldest && "more statements under way than one connection keeps");

    struct prepared made = { .hash = hash, .used_at = ++connection->turn, .sql = strdup(sql) };
    if (!made.sql)
        return error_set(err, FAULT_BUSY, "catalog: no memory for a statement");
    const int code =
        sqlite3_prepare_v3(connection->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &made.statement, NULL);
    if (code != SQLITE_OK) {
        forget_prepared(&made);
        return connection_failed(connection, code, "preparing a statement", err);
    }
    forget_prepared(oldest);
    *oldest = made;
    *ret = made.statement;
    return true;
}

bool connection_run(struct connection *connection, const char *sql, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *statement = NULL;

    return connection_prepare(connection, sql, &statement, err) &&
           statement_finish(connection, statement, err);
}

void statement_drop(sqlite3_stmt **statement)
{
    if (!*statement)
        return;
    sqlite3_reset(*statement);
    sqlite3_clear_bindings(*statement);
    *statement = NULL;
}

/* Binding fails only for lack of memory or a wrong index; the text is not copied, so for our own faults. */
static void must_bind(int code)
{
    assert(code == SQLITE_OK);
}

void statement_bind_bytes(sqlite3_stmt *statement, int at, struct bytes text)
{
    must_bind(sqlite3_bind_text64(statement, at, text.data ? (const char *)text.data : "", text.size,
                                  SQLITE_STATIC, SQLITE_UTF8));
}

void statement_bind_uid(sqlite3_stmt *statement, int at, const struct uid *uid)
{
    statement_bind_bytes(statement, at, uid_bytes(uid));
}

void statement_bind_blob(sqlite3_stmt *statement, int at, struct bytes blob)
{
    must_bind(sqlite3_bind_blob64(statement, at, blob.data ? (const void *)blob.data : "", blob.size,
                                  SQLITE_STATIC));
}

void statement_bind_number(sqlite3_stmt *statement, int at, uint64_t number)
{
    must_bind(sqlite3_bind_int64(statement, at, (sqlite3_int64)number));
}

bool statement_step(struct connection *connection, sqlite3_stmt *statement, bool *ret_row, struct error *err)
{
    const int code = sqlite3_step(statement);

    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return connection_failed(connection, code, "running a statement", err);
    *ret_row = code == SQLITE_ROW;
    return true;
}

bool statement_finish(struct connection *connection, sqlite3_stmt *statement, struct error *err)
{
    bool row = true;

    while (row)
        if (!statement_step(connection, statement, &row, err))
            return false;
    return true;
}

struct bytes statement_text(sqlite3_stmt *statement, int column)
{
    const void *text = sqlite3_column_text(statement, column);

    return bytes_of(text, text ? (size_t)sqlite3_column_bytes(statement, column) : 0);
}

struct bytes statement_blob(sqlite3_stmt *statement, int column)
{
    const void *blob = sqlite3_column_blob(statement, column);

    return bytes_of(blob, blob ? (size_t)sqlite3_column_bytes(statement, column) : 0);
}

uint64_t statement_number(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

void statement_uid(sqlite3_stmt *statement, int column, struct uid *ret)
{
    const struct bytes text = statement_text(statement, column);
    const size_t size = text.size < sizeof ret->text ? text.size : sizeof ret->text - 1;

    *ret = (struct uid){ 0 };
    if (size)
        memcpy(ret->text, text.data, size);
}

struct connection_pool {
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct connection *idle;
    unsigned open, most;
    uint64_t cache_bytes_each;
    char *path;
};

bool connection_pool_open(const char *path, unsigned most, uint64_t cache_bytes_each,
                          struct connection_pool **ret, struct error *err)
{
    struct connection_pool *pool = calloc(1, sizeof *pool);

    if (!pool || !(pool->path = strdup(path))) {
        free(pool);
        return error_set(err, FAULT_BUSY, "catalog: no memory for the readers");
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->given, NULL);
    pool->most = most;
    pool->cache_bytes_each = cache_bytes_each;
    *ret = pool;
    return true;
}

void connection_pool_close(struct connection_pool *pool)
{
    if (!pool)
        return;
    while (pool->idle) {
        struct connection *connection = pool->idle;
        pool->idle = connection->next;
        connection_close(connection);
        pool->open--;
    }
    assert(pool->open == 0);
    pthread_cond_destroy(&pool->given);
    pthread_mutex_destroy(&pool->lock);
    free(pool->path);
    free(pool);
}

static void put_back(struct connection_pool *pool, struct connection *connection_or_null)
{
    pthread_mutex_lock(&pool->lock);
    if (connection_or_null) {
        connection_or_null->next = pool->idle;
        pool->idle = connection_or_null;
    } else {
        pool->open--;
    }
    pthread_cond_signal(&pool->given);
    pthread_mutex_unlock(&pool->lock);
}

bool connection_pool_take(struct connection_pool *pool, struct connection **ret, struct error *err)
{
    struct connection *connection = NULL;

    pthread_mutex_lock(&pool->lock);
    while (!pool->idle && pool->open >= pool->most)
        condition_wait(&pool->given, &pool->lock);
    if (pool->idle) {
        connection = pool->idle;
        pool->idle = connection->next;
    } else {
        pool->open++;
    }
    pthread_mutex_unlock(&pool->lock);

    if (!connection &&
        !connection_open(pool->path, CONNECTION_READS, pool->cache_bytes_each, &connection, err)) {
        put_back(pool, NULL);
        return false;
    }
    if (!connection_run(connection, "BEGIN", err)) {
        put_back(pool, connection);
        return false;
    }
    *ret = connection;
    return true;
}

void connection_pool_give(struct connection_pool *pool, struct connection *connection)
{
    struct error ignored = { 0 };

    if (!connection)
        return;
    connection->conditions = NULL;
    connection->condition_count = 0;
    /* A connection that cannot end its snapshot would hold back every checkpoint: it goes. */
    if (!connection_run(connection, "COMMIT", &ignored)) {
        connection_close(connection);
        connection = NULL;
    }
    put_back(pool, connection);
}
