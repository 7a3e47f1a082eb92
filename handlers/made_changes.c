/* handlers/made_changes.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "handlers/made_changes.h"

#include "base/digest.h"
#include "dicom/derived_uid.h"
#include "dicom/tag.h"

enum {
    TAG_IMAGE_TYPE = 0x00080008,
    TAG_CODE_VALUE = 0x00080100,
    TAG_CODING_SCHEME_DESIGNATOR = 0x00080102,
    TAG_CODE_MEANING = 0x00080104,
    TAG_REFERENCED_SOP_CLASS_UID = 0x00081150,
    TAG_REFERENCED_SOP_INSTANCE_UID = 0x00081155,
    TAG_DERIVATION_DESCRIPTION = 0x00082111,
    TAG_SOURCE_IMAGE_SEQUENCE = 0x00082112,
    TAG_DERIVATION_CODE_SEQUENCE = 0x00089215,
    TAG_SMALLEST_IMAGE_PIXEL_VALUE = 0x00280106,
    TAG_LARGEST_IMAGE_PIXEL_VALUE = 0x00280107,
    TAG_SMALLEST_PIXEL_VALUE_IN_PLANE = 0x00280110,
    TAG_LARGEST_PIXEL_VALUE_IN_PLANE = 0x00280111,
    TAG_LOSSY_IMAGE_COMPRESSION = 0x00282110,
    TAG_LOSSY_IMAGE_COMPRESSION_RATIO = 0x00282112,
    TAG_LOSSY_IMAGE_COMPRESSION_METHOD = 0x00282114,
    TAG_PURPOSE_OF_REFERENCE_CODE_SEQUENCE = 0x0040A170,
    TAG_ITEM = 0xFFFEE000,
    CHANGES_MOST = 24,
    ITEM_BYTES_MOST = 1024
};

/* PS3.3 C.7.6.1.1.5.1. JPEG XL JPEG Recompression is not among them: it loses nothing of its JPEG. */
static const struct {
    enum transfer_syntax syntax;
    const char *method, *description;
} lossy_methods[] = {
    { SYNTAX_JPEG_BASELINE_8, "ISO_10918_1", "JPEG" },
    { SYNTAX_JPEG_EXTENDED_12, "ISO_10918_1", "JPEG" },
    { SYNTAX_JPEG_LS_NEAR_LOSSLESS, "ISO_14495_1", "JPEG-LS" },
    { SYNTAX_JPEG_2000, "ISO_15444_1", "JPEG 2000" },
    { SYNTAX_HTJ2K, "ISO_15444_15", "HTJ2K" },
    { SYNTAX_JPEG_XL, "ISO_18181_1", "JPEG XL" },
};

struct changes {
    struct arena *arena;
    struct rewrite_change *list; /* ascending by tag */
    size_t count;
};

static void change(struct changes *changes, uint32_t tag, enum rewrite_how how, const char *vr,
                   struct bytes value, const char *extra)
{
    changes->list[changes->count++] = (struct rewrite_change){ tag, how, vr, value, extra, false };
}

static void change_text(struct changes *changes, uint32_t tag, const char *vr, const char *text)
{
    change(changes, tag, REWRITE_VALUE, vr, bytes_of_text(text), "");
}

static void change_number(struct changes *changes, uint32_t tag, unsigned number)
{
    uint8_t *value = arena_alloc(changes->arena, 2);

    value[0] = (uint8_t)number;
    value[1] = (uint8_t)(number >> 8);
    change(changes, tag, REWRITE_VALUE, "US", bytes_of(value, 2), "");
}

static void leave_out(struct changes *changes, uint32_t tag)
{
    change(changes, tag, REWRITE_AWAY, "", bytes_of(NULL, 0), "");
}

/* ── items, in Explicit VR Little Endian ── */

static void put_head(struct buffer *into, uint32_t tag, const char *vr_or_null)
{
    for (unsigned i = 0; i < 4; i++) /* group, element */
        buffer_append_byte(into, (uint8_t)(tag >> (16 - 16 * (i / 2) + 8 * (i % 2))));
    if (vr_or_null)
        buffer_append(into, bytes_of_text(vr_or_null));
}

static void put_length(struct buffer *into, size_t length, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buffer_append_byte(into, (uint8_t)(length >> 8 * i));
}

