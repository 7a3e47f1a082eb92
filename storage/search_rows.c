/* storage/search_rows.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Runs a search and writes its rows. In two steps: the ids of the page out of narrow indexes, then the wide
 * rows of these alone. What is no column comes out of the stored metadata of a representative instance
 * (SEA-23): of the instance itself, else of the first one in listing order.
 *
 * How many more there are is counted up to SEARCH_COUNTED_MOST and not told higher (SEA-34).
 */
#include "dicom/dicom_json.h"
#include "dicom/json_scan.h"
#include "dicom/tag.h"
#include "storage/catalog_internal.h"
#include "storage/catalog_row.h"
#include "storage/catalog_schema.h"
#include "storage/metadata_text.h"
#include "storage/search_sql.h"

enum { SEARCH_COUNTED_MOST = 10000, FIRST_OUTPUT_COLUMN = 4 };

static const char charset_attribute[] = "\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]}";

/* ── the statement for one row ── */

static void put_output_column(struct buffer *sql, const struct search_output *output)
{
    switch (output->kind) {
    case OUTPUT_KEY:
        catalog_schema_column(sql, output->key);
        break;
    case OUTPUT_MODALITIES:
        buffer_append_text(sql, "s.modalities");
        break;
    case OUTPUT_SOP_CLASSES:
        buffer_append_text(
            sql, "(SELECT group_concat(x.sop_classes, '\\') FROM series x WHERE x.study_id = s.id)");
        break;
    case OUTPUT_TRANSFER_SYNTAX:
        buffer_append_text(sql, "i.syntax_uid");
        break;
    case OUTPUT_STUDY_SERIES:
        buffer_append_text(sql, "s.series_count");
        break;
    case OUTPUT_STUDY_INSTANCES:
        buffer_append_text(sql, "s.instance_count");
        break;
    case OUTPUT_SERIES_INSTANCES:
        buffer_append_text(sql, "e.instance_count");
        break;
    case OUTPUT_REQUEST_ATTRIBUTES:
        buffer_append_text(sql, "e.request_attributes");
        break;
    case OUTPUT_AVAILABILITY:
    case OUTPUT_RETRIEVE_URL:
        buffer_append_text(sql, "''");
        break;
    }
}

static const char *row_statement(const struct search *search, struct arena *arena)
{
    static const char *const uids[] = {
        [LEVEL_STUDY] = "s.k_StudyInstanceUID, '', ''",
        [LEVEL_SERIES] = "s.k_StudyInstanceUID, e.k_SeriesInstanceUID, ''",
        [LEVEL_INSTANCE] = "s.k_StudyInstanceUID, e.k_SeriesInstanceUID, i.k_SOPInstanceUID",
    };
    static const char *const representatives[] = {
        [LEVEL_STUDY] = ("(SELECT z.id FROM series y CROSS JOIN instance z ON z.series_id = y.id"
                         " WHERE y.study_id = s.id ORDER BY y.m_SeriesNumber, y.k_SeriesInstanceUID,"
                         " z.m_InstanceNumber, z.k_SOPInstanceUID LIMIT 1)"),
        [LEVEL_SERIES] = ("(SELECT z.id FROM instance z WHERE z.series_id = e.id"
                          " ORDER BY z.m_InstanceNumber, z.k_SOPInstanceUID LIMIT 1)"),
        [LEVEL_INSTANCE] = "i.id",
    };
    static const char *const from[] = {
        [LEVEL_STUDY] = " FROM study s WHERE s.id = ?",
        [LEVEL_SERIES] = " FROM series e CROSS JOIN study s ON s.id = e.study_id WHERE e.id = ?",
        [LEVEL_INSTANCE] = (" FROM instance i CROSS JOIN series e ON e.id = i.series_id"
                            " CROSS JOIN study s ON s.id = e.study_id WHERE i.id = ?"),
    };
    struct buffer sql;

    buffer_init(&sql, 64u * 1024);
    buffer_printf(&sql, "SELECT %s, ", uids[search->level]);
    if (search->all || search->extra_count)
        buffer_printf(&sql, "(SELECT json FROM metadata WHERE id = %s)", representatives[search->level]);
    else
        buffer_append_text(&sql, "''");
    for (size_t i = 0; i < search->output_count; i++) {
        buffer_append_text(&sql, ", ");
        put_output_column(&sql, &search->outputs[i]);
    }
    buffer_append_text(&sql, from[search->level]);
    const char *text = arena_text(arena, buffer_bytes(&sql));
    buffer_done(&sql);
    return text;
}

