/* handlers/wado_uri.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET /wado?requestType=WADO&...: PS3.18 chapter 9, the older service, whose one resource has everything in
 * its query. What is wanted is settled here, and an instance as a DICOM file sent; rendered images are
 * wado_uri_rendered's.
 */
#include "handlers/held.h"
#include "handlers/instance_answer.h"
#include "handlers/links.h"
#include "handlers/transactions.h"
#include "handlers/wado_uri_rendered.h"
#include "http/media_type.h"

static const char DICOM[] = "application/dicom";

/* A parameter that has to be there, or NULL is told of. */
static bool needed(const struct request *request, const char *name, struct bytes *ret, struct error *err)
{
    *ret = request_query(request, name);
    if (request_query_is_repeated(request, name))
        return error_tell(err, FAULT_MALFORMED, "The query parameter %s is there more than once.", name);
    return ret->size > 0 ||
           error_tell(err, FAULT_MALFORMED, "The query parameter %s is missing (PS3.18 9.4.2.1).", name);
}

static bool read_key(const struct request *request, struct instance_key *ret, struct error *err)
{
    struct bytes uids[3];
    struct bytes type;

    if (!needed(request, "requestType", &type, err))
        return false;
    if (!bytes_equal_text(type, "WADO"))
        return error_tell(err, FAULT_MALFORMED, "The only requestType is WADO.");
    return needed(request, "studyUID", &uids[0], err) && needed(request, "seriesUID", &uids[1], err) &&
           needed(request, "objectUID", &uids[2], err) && instance_key_parse(uids, ret, err);
}

/* PS3.15 profiles are not applied here: an identified object must not go out in their place (URI-11). */
static bool check_anonymize(const struct request *request, struct error *err)
{
    const struct bytes anonymize = request_query(request, "anonymize");

    if (!anonymize.data)
        return true;
    if (!bytes_equal_text(anonymize, "yes") || request_query_is_repeated(request, "anonymize"))
        return error_tell(err, FAULT_MALFORMED, "The only value of anonymize is yes.");
    return error_tell(err, FAULT_NOT_IMPLEMENTED, "Objects are not anonymized by this server.");
}

enum wanted { WANTED_DICOM, WANTED_RENDERED };

/* The first type of the list that this service has decides: application/dicom, or one that is rendered. */
static bool read_content_type(const struct request *request, enum wanted *ret, struct error *err)
{
    struct bytes list = request_query(request, "contentType");
    bool dicom = false, rendered = false;

    if (!list.data) { /* URI-02: what the header says, and without a word an image */
        struct accept accept;
        accept_parse(request_header(request, "accept"), request->arena, &accept);
        const unsigned image = accept_quality(&accept, false, "image/jpeg", NULL, true, NULL);
        *ret =
            accept_quality(&accept, false, DICOM, NULL, true, NULL) > image ? WANTED_DICOM : WANTED_RENDERED;
        return true;
    }
    while (list.data && !dicom && !rendered) {
        struct media_type type;
        struct error bad = { 0 };

        if (!media_type_parse(bytes_trim(bytes_cut(&list, ',')), request->arena, &type, &bad))
            return error_tell(err, FAULT_MALFORMED, "contentType is a list of media types.");
        if (media_type_parameter(&type, "transfer-syntax").data ||
            media_type_parameter(&type, "charset").data)
            return error_tell(err, FAULT_MALFORMED,
                              "transfer-syntax and charset do not stand in contentType (PS3.18 9.1.2.2.1).");
        dicom = bytes_equal_text(type.type, "application") && bytes_equal_text(type.subtype, "dicom");
        rendered = wado_uri_renders(&type);
    }
    *ret = dicom ? WANTED_DICOM : WANTED_RENDERED;
    return dicom || rendered ||
           error_tell(err, FAULT_NOT_ACCEPTABLE, "contentType can be: application/dicom%s.",
                      wado_uri_rendered_types());
}

static bool check_for_dicom(const struct request *request, struct error *err)
{
    static const char *const rendering[] = { "windowCenter", "windowWidth" };

    for (size_t i = 0; i < COUNT_OF(rendering); i++)
        if (request_query(request, rendering[i]).data)
            return error_tell(err, FAULT_MALFORMED, "%s says nothing about application/dicom.", rendering[i]);
    return true;
}

/* As a range of Accept: application/dicom[; transfer-syntax=...] (URI-03, URI-05). */
static bool read_syntax(const struct request *request, struct accept *ret, struct error *err)
{
    const struct bytes syntax = request_query(request, "transferSyntax");
    const char *range = DICOM;
    struct error bad = { 0 };
    struct uid uid;

    if (syntax.data) {
        if (request_query_is_repeated(request, "transferSyntax") ||
            (!bytes_equal_text(syntax, "*") && !uid_parse(syntax, &uid, &bad)))
            return error_tell(err, FAULT_MALFORMED, "transferSyntax is one UID, or *.");
        range = arena_printf(request->arena, "%s; transfer-syntax=%.*s", DICOM, BYTES_ARG(syntax));
    }
    accept_parse(bytes_of_text(range), request->arena, ret);
    return true;
}

bool wado_uri(const struct service *service, const struct request *request, struct response *response,
              struct error *err)
{
    struct arena *arena = request->arena;
    const struct instance_record *record = NULL;
    struct offers *offers = arena_alloc(arena, sizeof(*offers));
    struct instance_key key;
    struct accept accept;
    struct choice choice = { 0 };
    enum wanted wanted = WANTED_DICOM;

    if (!read_key(request, &key, err) || !check_anonymize(request, err) ||
        !read_content_type(request, &wanted, err))
        return false;
    if (wanted == WANTED_DICOM && (!check_for_dicom(request, err) || !read_syntax(request, &accept, err)))
        return false;
    if (!catalog_find(service->catalog, &key, request->patience, &record, err))
        return false;
    held_record(arena, record);
    if (wanted == WANTED_RENDERED)
        return wado_uri_rendered(service, request, record, response, err);
    offers_of_instance(offers, record->syntax, record->syntax_uid.text, instance_shape(record));
    return offers_choose(offers, &accept, true, &choice, err) &&
           instance_answer(service, request, record, &choice,
                           link_to(arena, request->public_base, &record->key, ""), response, err);
}
