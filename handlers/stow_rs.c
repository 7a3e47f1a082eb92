/* handlers/stow_rs.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * POST /studies and /studies/{study}: PS3.18 10.5. From the wire to the intake while the body arrives; what
 * became of each instance is told by stow_rs_report.c.
 *
 *   headers ─► stow_rs_receive: may this be stored at all?     415, 406, 413, 400 before any byte of the body
 *   body    ─► sink ─► multipart_reader ─► intake              a part that fails is an outcome, the rest goes
 * on end     ─► stow_rs_answer: intake_commit, then the report
 */
#include <inttypes.h>

#include "base/number.h"
#include "handlers/stow_rs_metadata.h"
#include "handlers/stow_rs_report.h"
#include "handlers/transactions.h"
#include "http/content_decoder.h"
#include "http/media_type.h"
#include "http/multipart_reader.h"
#include "storage/intake.h"

static const char ACCEPTED_TYPES[] = "Accepted: multipart/related with type application/dicom, "
                                     "application/dicom+json or application/dicom+xml; "
                                     "application/dicom.";

struct stow_sink {
    struct body_sink sink; /* first: the two are one */
    struct service service;
    struct uid study;                /* text[0] == 0: any */
    struct multipart_reader *reader; /* NULL: the body is one file */
    struct stow_metadata *metadata;  /* NULL: the parts are files */
    struct intake *intake;           /* opened with the first byte: that may wait */
    struct model_form form;          /* of the answer */
    uint64_t received;               /* bytes of the body */

    bool in_instance;       /* the part under way goes to the intake */
    uint64_t part_promised; /* BODY_SIZE_UNKNOWN: no Content-Length in the part */
    uint64_t part_received;
    struct error broken; /* the message is: what follows is not looked at any more */
};

/* ── parts ── */

static bool part_is_dicom(const struct fields *headers, struct arena *arena)
{
    const struct field *field = fields_find(headers, "content-type");
    struct media_type type;
    struct error ignored = { 0 };

    /* Without a Content-Type it is what the message says (STO-12). */
    return !field || (media_type_parse(field->value, arena, &type, &ignored) &&
                      media_type_is(&type, "application/dicom"));
}

/* A part that cannot begin is refused alone: the next one may fit. What was refused for want of room is told
 * so. */
static void begin_instance(struct stow_sink *stow)
{
    struct error err = { 0 };

    stow->in_instance = intake_begin_instance(stow->intake, &err);
    if (!stow->in_instance)
        intake_refuse_instance(stow->intake, &err);
}

static bool part_begin(void *context, const struct fields *headers, struct error *err)
{
    struct stow_sink *stow = context;
    struct arena scratch = { 0 };
    const struct field *length = fields_find(headers, "content-length");
    struct error refused = { 0 };

    if (stow->metadata)
        return stow_metadata_part_begin(stow->metadata, headers, err);
    stow->in_instance = false;
    stow->part_received = 0;
    stow->part_promised = BODY_SIZE_UNKNOWN;
    const bool is_dicom = part_is_dicom(headers, &scratch);
    arena_release(&scratch);

    if (!is_dicom)
        error_tell(&refused, FAULT_UNSUPPORTED_MEDIA, "The part is not application/dicom.");
    else if (length && !number_parse(length->value, 0, UINT64_MAX - 1, &stow->part_promised))
        error_tell(&refused, FAULT_MALFORMED, "The part's Content-Length is no number.");
    if (refused.fault)
        intake_refuse_instance(stow->intake, &refused);
    else
        begin_instance(stow);
    return true;
}

static bool part_bytes(void *context, struct bytes chunk, struct error *err)
{
    struct stow_sink *stow = context;

    if (stow->metadata)
        return stow_metadata_part_bytes(stow->metadata, chunk, err);
    stow->part_received += chunk.size;
    if (stow->in_instance)
        intake_write(stow->intake, chunk);
    return true;
}

