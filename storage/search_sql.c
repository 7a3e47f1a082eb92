/* storage/search_sql.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Conditions as SQL: what an index can answer becomes a comparison of columns, all else a call of
 * gantry_match.
 *
 * The loops are ordered here (CROSS JOIN keeps them so), because without statistics SQLite may well begin
 * with the table of instances: from the study down, in the order of the result, unless a UID pins a lower
 * level.
 */
#include "storage/search_sql.h"

#include "storage/catalog_schema.h"

struct binding {
    enum { BIND_TEXT, BIND_REAL, BIND_COUNT } kind;
    struct bytes text;
    double real;
    uint64_t count;
};

struct search_sql {
    const char *text;
    struct binding *bindings;
    size_t count, room;
    struct arena *arena;
    struct buffer sql; /* while it is written */
};

static void put(struct search_sql *sql, const char *text)
{
    buffer_append_text(&sql->sql, text);
}

static void bind(struct search_sql *sql, struct binding binding)
{
    if (sql->count == sql->room) {
        struct binding *more = arena_array(sql->arena, 2 * sql->room + 16, sizeof *more);
        if (sql->count)
            memcpy(more, sql->bindings, sql->count * sizeof *more);
        sql->bindings = more;
        sql->room = 2 * sql->room + 16;
    }
    sql->bindings[sql->count++] = binding;
}

/* Text, and a parameter behind it. */
static void put_text(struct search_sql *sql, const char *before, struct bytes value)
{
    put(sql, before);
    put(sql, "?");
    bind(sql, (struct binding){ .kind = BIND_TEXT, .text = value });
}

static void put_count(struct search_sql *sql, const char *before, uint64_t value)
{
    put(sql, before);
    put(sql, "?");
    bind(sql, (struct binding){ .kind = BIND_COUNT, .count = value });
}

static void put_call(struct search_sql *sql, size_t condition)
{
    put(sql, "gantry_match(");
    put_count(sql, "", condition);
    put(sql, ", ");
}

/* These have one value in a data set, so that equality says it all; and they have indexes. */
static bool is_single(enum query_key key)
{
    return key == KEY_PatientID || key == KEY_AccessionNumber || strcmp(query_key_info(key)->vr, "UI") == 0;
}

static bool is_date_or_time(enum query_key key)
{
    const char *vr = query_key_info(key)->vr;

    return strcmp(vr, "DA") == 0 || strcmp(vr, "TM") == 0 || strcmp(vr, "DT") == 0;
}

/* column IN (values, and '' where unknown matches). UIDs are never unknown. */
static void put_in(struct search_sql *sql, const struct search_condition *condition)
{
    const struct match *match = &condition->match;

    catalog_schema_compared(&sql->sql, condition->key);
    if (match->kind == MATCH_LIST) {
        for (size_t i = 0; i < match->list_count; i++)
            put_text(sql, i ? ", " : " IN (", match->list[i]);
    } else if (match->kind == MATCH_NUMBER) {
        put(sql, " IN (?");
        bind(sql, (struct binding){ .kind = BIND_REAL, .real = match->number });
    } else {
        put_text(sql, " IN (", match->text);
    }
    put(sql, condition->unknown_matches && strcmp(match->vr, "UI") != 0 ? ", '')" : ")");
}

/* Unknown is '' and lies below every date: an upper bound lets it pass by itself and can use the index. */
static void put_range(struct search_sql *sql, enum query_key key, const struct match *match,
                      bool unknown_matches)
{
    put(sql, "(");
    if (match->to.size) {
        catalog_schema_compared(&sql->sql, key);
        put_text(sql, " <= ", match->to);
        put(sql, " AND ");
    }
    if (unknown_matches && match->from.size) {
        put(sql, "(");
        catalog_schema_compared(&sql->sql, key);
        put_text(sql, " >= ", match->from);
        put(sql, " OR ");
        catalog_schema_compared(&sql->sql, key);
        put(sql, " = '')");
    } else if (match->from.size) {
        catalog_schema_compared(&sql->sql, key);
        put_text(sql, " >= ", match->from);
    } else {
        catalog_schema_compared(&sql->sql, key);
        put(sql, unknown_matches ? " >= ''" : " > ''");
    }
    put(sql, ")");
}

