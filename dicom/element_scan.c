/* dicom/element_scan.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Tags and lengths of a data set, walked with a stack of our own; see element_scan.h. Which bytes are a
 * length, and what is a sequence, is decided as DCMTK decides it, which the field is used to. Values are
 * never read. Whoever wants to know what is passed is told (dicom/dataset.c).
 *
 *   data set ─ element ─ sequence ─ item ─ element ─ sequence ─ ...
 *   levels[0]            levels[1]  levels[2]        levels[3]
 */
#include "dicom/element_scan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "bridge/dictionary_table.h"
#include "dicom/tag.h"

enum { WINDOW_BYTES = 65536, WORK_CEILING = 20000000 };
#define UNDEFINED_LENGTH UINT32_MAX
#define NO_END UINT64_MAX

enum { ITEM = 0xFFFEE000, ITEM_END = 0xFFFEE00D, SEQUENCE_END = 0xFFFEE0DD };

enum level_kind { LEVEL_ELEMENTS, LEVEL_ITEMS, LEVEL_FRAGMENTS };

struct level {
    enum level_kind kind;
    uint64_t end;  /* NO_END: a delimiter ends it */
    bool implicit; /* a sequence stored as UN is implicit little endian inside (PS3.5 6.2.2) */
    uint32_t last_tag, elements, creators;
};

struct scan {
    const struct element_source *source;
    struct element_visitor *visitor; /* or NULL */
    enum dataset_encoding encoding;
    uint64_t at;
    uint32_t elements;
    uint64_t work; /* see count_work */
    struct level levels[2 * ELEMENT_SCAN_DEPTH + 1];
    size_t depth; /* levels in use */
    uint64_t window_at;
    size_t window_size;
    uint8_t window[WINDOW_BYTES];
};

struct header {
    uint32_t tag, length;
    uint8_t vr[2]; /* zero when implicit */
    uint32_t size; /* of the header itself */
};

static void scan_drop(struct scan **scan)
{
    free(*scan);
}

bool element_source_read(const struct element_source *source, uint64_t offset, void *into, size_t size,
                         struct error *err)
{
    if (offset > source->size || size > source->size - offset)
        return error_set(err, FAULT_NOT_DICOM, "%zu bytes at %" PRIu64 " of %" PRIu64, size, offset,
                         source->size);
    if (size == 0)
        return true;
    if (offset + size <= source->memory_size) {
        memcpy(into, source->memory + offset, size);
        return true;
    }
    return source->read ? source->read(source->reader, offset, into, size, err)
                        : file_read_at(source->fd, into, size, offset, err);
}

/* The `size` bytes at `at`; NULL when they are not there. */
static const uint8_t *bytes_at(struct scan *scan, uint64_t at, size_t size, struct error *err)
{
    const struct element_source *source = scan->source;

    if (at > source->size || size > source->size - at)
        return NULL;
    if (at + size <= source->memory_size)
        return source->memory + at;
    if (at < scan->window_at || at + size > scan->window_at + scan->window_size) {
        const uint64_t left = source->size - at;
        const size_t wanted = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        /* Small steps once values are skipped: a far jump is no reason to read 64 KiB for eight bytes. */
        const size_t piece =
            scan->elements > 0 && at > scan->window_at + 2 * WINDOW_BYTES && wanted > 4096 ? 4096 : wanted;
        if (!element_source_read(source, at, scan->window, piece, err)) {
            scan->window_size = 0;
            return NULL;
        }
        scan->window_at = at;
        scan->window_size = piece;
    }
    return scan->window + (at - scan->window_at);
}

static uint32_t number_of(const uint8_t *at, size_t size, bool big_endian)
{
    uint32_t value = 0;

    for (size_t i = 0; i < size; i++)
        value |= (uint32_t)at[i] << 8 * (big_endian ? size - 1 - i : i);
    return value;
}

static bool broken(struct scan *scan, const char *what, struct error *err)
{
    if (err->fault != FAULT_NONE)
        return false; /* the file could not be read */
    return error_tell(err, FAULT_NOT_DICOM, "The data set: %s at byte %" PRIu64 ".", what, scan->at);
}

/* VRs with a four-byte length (PS3.5 7.1.2). Unknown ones in capitals count as such too: all future VRs will
 * be. */
