/* storage/metadata_text.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * zstd with a context per thread: making one costs more than an instance's text.
 */
#include "storage/metadata_text.h"

#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t compressor_key, expander_key;

static void free_compressor(void *context)
{
    ZSTD_freeCCtx(context);
}

static void free_expander(void *context)
{
    ZSTD_freeDCtx(context);
}

static void make_keys(void)
{
    if (pthread_key_create(&compressor_key, free_compressor) != 0 ||
        pthread_key_create(&expander_key, free_expander) != 0)
        abort();
}

static ZSTD_CCtx *compressor(void)
{
    pthread_once(&once, make_keys);
    ZSTD_CCtx *context = pthread_getspecific(compressor_key);

    if (!context && (context = ZSTD_createCCtx()) && pthread_setspecific(compressor_key, context) != 0) {
        ZSTD_freeCCtx(context);
        context = NULL;
    }
    return context;
}

static ZSTD_DCtx *expander(void)
{
    pthread_once(&once, make_keys);
    ZSTD_DCtx *context = pthread_getspecific(expander_key);

    if (!context && (context = ZSTD_createDCtx()) && pthread_setspecific(expander_key, context) != 0) {
        ZSTD_freeDCtx(context);
        context = NULL;
    }
    return context;
}

bool metadata_text_compress(struct bytes text, int level, struct buffer *into, struct error *err)
{
    ZSTD_CCtx *context = compressor();
    const size_t most = ZSTD_compressBound(text.size);
    uint8_t *room = context ? buffer_reserve(into, most) : NULL;

    if (!room)
        return error_set(err, FAULT_BUSY, "no memory to compress %zu bytes of metadata", text.size);
    const size_t size = ZSTD_compressCCtx(context, room, most, text.data, text.size, level);
    if (ZSTD_isError(size))
        return error_set(err, FAULT_BUSY, "compressing metadata: %s", ZSTD_getErrorName(size));
    buffer_grew(into, size);
    return true;
}

size_t metadata_text_size(struct bytes frame)
{
    const unsigned long long size = ZSTD_getFrameContentSize(frame.data, frame.size);

    return size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > METADATA_TEXT_MOST
               ? 0
               : (size_t)size;
}

bool metadata_text_expand_into(struct bytes frame, void *room, size_t size, struct error *err)
{
    ZSTD_DCtx *context = expander();

    if (!context)
        return error_set(err, FAULT_BUSY, "no memory to expand metadata");
    const size_t got = ZSTD_decompressDCtx(context, room, size, frame.data, frame.size);
    if (ZSTD_isError(got) || got != size)
        return error_set(err, FAULT_DISK, "stored metadata are damaged: %s",
                         ZSTD_isError(got) ? ZSTD_getErrorName(got) : "another size");
    return true;
}

bool metadata_text_expand(struct bytes frame, struct buffer *into, struct error *err)
{
    const size_t size = metadata_text_size(frame);

    if (size == 0)
        return error_set(err, FAULT_DISK, "stored metadata are damaged: no frame");
    uint8_t *room = buffer_reserve(into, size);
    if (!room)
        return error_set(err, FAULT_TOO_LARGE, "no room for %zu bytes of metadata", size);
    if (!metadata_text_expand_into(frame, room, size, err))
        return false;
    buffer_grew(into, size);
    return true;
}
