/* handlers/offer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What could be answered with, weighed against what the client accepts. The table of Retrieve:
 *
 *   stored         offered, in order of preference                meant by ranges that do not name its syntax
 *   ── frames and pixel data ──
 *   native         application/octet-stream, Explicit VR LE       type (NEG-31), wildcard (NEG-12), *
 *   encapsulated   its own media type, as stored                  type (NEG-37), wildcard, *
 *                  the same under its old names                   type (NEG-19), *
 *                  application/octet-stream, as stored            * (NEG-36); type where nothing else is left
 *                                                                 (lossy, NEG-32)
 *   any            application/octet-stream, Explicit VR LE, made type (NEG-31), wildcard (NEG-12), *
 *                  what else codec_can make of it                 type if its default, *; lossy ones by name
 *   ── instances ──
 *   implicit, big  application/dicom, Explicit VR LE, rewritten   type, wildcard, * (NEG-33)
 *   deflated       application/dicom, Explicit VR LE, rewritten   type, wildcard, *
 *                  application/dicom, as stored                   by name alone
 *   all others     application/dicom, as stored                   *; type and wildcard where nothing is made
 *
 * With a way to make Explicit VR LE, that is what a range without a transfer syntax means, for lossy pixels
 * too (NEG-32: decoded, as the client asked). Without one the stored bytes are the only thing there is: then
 * lossy ones are also what application/octet-stream means; lossless ones are not, because that says Explicit
 * VR Little Endian and nothing else.
 */
#include "handlers/offer.h"

#include <stdio.h>

#include "codec/codec.h"

static const char OCTETS[] = "application/octet-stream";
static const char DICOM[] = "application/dicom";

enum { BY_TYPE = ACCEPT_BY_TYPE, BY_WILDCARD = ACCEPT_BY_WILDCARD, BY_ANY = ACCEPT_BY_ANY_SYNTAX };

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
    { "image/jphc", "image/jhc" }, /* the only name of HTJ2K that dicomweb-client lets its user ask for */
    { "video/mpeg", "video/mpeg2" },
};

static void add(struct offers *offers, struct offer offer)
{
    if (offers->count < OFFERS_MOST)
        offers->list[offers->count++] = offer;
}

void offers_add(struct offers *offers, const char *media_type, const char *transfer_syntax_or_null,
                bool is_default)
{
    add(offers,
        (struct offer){
            .media_type = media_type,
            .transfer_syntax = transfer_syntax_or_null,
            .syntax = transfer_syntax_or_null ? transfer_syntax_of_uid(bytes_of_text(transfer_syntax_or_null))
                                              : SYNTAX_UNKNOWN,
            .meant_by = BY_ANY | (is_default ? BY_TYPE | BY_WILDCARD : 0u),
        });
}

/* Under its name and its old ones. */
static void add_named(struct offers *offers, struct offer offer)
{
    const struct offer named = offer;

    add(offers, offer);
    offer.is_alias = true;
    for (size_t i = 0; i < COUNT_OF(old_names); i++) {
        if (strcmp(old_names[i].now, named.media_type) != 0)
            continue;
        offer.media_type = old_names[i].before;
        add(offers, offer);
    }
}

static struct offer octets(const char *uid, enum transfer_syntax syntax, enum offer_way way,
                           unsigned meant_by)
{
    return (struct offer){ OCTETS, uid, way, syntax, meant_by, false };
}

static bool is_decodable(enum transfer_syntax stored, const struct pixel_shape *shape)
{
    return shape && codec_can(stored, SYNTAX_EXPLICIT_LE, shape);
}

/* What codecs can make of the stored frames. */
static void add_made(struct offers *offers, enum transfer_syntax stored, const struct pixel_shape *shape)
{
    for (unsigned i = SYNTAX_UNKNOWN + 1; i < SYNTAX_COUNT; i++) {
        const enum transfer_syntax target = (enum transfer_syntax)i;
        const struct transfer_syntax_info *info = transfer_syntax_info(target);

        if (!info->encapsulated || target == stored || !codec_can(stored, target, shape))
            continue;
        const unsigned named = !info->lossless ? 0u : BY_ANY | (info->is_default ? BY_TYPE : 0u);
        if (strcmp(info->media_type, OCTETS) != 0)
            add_named(offers,
                      (struct offer){ info->media_type, info->uid, OFFER_MADE, target, named, false });
        add(offers, octets(info->uid, target, OFFER_MADE, 0));
    }
}