/* On the first and the last day the time decides; on days between it does not matter. */
static void put_edge(struct search_sql *sql, const struct search_condition *condition, struct bytes day,
                     struct bytes time, const char *outside, const char *compare)
{
    if (!day.size || !time.size)
        return;
    put(sql, " AND (");
    catalog_schema_compared(&sql->sql, condition->key);
    put_text(sql, outside, day);
    put(sql, " OR (");
    catalog_schema_compared(&sql->sql, condition->time_key);
    put_text(sql, compare, time);
    put(sql, " AND ");
    catalog_schema_compared(&sql->sql, condition->time_key);
    put(sql, " <> '')");
    if (condition->unknown_matches) {
        put(sql, " OR ");
        catalog_schema_compared(&sql->sql, condition->time_key);
        put(sql, " = '' OR ");
        catalog_schema_compared(&sql->sql, condition->key);
        put(sql, " = ''");
    }
    put(sql, ")");
}

static void put_key(struct search_sql *sql, const struct search_condition *condition, size_t n)
{
    const struct match *match = &condition->match;

    if (condition->must_be_empty) {
        catalog_schema_column(&sql->sql, condition->key);
        put(sql, " = ''");
    } else if (match->kind == MATCH_RANGE) {
        put_range(sql, condition->key, match, condition->unknown_matches);
    } else if (match->kind == MATCH_NUMBER ||
               (match->kind != MATCH_WILDCARD &&
                (is_single(condition->key) || is_date_or_time(condition->key)))) {
        put_in(sql, condition);
    } else {
        put_call(sql, n);
        catalog_schema_compared(&sql->sql, condition->key);
        put(sql, ")");
    }
}

/* A column that holds '' when there is nothing. */
static void put_column_test(struct search_sql *sql, const struct search_condition *condition, size_t n,
                            const char *column)
{
    if (condition->must_be_empty) {
        put(sql, column);
        put(sql, " = ''");
        return;
    }
    put_call(sql, n);
    put(sql, column);
    put(sql, ")");
}

static void put_condition(struct search_sql *sql, const struct search_condition *condition, size_t n)
{
    switch (condition->what) {
    case SEARCH_KEY:
        put_key(sql, condition, n);
        break;
    case SEARCH_DATE_TIME:
        put_range(sql, condition->key, &condition->match, condition->unknown_matches);
        put_edge(sql, condition, condition->match.from, condition->time_match.from, " > ", " >= ");
        put_edge(sql, condition, condition->match.to, condition->time_match.to, " < ", " <= ");
        break;
    case SEARCH_MODALITIES:
        put_column_test(sql, condition, n, "s.modalities");
        break;
    case SEARCH_SOP_CLASSES:
        put(sql, "EXISTS (SELECT 1 FROM series x WHERE x.study_id = s.id AND ");
        put_column_test(sql, condition, n, "x.sop_classes");
        put(sql, ")");
        break;
    case SEARCH_REQUEST_ATTRIBUTES:
        put_column_test(sql, condition, n, "e.request_attributes");
        break;
    }
}

/* Is there a condition that leaves few rows of `key`'s level, through an index? */
static bool is_pinned_by(const struct search *search, enum query_key key)
{
    for (size_t i = 0; i < search->condition_count; i++) {
        const struct search_condition *condition = &search->conditions[i];
        if (condition->what == SEARCH_KEY && condition->key == key && !condition->must_be_empty &&
            (condition->match.kind == MATCH_SINGLE || condition->match.kind == MATCH_LIST))
            return true;
    }
    return false;
}

static void put_from(struct search_sql *sql, const struct search *search)
{
    const bool study = search->under.study.text[0] || is_pinned_by(search, KEY_StudyInstanceUID);
    const bool series = search->under.series.text[0] || is_pinned_by(search, KEY_SeriesInstanceUID);
    const bool instance = is_pinned_by(search, KEY_SOPInstanceUID);

    if (search->level == LEVEL_STUDY) {
        /* Else without statistics it might sort all studies by a less fitting index (catalog_schema.c). */
        const bool pinned =
            study || is_pinned_by(search, KEY_PatientID) || is_pinned_by(search, KEY_AccessionNumber);
        put(sql, pinned ? " FROM study s" : " FROM study s INDEXED BY study_find");
    } else if (search->level == LEVEL_SERIES) {
        put(sql, series && !study ? " FROM series e CROSS JOIN study s ON s.id = e.study_id"
                                  : " FROM study s CROSS JOIN series e ON e.study_id = s.id");
    } else if (instance) {
        put(sql, " FROM instance i CROSS JOIN series e ON e.id = i.series_id CROSS JOIN study s ON s.id = "
                 "e.study_id");
    } else if (series && !study) {
        put(sql, " FROM series e CROSS JOIN study s ON s.id = e.study_id CROSS JOIN instance i ON "
                 "i.series_id = e.id");
    } else {
        put(sql, " FROM study s CROSS JOIN series e ON e.study_id = s.id CROSS JOIN instance i ON "
                 "i.series_id = e.id");
    }
}

