/* handlers/rendered_body.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   instances of the listing ─┬► frames of each ─► made (rendered_picture.h) ─┬► head and bytes of a part ─►
 * … ─► tail └► document, video (rendered_document.h) ───────┘
 */
#include "handlers/rendered_body.h"

#include <inttypes.h>

#include "base/log.h"
#include "handlers/links.h"
#include "handlers/listed.h"
#include "handlers/rendered_document.h"
#include "handlers/rendered_picture.h"
#include "handlers/shown_frame.h"
#include "http/multipart_writer.h"

struct rendered_source {
    struct body_source source; /* first: the two are one */
    const struct service *service;
    const struct request *request;
    struct rendered_parts what;
    struct bytes boundary;
    struct arena scratch; /* of the part under way */

    const struct instance_record *record; /* of the instance under way, NULL: the next one is to be found */
    size_t instance;
    uint32_t frame_index;
    unsigned made; /* parts */
    bool ended;

    const char *type; /* of the part under way */
    struct block *block;
    struct bytes head, body;      /* what is left of them */
    struct body_source *document; /* in the place of `body`, NULL when it is through */
    uint64_t document_left;       /* bytes */
};

static void close_source(void *closed)
{
    struct rendered_source *source = closed;

    instance_record_unref(source->record);
    block_unref(source->block);
    arena_release(&source->scratch);
}

/* The frames wanted of the instance under way; NULL: all. */
static const struct frame_list *wanted_frames(const struct rendered_source *source)
{
    const struct frame_list *frames = source->what.frames_or_null;

    return frames && frames[source->instance].count > 0 ? &frames[source->instance] : NULL;
}

static uint32_t frame_count(const struct rendered_source *source)
{
    if (rendered_document_kind(source->record) != DOCUMENT_NONE)
        return 1; /* part */
    const struct frame_list *wanted = wanted_frames(source);

    return wanted ? (uint32_t)wanted->count : frame_table_count(source->record->frames);
}

static void next_instance(struct rendered_source *source)
{
    instance_record_unref(source->record);
    source->record = NULL;
    source->frame_index = 0;
    source->instance++;
}

static bool is_wanted(const struct rendered_source *source)
{
    if (rendered_document_kind(source->record) == DOCUMENT_NONE)
        return source->what.has_format && shown_frame_is_image(source->record);
    return source->what.accept_or_null &&
           rendered_document_type(source->record, source->what.accept_or_null, true);
}

/* Is the record of an instance that can be rendered at hand? Passes over those that cannot. */
static bool find_instance(struct rendered_source *source, struct error *err)
{
    while (!source->record && source->instance < source->what.listing->count) {
        const struct listed_instance *listed = &source->what.listing->list[source->instance];

        if (!listed_record(source->service, listed, &source->record, err)) {
            if (err->fault != FAULT_NOT_FOUND)
                return false;
            error_clear(err); /* its file could not be held */
            source->instance++;
        } else if (!is_wanted(source)) {
            next_instance(source);
        }
    }
    return true;
}

/* One bad frame is no reason to cut the others off; a server that is out of memory or of its disk is. */
static bool may_be_left_out(enum fault fault)
{
    return fault_is_lasting(fault) || fault == FAULT_NOT_FOUND || fault == FAULT_NOT_DICOM ||
           fault == FAULT_GONE;
}

static void begin_part(struct rendered_source *source, uint32_t frame)
{
    const char *tail = arena_printf(&source->scratch, "/frames/%" PRIu32, frame);
    const bool several = frame_table_count(source->record->frames) > 1 || wanted_frames(source);

    source->type = picture_format_info(source->what.format)->media_type;
    source->body = block_bytes(source->block);
    source->head = multipart_part_head(
        &source->scratch, source->boundary, source->made == 0, source->type, NULL,
        link_to(&source->scratch, source->request->public_base, &source->record->key, several ? tail : ""),
        source->body.size);
    source->made++;
}

/* The document of the instance under way as a part. What it needs ends with the part. */
static bool begin_document(struct rendered_source *source, struct error *err)
{
    struct request *within = arena_alloc(&source->scratch, sizeof(*within));

    *within = *source->request;
    within->arena = &source->scratch;
    within->patience = MAY_WAIT;
    source->type = rendered_document_type(source->record, source->what.accept_or_null, true);
    if (!rendered_document_body(source->service, within, source->record, source->type, &source->document,
                                err))
        return false;
    source->document_left = source->document->size;
    source->head =
        multipart_part_head(&source->scratch, source->boundary, source->made == 0,
                            rendered_document_label(source->record, source->type, &source->scratch), NULL,
                            link_to(&source->scratch, source->request->public_base, &source->record->key, ""),
                            source->document->size);
    source->made++;
    return true;
}

