/* dicom/rewrite.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The walk of element_scan.c tells what it passes; each thing told is written down in explicit little endian.
 */
#include "dicom/rewrite.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/number.h"
#include "bridge/dictionary_table.h"
#include "dicom/element_scan.h"
#include "dicom/implementation.h"
#include "dicom/part10.h"
#include "dicom/tag.h"
#include "dicom/text_values.h"
#include "dicom/vr.h"

#define UNDEFINED_LENGTH UINT32_MAX
#define NO_PATCH SIZE_MAX

enum {
    VALUE_INLINE_BYTES = 4096, /* longer values stay in the file */
    WINDOW_BYTES = PART10_HEAD_BYTES,
    SHORT_LENGTH_MOST = 0xFFFF,
    PREAMBLE_BYTES = 128,
    CREATORS_MOST = 4096, /* private creators in force at once; elements of more are UN */
    CREATOR_BYTES = 64,
    OWN_BYTES = 4096,             /* a text that is put together with another */
    SHORT_TEXT_CHARACTERS = 1024, /* of ST */
    LEVELS = 2 * ELEMENT_SCAN_DEPTH + 3,
    ITEM = 0xFFFEE000,
    ITEM_END = 0xFFFEE00D,
    SEQUENCE_END = 0xFFFEE0DD,
    TAG_FRAME_TYPE = 0x00089007,
    TAG_ICON_IMAGE_SEQUENCE = 0x00880200
};

struct creator {
    uint32_t block; /* group and (gggg,00bb)'s bb: the upper three bytes of its elements' tags */
    char name[CREATOR_BYTES + 1];
};

struct open_level {
    size_t patch;    /* where its length stands in the text, or NO_PATCH: it ends with a delimiter */
    uint64_t from;   /* bytes written when it began */
    size_t creators; /* in force around it */
    bool is_item;
    bool pixels_signed;
};

struct planner {
    struct element_visitor visitor; /* first: the two are one */
    const struct rewrite_source *source;
    uint8_t *window; /* of the file: most values lie in its first 64 KiB, and none costs a read of its own */
    uint64_t window_at;
    size_t window_size;
    struct buffer text;
    struct rewrite_piece *pieces;
    size_t count, capacity;
    uint64_t written;
    size_t text_in_pieces; /* what of the text is in pieces already */
    struct open_level levels[LEVELS];
    struct creator *creators;
    size_t creator_count, creator_capacity;
    size_t changed;                         /* how many changes stand in the text */
    size_t values_before;                   /* of the last one that went behind others */
    const struct rewrite_change *open_item; /* for the sequence under way */
    size_t pixels_at;
    bool dropping;          /* what is begun at ... */
    uint32_t dropped_depth; /* ... this depth: fragments that go apart, an icon */
    bool without_icon, icon_in_fragments;
    bool past_pixels; /* and what was sound up to there: */
    size_t sound_text, sound_text_in_pieces, sound_count;
    uint64_t sound_written;
};

static void planner_drop(struct planner **planner)
{
    if (!*planner)
        return;
    buffer_done(&(*planner)->text);
    free((*planner)->pieces);
    free((*planner)->creators);
    free((*planner)->window);
    free(*planner);
}

/* ── reading ── */

/* Small pieces, one behind the other: by the window. For the walk as well. */
static bool read_file(void *of, uint64_t offset, void *into, size_t size, struct error *err)
{
    struct planner *planner = of;
    const struct rewrite_source *source = planner->source;

    if (size > WINDOW_BYTES || offset > source->file_size || size > source->file_size - offset)
        return source->read(source->reader, offset, into, size, err);
    if (offset < planner->window_at || offset + size > planner->window_at + planner->window_size) {
        const uint64_t left = source->file_size - offset;
        const size_t wanted = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;

        planner->window_size = 0;
        if (!source->read(source->reader, offset, planner->window, wanted, err))
            return false;
        planner->window_at = offset;
        planner->window_size = wanted;
    }
    memcpy(into, planner->window + (offset - planner->window_at), size);
    return true;
}

/* ── writing ── */

static void put(struct planner *planner, const void *data, size_t size)
{
    buffer_append(&planner->text, bytes_of(data, size));
    planner->written += size;
}

static void put_number(struct planner *planner, uint32_t number, size_t size)
{
    uint8_t bytes[4];

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
    put(planner, bytes, size);
}