static bool has_long_length(const uint8_t vr[2])
{
#define VR(a, b) ((a) << 8 | (b))
    switch (VR(vr[0], vr[1])) {
    case VR('A', 'E'):
    case VR('A', 'S'):
    case VR('A', 'T'):
    case VR('C', 'S'):
    case VR('D', 'A'):
    case VR('D', 'S'):
    case VR('D', 'T'):
    case VR('F', 'L'):
    case VR('F', 'D'):
    case VR('I', 'S'):
    case VR('L', 'O'):
    case VR('L', 'T'):
    case VR('P', 'N'):
    case VR('S', 'H'):
    case VR('S', 'L'):
    case VR('S', 'S'):
    case VR('S', 'T'):
    case VR('T', 'M'):
    case VR('U', 'I'):
    case VR('U', 'L'):
    case VR('U', 'S'):
        return false;
    default:
        return vr[0] >= 'A' && vr[0] <= 'Z' && vr[1] >= 'A' && vr[1] <= 'Z';
    }
#undef VR
}

static bool read_header(struct scan *scan, const struct level *level, struct header *ret, struct error *err)
{
    const bool big_endian = scan->encoding == DATASET_EXPLICIT_BE && !level->implicit;
    const uint8_t *head = bytes_at(scan, scan->at, 8, err);

    if (!head)
        return broken(scan, "the data end inside an element", err);
    ret->tag = number_of(head, 2, big_endian) << 16 | number_of(head + 2, 2, big_endian);
    ret->size = 8;
    ret->vr[0] = ret->vr[1] = 0;
    if (level->implicit || level->kind != LEVEL_ELEMENTS || ret->tag >> 16 == 0xFFFE) {
        ret->length = number_of(head + 4, 4, big_endian);
        return true;
    }
    ret->vr[0] = head[4];
    ret->vr[1] = head[5];
    if (!has_long_length(ret->vr)) {
        ret->length = number_of(head + 6, 2, big_endian);
        return true;
    }
    head = bytes_at(scan, scan->at, 12, err);
    if (!head)
        return broken(scan, "the data end inside an element", err);
    ret->length = number_of(head + 8, 4, big_endian);
    ret->size = 12;
    return true;
}

static bool enter(struct scan *scan, enum level_kind kind, uint32_t length, bool implicit, struct error *err)
{
    if (scan->depth == COUNT_OF(scan->levels)) {
        return error_tell(err, FAULT_NOT_DICOM, "Sequences are nested more than %d deep.",
                          ELEMENT_SCAN_DEPTH);
    }
    scan->levels[scan->depth++] = (struct level){
        .kind = kind,
        .end = length == UNDEFINED_LENGTH ? NO_END : scan->at + length,
        .implicit = implicit,
    };
    return true;
}

static struct element_event event_of(const struct scan *scan, const struct level *level,
                                     const struct header *header, uint64_t value)
{
    struct element_event event = {
        .tag = header->tag,
        .length = header->length,
        .value = value,
        .depth = (uint32_t)scan->depth,
        .implicit = level->implicit,
    };

    memcpy(event.vr, header->vr, sizeof header->vr);
    return event;
}

static bool tell_element(struct scan *scan, const struct level *level, const struct header *header,
                         uint64_t value, struct error *err)
{
    if (!scan->visitor)
        return true;
    const struct element_event event = event_of(scan, level, header, value);
    return scan->visitor->element(scan->visitor, &event, err);
}

/* Into a sequence, an item or fragments whose content begins at scan->at. */
static bool descend(struct scan *scan, const struct level *level, const struct header *header,
                    enum level_kind kind, bool implicit, struct error *err)
{
    if (scan->visitor) {
        const struct element_event event = event_of(scan, level, header, scan->at);
        if (!scan->visitor->begin(scan->visitor, &event, kind == LEVEL_FRAGMENTS, err))
            return false;
    }
    return enter(scan, kind, header->length, implicit, err);
}

static bool ascend(struct scan *scan, struct error *err)
{
    scan->depth--;
    return !scan->visitor || scan->visitor->end(scan->visitor, (uint32_t)scan->depth, err);
}

/* Where the innermost level of known length ends; values must not go beyond. */
static uint64_t room_end(const struct scan *scan)
{
    for (size_t i = scan->depth; i-- > 0;)
        if (scan->levels[i].end != NO_END)
            return scan->levels[i].end < scan->source->size ? scan->levels[i].end : scan->source->size;
    return scan->source->size;
}

static bool is_sequence(const struct scan *scan, const struct header *header, bool implicit)
{
    if (!implicit)
        return memcmp(header->vr, "SQ", 2) == 0;
    const struct dictionary_entry *entry = dictionary_table_of_tag(header->tag);
    if (entry)
        return strcmp(entry->vr, "SQ") == 0;
    if (header->length == UNDEFINED_LENGTH)
        return true;
    return (header->tag >> 16 & 1) && scan->visitor && scan->visitor->is_private_sequence &&
           scan->visitor->is_private_sequence(scan->visitor, header->tag);
}

/* dicom/dataset.c keeps the elements of an item in a sorted list, entered from its end, and looks private
 * creators up in another: elements in falling order, or many creators, take quadratic time. Ordinary files
 * cost next to nothing here.
 */