/* The part of the instance and frame under way. */
static bool make_part(struct rendered_source *source, struct error *err)
{
    if (rendered_document_kind(source->record) != DOCUMENT_NONE)
        return begin_document(source, err);
    const struct frame_list *wanted = wanted_frames(source);
    const uint32_t n = source->frame_index, frame = wanted ? wanted->frames[n] : n + 1;
    if (!rendered_picture(source->service, source->request, source->record, frame, source->what.parameters,
                          source->what.format, MAY_WAIT, &source->block, err))
        return false;
    begin_part(source, frame);
    return true;
}

/* The next part that there is, or the tail. *ret_left_out: why the last one that was passed over was. */
static bool advance(struct rendered_source *source, struct error *ret_left_out, struct error *err)
{
    block_unref(TAKE(source->block));
    source->document = NULL;
    arena_release(&source->scratch);
    while (find_instance(source, err) && source->record) {
        if (source->frame_index >= frame_count(source)) {
            next_instance(source);
            continue;
        }
        if (make_part(source, err)) {
            source->frame_index++;
            return true;
        }
        if (!may_be_left_out(err->fault))
            return false; /* also WOULD_WAIT: asked again, this frame is next */
        source->frame_index++;
        log_line(LOG_WARNING, "request %" PRIu64 ": a part was left out: %s", source->request->id,
                 err->detail);
        *ret_left_out = *err;
        error_clear(err);
    }
    if (source->record || err->fault != FAULT_NONE)
        return false;
    source->ended = true;
    source->head = multipart_tail(&source->scratch, source->boundary);
    return true;
}

static size_t hand_out(struct bytes *from, uint8_t *into, size_t capacity)
{
    const size_t size = from->size < capacity ? from->size : capacity;

    if (size > 0)
        memcpy(into, from->data, size);
    *from = bytes_from(*from, size);
    return size;
}

/* As `hand_out` of what is read from the disk or a document in memory. */
static bool hand_out_document(struct rendered_source *source, uint8_t *into, size_t capacity,
                              enum patience patience, size_t *ret_size, struct error *err)
{
    *ret_size = 0;
    if (!source->document || capacity == 0)
        return true;
    if (source->document_left > 0 &&
        !source->document->read(source->document, into, capacity, patience, ret_size, err))
        return false;
    if (*ret_size > source->document_left || (*ret_size == 0 && source->document_left > 0))
        return error_set(err, FAULT_INTERNAL, "a document of another size than it was told to have");
    source->document_left -= *ret_size;
    if (source->document_left == 0)
        source->document = NULL;
    return true;
}

static bool read_source(struct body_source *body, void *into, size_t capacity, enum patience patience,
                        size_t *ret_size, struct error *err)
{
    struct rendered_source *source = (struct rendered_source *)body;
    struct error left_out = { 0 };
    size_t total = 0;

    while (total < capacity) {
        total += hand_out(&source->head, (uint8_t *)into + total, capacity - total);
        total += hand_out(&source->body, (uint8_t *)into + total, capacity - total);
        if (source->head.size == 0) {
            size_t size;
            if (!hand_out_document(source, (uint8_t *)into + total, capacity - total, patience, &size, err)) {
                if (total == 0 || err->fault != FAULT_WOULD_WAIT)
                    return error_while(err, "part %u", source->made);
                error_clear(err); /* what there is goes out first */
                break;
            }
            total += size;
        }
        if (source->head.size > 0 || source->body.size > 0 || source->document || source->ended)
            break;
        if (total > 0) /* the next picture is another job */
            break;
        if (patience == MUST_NOT_WAIT)
            return error_set(err, FAULT_WOULD_WAIT, "rendering a part");
        if (!advance(source, &left_out, err))
            return error_while(err, "part %u", source->made + 1);
    }
    *ret_size = total;
    return true;
}

bool rendered_body(const struct service *service, const struct request *request,
                   const struct rendered_parts *parts, struct bytes boundary, const char **ret_type,
                   struct body_source **ret, struct error *err)
{
    struct rendered_source *source = arena_alloc(request->arena, sizeof(*source));
    struct error left_out = { 0 };

    *source = (struct rendered_source){ .source = { .size = BODY_SIZE_UNKNOWN, .read = read_source },
                                        .service = service,
                                        .request = request,
                                        .what = *parts,
                                        .boundary = boundary };
    arena_defer(request->arena, close_source, source);
    if (!advance(source, &left_out, err))
        return false;
    if (source->ended) {
        if (left_out.fault == FAULT_NONE)
            return error_tell(err, FAULT_NOT_ACCEPTABLE, "Nothing here can be rendered as what is accepted.");
        *err = left_out;
        return false;
    }
    *ret_type = source->type;
    *ret = &source->source;
    return true;
}