static void put_tag(struct planner *planner, uint32_t tag)
{
    put_number(planner, tag >> 16, 2);
    put_number(planner, tag & 0xFFFF, 2);
}

static bool add_piece(struct planner *planner, uint64_t offset, uint64_t size, unsigned unit,
                      struct error *err)
{
    if (size == 0)
        return true;
    if (planner->count == planner->capacity) {
        const size_t capacity = planner->capacity ? 2 * planner->capacity : 8;
        struct rewrite_piece *grown = realloc(planner->pieces, capacity * sizeof *grown);

        if (!grown)
            return error_set(err, FAULT_BUSY, "no memory for %zu pieces", capacity);
        planner->pieces = grown;
        planner->capacity = capacity;
    }
    planner->pieces[planner->count++] = (struct rewrite_piece){ offset, size, (uint8_t)unit };
    return true;
}

static bool close_text(struct planner *planner, struct error *err)
{
    const size_t from = planner->text_in_pieces;

    planner->text_in_pieces = planner->text.size;
    return add_piece(planner, from, planner->text.size - from, 0, err);
}

static void turn(uint8_t *data, size_t size, unsigned unit)
{
    for (size_t i = 0; i + unit <= size; i += unit)
        for (size_t a = i, b = i + unit - 1; a < b; a++, b--) {
            const uint8_t kept = data[a];
            data[a] = data[b];
            data[b] = kept;
        }
}

static bool put_value(struct planner *planner, uint64_t offset, uint32_t size, unsigned unit,
                      struct error *err)
{
    if (size > VALUE_INLINE_BYTES) {
        planner->written += size;
        return close_text(planner, err) && add_piece(planner, offset, size, unit, err);
    }
    uint8_t *room = buffer_reserve(&planner->text, size);
    if (!room)
        return true; /* seen at the end */
    if (!read_file(planner, offset, room, size, err))
        return false;
    if (unit > 1)
        turn(room, size, unit);
    buffer_grew(&planner->text, size);
    planner->written += size;
    return true;
}

/* ── value representations ── */

static bool is_in(const char *vrs, const char *vr)
{
    for (; *vrs; vrs += 2)
        if (vrs[0] == vr[0] && vrs[1] == vr[1])
            return true;
    return false;
}

/* Bytes of one number of this VR, which big endian turns round (PS3.5 7.3). */
static unsigned unit_of(const char *vr)
{
    if (is_in("ATOWSSUS", vr))
        return 2;
    if (is_in("FLOFOLSLUL", vr))
        return 4;
    return is_in("FDODOVSVUV", vr) ? 8 : 1;
}

static bool has_short_length(const char *vr)
{
    return is_in("AEASATCSDADSDTFDFLISLOLTPNSHSLSSSTTMUIULUS", vr);
}

static const struct creator *creator_of(const struct planner *planner, uint32_t depth, uint32_t tag)
{
    const uint32_t block = tag >> 8;

    for (size_t i = planner->creator_count; i-- > planner->levels[depth].creators;)
        if (planner->creators[i].block == block)
            return &planner->creators[i];
    return NULL;
}

/* As the dictionary has it, with its two-fold names; "UN" when it has not. */
static void look_up(const struct planner *planner, const struct element_event *event, char ret[3])
{
    const uint32_t element = event->tag & 0xFFFF;

    memcpy(ret, "UN", 3);
    if ((event->tag >> 16 & 1) == 0) {
        const struct dictionary_entry *known = dictionary_table_of_tag(event->tag);
        if (known)
            memcpy(ret, known->vr, 3);
    } else if (element >= 0x10 && element <= 0xFF) {
        memcpy(ret, "LO", 3);
    } else if (element >= 0x1000) {
        const struct creator *creator = creator_of(planner, event->depth, event->tag);
        if (creator && !dictionary_vr_of_private(creator->name, event->tag, ret))
            memcpy(ret, "UN", 3);
    }
}

static void resolve(const struct planner *planner, const struct element_event *event, char vr[3])
{
    if (strcmp(vr, "xs") == 0)
        memcpy(vr, planner->levels[event->depth].pixels_signed ? "SS" : "US", 3);
    else if (strcmp(vr, "lt") == 0)
        memcpy(vr, event->length == 2 ? "US" : "OW", 3);
    else if (strcmp(vr, "ox") == 0 || strcmp(vr, "px") == 0)
        memcpy(vr, "OW", 3);
    else if (strcmp(vr, "up") == 0)
        memcpy(vr, "UL", 3);
    else if (strcmp(vr, "SQ") == 0 || vr[0] < 'A' || vr[0] > 'Z' || vr[1] < 'A' || vr[1] > 'Z')
        memcpy(vr, "UN", 3); /* a sequence that was not walked as one: its bytes say nothing */
}

