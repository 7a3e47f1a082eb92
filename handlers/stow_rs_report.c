/* handlers/stow_rs_report.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Store Instances Response Module. Three lists out of one: stored, refused by name, and refused without a
 * name (a part of which too little was understood to tell its UIDs: STO-55).
 */
#include "handlers/stow_rs_report.h"

#include "handlers/links.h"

/* About 400 bytes an instance; more instances than fit are a delivery of many gigabytes. */
enum { REPORT_CEILING_BYTES = 512 * 1024 * 1024, RETRY_AFTER_S = 30 };

enum list { LIST_STORED, LIST_FAILED, LIST_OTHER };

struct tally {
    size_t stored, warned, failed, failed_for_room;
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

static void tally_up(const struct intake *intake, struct tally *ret)
{
    *ret = (struct tally){ .one_study = true };
    for (size_t i = 0; i < intake_count(intake); i++) {
        struct intake_outcome outcome;

        intake_outcome_at(intake, i, &outcome);
        if (outcome.error.fault) {
            ret->failed++;
            ret->failed_for_room += fault_info(outcome.error.fault)->http_status == 503;
            if (!ret->first_failure)
                ret->first_failure = outcome.error.fault;
            continue;
        }
        ret->warned += outcome.warning_reason != 0;
        if (ret->stored++ == 0)
            ret->study = outcome.key.study;
        else if (!uid_equal(&ret->study, &outcome.key.study))
            ret->one_study = false;
    }
    ret->one_study = ret->one_study && ret->stored > 0;
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

/* Absent when it has no item (STO-56). */
static void write_sequence(struct buffer *into, const char *base, const char *tag, enum list list,
                           const struct intake *intake)
{
    bool begun = false;

    for (size_t i = 0; i < intake_count(intake); i++) {
        struct intake_outcome outcome;

        intake_outcome_at(intake, i, &outcome);
        if (list_of(&outcome) != list)
            continue;
        if (begun)
            buffer_append_byte(into, ',');
        else
            buffer_printf(into, ",\"%s\":{\"vr\":\"SQ\",\"Value\":[", tag);
        write_item(into, base, list, &outcome);
        begun = true;
    }
    if (begun)
        buffer_append_text(into, "]}");
}

bool stow_rs_report(const struct service *service, const struct request *request, const struct intake *intake,
                    const struct model_form *form, struct response *response, struct error *err)
{
    struct arena *arena = request->arena;
    const char *base = request->public_base;
    SCOPED(buffer) struct buffer made;
    struct buffer *text = &made;
    struct tally tally;
    struct instance_key study = { 0 };

    (void)service;
    buffer_init(text, REPORT_CEILING_BYTES);
    tally_up(intake, &tally);
    study.study = tally.study;
    const char *location = tally.one_study ? link_to(arena, base, &study, "") : NULL;

    buffer_append_text(text, "{\"00081190\":{\"vr\":\"UR\"");
    if (location) {
        buffer_append_text(text, ",\"Value\":[");
        buffer_append_json_string(text, bytes_of_text(location));
        buffer_append_byte(text, ']');
    }
    buffer_append_byte(text, '}');
    write_sequence(text, base, "00081198", LIST_FAILED, intake);
    write_sequence(text, base, "00081199", LIST_STORED, intake);
    write_sequence(text, base, "0008119A", LIST_OTHER, intake);
    buffer_append_byte(text, '}');
    if (!buffer_check(text, "the report of a store", err) ||
        !model_answer(request, form, true, status_of(&tally), buffer_bytes(text),
                      4 * (size_t)REPORT_CEILING_BYTES, response, err))
        return false;
    response_header(response, arena, "Cache-Control", "no-store");
    if (location) {
        response_header(response, arena, "Location", "%s", location);
        response_header(response, arena, "Content-Location", "%s", location);
    }
    if (tally.first_failure)
        response_header(response, arena, "Warning", "%04X %s: %s",
                        (unsigned)fault_info(tally.first_failure)->failure_reason, base,
                        fault_info(tally.first_failure)->sentence);
    if (response->status == 503)
        response_header(response, arena, "Retry-After", "%d", RETRY_AFTER_S);
    return true;
}