static void put_text(struct buffer *into, uint32_t tag, const char *vr, const char *text)
{
    const struct bytes value = bytes_of_text(text);

    put_head(into, tag, vr);
    put_length(into, value.size + value.size % 2, 2);
    buffer_append(into, value);
    if (value.size % 2)
        buffer_append_byte(into, strcmp(vr, "UI") == 0 ? 0 : ' ');
}

/* `content` with an item's header, in the arena. */
static struct bytes item_of(struct arena *arena, struct buffer *content)
{
    struct buffer item;

    buffer_init(&item, ITEM_BYTES_MOST);
    put_head(&item, TAG_ITEM, NULL);
    put_length(&item, content->size, 4);
    buffer_append(&item, buffer_bytes(content));
    buffer_done(content);
    const struct bytes made = buffer_bytes(&item);
    uint8_t *kept = arena_alloc(arena, made.size);
    memcpy(kept, made.data, made.size);
    buffer_done(&item);
    return bytes_of(kept, made.size);
}

/* Of DCM, the scheme of PS3.16. */
static struct bytes code_item(struct arena *arena, const char *value, const char *meaning)
{
    struct buffer content;

    buffer_init(&content, ITEM_BYTES_MOST);
    put_text(&content, TAG_CODE_VALUE, "SH", value);
    put_text(&content, TAG_CODING_SCHEME_DESIGNATOR, "SH", "DCM");
    put_text(&content, TAG_CODE_MEANING, "LO", meaning);
    return item_of(arena, &content);
}

/* Which image this one was made of, and what for: CID 7202. */
static struct bytes source_item(struct arena *arena, const struct instance_record *record)
{
    const bool whole = transfer_syntax_info(record->syntax)->lossless;
    const struct bytes purpose =
        whole ? code_item(arena, "121320", "Uncompressed predecessor")
              : code_item(arena, "121322", "Source image for image processing operation");
    struct buffer content;

    buffer_init(&content, ITEM_BYTES_MOST);
    put_text(&content, TAG_REFERENCED_SOP_CLASS_UID, "UI", record->sop_class.text);
    put_text(&content, TAG_REFERENCED_SOP_INSTANCE_UID, "UI", record->key.instance.text);
    put_head(&content, TAG_PURPOSE_OF_REFERENCE_CODE_SEQUENCE, "SQ");
    put_length(&content, 0, 2);
    put_length(&content, purpose.size, 4);
    buffer_append(&content, purpose);
    return item_of(arena, &content);
}

/* ── what describes the pixels ── */

static const char *photometric_text(enum photometric photometric)
{
    switch (photometric) {
    case RGB:
        return "RGB";
    case YBR_FULL:
        return "YBR_FULL";
    case YBR_FULL_422:
        return "YBR_FULL_422";
    case YBR_ICT:
        return "YBR_ICT";
    case YBR_RCT:
        return "YBR_RCT";
    case XYB:
        return "XYB";
    default:
        return NULL; /* those never come of others */
    }
}

static void describe_pixels(struct changes *changes, const struct pixel_shape *was,
                            const struct pixel_shape *now)
{
    if (now->photometric != was->photometric && photometric_text(now->photometric))
        change_text(changes, TAG_PHOTOMETRIC_INTERPRETATION, "CS", photometric_text(now->photometric));
    if (now->samples_per_pixel > 1)
        change_number(changes, TAG_PLANAR_CONFIGURATION, now->planar);
    if (now->bits_allocated != was->bits_allocated)
        change_number(changes, TAG_BITS_ALLOCATED, now->bits_allocated);
    if (now->bits_stored != was->bits_stored) {
        change_number(changes, TAG_BITS_STORED, now->bits_stored);
        change_number(changes, TAG_HIGH_BIT, now->bits_stored - 1u);
    }
}

/* ── what was lost ── */

/* Against the bits that are used, not against the cells that they lie in. */
static const char *ratio_text(struct arena *arena, const struct pixel_shape *was, uint64_t coded_bytes)
{
    const double bits = (double)was->rows * was->columns * was->samples_per_pixel * was->bits_stored;

    return arena_printf(arena, "%.2f", coded_bytes ? bits / 8 / (double)coded_bytes : 1.0);
}