/* The VR that is written, and which bytes of the value are turned round. */
static unsigned find_vr(const struct planner *planner, const struct element_event *event, char ret[3])
{
    const bool big = planner->source->syntax == SYNTAX_EXPLICIT_BE && !event->implicit;

    memcpy(ret, event->vr, 3);
    const bool said = planner->source->pixels_apart && !big && ret[0]; /* by a sender that knows VRs */
    if (!ret[0]) {
        look_up(planner, event, ret);
    } else if (!said && strcmp(ret, "UN") == 0 && (event->tag >> 16 & 1) == 0) {
        look_up(planner, event, ret); /* sent as UN by one that did not know it; we may */
    }
    resolve(planner, event, ret);
    if (!big)
        return 1;
    const unsigned bits = planner->source->shape->bits_allocated;
    if (event->depth == 1 && event->tag == TAG_PIXEL_DATA && strcmp(ret, "OW") == 0 &&
        (bits == 32 || bits == 64))
        return bits / 8; /* as the frames of it are sent */
    return unit_of(ret);
}

/* ── what the walk tells ── */

static bool keep_creator(struct planner *planner, const struct element_event *event, struct error *err)
{
    struct creator creator = { .block = (event->tag & 0xFFFF0000) >> 8 | (event->tag & 0xFF) };
    size_t size = event->length < CREATOR_BYTES ? event->length : CREATOR_BYTES;

    if (planner->creator_count == CREATORS_MOST)
        return true;
    if (!read_file(planner, event->value, creator.name, size, err))
        return false;
    while (size > 0 && (creator.name[size - 1] == ' ' || creator.name[size - 1] == '\0'))
        creator.name[--size] = '\0';
    if (planner->creator_count == planner->creator_capacity) {
        const size_t capacity = planner->creator_capacity ? 2 * planner->creator_capacity : 16;
        struct creator *grown = realloc(planner->creators, capacity * sizeof *grown);

        if (!grown)
            return error_set(err, FAULT_BUSY, "no memory for private creators");
        planner->creators = grown;
        planner->creator_capacity = capacity;
    }
    planner->creators[planner->creator_count++] = creator;
    return true;
}

/* Fewer frames than the functional groups and everyone else were told of are another image. */
static bool check_frames(struct planner *planner, const struct element_event *event, struct error *err)
{
    char text[16];
    uint64_t frames = 0;

    if (!planner->source->frames || event->length == 0 || event->length > sizeof text)
        return true;
    if (!read_file(planner, event->value, text, event->length, err))
        return false;
    if (number_parse(vr_trim(vr_info("IS"), bytes_of(text, event->length)), 0, UINT32_MAX, &frames) &&
        frames > planner->source->frames)
        return error_tell(err, FAULT_CORRUPT_PIXELS,
                          "%" PRIu32 " of %" PRIu64
                          " frames are there: the instance is sent as it is stored only.",
                          planner->source->frames, frames);
    return true;
}

static bool note(struct planner *planner, const struct element_event *event, struct error *err)
{
    const struct rewrite_source *source = planner->source;
    const uint32_t element = event->tag & 0xFFFF;

    if ((event->tag >> 16 & 1) && element >= 0x10 && element <= 0xFF)
        return keep_creator(planner, event, err);
    if (event->tag == TAG_NUMBER_OF_FRAMES && event->depth == 1)
        return check_frames(planner, event, err);
    if (event->tag == TAG_PIXEL_REPRESENTATION && event->length == 2) {
        const bool big = source->syntax == SYNTAX_EXPLICIT_BE && !event->implicit;
        uint8_t value[2];

        if (!read_file(planner, event->value, value, sizeof value, err))
            return false;
        planner->levels[event->depth].pixels_signed = value[big] == 1 && value[!big] == 0;
    }
    return true;
}

