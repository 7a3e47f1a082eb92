/* handlers/offer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What could be answered with, weighed against what the client accepts (PS3.18 8.7.8).
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

/* One way to send a thing. The texts are borrowed: from a table, from an arena or from an instance record. */
struct offer {
    const char *media_type;      /* of the part, or of the body when there is but one */
    const char *transfer_syntax; /* UID; NULL: the notion does not apply */
    bool is_default;             /* also meant by a range that names no transfer syntax */
    bool is_alias;               /* an old name of the media type: answered when asked for, not advertised */
};

enum { OFFERS_MOST = 12 };

/* In order of preference: the first of equally accepted ones is sent (NEG-06). */
struct offers {
    struct offer list[OFFERS_MOST];
    size_t count;
};

void offers_add(struct offers *offers, const char *media_type, const char *transfer_syntax_or_null,
                bool is_default);

/* Frames of pixel data stored so, as bulk data. `syntax_uid` must outlive the offers. */
void offers_of_frames(struct offers *offers, enum transfer_syntax syntax, const char *syntax_uid,
                      enum frame_kind kind);
/* A whole instance stored so, as application/dicom. None where it may not leave as it is stored (GEN-08). */
void offers_of_instance(struct offers *offers, enum transfer_syntax syntax, const char *syntax_uid);

struct choice {
    const struct offer *offer; /* points into the offers */
    bool multipart;
};
/* Multipart before single part where the client likes both alike; a single part only where there is one item
 * (NEG-13, NEG-14). NOT_ACCEPTABLE tells what could be had (NEG-16). */
MUST_USE bool offers_choose(const struct offers *offers, const struct accept *accept, bool one_item,
                            struct choice *ret, struct error *err);

/* DICOM JSON, or plain JSON where that is what was asked for (SEA-03). With `ret_multipart_or_null` also as
 * the only part of multipart/related, for old clients that take nothing else (MPR-11). NOT_ACCEPTABLE
 * otherwise; faults as of accept_read. */
MUST_USE bool offer_json(const struct request *request, const char **ret_type, bool *ret_multipart_or_null,
                         struct error *err);

#endif
