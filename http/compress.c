/* http/compress.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Content coding of answers; see compress.h. Level 1 of both codings: metadata shrink to a tenth of their
 * size with it, at 600 (gzip) to 800 MB/s (zstd); the next levels cost three times as much for a fifth less.
 * It pays by itself, because what is not sent is not encrypted: a search of 1000 studies costs 3.0 ms of CPU
 * as it is (743 kB), 3.4 ms in gzip (18 kB), 2.9 ms in zstd (9 kB); one of 25 studies 114, 119 and 115 us
 * (h2load over HTTP/1.1, best of 5).
 */
#include "http/compress.h"

#include <pthread.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/attributes.h"
#include "http/accept_encoding.h"
#include "http/media_type.h"

enum {
    IN_BYTES = 32 * 1024,
    AT_ONCE_BYTES = 64 * 1024, /* bodies up to this are coded where they are, larger ones on a worker */
    LEVEL = 1,
    GZIP_WINDOW_BITS = 15 + 16, /* 16: with gzip's head and tail */
    GZIP_MEMORY_LEVEL = 7,
    ZSTD_WINDOW_LOG = 17 /* 128 KiB; by itself it would take 512 */
};

/* ── compressors ── */

struct compressor {
    enum content_coding coding;
    z_stream gzip;
    ZSTD_CCtx *zstd;
    uint8_t in[IN_BYTES];
    struct compressor *next; /* lock */
};

static struct {
    pthread_mutex_t lock;
    unsigned most, made;                      /* lock */
    struct compressor *free[CONTENT_CODINGS]; /* lock */
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .most = 64 };

static void destroy(struct compressor *compressor)
{
    if (compressor->coding == CODING_GZIP)
        deflateEnd(&compressor->gzip);
    ZSTD_freeCCtx(compressor->zstd);
    free(compressor);
}

static struct compressor *make(enum content_coding coding)
{
    struct compressor *compressor = calloc(1, sizeof *compressor);
    bool good = false;

    if (!compressor)
        return NULL;
    if (coding == CODING_GZIP) {
        good = deflateInit2(&compressor->gzip, LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
                            Z_DEFAULT_STRATEGY) == Z_OK;
    } else {
        compressor->zstd = ZSTD_createCCtx();
        good = compressor->zstd &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_compressionLevel, LEVEL)) &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_windowLog, ZSTD_WINDOW_LOG));
    }
    if (good)
        compressor->coding = coding;
    else
        destroy(compressor);
    return good ? compressor : NULL;
}

/* NULL: none is left. */
static struct compressor *take(enum content_coding coding)
{
    const enum content_coding other = coding == CODING_GZIP ? CODING_ZSTD : CODING_GZIP;
    struct compressor *found, *unwanted = NULL;
    bool room = false;

    pthread_mutex_lock(&pool.lock);
    if ((found = pool.free[coding])) {
        pool.free[coding] = found->next;
    } else if (pool.made < pool.most) {
        pool.made++;
        room = true;
    } else if ((unwanted = pool.free[other])) {
        pool.free[other] = unwanted->next;
        room = true;
    }
    pthread_mutex_unlock(&pool.lock);
    if (unwanted)
        destroy(unwanted);
    if (!room)
        return found;
    found = make(coding);
    if (!found) {
        pthread_mutex_lock(&pool.lock);
        pool.made--;
        pthread_mutex_unlock(&pool.lock);
    }
    return found;
}

static void give_back(void *of)
{
    struct compressor *compressor = of;

    if (compressor->coding == CODING_GZIP)
        deflateReset(&compressor->gzip);
    else
        ZSTD_CCtx_reset(compressor->zstd, ZSTD_reset_session_only);
    pthread_mutex_lock(&pool.lock);
    compressor->next = pool.free[compressor->coding];
    pool.free[compressor->coding] = compressor;
    pthread_mutex_unlock(&pool.lock);
}

