/* tests/unit/http/compress_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which answers are coded, and that what is coded comes out again. Bodies that wait, are read in pieces of
 * any size, or break.
 */
#include "tests/support/expect.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "http/compress.h"
#include "tests/support/made_body.h"

struct asked {
    struct arena arena;
    struct request request;
    struct response response;
};

/* An answer of this type to a GET with this Accept-Encoding. */
static void ask(struct asked *asked, const char *accept_encoding, const char *type, struct body_source *body)
{
    *asked = (struct asked){ .request = { .method = METHOD_GET } };
    asked->request.arena = &asked->arena;
    if (accept_encoding)
        fields_add(&asked->request.headers, &asked->arena, bytes_of_text("accept-encoding"),
                   bytes_of_text(accept_encoding));
    asked->response.status = 200;
    asked->response.body = body;
    response_header(&asked->response, &asked->arena, "Content-Type", "%s", type);
    response_header(&asked->response, &asked->arena, "ETag", "\"tag\"");
    response_header(&asked->response, &asked->arena, "Accept-Ranges", "bytes");
}

static bool apply(struct asked *asked, uint64_t least)
{
    struct error err = { 0 };

    return EXPECT(compress_apply(&asked->request, &asked->response, least, &err), "%s", err.detail);
}

/* All of a body, in pieces of `piece` bytes; the caller frees. */
static uint8_t *read_all(struct body_source *source, size_t piece, size_t *ret_size, struct error *err)
{
    uint8_t *text = malloc(1 << 24);
    size_t got = 1;

    *ret_size = 0;
    while (got > 0)
        if (!source->read(source, text + *ret_size, piece, MAY_WAIT, &got, err))
            break;
        else
            *ret_size += got;
    return text;
}

static bool is_made(const uint8_t *text, size_t size, size_t want)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != byte_at(i))
            return false;
    return size == want;
}

static bool decodes(const char *coding, struct bytes coded, size_t want)
{
    uint8_t *text = malloc(want + 1);
    bool good = false;

    if (strcmp(coding, "gzip") == 0) {
        z_stream stream = { .next_in = (uint8_t *)(uintptr_t)coded.data,
                            .avail_in = (uInt)coded.size,
                            .next_out = text,
                            .avail_out = (uInt)want + 1 };
        good = inflateInit2(&stream, 15 + 16) == Z_OK && inflate(&stream, Z_FINISH) == Z_STREAM_END &&
               stream.avail_in == 0 && is_made(text, stream.total_out, want);
        inflateEnd(&stream);
    } else {
        good = is_made(text, ZSTD_decompress(text, want + 1, coded.data, coded.size), want);
    }
    free(text);
    return good;
}