static void put_short(struct planner *planner, uint32_t tag, const char *vr, struct bytes value)
{
    put_tag(planner, tag);
    put(planner, vr, 2);
    put_number(planner, (uint32_t)(value.size + value.size % 2), 2);
    put(planner, value.data, value.size);
    if (value.size % 2)
        put(planner, strcmp(vr, "UI") == 0 ? "" : " ", 1);
}

/* The element's own text without its padding. *ret_fits: not too long to be put together with another. */
static bool own_text(struct planner *planner, const struct element_event *event_or_null,
                     uint8_t into[OWN_BYTES], struct bytes *ret, bool *ret_fits, struct error *err)
{
    const size_t size = event_or_null ? event_or_null->length : 0;

    *ret = bytes_of(into, 0);
    *ret_fits = size <= OWN_BYTES;
    if (!*ret_fits || size == 0)
        return true;
    if (!read_file(planner, event_or_null->value, into, size, err))
        return false;
    *ret = bytes_of(into, size);
    while (ret->size > 0 && (into[ret->size - 1] == ' ' || into[ret->size - 1] == '\0'))
        ret->size--;
    return true;
}

/* BEHIND and FIRST. *ret_put: false when the file's own stays as it is. */
static bool put_together(struct planner *planner, const struct rewrite_change *change,
                         const struct element_event *event_or_null, bool *ret_put, struct error *err)
{
    uint8_t room[OWN_BYTES];
    SCOPED(buffer) struct buffer made = { 0 };
    struct bytes own;

    if (!own_text(planner, event_or_null, room, &own, ret_put, err))
        return false;
    if (strcmp(change->vr, "ST") == 0 &&
        own.size + change->value.size + strlen(change->extra) > SHORT_TEXT_CHARACTERS)
        *ret_put = false;
    if (!*ret_put)
        return true;
    buffer_init(&made, SHORT_LENGTH_MOST);
    if (change->how == REWRITE_FIRST) {
        text_values_first(own, change->value, change->extra, &made);
    } else {
        text_values_behind(own, change->aligned ? planner->values_before : 0, change->extra, change->value,
                           &made);
        planner->values_before = text_values_count(own);
    }
    if (!buffer_check(&made, "a text", err))
        return false;
    put_short(planner, change->tag, change->vr, buffer_bytes(&made));
    return true;
}

/* A whole element. */
static void put_new(struct planner *planner, const struct rewrite_change *change)
{
    if (has_short_length(change->vr)) {
        put_short(planner, change->tag, change->vr, change->value);
        return;
    }
    put_tag(planner, change->tag);
    put(planner, change->vr, 2);
    put_number(planner, 0, 2);
    put_number(planner, (uint32_t)change->value.size, 4);
    put(planner, change->value.data, change->value.size);
}

/* *ret_put: what the file has there does not count any more. `own`: the file's own element of that tag. */
static bool put_change(struct planner *planner, const struct rewrite_change *change,
                       const struct element_event *own_or_null, bool *ret_put, struct error *err)
{
    *ret_put = true;
    switch (change->how) {
    case REWRITE_AWAY:
        return true;
    case REWRITE_VALUE:
        put_new(planner, change);
        return true;
    case REWRITE_BEHIND:
    case REWRITE_FIRST:
        return put_together(planner, change, own_or_null, ret_put, err);
    case REWRITE_ITEM:
        *ret_put = !own_or_null || own_or_null->length == 0; /* else: no sequence that could be walked */
        if (*ret_put)
            put_new(planner, change);
        return true;
    }
    return true;
}

/* The changes up to `tag`, which is that of `event` if there is one. *ret_replaced: what the file has there
 * does not count any more. Without an event a sequence begins there: its item waits for the end of it. */
static bool put_changes(struct planner *planner, uint32_t tag, const struct element_event *event_or_null,
                        bool *ret_replaced, struct error *err)
{
    const struct rewrite_source *source = planner->source;

    *ret_replaced = false;
    for (; planner->changed < source->change_count && source->changes[planner->changed].tag <= tag;
         planner->changed++) {
        const struct rewrite_change *change = &source->changes[planner->changed];
        const bool here = change->tag == tag;
        bool put_it = false;

        if (here && !event_or_null && change->how == REWRITE_ITEM) {
            planner->open_item = change;
            continue;
        }
        if (!put_change(planner, change, here ? event_or_null : NULL, &put_it, err))
            return false;
        *ret_replaced = *ret_replaced || (here && put_it);
    }
    return true;
}