static void say_what_it_is_now(struct changes *changes, const struct instance_record *record,
                               const char *description, const char *ratio, const struct uid *new_uid_or_null)
{
    struct arena *arena = changes->arena;

    change(changes, TAG_IMAGE_TYPE, REWRITE_FIRST, "CS", bytes_of_text("DERIVED"), "\\SECONDARY");
    if (new_uid_or_null)
        change(changes, TAG_SOP_INSTANCE_UID, REWRITE_VALUE, "UI", uid_bytes(new_uid_or_null), "");
    change(changes, TAG_DERIVATION_DESCRIPTION, REWRITE_BEHIND, "ST",
           bytes_of_text(arena_printf(arena, "Lossy compression, %s, ratio %s", description, ratio)), "; ");
    if (new_uid_or_null)
        change(changes, TAG_SOURCE_IMAGE_SEQUENCE, REWRITE_ITEM, "SQ", source_item(arena, record), "");
    change(changes, TAG_DERIVATION_CODE_SEQUENCE, REWRITE_ITEM, "SQ",
           code_item(arena, "113040", "Lossy Compression"), "");
}

static void say_what_was_lost(struct changes *changes, const char *method, const char *ratio)
{
    change_text(changes, TAG_LOSSY_IMAGE_COMPRESSION, "CS", "01");
    change(changes, TAG_LOSSY_IMAGE_COMPRESSION_RATIO, REWRITE_BEHIND, "DS", bytes_of_text(ratio), "\\");
    change(changes, TAG_LOSSY_IMAGE_COMPRESSION_METHOD, REWRITE_BEHIND, "CS", bytes_of_text(method), "\\");
    changes->list[changes->count - 1].aligned = true; /* each method stands where its ratio does */
}

static struct uid uid_of_made(const struct instance_record *record, enum transfer_syntax to)
{
    struct digest *digest = digest_new();
    uint8_t sum[DIGEST_BYTES];

    digest_add(digest, bytes_of(record->digest, sizeof record->digest));
    digest_add(digest, uid_bytes(&record->key.instance));
    digest_add(digest, bytes_of_text(transfer_syntax_info(to)->uid));
    digest_get(digest, sum);
    digest_free(digest);
    return derived_uid(sum);
}

bool made_is_lossy(enum transfer_syntax to)
{
    for (size_t i = 0; i < COUNT_OF(lossy_methods); i++)
        if (lossy_methods[i].syntax == to)
            return true;
    return false;
}

void made_changes(struct arena *arena, const struct instance_record *record, enum transfer_syntax to,
                  const struct made_shape *made, bool new_uid, struct rewrite_source *into)
{
    struct changes changes = { arena, arena_array(arena, CHANGES_MOST, sizeof(struct rewrite_change)), 0 };
    const char *ratio = ratio_text(arena, &record->shape, made->frame_bytes), *method = NULL;

    into->sop_instance = record->key.instance;
    for (size_t i = 0; i < COUNT_OF(lossy_methods); i++) {
        if (lossy_methods[i].syntax != to)
            continue;
        method = lossy_methods[i].method;
        if (new_uid)
            into->sop_instance = uid_of_made(record, to);
        into->frame_type = "DERIVED";
        say_what_it_is_now(&changes, record, lossy_methods[i].description, ratio,
                           new_uid ? &into->sop_instance : NULL);
    }
    describe_pixels(&changes, &record->shape, &made->shape);
    if (method) {
        /* They are optional, and what they said is a little off now. */
        leave_out(&changes, TAG_SMALLEST_IMAGE_PIXEL_VALUE);
        leave_out(&changes, TAG_LARGEST_IMAGE_PIXEL_VALUE);
        leave_out(&changes, TAG_SMALLEST_PIXEL_VALUE_IN_PLANE);
        leave_out(&changes, TAG_LARGEST_PIXEL_VALUE_IN_PLANE);
        say_what_was_lost(&changes, method, ratio);
    }
    leave_out(&changes, TAG_EXTENDED_OFFSET_TABLE);
    leave_out(&changes, TAG_EXTENDED_OFFSET_TABLE_LENGTHS);
    into->changes = changes.list;
    into->change_count = changes.count;
}
