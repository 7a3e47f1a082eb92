/* handlers/offer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What could be answered with, weighed against what the client accepts.
 *
 *   stored           offered                                            when a range names no syntax
 *   native           application/octet-stream, Explicit VR LE           yes (NEG-31)
 *   encapsulated     its own media type, as stored                      yes (NEG-37)
 *                    the same under its old names                       yes (NEG-19)
 *                    application/octet-stream, as stored                if lossy (NEG-32)
 *
 * Nothing is decoded yet. So compressed frames go out as stored where the standard would have them
 * decompressed: under a mere wildcard with their own media type, which every client can tell from the label;
 * and lossy ones also as application/octet-stream, which NEG-32 allows. Lossless ones asked for as
 * application/octet-stream without a transfer syntax are not acceptable, because that means Explicit VR
 * Little Endian and nothing else.
 */
#include "handlers/offer.h"

#include <stdio.h>

static const char OCTETS[] = "application/octet-stream";

/* Older editions' and clients' names (PS3.18 8.7.3.3.2 note 3). */
static const struct {
    const char *now, *before;
} old_names[] = {
    { "image/jls", "image/x-jls" },
    { "image/jls", "image/dicom+jpeg-ls" },
    { "image/dicom-rle", "image/x-dicom-rle" },
    { "image/dicom-rle", "image/dicom+rle" },
    { "image/jpeg", "image/dicom+jpeg" },
    { "image/jp2", "image/dicom+jp2" },
    { "image/jpx", "image/dicom+jpx" },
    { "video/mpeg", "video/mpeg2" },
};

void offers_add(struct offers *offers, const char *media_type, const char *transfer_syntax_or_null,
                bool is_default)
{
    if (offers->count < OFFERS_MOST)
        offers->list[offers->count++] =
            (struct offer){ media_type, transfer_syntax_or_null, is_default, false };
}

static void add_old_names(struct offers *offers, const char *media_type, const char *syntax_uid)
{
    for (size_t i = 0; i < COUNT_OF(old_names) && offers->count < OFFERS_MOST; i++)
        if (strcmp(old_names[i].now, media_type) == 0)
            offers->list[offers->count++] = (struct offer){ old_names[i].before, syntax_uid, true, true };
}

void offers_of_frames(struct offers *offers, enum transfer_syntax syntax, const char *syntax_uid,
                      enum frame_kind kind)
{
    const struct transfer_syntax_info *info = transfer_syntax_info(syntax);
    const char *explicit_le = transfer_syntax_info(SYNTAX_EXPLICIT_LE)->uid;

    if (kind != FRAMES_ENCAPSULATED && kind != FRAMES_VIDEO) {
        offers_add(offers, OCTETS, explicit_le, true);
        return;
    }
    if (syntax ==
        SYNTAX_ENCAPSULATED_LE) { /* native samples in items: the bytes are those of Explicit VR LE */
        offers_add(offers, OCTETS, explicit_le, true);
        offers_add(offers, OCTETS, syntax_uid, false);
        return;
    }
    if (strcmp(info->media_type, OCTETS) != 0) {
        offers_add(offers, info->media_type, syntax_uid, true);
        add_old_names(offers, info->media_type, syntax_uid);
    }
    offers_add(offers, OCTETS, syntax_uid, syntax != SYNTAX_UNKNOWN && !info->lossless);
}

void offers_of_instance(struct offers *offers, enum transfer_syntax syntax, const char *syntax_uid)
{
    /* Implicit, big endian and deflated data sets never leave as they are (GEN-08, NEG-33): they have to be
     * written anew as Explicit VR LE, which this server does not do yet. */
    if (syntax == SYNTAX_IMPLICIT_LE || syntax == SYNTAX_EXPLICIT_BE || syntax == SYNTAX_DEFLATED_LE)
        return;
    offers_add(offers, "application/dicom", syntax_uid, syntax != SYNTAX_UNKNOWN);
}

static bool not_acceptable(const struct offers *offers, bool one_item, struct error *err)
{
    char list[160] = "";
    size_t size = 0;

    for (size_t i = 0; i < offers->count && size < sizeof(list); i++) {
        const struct offer *offer = &offers->list[i];

        if (!offer->is_alias)
            size += (size_t)snprintf(list + size, sizeof(list) - size, "%s%s%s%s", size ? ", " : "",
                                     offer->media_type, offer->transfer_syntax ? "; transfer-syntax=" : "",
                                     offer->transfer_syntax ? offer->transfer_syntax : "");
    }
    if (size == 0)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "Nothing can be sent in its stored transfer syntax.");
    return error_tell(err, FAULT_NOT_ACCEPTABLE, "Available as multipart/related%s: %s",
                      one_item ? " or single part" : "", list);
}

bool offers_choose(const struct offers *offers, const struct accept *accept, bool one_item,
                   struct choice *ret, struct error *err)
{
    unsigned best = 0;

    for (int form = 0; form < (one_item ? 2 : 1); form++) {
        const bool multipart = form == 0;

        for (size_t i = 0; i < offers->count; i++) {
            const struct offer *offer = &offers->list[i];
            const unsigned quality = accept_quality(accept, multipart, offer->media_type,
                                                    offer->transfer_syntax, offer->is_default, NULL);

            if (quality > best) {
                best = quality;
                *ret = (struct choice){ offer, multipart };
            }
        }
    }
    return best > 0 || not_acceptable(offers, one_item, err);
}

bool offer_json(const struct request *request, const char **ret_type, bool *ret_multipart_or_null,
                struct error *err)
{
    static const char *const types[] = { "application/dicom+json", "application/json" };
    struct accept accept;
    unsigned best = 0;

    if (!accept_read(request, request->arena, &accept, err))
        return false;
    for (size_t i = 0; i < COUNT_OF(types) * (ret_multipart_or_null ? 2 : 1); i++) {
        const bool multipart = i >= COUNT_OF(types);
        const unsigned quality =
            accept_quality(&accept, multipart, types[i % COUNT_OF(types)], NULL, true, NULL);

        if (quality > best) {
            best = quality;
            *ret_type = types[i % COUNT_OF(types)];
            if (ret_multipart_or_null)
                *ret_multipart_or_null = multipart;
        }
    }
    return best > 0 || error_tell(err, FAULT_NOT_ACCEPTABLE, "Available: application/dicom+json.");
}