static bool is_pixel_data(uint32_t tag)
{
    return tag == TAG_PIXEL_DATA || tag == TAG_FLOAT_PIXEL_DATA || tag == TAG_DOUBLE_FLOAT_PIXEL_DATA;
}

static bool leave_pixels_apart(struct planner *planner, struct error *err)
{
    if (!close_text(planner, err))
        return false;
    planner->pixels_at = planner->count;
    return true;
}

static void note_sound(struct planner *planner)
{
    planner->past_pixels = true;
    planner->sound_text = planner->text.size;
    planner->sound_text_in_pieces = planner->text_in_pieces;
    planner->sound_count = planner->count;
    planner->sound_written = planner->written;
}

static bool on_element(struct element_visitor *visitor, const struct element_event *event, struct error *err)
{
    struct planner *planner = (struct planner *)visitor;
    const uint32_t tag = event->tag;
    char vr[3];

    bool replaced = false;

    if ((tag & 0xFFFF) == 0 || tag >> 16 == 0x0002 || planner->dropping)
        return true;
    if (event->depth == 1 && !put_changes(planner, tag, event, &replaced, err))
        return false;
    if (!note(planner, event, err))
        return false;
    if (event->depth == 1 && planner->source->pixels_apart && is_pixel_data(tag)) {
        if (tag != TAG_PIXEL_DATA)
            return error_tell(err, FAULT_NOT_ACCEPTABLE, "Real numbers are sent as they are stored only.");
        if (!leave_pixels_apart(planner, err))
            return false;
        note_sound(planner);
        return true;
    }
    if (replaced)
        return true;
    if (tag == TAG_FRAME_TYPE && event->depth > 1 && planner->source->frame_type) {
        const struct rewrite_change first = { tag,  REWRITE_FIRST,
                                              "CS", bytes_of_text(planner->source->frame_type),
                                              "",   false };
        if (!put_together(planner, &first, event, &replaced, err))
            return false;
        if (replaced)
            return true;
    }
    const unsigned unit = find_vr(planner, event, vr);
    put_tag(planner, tag);
    if (has_short_length(vr) && event->length > SHORT_LENGTH_MOST)
        memcpy(vr, "UN", 3);
    put(planner, vr, 2);
    if (has_short_length(vr)) {
        put_number(planner, event->length, 2);
    } else {
        put_number(planner, 0, 2);
        put_number(planner, event->length, 4);
    }
    if (!put_value(planner, event->value, event->length, unit, err))
        return false;
    if (event->depth == 1 && is_pixel_data(tag))
        note_sound(planner);
    return true;
}

static bool on_begin(struct element_visitor *visitor, const struct element_event *event, bool fragments,
                     struct error *err)
{
    struct planner *planner = (struct planner *)visitor;
    struct open_level *level = &planner->levels[event->depth + 1];

    bool replaced = false;

    if (planner->dropping)
        return true;
    if (fragments && (event->depth > 1 || !planner->source->pixels_apart)) {
        planner->icon_in_fragments = true;
        return error_set(err, FAULT_NOT_DICOM, "pixels in fragments in a data set that is not compressed");
    }
    if (event->depth == 1 && !put_changes(planner, event->tag, NULL, &replaced, err))
        return false;
    if (replaced && !fragments) { /* a sequence where a text should be: nothing of it is kept */
        planner->dropping = true;
        planner->dropped_depth = event->depth;
        return true;
    }
    if (fragments || (planner->without_icon && event->depth == 1 && event->tag == TAG_ICON_IMAGE_SEQUENCE)) {
        planner->dropping = true;
        planner->dropped_depth = event->depth;
        if (fragments && !leave_pixels_apart(planner, err))
            return false;
        if (fragments) /* the frame table knows what of them is whole */
            note_sound(planner);
        return true;
    }
    put_tag(planner, event->tag);
    if (event->tag != ITEM) {
        put(planner, "SQ", 2);
        put_number(planner, 0, 2);
    }
    level->patch = event->length == UNDEFINED_LENGTH ? NO_PATCH : planner->text.size;
    put_number(planner, UNDEFINED_LENGTH, 4);
    level->from = planner->written;
    level->is_item = event->tag == ITEM;
    level->creators = planner->creator_count;
    level->pixels_signed = planner->levels[event->depth].pixels_signed;
    return true;
}

