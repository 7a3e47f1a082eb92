/* dicom/transfer_syntax.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Transfer syntaxes by name, UID and media type, all from transfer_syntax.def. Any thread, never waits.
 */
#ifndef GANTRY_DICOM_TRANSFER_SYNTAX_H
#define GANTRY_DICOM_TRANSFER_SYNTAX_H

#include "base/bytes.h"

enum transfer_syntax {
    SYNTAX_UNKNOWN = 0, /* private, or newer than the table: delivered as stored under its own UID */
#define SYNTAX(name, uid, media, is_default, encapsulated, lossless) SYNTAX_##name,
#include "dicom/transfer_syntax.def"
#undef SYNTAX
    SYNTAX_COUNT
};

struct transfer_syntax_info {
    const char *uid, *media_type; /* "" and application/octet-stream for SYNTAX_UNKNOWN */
    bool is_default, encapsulated, lossless;
};

const struct transfer_syntax_info *transfer_syntax_info(enum transfer_syntax syntax);
/* SYNTAX_UNKNOWN when the table has no such UID. */
enum transfer_syntax transfer_syntax_of_uid(struct bytes uid);
/* The default syntax of a media type (PS3.18 Table 8.7.3-5), also by the old names image/x-jls,
 * image/x-dicom-rle, image/dicom+jpeg, image/dicom+jp2, image/dicom+jpx, image/dicom+rle, image/jhc,
 * video/mpeg2; letters of any case. SYNTAX_UNKNOWN: none. */
enum transfer_syntax transfer_syntax_of_media(struct bytes media_type);
/* Is `media_type` (current or old name) the type of `syntax`? */
bool transfer_syntax_has_media(enum transfer_syntax syntax, struct bytes media_type);

#endif