static bool count_work(struct scan *scan, uint32_t tag, struct error *err)
{
    struct level *level = &scan->levels[scan->depth - 1];
    const bool is_private = (tag >> 16 & 1) != 0;
    const uint32_t element = tag & 0xFFFF;

    if (tag < level->last_tag)
        scan->work += level->elements;
    else
        level->last_tag = tag;
    level->elements++;
    if (is_private && element >= 0x10 && element <= 0xFF)
        level->creators++;
    else if (is_private && element >= 0x1000)
        scan->work += level->creators;
    if (scan->work > WORK_CEILING)
        return error_tell(err, FAULT_NOT_DICOM, "Elements in such disorder that sorting them takes too long");
    return true;
}

static bool scan_element(struct scan *scan, struct error *err)
{
    const struct level level = scan->levels[scan->depth - 1];
    struct header header;

    if (!read_header(scan, &level, &header, err))
        return false;
    if (header.tag == ITEM_END) {
        scan->at += header.size;
        if (scan->depth == 1)
            return broken(scan, "an item's end outside an item", err);
        return ascend(scan, err);
    }
    if (header.tag >> 16 == 0xFFFE)
        return broken(scan, "a delimiter among elements", err);
    if (!count_work(scan, header.tag, err))
        return false;

    const uint64_t value = scan->at + header.size;
    if (is_sequence(scan, &header, level.implicit)) {
        scan->at = value;
        return descend(scan, &level, &header, LEVEL_ITEMS, level.implicit, err);
    }
    if (header.length == UNDEFINED_LENGTH) {
        const bool unknown = level.implicit || memcmp(header.vr, "UN", 2) == 0;
        scan->at = value;
        /* PS3.5 6.2.2 note: UN of undefined length; all else is pixels in fragments. */
        return descend(scan, &level, &header, unknown ? LEVEL_ITEMS : LEVEL_FRAGMENTS, unknown, err);
    }
    if (header.length > room_end(scan) || value > room_end(scan) - header.length)
        return broken(scan, "a value longer than what is left", err);
    scan->at = value + header.length;
    return tell_element(scan, &level, &header, value, err);
}

static bool scan_item(struct scan *scan, struct error *err)
{
    const struct level level = scan->levels[scan->depth - 1];
    struct header header;

    if (!read_header(scan, &level, &header, err))
        return false;
    if (header.tag != ITEM && header.tag != SEQUENCE_END)
        return broken(scan, "no item in a sequence", err);
    scan->at += header.size;
    if (header.tag == SEQUENCE_END)
        return ascend(scan, err);
    if (header.length != UNDEFINED_LENGTH &&
        (header.length > room_end(scan) || scan->at > room_end(scan) - header.length))
        return broken(scan, "an item longer than what is left", err);
    if (level.kind == LEVEL_ITEMS)
        return descend(scan, &level, &header, LEVEL_ELEMENTS, level.implicit, err);
    if (header.length == UNDEFINED_LENGTH)
        return broken(scan, "a fragment of undefined length", err);
    const uint64_t value = scan->at;
    scan->at += header.length;
    return tell_element(scan, &level, &header, value, err);
}

static bool is_pixel_tag(uint32_t tag)
{
    return tag == TAG_PIXEL_DATA || tag == TAG_FLOAT_PIXEL_DATA || tag == TAG_DOUBLE_FLOAT_PIXEL_DATA;
}

/* A few zeros too many are left alone; anything else is the beginning of an element that was cut off. */
static bool is_padding(struct scan *scan, struct error *err)
{
    const size_t left = (size_t)(scan->source->size - scan->at);
    const uint8_t *rest = left > 0 ? bytes_at(scan, scan->at, left, err) : NULL;

    if (left > 0 && !rest)
        return broken(scan, "the end cannot be read", err);
    for (size_t i = 0; i < left; i++)
        if (rest[i] != 0)
            return broken(scan, "the data end inside an element", err);
    return true;
}

/* Elements from scan->at to the end of the data, or to pixel data at the top level when `stop` is asked for.
 */
static bool scan_run(struct scan *scan, bool stop_at_pixels, struct header *ret_pixels, struct error *err)
{
    scan->depth = 0;
    if (!enter(scan, LEVEL_ELEMENTS, UNDEFINED_LENGTH, scan->encoding == DATASET_IMPLICIT_LE, err))
        return false;
    for (;;) {
        const struct level level = scan->levels[scan->depth - 1];

        if (scan->depth > 1 && level.end != NO_END && scan->at >= level.end) {
            if (!ascend(scan, err))
                return false;
            continue;
        }
        if (scan->depth == 1) {
            struct header header;
            if (scan->source->size - scan->at < 8)
                return is_padding(scan, err);
            if (stop_at_pixels) {
                if (!read_header(scan, &level, &header, err))
                    return false;
                if (is_pixel_tag(header.tag)) {
                    *ret_pixels = header;
                    return true;
                }
            }
        }
        if (++scan->elements > ELEMENT_SCAN_ELEMENTS)
            return error_tell(err, FAULT_NOT_DICOM, "More than %d elements.", ELEMENT_SCAN_ELEMENTS);
        const bool whole = level.kind == LEVEL_ELEMENTS ? scan_element(scan, err) : scan_item(scan, err);
        if (!whole)
            return false;
    }
}

