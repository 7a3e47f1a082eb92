/* dicom/transfer_syntax.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table of transfer_syntax.def, in all directions.
 */
#include "dicom/transfer_syntax.h"

#include <assert.h>

#include "base/attributes.h"

static const struct transfer_syntax_info syntaxes[SYNTAX_COUNT] = {
    [SYNTAX_UNKNOWN] = { "", "application/octet-stream", false, false, false },
#define SYNTAX(name, uid, media, is_default, encapsulated, lossless) \
    [SYNTAX_##name] = { uid, media, is_default, encapsulated, lossless },
#include "dicom/transfer_syntax.def"
#undef SYNTAX
};

/* Names of earlier editions of PS3.18 and of the field, beside those that stand now. */
static const struct {
    const char *old, *now;
} old_names[] = {
    { "image/x-jls", "image/jls" },           { "image/x-dicom-rle", "image/dicom-rle" },
    { "image/dicom+rle", "image/dicom-rle" }, { "image/dicom+jpeg", "image/jpeg" },
    { "image/dicom+jp2", "image/jp2" },       { "image/dicom+jpx", "image/jpx" },
    { "video/mpeg2", "video/mpeg" },          { "image/jhc", "image/jphc" },
};

static struct bytes current_name(struct bytes media_type)
{
    for (size_t i = 0; i < COUNT_OF(old_names); i++)
        if (bytes_equal_nocase(media_type, bytes_of_text(old_names[i].old)))
            return bytes_of_text(old_names[i].now);
    return media_type;
}

const struct transfer_syntax_info *transfer_syntax_info(enum transfer_syntax syntax)
{
    assert((unsigned)syntax < SYNTAX_COUNT);
    return &syntaxes[syntax];
}

enum transfer_syntax transfer_syntax_of_uid(struct bytes uid)
{
    for (unsigned i = SYNTAX_UNKNOWN + 1; i < SYNTAX_COUNT; i++)
        if (bytes_equal_text(uid, syntaxes[i].uid))
            return (enum transfer_syntax)i;
    return SYNTAX_UNKNOWN;
}

enum transfer_syntax transfer_syntax_of_media(struct bytes media_type)
{
    const struct bytes name = current_name(media_type);

    for (unsigned i = SYNTAX_UNKNOWN + 1; i < SYNTAX_COUNT; i++)
        if (syntaxes[i].is_default && bytes_equal_nocase(name, bytes_of_text(syntaxes[i].media_type)))
            return (enum transfer_syntax)i;
    return SYNTAX_UNKNOWN;
}

bool transfer_syntax_has_media(enum transfer_syntax syntax, struct bytes media_type)
{
    return bytes_equal_nocase(current_name(media_type),
                              bytes_of_text(transfer_syntax_info(syntax)->media_type));
}
