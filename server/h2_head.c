/* server/h2_head.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Header sections; see h2_head.h. nghttp2 has already seen to it that pseudo fields come first, once, and
 * are all there, that names are tokens in lower case, that there is no Connection and no Transfer-Encoding,
 * and that Content-Length is one number.
 */
#include "server/h2_head.h"

#include "base/number.h"
#include "server/framing.h"

enum {
    FIELD_OVERHEAD_BYTES = 32, /* RFC 9113 6.5.2 */
    /* A table of 4 KiB unfolds to a hundred MiB from one header block. */
    BOMB_TIMES = 8,
    REFUSAL_VALUE_MOST = 1024,
};

static void refuse_first(struct error *err, enum fault fault, const char *sentence)
{
    if (err->fault == FAULT_NONE)
        error_tell(err, fault, "%s", sentence);
}

/* The crumbs in their order, as one field (RFC 9113 8.2.3). */
static struct bytes join_crumbs(const struct fields *crumbs, struct arena *arena)
{
    size_t size = 0, at = 0;

    for (size_t i = 0; i < crumbs->count; i++)
        size += crumbs->list[i].value.size + 2;
    char *text = arena_alloc(arena, size);
    for (size_t i = 0; i < crumbs->count; i++) {
        if (i > 0) {
            memcpy(text + at, "; ", 2);
            at += 2;
        }
        memcpy(text + at, crumbs->list[i].value.data, crumbs->list[i].value.size);
        at += crumbs->list[i].value.size;
    }
    return bytes_of(text, at);
}

static void keep(struct h2_head *head, struct bytes name, struct bytes value, struct request *request)
{
    struct arena *arena = request->arena;

    if (bytes_equal_text(name, ":method")) {
        head->method = arena_copy(arena, value);
    } else if (bytes_equal_text(name, ":path")) {
        request->target = arena_copy(arena, value);
    } else if (bytes_equal_text(name, ":scheme")) {
        head->scheme = arena_copy(arena, value);
    } else if (bytes_equal_text(name, ":authority")) {
        head->authority = arena_copy(arena, value);
    } else if (bytes_equal_text(name, "host")) {
        head->host_twice = head->host.data != NULL;
        head->host = arena_copy(arena, value);
    } else if (bytes_equal_text(name, "cookie")) {
        fields_add(&head->crumbs, arena, bytes_of_text("cookie"), arena_copy(arena, value));
    } else {
        fields_add(&request->headers, arena, arena_copy(arena, name), arena_copy(arena, value));
    }
}

/* The refusal depends on it: whether a page may read it, and in what form. */
static bool refusal_wants(struct bytes name, struct bytes value)
{
    return value.size <= REFUSAL_VALUE_MOST &&
           (bytes_equal_text(name, "origin") || bytes_equal_text(name, "accept"));
}

bool h2_head_add(struct h2_head *head, const struct h2_head_limits *limits, struct bytes name,
                 struct bytes value, struct request *request, struct error *err)
{
    head->bytes += name.size + value.size + FIELD_OVERHEAD_BYTES;
    head->fields++;
    if (head->bytes > BOMB_TIMES * limits->bytes)
        return false;
    if (head->bytes > limits->bytes || head->fields > limits->fields) {
        const bool target = bytes_equal_text(name, ":path");
        if (err->fault == FAULT_NONE && target)
            error_tell(err, FAULT_URI_TOO_LONG, "A target of %zu bytes is too long.", value.size);
        else if (err->fault == FAULT_NONE)
            error_tell(err, FAULT_HEADERS_TOO_LARGE, "There may be %u header fields of %zu bytes.",
                       limits->fields, limits->bytes);
        if (request && refusal_wants(name, value))
            keep(head, name, value, request);
        return true;
    }
    if (request)
        keep(head, name, value, request);
    return true;
}

void h2_head_add_invalid(struct error *err)
{
    refuse_first(err, FAULT_MALFORMED,
                 "A header field's name or value has characters that it must not have.");
}

/* Host stands in for :authority where a gateway has left that out (RFC 9113 8.3.1). */
static void find_host(struct h2_head *head, struct request *request, struct error *err)
{
    const struct bytes host = head->authority.data ? head->authority : bytes_trim(head->host);

    if (head->host_twice)
        refuse_first(err, FAULT_MALFORMED, "There are several fields of Host.");
    else if (head->authority.data && head->host.data &&
             !bytes_equal_nocase(head->authority, bytes_trim(head->host)))
        refuse_first(err, FAULT_MALFORMED, "Host and :authority differ.");
    else if (!framing_host_is_valid(host))
        refuse_first(err, FAULT_MALFORMED, "Host is missing or malformed.");
    if (host.data)
        fields_add(&request->headers, request->arena, bytes_of_text("host"), host);
}

bool h2_head_end(struct h2_head *head, bool body, struct request *request, struct error *err)
{
    const struct field *length = fields_find(&request->headers, "content-length");

    request->method = method_parse(head->method);
    request->content_length = body ? BODY_SIZE_UNKNOWN : 0;
    if (head->crumbs.count)
        fields_add(&request->headers, request->arena, bytes_of_text("cookie"),
                   join_crumbs(&head->crumbs, request->arena));
    find_host(head, request, err);
    if (length && !number_parse(length->value, 0, INT64_MAX, &request->content_length))
        refuse_first(err, FAULT_MALFORMED, "Content-Length is not a length.");
    /* CONNECT has neither scheme nor path; it is refused as an unknown method. */
    if (head->scheme.data && !bytes_equal_nocase(head->scheme, bytes_of_text("https")))
        refuse_first(err, FAULT_MALFORMED, "This port serves https alone.");
    return err->fault == FAULT_NONE;
}