static bool part_end(void *context, struct error *err)
{
    struct stow_sink *stow = context;
    struct error wrong = { 0 };

    if (stow->metadata)
        return stow_metadata_part_end(stow->metadata, err);
    if (stow->in_instance && stow->part_promised != BODY_SIZE_UNKNOWN &&
        stow->part_promised != stow->part_received) {
        error_tell(&wrong, FAULT_MALFORMED, "The part's Content-Length is not its length."); /* STO-11 */
        intake_abandon_instance(stow->intake, &wrong);
    } else if (stow->in_instance) {
        intake_end_instance(stow->intake);
    }
    stow->in_instance = false;
    return true;
}

static const struct multipart_events part_events = { part_begin, part_bytes, part_end };

/* ── the body ── */

static bool open_intake(struct stow_sink *stow, struct error *err)
{
    const struct limits *limits = stow->service.limits;
    const struct intake_options options = {
        .only_study_or_null = stow->study.text[0] ? &stow->study : NULL,
        .instance_ceiling_bytes = limits->instance_ceiling_bytes,
        .batch_instances = limits->batch_instances,
        .batch_bytes = limits->batch_bytes,
        .commits_behind = true,
        .duplicates = limits->duplicates,
        .takes_foreign_meta = limits->takes_foreign_meta,
        .json = limits->json,
    };

    return stow->intake ||
           intake_open(stow->service.store, stow->service.catalog, &options, &stow->intake, err);
}

/* What arrived whole before the break stays and is reported (STO-10, STO-44); the part under way is dropped.
 * Without any instance before it, the message as a whole is what is wrong: 400. */
static bool message_is_broken(struct stow_sink *stow, const struct error *why, struct error *err)
{
    stow->broken = *why;
    if (stow->in_instance)
        intake_abandon_instance(stow->intake, why);
    else if (stow->intake && intake_count(stow->intake) > 0)
        intake_refuse_instance(stow->intake, why);
    stow->in_instance = false;
    /* Of metadata and bulk data nothing is an instance before all of it is there. */
    if (!stow->metadata && stow->intake && intake_count(stow->intake) > 1)
        return true;
    *err = *why;
    return false;
}

static bool stow_write(struct body_sink *sink, struct bytes chunk, struct error *err)
{
    struct stow_sink *stow = (struct stow_sink *)sink;
    struct error why = { 0 };

    stow->received += chunk.size;
    if (stow->received > stow->service.limits->request_ceiling_bytes)
        return error_tell(err, FAULT_TOO_LARGE, "A request body may have %" PRIu64 " bytes.",
                          stow->service.limits->request_ceiling_bytes);
    if (stow->broken.fault || chunk.size == 0)
        return true;
    if (!open_intake(stow, err))
        return false;
    if (!stow->reader) {
        if (stow->received == chunk.size)
            begin_instance(stow);
        return part_bytes(stow, chunk, err);
    }
    return multipart_reader_push(stow->reader, chunk, &why) || message_is_broken(stow, &why, err);
}

static bool stow_end(struct body_sink *sink, struct error *err)
{
    struct stow_sink *stow = (struct stow_sink *)sink;
    struct error why = { 0 };

    if (stow->broken.fault)
        return true;
    if (stow->received == 0)
        return error_tell(err, FAULT_MALFORMED, "The body is empty.");
    if (!stow->reader)
        return part_end(stow, err);
    if (!multipart_reader_end(stow->reader, &why))
        return message_is_broken(stow, &why, err);
    if (multipart_reader_parts(stow->reader) == 0)
        return error_tell(err, FAULT_MALFORMED, "The multipart body has no parts.");
    return !stow->metadata || stow_metadata_finish(stow->metadata, stow->intake, err);
}

static void stow_close(void *closed)
{
    struct stow_sink *stow = closed;

    intake_close(
        stow->intake); /* discards what was not committed: the client left, or the body was refused */
}

/* ── the transaction ── */