static void put_where(struct search_sql *sql, const struct search *search)
{
    put(sql, " WHERE 1");
    if (search->under.study.text[0])
        put_text(sql, " AND s.k_StudyInstanceUID = ", uid_bytes(&search->under.study));
    if (search->under.series.text[0] && search->level > LEVEL_STUDY)
        put_text(sql, " AND e.k_SeriesInstanceUID = ", uid_bytes(&search->under.series));
    if (search->under.instance.text[0] && search->level > LEVEL_SERIES)
        put_text(sql, " AND i.k_SOPInstanceUID = ", uid_bytes(&search->under.instance));
    for (size_t i = 0; i < search->condition_count; i++) {
        put(sql, " AND ");
        put_condition(sql, &search->conditions[i], i);
    }
}

/* Newest studies first, then by number (SEA-32); the UID makes it total (SEA-31). At lower levels series and
 * instances stand under their study in this order, so that one walk down the indexes gives it without
 * sorting. */
static void put_order(struct search_sql *sql, enum query_level level)
{
    put(sql, " ORDER BY s.m_StudyDate DESC, s.m_StudyTime DESC, s.k_StudyInstanceUID");
    if (level >= LEVEL_SERIES)
        put(sql, ", e.m_SeriesNumber, e.k_SeriesInstanceUID");
    if (level >= LEVEL_INSTANCE)
        put(sql, ", i.m_InstanceNumber, i.k_SOPInstanceUID");
}

bool search_sql_make(const struct search *search, enum search_sql_kind kind, uint64_t limit, uint64_t offset,
                     struct arena *arena, const struct search_sql **ret, struct error *err)
{
    struct search_sql *sql = arena_alloc(arena, sizeof *sql);

    sql->arena = arena;
    buffer_init(&sql->sql, 256u * 1024);
    if (kind == SEARCH_SQL_COUNT) {
        put(sql, "SELECT count(*) FROM (SELECT 1");
    } else {
        put(sql, "SELECT ");
        put(sql, catalog_schema_alias(search->level));
        put(sql, ".id");
    }
    put_from(sql, search);
    put_where(sql, search);
    if (kind == SEARCH_SQL_IDS)
        put_order(sql, search->level);
    put_count(sql, " LIMIT ", limit);
    put_count(sql, " OFFSET ", offset);
    if (kind == SEARCH_SQL_COUNT)
        put(sql, ")");
    const bool ok = buffer_check(&sql->sql, "a search", err);
    if (ok) {
        sql->text = arena_text(arena, buffer_bytes(&sql->sql));
        *ret = sql;
    }
    buffer_done(&sql->sql);
    return ok;
}

const char *search_sql_text(const struct search_sql *sql)
{
    return sql->text;
}

bool search_sql_prepare(const struct search_sql *sql, const struct search *search,
                        struct connection *connection, sqlite3_stmt **ret, struct error *err)
{
    if (!connection_prepare(connection, sql->text, ret, err))
        return false;
    connection->conditions = search->conditions;
    connection->condition_count = search->condition_count;
    for (size_t i = 0; i < sql->count; i++) {
        const struct binding *binding = &sql->bindings[i];
        const int at = (int)i + 1;
        if (binding->kind == BIND_TEXT)
            statement_bind_bytes(*ret, at, binding->text);
        else if (binding->kind == BIND_COUNT)
            statement_bind_number(*ret, at, binding->count);
        else
            sqlite3_bind_double(*ret, at, binding->real);
    }
    return true;
}

static void match_function(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct connection *connection = sqlite3_user_data(context);
    const uint64_t n = (uint64_t)sqlite3_value_int64(values[0]);
    const void *text = sqlite3_value_text(values[1]);

    (void)count;
    if (n >= connection->condition_count) {
        sqlite3_result_error(context, "gantry_match outside a search", -1);
        return;
    }
    const struct bytes stored = bytes_of(text, text ? (size_t)sqlite3_value_bytes(values[1]) : 0);
    sqlite3_result_int(context, search_condition_test(&connection->conditions[n], stored));
}

bool search_sql_register(struct connection *connection)
{
    return sqlite3_create_function_v2(connection->db, "gantry_match", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                      connection, match_function, NULL, NULL, NULL) == SQLITE_OK;
}