static bool on_end(struct element_visitor *visitor, uint32_t depth, struct error *err)
{
    struct planner *planner = (struct planner *)visitor;
    const struct open_level *level = &planner->levels[depth + 1];

    if (planner->dropping) {
        planner->dropping = depth != planner->dropped_depth;
        if (!planner->dropping && depth == 1 && planner->pixels_at)
            note_sound(planner);
        return true;
    }
    planner->creator_count = level->creators;
    if (planner->open_item && depth == 1 && !level->is_item) {
        put(planner, planner->open_item->value.data, planner->open_item->value.size);
        planner->open_item = NULL;
    }
    const uint64_t size = planner->written - level->from;
    if (level->patch == NO_PATCH) {
        put_tag(planner, level->is_item ? ITEM_END : SEQUENCE_END);
        put_number(planner, 0, 4);
        return true;
    }
    if (size >= UNDEFINED_LENGTH)
        return error_set(err, FAULT_NOT_DICOM, "a sequence of %llu bytes", (unsigned long long)size);
    if (!planner->text.overflowed)
        for (size_t i = 0; i < 4; i++)
            planner->text.data[level->patch + i] = (uint8_t)(size >> 8 * i);
    return true;
}

/* ── file meta information ── */

/* The file's own elements of the group that stay: who sent it, private information. `from` to `to` in the
 * head. */
static void keep_meta(struct planner *planner, struct bytes head, uint64_t from, uint64_t to)
{
    while (to <= head.size && to - from >= 8) {
        const uint8_t *at = head.data + from;
        const uint32_t element = (uint32_t)at[2] | (uint32_t)at[3] << 8;
        const char vr[3] = { (char)at[4], (char)at[5], 0 };
        uint64_t size = 8;

        if (vr[0] < 'A' || vr[0] > 'Z')
            return; /* in implicit VR: some writers do */
        if (has_short_length(vr)) {
            size += (uint64_t)at[6] | (uint64_t)at[7] << 8;
        } else {
            if (to - from < 12)
                return;
            size = 12 +
                   ((uint64_t)at[8] | (uint64_t)at[9] << 8 | (uint64_t)at[10] << 16 | (uint64_t)at[11] << 24);
        }
        if (size > to - from)
            return;
        if (element > 0x0013)
            put(planner, at, (size_t)size);
        from += size;
    }
}

static bool put_meta(struct planner *planner, enum transfer_syntax to, uint64_t *ret_data_set,
                     struct error *err)
{
    const struct rewrite_source *source = planner->source;
    static const uint8_t preamble[PREAMBLE_BYTES] = { 0 };
    const size_t size = source->file_size < WINDOW_BYTES ? (size_t)source->file_size : WINDOW_BYTES;
    struct part10 part10;

    if (!source->read(source->reader, 0, planner->window, size, err))
        return false;
    planner->window_size = size;
    const struct bytes head = bytes_of(planner->window, size);
    if (!part10_read(head, &part10, err))
        return false;
    put(planner, preamble, sizeof preamble);
    put(planner, "DICM", 4);
    put_tag(planner, 0x00020000);
    put(planner, "UL\4", 4);
    const size_t length = planner->text.size;
    put_number(planner, 0, 4);
    put_tag(planner, 0x00020001);
    put(planner, "OB\0\0\2\0\0\0\0\1", 10);
    put_short(planner, 0x00020002, "UI", bytes_of_text(source->sop_class.text));
    put_short(planner, 0x00020003, "UI", bytes_of_text(source->sop_instance.text));
    put_short(planner, 0x00020010, "UI",
              bytes_of_text(source->syntax_uid ? source->syntax_uid : transfer_syntax_info(to)->uid));
    put_short(planner, 0x00020012, "UI", bytes_of_text(IMPLEMENTATION_CLASS_UID));
    put_short(planner, 0x00020013, "SH", bytes_of_text(IMPLEMENTATION_VERSION_NAME));
    if (part10.meta)
        keep_meta(planner, head, part10.preamble ? PREAMBLE_BYTES + 4 : 0, part10.data_set);
    if (!planner->text.overflowed)
        for (size_t i = 0; i < 4; i++)
            planner->text.data[length + i] = (uint8_t)((planner->text.size - length - 4) >> 8 * i);
    *ret_data_set = part10.data_set;
    return true;
}

/* ── the plan ── */

