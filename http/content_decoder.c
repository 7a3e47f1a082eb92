/* http/content_decoder.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * gzip by zlib, a piece at a time. Several members behind each other are one body (RFC 1952 2.2).
 */
#include "http/content_decoder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

enum { PIECE_BYTES = 64 * 1024, GZIP_WINDOW = 15 + 16 };
#define FREE_BYTES ((uint64_t)1 << 20)

const char content_codings[] = "gzip";

struct decoder {
    struct body_sink sink; /* first: the two are one */
    struct body_sink *inner;
    uint64_t coded, decoded;
    uint32_t expansion_ceiling;
    bool begun, in_member;
    z_stream stream;
    uint8_t piece[PIECE_BYTES];
};

static void close_decoder(void *closed)
{
    struct decoder *decoder = closed;

    if (decoder->begun)
        inflateEnd(&decoder->stream);
    free(decoder);
}

static bool hand_on(struct decoder *decoder, size_t size, struct error *err)
{
    decoder->decoded += size;
    if (decoder->decoded > FREE_BYTES && decoder->decoded / decoder->expansion_ceiling > decoder->coded)
        return error_tell(err, FAULT_TOO_LARGE,
                          "A byte of a compressed body may become %" PRIu32 " bytes (expansion_ceiling).",
                          decoder->expansion_ceiling);
    return size == 0 || decoder->inner->write(decoder->inner, bytes_of(decoder->piece, size), err);
}

static bool begin_member(struct decoder *decoder, struct error *err)
{
    if (decoder->in_member)
        return true;
    decoder->in_member = true;
    if (decoder->begun)
        return inflateReset(&decoder->stream) == Z_OK || error_set(err, FAULT_INTERNAL, "inflateReset");
    if (inflateInit2(&decoder->stream, GZIP_WINDOW) != Z_OK)
        return error_set(err, FAULT_BUSY, "no memory to decode a body");
    decoder->begun = true;
    return true;
}

static bool decoder_write(struct body_sink *sink, struct bytes chunk, struct error *err)
{
    struct decoder *decoder = (struct decoder *)sink;
    z_stream *stream = &decoder->stream;

    decoder->coded += chunk.size;
    while (chunk.size > 0) {
        if (!begin_member(decoder, err))
            return false;
        stream->next_in = (Bytef *)(uintptr_t)chunk.data;
        stream->avail_in = (uInt)(chunk.size < UINT32_MAX / 2 ? chunk.size : UINT32_MAX / 2);
        stream->next_out = decoder->piece;
        stream->avail_out = PIECE_BYTES;
        const uInt offered = stream->avail_in;
        const int outcome = inflate(stream, Z_NO_FLUSH);

        if (outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR)
            return error_tell(err, FAULT_MALFORMED, "The body is not what its Content-Encoding says.");
        chunk = bytes_from(chunk, offered - stream->avail_in);
        if (!hand_on(decoder, PIECE_BYTES - stream->avail_out, err))
            return false;
        if (outcome == Z_STREAM_END)
            decoder->in_member = false;
        else if (outcome == Z_BUF_ERROR && offered == stream->avail_in && stream->avail_out == PIECE_BYTES)
            return error_set(err, FAULT_INTERNAL, "inflate does not go on");
    }
    /* What did not fit in the piece is still in the stream. */
    while (decoder->in_member && stream->avail_out == 0) {
        stream->next_out = decoder->piece;
        stream->avail_out = PIECE_BYTES;
        stream->avail_in = 0;
        const int outcome = inflate(stream, Z_NO_FLUSH);

        if (outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR)
            return error_tell(err, FAULT_MALFORMED, "The body is not what its Content-Encoding says.");
        if (!hand_on(decoder, PIECE_BYTES - stream->avail_out, err))
            return false;
        if (outcome == Z_STREAM_END)
            decoder->in_member = false;
    }
    return true;
}

static bool decoder_end(struct body_sink *sink, struct error *err)
{
    struct decoder *decoder = (struct decoder *)sink;

    if (decoder->in_member || decoder->coded == 0)
        return error_tell(err, FAULT_MALFORMED, "The compressed body is cut off.");
    return decoder->inner->end(decoder->inner, err);
}

bool content_decoder(struct bytes coding, struct body_sink *inner, uint32_t expansion_ceiling,
                     struct arena *arena, struct body_sink **ret, struct error *err)
{
    coding = bytes_trim(coding);
    if (coding.size == 0 || bytes_equal_nocase(coding, bytes_of_text("identity"))) {
        *ret = inner;
        return true;
    }
    if (!bytes_equal_nocase(coding, bytes_of_text("gzip")) &&
        !bytes_equal_nocase(coding, bytes_of_text("x-gzip")))
        return error_tell(err, FAULT_UNSUPPORTED_MEDIA, "Content-Encoding: only %s is decoded here.",
                          content_codings);
    struct decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return error_set(err, FAULT_BUSY, "no memory to decode a body");
    decoder->sink = (struct body_sink){ decoder_write, decoder_end };
    decoder->inner = inner;
    decoder->expansion_ceiling = expansion_ceiling;
    arena_defer(arena, close_decoder, decoder);
    *ret = &decoder->sink;
    return true;
}

struct body_sink *content_decoder_inner(struct body_sink *sink)
{
    return sink && sink->write == decoder_write ? ((struct decoder *)sink)->inner : sink;
}
