/* handlers/stow_rs_report.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Store Instances Response Module. Three lists out of one: refused by name, stored, and refused without a
 * name (a part of which too little was understood to tell its UIDs: STO-55).
 *
 * Some 350 bytes an instance, so it is written while it is sent, a piece at a time; the outcomes are gone
 * through once for the status and once for each list. What fits the first piece has a known length.
 */
#include "handlers/stow_rs_report.h"

#include "dicom/native_xml.h"
#include "dicom/tag.h"
#include "handlers/held.h"
#include "handlers/links.h"
#include "http/multipart_writer.h"

enum {
    PIECE_BYTES = 64 * 1024,
    PIECE_CEILING_BYTES = 1024 * 1024, /* a piece and one item more, which has some kilobytes at most */
    RETRY_AFTER_S = 30,
};

/* In the order of their tags. */
enum list { LIST_FAILED, LIST_STORED, LIST_OTHER, LISTS };
static const uint32_t list_tags[LISTS] = { 0x00081198, 0x00081199, 0x0008119A };

struct tally {
    size_t stored, warned, failed, failed_for_room;
    size_t of_list[LISTS];
    bool one_study; /* all that is stored is of `study` */
    struct uid study;
    enum fault first_failure;
};

static enum list list_of(const struct intake_outcome *outcome)
{
    if (outcome->error.fault == FAULT_NONE)
        return LIST_STORED;
    return outcome->key.instance.text[0] && outcome->sop_class.text[0] ? LIST_FAILED : LIST_OTHER;
}

static void tally_one(const struct intake_outcome *outcome, struct tally *tally)
{
    tally->of_list[list_of(outcome)]++;
    if (outcome->error.fault) {
        tally->failed++;
        tally->failed_for_room += fault_info(outcome->error.fault)->http_status == 503;
        if (!tally->first_failure)
            tally->first_failure = outcome->error.fault;
        return;
    }
    tally->warned += outcome->warning_reason != 0;
    if (tally->stored++ == 0)
        tally->study = outcome->key.study;
    else if (!uid_equal(&tally->study, &outcome->key.study))
        tally->one_study = false;
}

static bool tally_up(struct outcome_reader *outcomes, struct tally *ret, struct error *err)
{
    const struct intake_outcome *outcome = NULL;

    *ret = (struct tally){ .one_study = true };
    do {
        if (!outcome_reader_next(outcomes, MAY_WAIT, &outcome, err))
            return false;
        if (outcome)
            tally_one(outcome, ret);
    } while (outcome);
    outcome_reader_rewind(outcomes);
    ret->one_study = ret->one_study && ret->stored > 0;
    return true;
}

/* The table of STO-43. */
static int status_of(const struct tally *tally)
{
    if (tally->stored == 0)
        return tally->failed_for_room == tally->failed ? 503 : 409;
    return tally->failed || tally->warned ? 202 : 200;
}

/* Failures carry the sentence that names the attribute as Error Comment (0000,0902) in Failed Attributes
 * Sequence (0074,1048): the standard has no place for it, and a large cloud's clients look there. UIDs and
 * the public base need no escaping: digits, dots, and a checked setting. */
static void write_item(struct buffer *into, const char *base, enum list list,
                       const struct intake_outcome *outcome)
{
    const unsigned reason =
        list == LIST_STORED ? outcome->warning_reason : fault_info(outcome->error.fault)->failure_reason;
    struct arena scratch = { 0 };

    buffer_append_byte(into, '{');
    if (list != LIST_OTHER)
        buffer_printf(into,
                      "\"00081150\":{\"vr\":\"UI\",\"Value\":[\"%s\"]},"
                      "\"00081155\":{\"vr\":\"UI\",\"Value\":[\"%s\"]}",
                      outcome->sop_class.text, outcome->key.instance.text);
    if (list == LIST_STORED) {
        buffer_append_text(into, ",\"00081190\":{\"vr\":\"UR\",\"Value\":[");
        buffer_append_json_string(into, bytes_of_text(link_to(&scratch, base, &outcome->key, "")));
        buffer_append_text(into, "]}");
    }
    if (list != LIST_STORED || reason)
        buffer_printf(into, "%s\"%s\":{\"vr\":\"US\",\"Value\":[%u]}", list == LIST_OTHER ? "" : ",",
                      list == LIST_STORED ? "00081196" : "00081197", reason);
    if (list != LIST_STORED && outcome->error.told[0]) {
        buffer_append_text(
            into, ",\"00741048\":{\"vr\":\"SQ\",\"Value\":[{\"00000902\":{\"vr\":\"LO\",\"Value\":[");
        buffer_append_json_string(into, bytes_of_text(outcome->error.told));
        buffer_append_text(into, "]}}]}");
    }
    buffer_append_byte(into, '}');
    arena_release(&scratch);
}