TEST(HTP_60_61_bodies_of_every_size_come_out_again)
{
    static const size_t sizes[] = { 1, 100, 65535, 65536, 65537, 1000000, 5000000 };
    static const size_t pieces[] = { 1000, 32768, 262144 };
    static const char *const codings[] = { "gzip", "zstd" };

    for (size_t c = 0; c < COUNT_OF(codings); c++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            for (size_t k = 0; k < COUNT_OF(pieces); k++) {
                struct made_source made = made_source(sizes[i], (unsigned)k);
                struct error err = { 0 };
                struct asked asked;
                size_t size = 0;

                if (k == 2)
                    made.source.size = BODY_SIZE_UNKNOWN;
                ask(&asked, codings[c], "application/dicom+json", &made.source);
                apply(&asked, 0);
                uint8_t *text = read_all(asked.response.body, pieces[k], &size, &err);
                EXPECT(decodes(codings[c], bytes_of(text, size), sizes[i]),
                       "%s of %zu bytes in pieces of %zu: %s", codings[c], sizes[i], pieces[k], err.detail);
                EXPECT_TEXT(response_find(&asked.response, "content-encoding"), codings[c]);
                EXPECT_TEXT(response_find(&asked.response, "etag"), "W/\"tag\"");
                EXPECT_TEXT(response_find(&asked.response, "vary"), "Accept-Encoding");
                EXPECT(!response_find(&asked.response, "accept-ranges").data, "ranges of what is coded anew");
                EXPECT(asked.response.body->size == BODY_SIZE_UNKNOWN || asked.response.body->size == size,
                       "size");
                free(text);
                arena_release(&asked.arena);
            }
}

TEST(HTP_62_63_what_does_not_gain_is_left_alone)
{
    static const struct {
        const char *accept_encoding, *type;
        int status;
        uint64_t least;
        const char *extra, *vary;
    } cases[] = {
        { NULL, "application/json", 200, 0, NULL, "Accept-Encoding" },
        { "identity", "application/json", 200, 0, NULL, "Accept-Encoding" },
        { "br", "application/json", 200, 0, NULL, "Accept-Encoding" },
        { "*;q=0", "application/json", 200, 0, NULL, "Accept-Encoding" },
        { "gzip", "application/octet-stream", 200, 0, NULL, NULL },
        { "gzip", "image/jpeg", 200, 0, NULL, NULL },
        { "gzip", "application/dicom", 200, 0, NULL, NULL },
        { "gzip", "video/mpeg", 200, 0, NULL, NULL },
        { "gzip", "multipart/related; type=\"application/dicom\"; boundary=b", 200, 0, NULL, NULL },
        { "gzip", "multipart/related; boundary=b", 200, 0, NULL, NULL },
        { "gzip", "nonsense", 200, 0, NULL, NULL },
        { "gzip", "application/json", 200, 1001, NULL, NULL },
        { "gzip", "application/json", 206, 0, NULL, NULL },
        { "gzip", "application/problem+json", 404, 0, NULL, NULL }, /* HTP-64 */
        { "gzip", "application/json", 200, 0, "Content-Encoding", NULL },
        { "gzip", "application/json", 200, 0, "Content-Range", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct made_source made = made_source(1000, 0);
        struct asked asked;

        ask(&asked, cases[i].accept_encoding, cases[i].type, &made.source);
        asked.response.status = cases[i].status;
        if (cases[i].extra)
            response_header(&asked.response, &asked.arena, cases[i].extra, "x");
        apply(&asked, cases[i].least);
        EXPECT(asked.response.body == &made.source && made.at == 0, "case %zu: another body", i);
        EXPECT_TEXT(response_find(&asked.response, "etag"), "\"tag\"");
        EXPECT_TEXT(response_find(&asked.response, "vary"), cases[i].vary);
        arena_release(&asked.arena);
    }
}

TEST(what_is_text_gains)
{
    static const char *const types[] = { "application/json",
                                         "application/dicom+json",
                                         "Application/DICOM+JSON; charset=utf-8",
                                         "application/xml",
                                         "application/dicom+xml",
                                         "text/html; charset=utf-8",
                                         "multipart/related; type=\"application/dicom+xml\"; boundary=b" };
    static const int statuses[] = { 200, 202, 409 };

    for (size_t i = 0; i < COUNT_OF(types); i++)
        for (size_t k = 0; k < COUNT_OF(statuses); k++) {
            struct made_source made = made_source(1000, 0);
            struct asked asked;

            ask(&asked, "gzip", types[i], &made.source);
            asked.response.status = statuses[k];
            apply(&asked, 1000);
            EXPECT_TEXT(response_find(&asked.response, "content-encoding"), "gzip");
            arena_release(&asked.arena);
        }
}

TEST(HTP_53_a_request_with_a_range_gets_no_coding)
{
    struct made_source made = made_source(1000, 0);
    struct asked asked;

    ask(&asked, "gzip", "application/json", &made.source);
    fields_add(&asked.request.headers, &asked.arena, bytes_of_text("range"), bytes_of_text("bytes=0-"));
    apply(&asked, 0);
    EXPECT(!response_find(&asked.response, "content-encoding").data, "coded");
    arena_release(&asked.arena);
}

TEST(a_large_body_is_coded_only_where_waiting_is_allowed)
{
    struct made_source made = made_source(1000000, 0);
    struct error err = { 0 };
    struct asked asked;
    uint8_t room[1000];
    size_t got = 0;

    ask(&asked, "zstd", "application/json", &made.source);
    apply(&asked, 0);
    EXPECT(!asked.response.body->read(asked.response.body, room, sizeof room, MUST_NOT_WAIT, &got, &err) &&
               err.fault == FAULT_WOULD_WAIT && made.at == 0,
           "read on the spot");
    arena_release(&asked.arena);
}

TEST(a_source_that_breaks_ends_the_coded_body_short)
{
    static const size_t sizes[] = { 10000, 1000000 };

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct made_source made = made_source(sizes[i], 0);
        struct error err = { 0 };
        struct asked asked;
        size_t size = 0;

        made.fails_at = sizes[i] / 2;
        ask(&asked, "gzip", "application/json", &made.source);
        if (compress_apply(&asked.request, &asked.response, 0, &err))
            free(read_all(asked.response.body, 1000, &size, &err));
        EXPECT(err.fault == FAULT_DISK, "%zu: fault %d", sizes[i], err.fault);
        arena_release(&asked.arena);
    }
}

TEST(without_a_compressor_left_an_answer_goes_out_as_it_is)
{
    struct made_source large[3] = { made_source(1000000, 0), made_source(1000000, 0),
                                    made_source(1000000, 0) };
    struct asked asked[3];

    compress_limit(2); /* others of this program may have been made; they are free */
    for (unsigned i = 0; i < 3; i++) {
        ask(&asked[i], i ? "zstd" : "gzip", "application/json", &large[i].source);
        apply(&asked[i], 0);
    }
    EXPECT(!response_find(&asked[2].response, "content-encoding").data, "a third one");
    EXPECT_TEXT(response_find(&asked[2].response, "etag"), "\"tag\"");
    EXPECT(asked[2].response.body == &large[2].source, "another body");
    for (unsigned i = 0; i < 3; i++)
        arena_release(&asked[i].arena);
    ask(&asked[0], "zstd", "application/json", &large[2].source);
    apply(&asked[0], 0);
    EXPECT_TEXT(response_find(&asked[0].response, "content-encoding"), "zstd");
    arena_release(&asked[0].arena);
    compress_limit(64);
}