static void add_encapsulated(struct offers *offers, const struct instance_record *record)
{
    const enum transfer_syntax stored = record->syntax;
    const struct transfer_syntax_info *info = transfer_syntax_info(stored);
    const char *uid = record->syntax_uid.text, *explicit_le = transfer_syntax_info(SYNTAX_EXPLICIT_LE)->uid;
    const bool decodable = is_decodable(stored, &record->shape);
    /* Only a lossless one can give way to the type's default syntax (NEG-37). */
    const bool gives_way =
        info->lossless && !info->is_default &&
        codec_can(stored, transfer_syntax_of_media(bytes_of_text(info->media_type)), &record->shape);

    if (stored ==
        SYNTAX_ENCAPSULATED_LE) { /* native samples in items: the bytes are those of Explicit VR LE */
        add(offers, octets(explicit_le, SYNTAX_EXPLICIT_LE, OFFER_STORED, BY_TYPE | BY_WILDCARD | BY_ANY));
        add(offers, octets(uid, stored, OFFER_STORED, BY_ANY));
        return;
    }
    if (strcmp(info->media_type, OCTETS) != 0)
        add_named(offers, (struct offer){
                              info->media_type, uid, OFFER_STORED, stored,
                              BY_ANY | (gives_way ? 0u : BY_TYPE) | (decodable ? 0u : BY_WILDCARD), false });
    const bool only_one = stored != SYNTAX_UNKNOWN && !info->lossless && !decodable;
    add(offers, octets(uid, stored, OFFER_STORED, BY_ANY | (only_one ? BY_TYPE | BY_WILDCARD : 0u)));
    if (decodable)
        add(offers, octets(explicit_le, SYNTAX_EXPLICIT_LE, OFFER_MADE, BY_TYPE | BY_WILDCARD | BY_ANY));
}

void offers_of_frames(struct offers *offers, const struct instance_record *record)
{
    const enum frame_kind kind = frame_table_kind(record->frames);

    offers->stored = record->syntax;
    offers->shape = &record->shape;
    if (kind == FRAMES_ENCAPSULATED || kind == FRAMES_VIDEO)
        add_encapsulated(offers, record);
    else
        add(offers, octets(transfer_syntax_info(SYNTAX_EXPLICIT_LE)->uid, SYNTAX_EXPLICIT_LE, OFFER_STORED,
                           BY_TYPE | BY_WILDCARD | BY_ANY));
    if (kind != FRAMES_VIDEO)
        add_made(offers, record->syntax, &record->shape);
}

static bool is_of(enum frame_family family, const struct offer *offer)
{
    const struct transfer_syntax_info *info = transfer_syntax_info(offer->syntax);

    switch (family) {
    case FRAMES_ANY:
        return true;
    case FRAMES_HTJ2K:
        return strcmp(info->media_type, "image/jphc") == 0;
    case FRAMES_JPEG_LS:
        return strcmp(info->media_type, "image/jls") == 0;
    case FRAMES_LOSSY:
        break;
    }
    return info->encapsulated && !info->lossless;
}

void offers_narrow(struct offers *offers, enum frame_family family)
{
    size_t kept = 0;

    if (family == FRAMES_ANY)
        return;
    for (size_t i = 0; i < offers->count; i++) {
        if (!is_of(family, &offers->list[i]))
            continue;
        offers->list[kept] = offers->list[i];
        offers->list[kept++].meant_by = BY_TYPE | BY_WILDCARD | BY_ANY;
    }
    offers->count = kept;
}

void offers_of_instance(struct offers *offers, enum transfer_syntax syntax, const char *syntax_uid,
                        const struct pixel_shape *shape_or_null)
{
    const char *explicit_le = transfer_syntax_info(SYNTAX_EXPLICIT_LE)->uid;
    const unsigned always = BY_TYPE | BY_WILDCARD | BY_ANY;
    const bool decodable = transfer_syntax_info(syntax)->encapsulated && is_decodable(syntax, shape_or_null);

    offers->stored = syntax;
    offers->shape = shape_or_null;
    if (syntax == SYNTAX_IMPLICIT_LE || syntax == SYNTAX_EXPLICIT_BE || syntax == SYNTAX_DEFLATED_LE) {
        add(offers, (struct offer){ DICOM, explicit_le, OFFER_REWRITTEN, SYNTAX_EXPLICIT_LE, always, false });
        if (syntax == SYNTAX_DEFLATED_LE)
            add(offers, (struct offer){ DICOM, syntax_uid, OFFER_STORED, syntax, 0, false });
    } else {
        const unsigned meant = decodable || syntax == SYNTAX_UNKNOWN ? BY_ANY : always;
        add(offers, (struct offer){ DICOM, syntax_uid, OFFER_STORED, syntax, meant, false });
    }
    if (decodable)
        add(offers, (struct offer){ DICOM, explicit_le, OFFER_MADE, SYNTAX_EXPLICIT_LE, always, false });
    for (unsigned i = SYNTAX_UNKNOWN + 1; shape_or_null && i < SYNTAX_COUNT; i++) {
        const enum transfer_syntax target = (enum transfer_syntax)i;
        const struct transfer_syntax_info *info = transfer_syntax_info(target);

        if (info->encapsulated && target != syntax && codec_can(syntax, target, shape_or_null))
            add(offers, (struct offer){ DICOM, info->uid, OFFER_MADE, target, 0, false });
    }
}