/* What the parts of multipart/related are: files, or metadata and bulk data. */
static bool read_inner_type(const struct service *service, const struct request *request, struct bytes inner,
                            struct stow_sink *stow, struct error *err)
{
    struct media_type type;
    struct error ignored = { 0 };

    if (!inner.data)
        return true;
    if (!media_type_parse(bytes_trim(inner), request->arena, &type, &ignored))
        return error_tell(err, FAULT_UNSUPPORTED_MEDIA, "%s", ACCEPTED_TYPES);
    if (media_type_is(&type, "application/dicom"))
        return true;
    if (media_type_is(&type, "application/octet-stream"))
        return error_tell(err, FAULT_MALFORMED,
                          "Bulk data alone are no instances: their metadata are missing.");
    const bool is_xml = media_type_is(&type, "application/dicom+xml");
    if (!is_xml && !media_type_is(&type, "application/dicom+json"))
        return error_tell(err, FAULT_UNSUPPORTED_MEDIA, "%s", ACCEPTED_TYPES);
    stow->metadata = stow_metadata_new(service, request, is_xml);
    return true;
}

/* multipart/related, or one file alone (STO-01 to STO-05). */
static bool read_content_type(const struct service *service, const struct request *request,
                              struct stow_sink *stow, struct error *err)
{
    const struct bytes header = request_header(request, "content-type");
    struct media_type type;
    struct error ignored = { 0 };

    if (!header.data || !media_type_parse(header, request->arena, &type, &ignored))
        return error_tell(err, FAULT_UNSUPPORTED_MEDIA, "%s", ACCEPTED_TYPES);
    if (media_type_is(&type, "application/dicom"))
        return true;
    if (!media_type_is(&type, "multipart/related"))
        return error_tell(err, FAULT_UNSUPPORTED_MEDIA, "%s", ACCEPTED_TYPES);

    const struct bytes boundary = media_type_parameter(&type, "boundary");
    if (!read_inner_type(service, request, media_type_parameter(&type, "type"), stow, err))
        return false;
    if (!boundary.data)
        return error_tell(err, FAULT_MALFORMED, "multipart/related needs a boundary.");
    return multipart_reader_new(boundary, &part_events, stow, request->arena, &stow->reader, err);
}

bool stow_rs_receive(const struct service *service, const struct request *request, struct body_sink **ret,
                     struct error *err)
{
    struct stow_sink *stow = arena_alloc(request->arena, sizeof(*stow));
    const struct bytes coding = request_header(request, "content-encoding");

    *stow = (struct stow_sink){ .sink = { stow_write, stow_end },
                                .service = *service,
                                .part_promised = BODY_SIZE_UNKNOWN };
    if (request->params[0].data && !uid_parse(request->params[0], &stow->study, err))
        return false;
    /* Whether the answer can be given is decided before anything is stored (STO-47). */
    if (!read_content_type(service, request, stow, err) ||
        !model_form_choose(request, true, &stow->form, err))
        return false;
    if (request->content_length != BODY_SIZE_UNKNOWN &&
        request->content_length > service->limits->request_ceiling_bytes)
        return error_tell(err, FAULT_TOO_LARGE, "A request body may have %" PRIu64 " bytes.",
                          service->limits->request_ceiling_bytes);

    arena_defer(request->arena, stow_close, stow);
    return content_decoder(coding, &stow->sink, service->limits->expansion_ceiling, request->arena, ret, err);
}

bool stow_rs_answer(const struct service *service, const struct request *request, struct response *response,
                    struct error *err)
{
    struct stow_sink *stow = (struct stow_sink *)content_decoder_inner(request->body);

    (void)service;
    if (!stow || !stow->intake)
        return error_tell(err, FAULT_MALFORMED, "The body is empty.");
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "storing");
    if (!intake_commit(stow->intake, err))
        return false;
    return stow_rs_report(request, stow->intake, &stow->form, response, err);
}