/* ── one row ── */

struct row {
    const struct search *search;
    struct buffer *into;
    struct arena *arena; /* rewound after each row */
    struct bytes json;   /* of the representative; empty: not asked for */
    size_t json_at;
    struct json_member member; /* the next attribute to come out of it */
    uint32_t member_tag;       /* UINT32_MAX: none */
    uint32_t *private_tags;    /* elements and creators asked for, as this instance has them */
    size_t private_count;
    bool any;
};

static void begin_attribute(struct row *row)
{
    if (row->any)
        buffer_append_byte(row->into, ',');
    row->any = true;
}

static bool creator_is(struct bytes attribute, struct bytes creator, struct arena *arena)
{
    struct json_member values;
    struct bytes value, text;
    size_t at = 0;

    return json_object_find(attribute, "Value", &values) && json_array_next(values.value, &at, &value) &&
           json_text(value, arena, &text) && bytes_equal(bytes_trim(text), creator);
}

/* Where this instance has the blocks that were asked for by their creators (SEA-22). */
static void find_private_tags(struct row *row)
{
    const struct search *search = row->search;
    struct json_member member;
    uint32_t tag;
    size_t at = 0;

    row->private_tags = arena_array(row->arena, 2 * search->extra_count + 1, sizeof *row->private_tags);
    while (json_object_next(row->json, &at, &member)) {
        if (!json_attribute_tag(member.name, &tag) || !(tag >> 16 & 1) || (tag & 0xffff) < 0x10 ||
            (tag & 0xffff) > 0xff)
            continue;
        for (size_t i = 0; i < search->extra_count; i++) {
            const struct search_extra *extra = &search->extras[i];
            if (!extra->creator.size || extra->tag >> 16 != tag >> 16 ||
                row->private_count + 2 > 2 * search->extra_count ||
                !creator_is(member.value, extra->creator, row->arena))
                continue;
            row->private_tags[row->private_count++] = tag;
            row->private_tags[row->private_count++] =
                (tag & 0xffff0000) | (tag & 0xff) << 8 | (extra->tag & 0xff);
        }
    }
}

static bool is_wanted(const struct row *row, uint32_t tag)
{
    const struct search *search = row->search;

    if (tag <= TAG_SPECIFIC_CHARACTER_SET)
        return false; /* said anew, of the row's own text (SEA-79) */
    if (search->all && search_attribute_level(tag) <= search->level)
        return true;
    for (size_t i = 0; i < search->extra_count; i++)
        if (search->extras[i].tag == tag && !search->extras[i].creator.size)
            return true;
    for (size_t i = 0; i < row->private_count; i++)
        if (row->private_tags[i] == tag)
            return true;
    return false;
}

static void next_member(struct row *row)
{
    while (json_object_next(row->json, &row->json_at, &row->member))
        if (json_attribute_tag(row->member.name, &row->member_tag) && is_wanted(row, row->member_tag))
            return;
    row->member_tag = UINT32_MAX;
}

static void write_members_below(struct row *row, uint32_t tag)
{
    for (; row->member_tag < tag; next_member(row)) {
        begin_attribute(row);
        buffer_append(row->into, row->member.whole);
    }
    if (row->member_tag == tag && tag != UINT32_MAX)
        next_member(row); /* the column says it */
}

static void write_attribute(struct row *row, const struct search_output *output, const char *vr,
                            struct bytes value)
{
    if (!value.size && !output->even_if_empty)
        return;
    begin_attribute(row);
    dicom_json_attribute(row->into, output->tag, vr, value);
}

/* Series' lists joined: each class once. */
static struct bytes distinct(struct bytes list, struct arena *arena)
{
    uint8_t *text = arena_alloc(arena, list.size + 1);
    size_t size = 0;

    while (list.size) {
        const struct bytes one = bytes_cut(&list, '\\');
        if (!one.size || catalog_row_list_has(bytes_of(text, size), one))
            continue;
        if (size)
            text[size++] = '\\';
        memcpy(text + size, one.data, one.size);
        size += one.size;
    }
    return bytes_of(text, size);
}