/* ── written while it is sent ── */

/*   STEP_HEAD ─► for each list that has items (STO-56): STEP_BEGIN ─► STEP_ITEMS ─► STEP_END ─► STEP_TAIL ─►
 * STEP_DONE */
enum step { STEP_HEAD, STEP_BEGIN, STEP_ITEMS, STEP_END, STEP_TAIL, STEP_DONE };

struct report {
    struct body_source source; /* first: the two are one */
    struct outcome_reader *outcomes;
    const char *base, *location_or_null;
    bool is_xml;
    struct tally tally;
    enum step step;
    enum list list;
    uint64_t number;      /* of items of this list */
    struct buffer *piece; /* of which `given` bytes have been sent */
    struct buffer *item;  /* JSON that becomes XML */
    size_t given;
};

static bool write_head(struct report *report, struct error *err)
{
    struct buffer *into = report->is_xml ? report->item : report->piece;

    buffer_cut(report->item, 0);
    buffer_append_text(into, "{\"00081190\":{\"vr\":\"UR\"");
    if (report->location_or_null) {
        buffer_append_text(into, ",\"Value\":[");
        buffer_append_json_string(into, bytes_of_text(report->location_or_null));
        buffer_append_byte(into, ']');
    }
    buffer_append_byte(into, '}');
    if (!report->is_xml)
        return true;
    buffer_append_byte(into, '}');
    native_xml_begin(report->piece);
    return native_xml_attributes(buffer_bytes(into), report->piece, err);
}

static void write_begin(struct report *report)
{
    const uint32_t tag = list_tags[report->list];

    report->number = 0;
    if (report->is_xml)
        native_xml_sequence_begin(tag, report->piece);
    else
        buffer_printf(report->piece, ",\"%08X\":{\"vr\":\"SQ\",\"Value\":[", tag);
}

/* Items until the piece is full or the list ends. */
static bool write_items(struct report *report, enum patience patience, struct error *err)
{
    const struct intake_outcome *outcome = NULL;

    while (report->piece->size < PIECE_BYTES && report->number < report->tally.of_list[report->list]) {
        if (!outcome_reader_next(report->outcomes, patience, &outcome, err))
            return false;
        if (!outcome)
            return error_set(err, FAULT_INTERNAL, "fewer outcomes than were counted");
        if (list_of(outcome) != report->list)
            continue;
        report->number++;
        if (report->is_xml) {
            buffer_cut(report->item, 0);
            write_item(report->item, report->base, report->list, outcome);
            if (!native_xml_item(report->number, buffer_bytes(report->item), report->piece, err))
                return false;
            continue;
        }
        if (report->number > 1)
            buffer_append_byte(report->piece, ',');
        write_item(report->piece, report->base, report->list, outcome);
    }
    if (report->number == report->tally.of_list[report->list])
        report->step = STEP_END;
    return true;
}

/* The next list that has items, from `from` on. */
static void go_to_list(struct report *report, unsigned from)
{
    while (from < LISTS && report->tally.of_list[from] == 0)
        from++;
    report->list = (enum list)from;
    report->step = from < LISTS ? STEP_BEGIN : STEP_TAIL;
    outcome_reader_rewind(report->outcomes);
}

static bool write_step(struct report *report, enum patience patience, struct error *err)
{
    switch (report->step) {
    case STEP_HEAD:
        go_to_list(report, 0);
        return write_head(report, err);
    case STEP_BEGIN:
        write_begin(report);
        report->step = STEP_ITEMS;
        return true;
    case STEP_ITEMS:
        return write_items(report, patience, err);
    case STEP_END:
        if (report->is_xml)
            native_xml_sequence_end(report->piece);
        else
            buffer_append_text(report->piece, "]}");
        go_to_list(report, report->list + 1);
        return true;
    case STEP_TAIL:
        if (report->is_xml)
            native_xml_end(report->piece);
        else
            buffer_append_byte(report->piece, '}');
        report->step = STEP_DONE;
        return true;
    case STEP_DONE:
        break;
    }
    return true;
}