void compress_limit(unsigned answers)
{
    pthread_mutex_lock(&pool.lock);
    pool.most = answers;
    pthread_mutex_unlock(&pool.lock);
}

/* Codes from in->data to `into`, both moved on; true: the end of the coded text has been written. */
static bool code(struct compressor *compressor, struct bytes *in, bool last, uint8_t **into, size_t *room)
{
    if (compressor->coding == CODING_GZIP) {
        z_stream *gzip = &compressor->gzip;
        const uInt size = in->size > UINT32_MAX ? UINT32_MAX : (uInt)in->size;
        const uInt space = *room > UINT32_MAX ? UINT32_MAX : (uInt)*room;
        gzip->next_in = (uint8_t *)(uintptr_t)in->data;
        gzip->avail_in = size;
        gzip->next_out = *into;
        gzip->avail_out = space;
        const int status = deflate(gzip, last ? Z_FINISH : Z_NO_FLUSH);
        *in = bytes_from(*in, size - gzip->avail_in);
        *into += space - gzip->avail_out;
        *room -= space - gzip->avail_out;
        return status == Z_STREAM_END;
    }
    ZSTD_inBuffer from = { in->data, in->size, 0 };
    ZSTD_outBuffer to = { *into, *room, 0 };
    const size_t left =
        ZSTD_compressStream2(compressor->zstd, &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);
    *in = bytes_from(*in, from.pos);
    *into += to.pos;
    *room -= to.pos;
    return last && left == 0;
}

/* ── a body that is coded while it is read ── */

struct coded_source {
    struct body_source source;
    struct body_source *of;
    struct compressor *compressor;
    struct bytes in; /* read, not yet coded; in compressor->in */
    bool last, finished;
};

static bool read_coded(struct body_source *source, void *into, size_t capacity, enum patience patience,
                       size_t *ret_size, struct error *err)
{
    struct coded_source *self = (struct coded_source *)source;
    uint8_t *at = into;
    size_t room = capacity;

    if (patience == MUST_NOT_WAIT && !self->finished)
        return error_set(err, FAULT_WOULD_WAIT, "compressing");
    while (room > 0 && !self->finished) {
        if (self->in.size == 0 && !self->last) {
            size_t got = 0;
            if (!self->of->read(self->of, self->compressor->in, IN_BYTES, patience, &got, err))
                return false;
            self->in = bytes_of(self->compressor->in, got);
            self->last = got == 0;
        }
        self->finished = code(self->compressor, &self->in, self->last, &at, &room);
    }
    *ret_size = capacity - room;
    return true;
}

/* False: there is no compressor for it. */
static bool code_while_read(struct arena *arena, enum content_coding coding, struct response *response)
{
    struct compressor *compressor = take(coding);

    if (!compressor)
        return false;
    arena_defer(arena, give_back, compressor);
    struct coded_source *self = arena_alloc(arena, sizeof *self);
    self->source = (struct body_source){ .size = BODY_SIZE_UNKNOWN, .read = read_coded };
    self->of = response->body;
    self->compressor = compressor;
    response->body = &self->source;
    return true;
}

/* ── a small body, at once ── */

/* All of the body, if it is at hand: else what was read is put in front of the rest, and *ret_whole has no
 * data. */
static bool read_whole(struct arena *arena, struct response *response, struct bytes *ret_whole,
                       struct error *err)
{
    const size_t size = (size_t)response->body->size;
    uint8_t *text = arena_alloc(arena, size + 1);
    size_t at = 0, got = 1;

