/* handlers/bulk_offer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See bulk_offer.h.
 */
#include "handlers/bulk_offer.h"

#include "base/number.h"
#include "dicom/tag.h"
#include "handlers/instance_metadata.h"

enum { MIME_TYPE_BYTES = 100, TAG_DIGITS = 8, TAG_MIME_TYPE_OF_DOCUMENT = 0x00420012 };

static const char OCTETS[] = "application/octet-stream";

uint32_t bulk_path_tag(struct bytes path)
{
    uint64_t tag;

    return path.size == TAG_DIGITS && number_parse_hex(path, UINT32_MAX, &tag) ? (uint32_t)tag : 0;
}

bool bulk_path_is_pixel_data(struct bytes path)
{
    const uint32_t tag = bulk_path_tag(path);

    return tag == TAG_PIXEL_DATA || tag == TAG_FLOAT_PIXEL_DATA || tag == TAG_DOUBLE_FLOAT_PIXEL_DATA;
}

/* NULL: not told, or no media type. */
static const char *document_type(struct bytes object, struct arena *arena)
{
    const struct bytes value = instance_metadata_text(object, TAG_MIME_TYPE_OF_DOCUMENT, arena);
    struct media_type type;
    struct error ignored = { 0 };

    if (value.size == 0 || value.size > MIME_TYPE_BYTES || !media_type_parse(value, arena, &type, &ignored) ||
        bytes_equal_text(type.type, "*") || bytes_equal_text(type.subtype, "*"))
        return NULL;
    return arena_printf(arena, "%.*s/%.*s", BYTES_ARG(type.type), BYTES_ARG(type.subtype));
}

void offers_of_value(struct offers *offers, const struct instance_record *record, struct bytes path,
                     struct bytes object, bool is_encapsulated, struct arena *arena)
{
    if (is_encapsulated) {
        const char *media_type = transfer_syntax_info(record->syntax)->media_type;
        if (strcmp(media_type, OCTETS) != 0)
            offers_add(offers, media_type, record->syntax_uid.text, true);
        offers_add(offers, OCTETS, record->syntax_uid.text, true);
        return;
    }
    const char *type = bulk_path_tag(path) == TAG_ENCAPSULATED_DOCUMENT ? document_type(object, arena) : NULL;
    if (type)
        offers_add(offers, type, NULL, true);
    offers_add(offers, OCTETS, transfer_syntax_info(SYNTAX_EXPLICIT_LE)->uid, true);
}