/* No data set leaves in implicit or big endian form: what is promised is what they are turned into. */
static struct bytes deliverable(struct bytes syntax)
{
    if (bytes_equal_text(syntax, "1.2.840.10008.1.2") || bytes_equal_text(syntax, "1.2.840.10008.1.2.2"))
        return bytes_of_text("1.2.840.10008.1.2.1");
    return syntax;
}

/* Matched by its items, the sequence is returned with those that match (SEA-55). */
static void write_request_attributes(struct row *row, struct bytes attribute)
{
    const struct search_condition *condition = NULL;
    struct json_member values;
    struct bytes item;
    size_t at = 0;
    bool any = false;

    for (size_t i = 0; i < row->search->condition_count; i++)
        if (row->search->conditions[i].what == SEARCH_REQUEST_ATTRIBUTES)
            condition = &row->search->conditions[i];
    if (!attribute.size)
        return;
    begin_attribute(row);
    buffer_append_text(row->into, "\"00400275\":");
    if (!condition || !json_object_find(attribute, "Value", &values)) {
        buffer_append(row->into, attribute);
        return;
    }
    buffer_append_text(row->into, "{\"vr\":\"SQ\"");
    while (json_array_next(values.value, &at, &item)) {
        if (!search_item_test(condition, item))
            continue;
        buffer_append_text(row->into, any ? "," : ",\"Value\":[");
        buffer_append(row->into, item);
        any = true;
    }
    buffer_append_text(row->into, any ? "]}" : "}");
}

static void write_output(struct row *row, const struct search_output *output, struct bytes value,
                         const struct instance_key *key)
{
    switch (output->kind) {
    case OUTPUT_KEY:
        write_attribute(row, output, query_key_info(output->key)->vr, value);
        break;
    case OUTPUT_MODALITIES:
        write_attribute(row, output, "CS", value);
        break;
    case OUTPUT_SOP_CLASSES:
        write_attribute(row, output, "UI", distinct(value, row->arena));
        break;
    case OUTPUT_TRANSFER_SYNTAX:
        write_attribute(row, output, "UI", deliverable(value));
        break;
    case OUTPUT_STUDY_SERIES:
    case OUTPUT_STUDY_INSTANCES:
    case OUTPUT_SERIES_INSTANCES:
        write_attribute(row, output, "IS", value);
        break;
    case OUTPUT_AVAILABILITY:
        write_attribute(row, output, "CS", bytes_of_text("ONLINE"));
        break;
    case OUTPUT_RETRIEVE_URL:
        begin_attribute(row);
        dicom_json_retrieve_url(row->into, key);
        break;
    case OUTPUT_REQUEST_ATTRIBUTES:
        write_request_attributes(row, value);
        break;
    }
}

/* The row's text is UTF-8: where that matters it says so, in front of all else. */
static void say_charset(struct buffer *into, size_t from, bool any)
{
    const size_t size = sizeof charset_attribute - 1 + any;

    for (size_t i = from; i < into->size; i++) {
        if (into->data[i] < 0x80)
            continue;
        if (!buffer_reserve(into, size))
            return;
        memmove(into->data + from + size, into->data + from, into->size - from);
        memcpy(into->data + from, charset_attribute, sizeof charset_attribute - 1);
        if (any)
            into->data[from + size - 1] = ',';
        buffer_grew(into, size);
        return;
    }
}

static bool write_row(const struct search *search, sqlite3_stmt *statement, struct buffer *text,
                      struct buffer *into, struct arena *arena, struct error *err)
{
    const struct bytes stored = statement_blob(statement, 3);
    struct row row = { .search = search, .into = into, .arena = arena, .member_tag = UINT32_MAX };
    struct instance_key key;

