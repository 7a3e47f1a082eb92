/* handlers/offer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What could be answered with, weighed against what the client accepts (PS3.18 8.7.8). One table for all of
 * Retrieve: offer.c has its lines.
 *
 * An offer says what its bytes are (media type and transfer syntax, which is what the label says) and how
 * they come to be (`way`). The stored bytes stand first, so whatever else the client would take as gladly,
 * they are what it gets. What a codec can make is asked of codec_can, once a syntax; a syntax that codec/
 * learns is on offer everywhere without a change here. Whoever sends an OFFER_MADE frame gets its bytes from
 * made_frame() (handlers/made_frame.h) and from nowhere else.
 */
#ifndef GANTRY_HANDLERS_OFFER_H
#define GANTRY_HANDLERS_OFFER_H

#include "base/arena.h"
#include "base/error.h"
#include "dicom/frame_table.h"
#include "dicom/transfer_syntax.h"
#include "http/accept.h"
#include "http/request.h"
#include "storage/instance_record.h"

enum offer_way {
    OFFER_STORED,    /* the stored bytes; native frames in little endian and from their first bit on */
    OFFER_REWRITTEN, /* an instance whose data set is written anew as Explicit VR LE, pixels as they are */
    OFFER_MADE,      /* pixels are decoded, and encoded where `syntax` is a compressed one */
};

/* One way to send a thing. The texts are borrowed: from a table, from an arena or from an instance record. */
struct offer {
    const char *media_type;      /* of the part, or of the body when there is but one */
    const char *transfer_syntax; /* UID; NULL: the notion does not apply */
    enum offer_way way;
    enum transfer_syntax syntax; /* that of the UID */
    unsigned meant_by;           /* enum accept_meant: which ranges that do not name it mean it too */
    bool is_alias;               /* an old name of the media type: answered when asked for, not advertised */
};

enum { OFFERS_MOST = 64 };

/* In order of preference: the first of equally accepted ones is sent (NEG-06). */
struct offers {
    struct offer list[OFFERS_MOST];
    size_t count;
    enum transfer_syntax stored;     /* of pixels that are offered in others, too */
    const struct pixel_shape *shape; /* theirs; NULL: none are */
};

/* A thing that is sent as it is stored and under one name; `transfer_syntax_or_null` as the default of it. */
void offers_add(struct offers *offers, const char *media_type, const char *transfer_syntax_or_null,
                bool is_default);

/* Frames, or all of the pixel data, of this record as bulk data. The record must outlive the offers. */
void offers_of_frames(struct offers *offers, const struct instance_record *record);
/* A whole instance stored so, as application/dicom; `shape`: of its pixels, or NULL where it is not known,
 * and then nothing is decoded. Implicit and big endian never leave as they are stored (GEN-08), deflated only
 * by name. `syntax_uid` must outlive the offers. */
void offers_of_instance(struct offers *offers, enum transfer_syntax syntax, const char *syntax_uid,
                        const struct pixel_shape *shape_or_null);

/* What the path itself asks for: the alternative frame paths of progressive loaders. */
enum frame_family { FRAMES_ANY, FRAMES_HTJ2K, FRAMES_JPEG_LS, FRAMES_LOSSY };
/* Leaves those alone, and has every range mean them: the path has named them. */
void offers_narrow(struct offers *offers, enum frame_family family);

struct choice {
    const struct offer *offer; /* points into the offers */
    bool multipart;
};
/* Multipart before single part where the client likes both alike; a single part only where there is one item
 * (NEG-13, NEG-14). NOT_ACCEPTABLE tells what could be had (NEG-16), and why not the transfer syntax that was
 * named. */
MUST_USE bool offers_choose(const struct offers *offers, const struct accept *accept, bool one_item,
                            struct choice *ret, struct error *err);

/* For metadata, rows and reports: DICOM JSON, or plain JSON where that is what was asked for (SEA-03), also
 * as the only part of multipart/related, for old clients that take nothing else (MPR-11); and DICOM XML: a
 * part for each object, or the document alone where there is but one. NOT_ACCEPTABLE otherwise; faults as of
 * accept_read. */
MUST_USE bool offer_metadata(const struct request *request, bool one_instance, const char **ret_type,
                             bool *ret_xml, bool *ret_multipart, struct error *err);

#endif