static bool walk(struct planner *planner, uint64_t data_set, struct error *err)
{
    const struct rewrite_source *from = planner->source;
    const bool big = from->syntax == SYNTAX_EXPLICIT_BE;
    const struct element_source source = {
        .fd = -1,
        .size = from->file_size,
        .read = read_file,
        .reader = planner,
    };
    planner->visitor = (struct element_visitor){ on_element, on_begin, on_end, NULL };
    planner->levels[1].pixels_signed = from->shape->is_signed;
    const enum dataset_encoding encoding = big                                  ? DATASET_EXPLICIT_BE
                                           : from->syntax == SYNTAX_IMPLICIT_LE ? DATASET_IMPLICIT_LE
                                           : transfer_syntax_info(from->syntax)->encapsulated
                                               ? DATASET_ENCAPSULATED
                                               : DATASET_EXPLICIT_LE;
    bool ignored;
    if (element_walk(&source, data_set, encoding, &planner->visitor, err))
        return put_changes(planner, UINT32_MAX, NULL, &ignored, err);
    if (err->fault != FAULT_NOT_DICOM || !planner->past_pixels)
        return false;
    /* What stands behind the pixels is not sound: back to where all was. */
    error_clear(err);
    planner->text.size = planner->sound_text;
    planner->count = planner->sound_count;
    planner->written = planner->sound_written;
    planner->text_in_pieces = planner->sound_text_in_pieces;
    return true;
}

static bool finish(struct planner *planner, uint64_t data_set, struct rewrite **ret, struct error *err)
{
    struct rewrite *rewrite;

    if (!buffer_check(&planner->text, "the headers of an instance", err) || !close_text(planner, err))
        return false;
    if (!(rewrite = calloc(1, sizeof *rewrite)))
        return error_set(err, FAULT_BUSY, "no memory for a plan");
    if (!block_take(planner->text.size, &rewrite->text, err)) {
        free(rewrite);
        return false;
    }
    memcpy(block_room(rewrite->text, NULL), planner->text.data, planner->text.size);
    block_seal(rewrite->text, planner->text.size);
    rewrite->pieces = planner->pieces;
    rewrite->count = planner->count;
    rewrite->size = planner->written;
    rewrite->data_set_offset = data_set;
    rewrite->pixels_at = planner->pixels_at;
    planner->pieces = NULL;
    *ret = rewrite;
    return true;
}

static bool plan(const struct rewrite_source *source, enum transfer_syntax to, bool without_icon,
                 bool *ret_icon_in_fragments, struct rewrite **ret, struct error *err)
{
    SCOPED(planner) struct planner *planner = calloc(1, sizeof *planner);
    uint64_t data_set = 0;

    if (!planner)
        return error_set(err, FAULT_BUSY, "no memory to plan a rewriting");
    planner->source = source;
    planner->without_icon = without_icon;
    if (!(planner->window = malloc(WINDOW_BYTES)))
        return error_set(err, FAULT_BUSY, "no memory to plan a rewriting");
    buffer_init(&planner->text, REWRITE_TEXT_BYTES);
    if (!put_meta(planner, to, &data_set, err))
        return false;
    if (source->data_set_offset)
        data_set = source->data_set_offset;
    if ((source->pixels_apart || source->syntax == SYNTAX_IMPLICIT_LE ||
         source->syntax == SYNTAX_EXPLICIT_BE) &&
        !walk(planner, data_set, err)) {
        *ret_icon_in_fragments = planner->icon_in_fragments;
        return error_while(err, "rewriting an instance");
    }
    if (source->pixels_apart && !planner->past_pixels)
        return error_set(err, FAULT_NOT_ACCEPTABLE, "no pixel data to be left out");
    return finish(planner, data_set, ret, err);
}

bool rewrite_plan(const struct rewrite_source *source, enum transfer_syntax to, struct rewrite **ret,
                  struct error *err)
{
    bool icon = false;

    if (plan(source, to, false, &icon, ret, err))
        return true;
    if (!icon || !source->pixels_apart)
        return false;
    /* An icon compressed as the image was: it is optional, and nobody would look for it in that syntax. */
    error_clear(err);
    return plan(source, to, true, &icon, ret, err);
}

void rewrite_free(struct rewrite *rewrite)
{
    if (!rewrite)
        return;
    free(rewrite->pieces);
    block_unref(rewrite->text);
    free(rewrite);
}

void rewrite_drop(struct rewrite **rewrite)
{
    rewrite_free(*rewrite);
    *rewrite = NULL;
}