    statement_uid(statement, 0, &key.study);
    statement_uid(statement, 1, &key.series);
    statement_uid(statement, 2, &key.instance);
    buffer_cut(text, 0);
    if (stored.size && !metadata_text_expand(stored, text, err))
        return false;
    row.json = buffer_bytes(text);
    buffer_append_byte(into, '{');
    const size_t from = into->size;
    if (row.json.size) {
        find_private_tags(&row);
        next_member(&row);
    }
    for (size_t i = 0; i < search->output_count; i++) {
        const struct search_output *output = &search->outputs[i];
        write_members_below(&row, output->tag);
        write_output(&row, output, statement_text(statement, FIRST_OUTPUT_COLUMN + (int)i), &key);
    }
    write_members_below(&row, UINT32_MAX);
    say_charset(into, from, row.any);
    buffer_append_byte(into, '}');
    return true;
}

/* ── the page ── */

struct ids {
    uint64_t *list;
    size_t count, room;
};

static bool read_ids(struct connection *reader, const struct search *search, struct ids *ids,
                     struct arena *arena, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *statement = NULL;
    const struct search_sql *sql;
    bool row = true;

    if (!search_sql_make(search, SEARCH_SQL_IDS, search->limit, search->offset, arena, &sql, err) ||
        !search_sql_prepare(sql, search, reader, &statement, err))
        return false;
    for (;;) {
        if (!statement_step(reader, statement, &row, err))
            return false;
        if (!row)
            return true;
        if (ids->count == ids->room) {
            uint64_t *more = arena_array(arena, 2 * ids->room + 128, sizeof *more);
            if (ids->count)
                memcpy(more, ids->list, ids->count * sizeof *more);
            ids->list = more;
            ids->room = 2 * ids->room + 128;
        }
        ids->list[ids->count++] = statement_number(statement, 0);
    }
}

static bool count_more(struct connection *reader, const struct search *search, uint64_t behind,
                       struct arena *arena, uint64_t *ret, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *statement = NULL;
    const struct search_sql *sql;
    bool row;

    if (!search_sql_make(search, SEARCH_SQL_COUNT, SEARCH_COUNTED_MOST, behind, arena, &sql, err) ||
        !search_sql_prepare(sql, search, reader, &statement, err) ||
        !statement_step(reader, statement, &row, err))
        return false;
    *ret = row ? statement_number(statement, 0) : 0;
    return true;
}

static bool write_rows(struct connection *reader, const struct search *search, const struct ids *ids,
                       struct buffer *into, struct arena *arena, struct error *err)
{
    const char *sql = row_statement(search, arena);
    SCOPED(statement) sqlite3_stmt *statement = NULL;
    SCOPED(buffer) struct buffer text = { 0 };
    bool row;

    buffer_init(&text, METADATA_TEXT_MOST);
    if (!connection_prepare(reader, sql, &statement, err))
        return false;
    for (size_t i = 0; i < ids->count; i++) {
        const struct arena_mark mark = arena_mark(arena);
        statement_bind_number(statement, 1, ids->list[i]);
        if (!statement_step(reader, statement, &row, err))
            return false;
        if (!row)
            return error_set(err, FAULT_INTERNAL, "catalog: a row left its own snapshot");
        if (i)
            buffer_append_byte(into, ',');
        if (!write_row(search, statement, &text, into, arena, err))
            return false;
        sqlite3_reset(statement);
        arena_rewind(arena, mark);
        if (!buffer_check(into, "the search result", err))
            return false;
    }
    return true;
}

static bool run_search(struct connection *reader, const struct search *search, struct buffer *into,
                       struct arena *arena, uint64_t *ret_rows, uint64_t *ret_remaining, struct error *err)
{
    struct ids ids = { 0 };
    uint64_t remaining = 0;

    if ((search->limit && !read_ids(reader, search, &ids, arena, err)) ||
        (ids.count == search->limit &&
         !count_more(reader, search, search->offset + ids.count, arena, &remaining, err)) ||
        !write_rows(reader, search, &ids, into, arena, err))
        return false;
    *ret_rows = ids.count;
    *ret_remaining = remaining;
    return true;
}

bool catalog_search(struct catalog *catalog, const struct search *search, struct buffer *into,
                    uint64_t *ret_rows, uint64_t *ret_remaining, struct error *err)
{
    SCOPED(reader) struct reader reader = { 0 };
    struct arena arena = { 0 };

    if (!reader_take(catalog, &reader, err))
        return error_while(err, "searching");
    const bool ok = run_search(reader.connection, search, into, &arena, ret_rows, ret_remaining, err);
    arena_release(&arena);
    return ok || error_while(err, "searching");
}