/* The next piece. WOULD_WAIT leaves what is written of it: it is gone on with. */
static bool fill_piece(struct report *report, enum patience patience, struct error *err)
{
    if (report->given == report->piece->size) {
        buffer_cut(report->piece, 0);
        report->given = 0;
    }
    while (report->step != STEP_DONE && report->piece->size < PIECE_BYTES)
        if (!write_step(report, patience, err))
            return false;
    return buffer_check(report->piece, "a piece of a report", err);
}

static bool report_read(struct body_source *source, void *into, size_t capacity, enum patience patience,
                        size_t *ret_size, struct error *err)
{
    struct report *report = (struct report *)source;
    size_t filled = 0;

    while (filled < capacity) {
        struct error why = { 0 };
        const bool is_empty = report->given == report->piece->size;
        const bool is_filled = !is_empty || fill_piece(report, patience, &why);
        const size_t left = report->piece->size - report->given;
        const size_t size = left < capacity - filled ? left : capacity - filled;

        /* What is there goes out before anything is waited for. */
        if (!is_filled && (why.fault != FAULT_WOULD_WAIT || (size == 0 && filled == 0))) {
            *err = why;
            return false;
        }
        if (size == 0)
            break;
        memcpy((uint8_t *)into + filled, report->piece->data + report->given, size);
        report->given += size;
        filled += size;
    }
    *ret_size = filled;
    return true;
}

static struct report *report_new(const struct request *request, struct intake *intake, bool is_xml)
{
    struct arena *arena = request->arena;
    struct report *report = arena_alloc(arena, sizeof *report);

    *report = (struct report){
        .source = { .size = BODY_SIZE_UNKNOWN, .read = report_read },
        .outcomes = intake_outcomes(intake, arena),
        .base = request->public_base,
        .is_xml = is_xml,
        .piece = held_buffer(arena, PIECE_CEILING_BYTES),
        .item = held_buffer(arena, PIECE_CEILING_BYTES),
    };
    return report;
}

/* The body, and around it what makes it the only part of a multipart. */
static void answer_with(struct report *report, const struct request *request, const struct model_form *form,
                        struct response *response)
{
    struct arena *arena = request->arena;
    const char *type = form->type;

    response->body = &report->source;
    if (form->multipart) {
        const struct bytes boundary = multipart_boundary(
            arena, bytes_of_text(arena_printf(arena, "%llu", (unsigned long long)request->id)));
        struct body_source **parts = arena_array(arena, 3, sizeof *parts);

        type = multipart_content_type(arena, boundary, form->type, NULL);
        parts[0] = body_of_bytes(
            arena, multipart_part_head(arena, boundary, true, form->type, NULL, NULL, report->source.size));
        parts[1] = &report->source;
        parts[2] = body_of_bytes(arena, multipart_tail(arena, boundary));
        response->body = body_chain(arena, parts, 3);
    }
    response_header(response, arena, "Content-Type", "%s", type);
}

bool stow_rs_report(const struct request *request, struct intake *intake, const struct model_form *form,
                    struct response *response, struct error *err)
{
    struct arena *arena = request->arena;
    struct report *report = report_new(request, intake, form->is_xml);
    struct tally *tally = &report->tally;
    struct instance_key study = { 0 };

    if (!tally_up(report->outcomes, tally, err))
        return false;
    study.study = tally->study;
    const char *location = tally->one_study ? link_to(arena, request->public_base, &study, "") : NULL;
    report->location_or_null = location;
    if (!fill_piece(report, MAY_WAIT, err))
        return false;
    if (report->step == STEP_DONE)
        report->source.size = report->piece->size;
    response->status = status_of(tally);
    answer_with(report, request, form, response);
    response_header(response, arena, "Cache-Control", "no-store");
    if (location) {
        response_header(response, arena, "Location", "%s", location);
        response_header(response, arena, "Content-Location", "%s", location);
    }
    if (tally->first_failure)
        response_header(response, arena, "Warning", "%04X %s: %s",
                        (unsigned)fault_info(tally->first_failure)->failure_reason, request->public_base,
                        fault_info(tally->first_failure)->sentence);
    if (response->status == 503)
        response_header(response, arena, "Retry-After", "%d", RETRY_AFTER_S);
    return true;
}