/* Why not the transfer syntax that the client named, the first of them that means one that is known. */
static void tell_why_not(const struct offers *offers, const struct accept *accept, char *into, size_t room)
{
    for (size_t i = 0; i < accept->count; i++) {
        const enum transfer_syntax named = transfer_syntax_of_uid(accept->list[i].transfer_syntax);
        char reason[CODEC_REASON_BYTES] = "cannot be made: there are no frames to make it of";

        if (named == SYNTAX_UNKNOWN || accept->list[i].q == 0 ||
            (offers->shape && codec_can(offers->stored, named, offers->shape)))
            continue;
        if (offers->shape)
            codec_why_not(offers->stored, named, offers->shape, reason);
        snprintf(into, room, "%s %s. ", transfer_syntax_info(named)->uid, reason);
        return;
    }
}

/* What is stored in full; of what can be made only the transfer syntaxes, once each, and of those behind the
 * first only what follows DICOM's root. Old names stay unsaid. */
static bool not_acceptable(const struct offers *offers, const struct accept *accept, bool one_item,
                           struct error *err)
{
    static const char root[] = "1.2.840.10008.1.2";
    char list[sizeof err->told] = "", why[CODEC_REASON_BYTES + 80] = "";
    bool told[SYNTAX_COUNT] = { false };
    size_t size = 0;
    unsigned made = 0;

    for (size_t i = 0; i < offers->count && size < sizeof(list); i++) {
        const struct offer *offer = &offers->list[i];
        const char *uid = offer->transfer_syntax;
        char *at = list + size;
        const size_t room = sizeof(list) - size;

        if (offer->is_alias || (offer->way == OFFER_MADE && told[offer->syntax]))
            continue;
        if (offer->way != OFFER_MADE)
            size += (size_t)snprintf(at, room, "%s%s%s%s", size ? ", " : "", offer->media_type,
                                     uid ? "; transfer-syntax=" : "", uid ? uid : "");
        else if (made++ == 0)
            size += (size_t)snprintf(at, room, "; made on demand in %s", uid);
        else
            size += (size_t)snprintf(at, room, ", %s",
                                     strncmp(uid, root, strlen(root)) ? uid : uid + strlen(root));
        told[offer->syntax] = true;
    }
    tell_why_not(offers, accept, why, sizeof why);
    if (size == 0)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "%sThere is no form in which this can be sent.", why);
    return error_tell(err, FAULT_NOT_ACCEPTABLE, "%sAvailable as multipart/related%s: %s", why,
                      one_item ? " or single part" : "", list);
}

bool offers_choose(const struct offers *offers, const struct accept *accept, bool one_item,
                   struct choice *ret, struct error *err)
{
    enum { QUALITY_MOST = 1000 };
    unsigned best = 0;

    for (size_t i = 0; i < offers->count && best < QUALITY_MOST; i++) {
        const struct offer *offer = &offers->list[i];

        for (int form = 0; form < (one_item ? 2 : 1); form++) {
            const bool multipart = form == 0;
            const unsigned quality = accept_quality_of(accept, multipart, offer->media_type,
                                                       offer->transfer_syntax, offer->meant_by, NULL);

            if (quality > best) {
                best = quality;
                *ret = (struct choice){ offer, multipart };
            }
        }
    }
    return best > 0 || not_acceptable(offers, accept, one_item, err);
}

static const char DICOM_JSON[] = "application/dicom+json", JSON[] = "application/json",
                  DICOM_XML[] = "application/dicom+xml";

struct text_offer {
    const char *type;
    bool multipart;
};

/* The one liked best, the earlier at equal liking; NULL: none is acceptable. */
static const struct text_offer *choose_text(const struct accept *accept, const struct text_offer *offers,
                                            size_t count)
{
    const struct text_offer *best = NULL;
    unsigned best_quality = 0;

    for (size_t i = 0; i < count; i++) {
        const unsigned quality =
            accept_quality(accept, offers[i].multipart, offers[i].type, NULL, true, NULL);
        if (quality > best_quality) {
            best_quality = quality;
            best = &offers[i];
        }
    }
    return best;
}

bool offer_metadata(const struct request *request, bool one_instance, const char **ret_type, bool *ret_xml,
                    bool *ret_multipart, struct error *err)
{
    /* Among parts XML comes first: it is what the standard has there. The last one only where there is one
     * document. */
    static const struct text_offer offers[] = {
        { DICOM_JSON, false }, { JSON, false }, { DICOM_XML, true },
        { DICOM_JSON, true },  { JSON, true },  { DICOM_XML, false },
    };
    struct accept accept;

    if (!accept_read(request, request->arena, &accept, err))
        return false;
    const struct text_offer *best = choose_text(&accept, offers, COUNT_OF(offers) - (one_instance ? 0 : 1));
    if (!best)
        return error_tell(
            err, FAULT_NOT_ACCEPTABLE,
            "Available: application/dicom+json; multipart/related; type=\"application/dicom+xml\"%s.",
            one_instance ? "; application/dicom+xml" : "");
    *ret_type = best->type;
    *ret_xml = best->type == DICOM_XML;
    *ret_multipart = best->multipart;
    return true;
}