    *ret_whole = bytes_of(NULL, 0);
    while (at < size && got > 0) {
        if (response->body->read(response->body, text + at, size - at, MUST_NOT_WAIT, &got, err)) {
            at += got;
            continue;
        }
        if (err->fault != FAULT_WOULD_WAIT)
            return false;
        error_clear(err);
        break;
    }
    if (at == size) {
        *ret_whole = bytes_of(text, size);
        response->body = body_of_bytes(arena, *ret_whole);
    } else if (at > 0) {
        struct body_source *parts[] = {
            body_of_bytes(arena, bytes_of(text, at)),
            body_slice(arena, response->body, 0, response->body->size - at),
        };
        response->body = body_chain(arena, parts, COUNT_OF(parts));
    }
    return true;
}

static bool code_at_once(struct arena *arena, enum content_coding coding, struct bytes whole,
                         struct response *response)
{
    struct compressor *compressor = take(coding);
    struct bytes in = whole;

    if (!compressor)
        return false;
    const size_t most =
        coding == CODING_GZIP ? deflateBound(&compressor->gzip, whole.size) : ZSTD_compressBound(whole.size);
    uint8_t *text = arena_alloc(arena, most), *at = text;
    size_t room = most;
    const bool finished = code(compressor, &in, true, &at, &room);
    give_back(compressor);
    if (finished)
        response->body = body_of_bytes(arena, bytes_of(text, most - room));
    return finished;
}

/* ── which answers ── */

static bool ends_with(struct bytes text, const char *end)
{
    const size_t size = strlen(end);

    return text.size >= size && memcmp(text.data + text.size - size, end, size) == 0;
}

static bool type_gains(struct bytes content_type, struct arena *arena)
{
    struct media_type type;
    struct error unread = { 0 };

    if (!media_type_parse(content_type, arena, &type, &unread))
        return false;
    if (media_type_is(&type, "multipart/related"))
        return ends_with(media_type_parameter(&type, "type"), "+json") ||
               ends_with(media_type_parameter(&type, "type"), "+xml");
    return bytes_equal_text(type.type, "text") || bytes_equal_text(type.subtype, "json") ||
           bytes_equal_text(type.subtype, "xml") || ends_with(type.subtype, "+json") ||
           ends_with(type.subtype, "+xml");
}

static bool gains(const struct request *request, const struct response *response, uint64_t least_bytes)
{
    const struct body_source *body = response->body;

    return body && (response->status == 200 || response->status == 202 || response->status == 409) &&
           (body->size == BODY_SIZE_UNKNOWN || (body->size > 0 && body->size >= least_bytes)) &&
           !response_find(response, "Content-Encoding").data &&
           !response_find(response, "Content-Range").data && !request_header(request, "range").data &&
           type_gains(response_find(response, "Content-Type"), request->arena);
}

static void set_headers(const struct request *request, enum content_coding coding, struct response *response)
{
    const struct bytes tag = response_find(response, "ETag");

    if (tag.size > 0 && tag.data[0] == '"') {
        response_remove(response, "ETag");
        response_header(response, request->arena, "ETag", "W/%.*s", BYTES_ARG(tag));
    }
    response_remove(response, "Accept-Ranges");
    response_remove(response, "Content-Length");
    response_header(response, request->arena, "Content-Encoding", "%s", content_coding_name(coding));
}

bool compress_apply(const struct request *request, struct response *response, uint64_t least_bytes,
                    struct error *err)
{
    enum content_coding coding = CODING_IDENTITY;
    struct bytes whole = { 0 };

    if (!gains(request, response, least_bytes))
        return true;
    response_vary(response, request->arena, "Accept-Encoding");
    /* Who refuses even identity gets it all the same: an answer is worth more than a refusal. */
    if (!accept_encoding_choose(request_header(request, "accept-encoding"),
                                1u << CODING_GZIP | 1u << CODING_ZSTD, &coding) ||
        coding == CODING_IDENTITY)
        return true;
    if (response->body->size <= AT_ONCE_BYTES && !read_whole(request->arena, response, &whole, err))
        return false;
    if (whole.data ? code_at_once(request->arena, coding, whole, response)
                   : code_while_read(request->arena, coding, response))
        set_headers(request, coding, response);
    return true;
}