static struct scan *scan_new(const struct element_source *source, enum dataset_encoding encoding,
                             uint64_t from)
{
    struct scan *scan = malloc(sizeof *scan);

    if (!scan)
        return NULL;
    scan->source = source;
    scan->visitor = NULL;
    scan->encoding = encoding;
    scan->at = from;
    scan->elements = 0;
    scan->work = 0;
    scan->depth = 0;
    scan->window_at = scan->window_size = 0;
    return scan;
}

bool element_scan(const struct element_source *source, uint64_t from, enum dataset_encoding encoding,
                  struct element_skeleton *ret, struct error *err)
{
    return element_walk_to_pixels(source, from, encoding, NULL, ret, err);
}

bool element_walk_to_pixels(const struct element_source *source, uint64_t from,
                            enum dataset_encoding encoding, struct element_visitor *visitor_or_null,
                            struct element_skeleton *ret, struct error *err)
{
    SCOPED(scan) struct scan *scan = scan_new(source, encoding, from);
    struct element_skeleton found = { 0 };
    struct header pixels = { 0 };

    if (!scan)
        return error_set(err, FAULT_BUSY, "no memory to scan a data set");
    error_clear(err);
    if (from > source->size)
        return broken(scan, "no data set", err);
    scan->visitor = visitor_or_null;
    if (!scan_run(scan, true, &pixels, err))
        return false;
    found.end = scan->at;
    if (pixels.tag) {
        const bool implicit = encoding == DATASET_IMPLICIT_LE;
        found.has_pixel_data = true;
        found.pixel_tag = pixels.tag;
        memcpy(found.pixel_vr, implicit ? "OW" : (const char *)pixels.vr, 2);
        found.pixel_size = pixels.length;
        found.pixel_value = scan->at + pixels.size;
    }
    *ret = found;
    return true;
}

bool element_walk(const struct element_source *source, uint64_t from, enum dataset_encoding encoding,
                  struct element_visitor *visitor, struct error *err)
{
    SCOPED(scan) struct scan *scan = scan_new(source, encoding, from);
    struct header unused;

    if (!scan)
        return error_set(err, FAULT_BUSY, "no memory to walk a data set");
    error_clear(err);
    if (from > source->size)
        return broken(scan, "no data set", err);
    scan->visitor = visitor;
    return scan_run(scan, false, &unused, err);
}

/* Behind the pixel data: its length says where, or the items do. */
static bool skip_pixels(struct scan *scan, const struct element_skeleton *skeleton, uint64_t pixels_end)
{
    struct error ignored = { 0 };

    scan->at = skeleton->pixel_value;
    if (pixels_end > 0) {
        scan->at = pixels_end;
        return pixels_end <= scan->source->size;
    }
    if (skeleton->pixel_size != UNDEFINED_LENGTH) {
        scan->at += skeleton->pixel_size;
        return scan->at <= scan->source->size;
    }
    if (!enter(scan, LEVEL_FRAGMENTS, UNDEFINED_LENGTH, false, &ignored))
        return false;
    while (scan->depth > 0)
        if (++scan->elements > ELEMENT_SCAN_ELEMENTS || !scan_item(scan, &ignored))
            return false;
    return true;
}

bool element_scan_tail(const struct element_source *source, const struct element_skeleton *skeleton,
                       uint64_t pixels_end, enum dataset_encoding encoding, uint64_t *ret_from,
                       uint64_t *ret_end)
{
    SCOPED(scan) struct scan *scan = scan_new(source, encoding, 0);
    const struct level top = { .kind = LEVEL_ELEMENTS,
                               .end = NO_END,
                               .implicit = encoding == DATASET_IMPLICIT_LE };
    struct error ignored = { 0 };
    struct header first;

    if (!scan || !skeleton->has_pixel_data || !skip_pixels(scan, skeleton, pixels_end))
        return false;
    const uint64_t from = scan->at;
    if (source->size - from < 8 || !read_header(scan, &top, &first, &ignored) ||
        first.tag <= skeleton->pixel_tag || !scan_run(scan, false, &first, &ignored))
        return false;
    *ret_from = from;
    *ret_end = scan->at;
    return true;
}
