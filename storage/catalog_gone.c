/* storage/catalog_gone.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A key is kept as one text, "study", "study/series" or "study/series/instance". Asked only where something
 * was not found, so what is there never pays for it; an instance that comes again leaves its line behind,
 * which then is not asked for.
 */
#include "storage/catalog_gone.h"

#include <stdio.h>

enum { KEY_TEXT_SIZE = 3 * 65 };

/* Of the first `levels` levels. */
static struct bytes key_text(const struct instance_key *key, unsigned levels, char into[KEY_TEXT_SIZE])
{
    const struct uid *const uids[] = { &key->study, &key->series, &key->instance };
    size_t size = 0;

    for (unsigned i = 0; i < levels; i++)
        size += (size_t)snprintf(into + size, KEY_TEXT_SIZE - size, "%s%s", i ? "/" : "", uids[i]->text);
    return bytes_of(into, size);
}

static unsigned levels_of(const struct instance_key *key)
{
    return key->instance.text[0] ? 3 : key->series.text[0] ? 2 : 1;
}

static bool is_noted(struct connection *reader, struct bytes text, bool *ret, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *find = NULL;

    if (!connection_prepare(reader, "SELECT 1 FROM gone WHERE key = ?", &find, err))
        return false;
    statement_bind_bytes(find, 1, text);
    return statement_step(reader, find, ret, err);
}

bool catalog_gone_or_unknown(struct connection *reader, const struct instance_key *key, struct error *err)
{
    char text[KEY_TEXT_SIZE];
    bool noted = false;

    for (unsigned levels = levels_of(key); levels > 0 && !noted; levels--)
        if (!is_noted(reader, key_text(key, levels, text), &noted, err))
            return false;
    return error_set(err, noted ? FAULT_GONE : FAULT_NOT_FOUND,
                     "catalog: no such study, series or instance%s", noted ? " any more" : "");
}

static bool note(struct connection *writer, struct bytes text, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *insert = NULL;

    /* A new id each time: the order in which they are forgotten. */
    if (!connection_prepare(writer, "INSERT OR REPLACE INTO gone (key) VALUES (?)", &insert, err))
        return false;
    statement_bind_bytes(insert, 1, text);
    return statement_finish(writer, insert, err);
}

static bool has_row(struct connection *writer, const char *sql, const struct uid *study,
                    const struct uid *series_or_null, bool *ret, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *find = NULL;

    if (!connection_prepare(writer, sql, &find, err))
        return false;
    statement_bind_uid(find, 1, study);
    if (series_or_null)
        statement_bind_uid(find, 2, series_or_null);
    return statement_step(writer, find, ret, err);
}

static bool forget_oldest(struct connection *writer, uint64_t most, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *forget = NULL;

    if (!connection_prepare(writer, "DELETE FROM gone WHERE id <= (SELECT MAX(id) FROM gone) - ?", &forget,
                            err))
        return false;
    statement_bind_number(forget, 1, most);
    return statement_finish(writer, forget, err);
}

bool catalog_gone_note(struct connection *writer, const struct instance_key *key, uint64_t most,
                       struct error *err)
{
    const unsigned levels = levels_of(key);
    bool study_there, series_there = true;
    char text[KEY_TEXT_SIZE];

    if (most == 0)
        return true;
    if (!has_row(writer, "SELECT 1 FROM study WHERE k_StudyInstanceUID = ?", &key->study, NULL, &study_there,
                 err))
        return false;
    if (levels == 3 && !has_row(writer,
                                "SELECT 1 FROM study s CROSS JOIN series e ON e.study_id = s.id"
                                " WHERE s.k_StudyInstanceUID = ? AND e.k_SeriesInstanceUID = ?",
                                &key->study, &key->series, &series_there, err))
        return false;
    for (unsigned level = levels; level > 0; level--) {
        const bool there = level == 1 ? study_there : level == 2 ? series_there && levels == 3 : false;
        if (!there && !note(writer, key_text(key, level, text), err))
            return false;
    }
    return forget_oldest(writer, most, err);
}

bool catalog_gone_is_back(struct connection *writer, const struct uid *study,
                          const struct uid *series_or_null, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *forget = NULL;
    struct instance_key key = { .study = *study };
    char text[KEY_TEXT_SIZE];

    if (series_or_null)
        key.series = *series_or_null;
    if (!connection_prepare(writer, "DELETE FROM gone WHERE key = ?", &forget, err))
        return false;
    statement_bind_bytes(forget, 1, key_text(&key, levels_of(&key), text));
    return statement_finish(writer, forget, err);
}
