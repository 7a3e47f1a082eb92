/* handlers/zip_body.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A ZIP archive as a body. Each file is a body of its own, made by parts_body; its bytes go through a block,
 * since the five bytes before them say how many they are, and their checksum is wanted behind them.
 *
 *   OPEN ─► TEXT (head) ─► FILL ─► BLOCK ─► FILL … ─► TEXT (tail) ─► OPEN the next … ─► DIRECTORY ─► END
 */
#include "handlers/zip_body.h"

#include <inttypes.h>

#include "http/zip_writer.h"

enum stage { STAGE_OPEN, STAGE_FILL, STAGE_BLOCK, STAGE_CLOSE, STAGE_DIRECTORY, STAGE_END };

struct zip_source {
    struct body_source source; /* first: the two are one */
    const struct service *service;
    const struct request *request;
    const struct parts *parts;
    struct zip_entry *entries;

    enum stage stage;
    size_t n; /* the file, or the directory's entry, under way */
    struct arena scratch;
    struct bytes text;    /* what is left of a record; goes out before anything else */
    struct request inner; /* the request, with the file's arena */
    struct parts only;    /* the one part of the file's body */
    struct body_source *file;
    uint64_t passed;
    struct block *block;
    uint8_t *room;
    size_t filled;
    bool file_ended;
    uint8_t block_head[ZIP_BLOCK_HEAD_BYTES];
    uint64_t written, directory_offset;
};

static void zip_source_close(void *closed)
{
    struct zip_source *zip = closed;

    arena_release(&zip->scratch);
    block_unref(zip->block);
}

/* ── one part of many, as the only one ── */

static const struct zip_source *zip_of(const struct parts *only)
{
    return (const struct zip_source *)(const void *)((const char *)only - offsetof(struct zip_source, only));
}

static void describe_only(const struct parts *only, size_t n, struct arena *scratch, struct part *ret)
{
    const struct zip_source *zip = zip_of(only);

    zip->parts->describe(zip->parts, zip->n + n, scratch, ret);
}

static struct extent extent_of_only(const struct parts *only, size_t n, uint32_t extent_index)
{
    const struct zip_source *zip = zip_of(only);

    return zip->parts->extent(zip->parts, zip->n + n, extent_index);
}

static bool make_only(const struct parts *only, size_t n, struct store_reader *reader, enum patience patience,
                      struct arena *scratch, struct part *part, struct body_source **ret, struct error *err)
{
    const struct zip_source *zip = zip_of(only);

    return zip->parts->make(zip->parts, zip->n + n, reader, patience, scratch, part, ret, err);
}

/* ── the stages ── */

static void tell(struct zip_source *zip, struct bytes text)
{
    zip->text = text;
    zip->written += text.size;
}

static bool open_file(struct zip_source *zip, enum patience patience, struct error *err)
{
    struct zip_entry *entry = &zip->entries[zip->n];

    arena_release(&zip->scratch); /* of a try that had to wait, or of the file before */
    zip->inner = *zip->request;
    zip->inner.arena = &zip->scratch;
    zip->inner.patience = patience;
    zip->only = (struct parts){ 1, describe_only, extent_of_only, make_only, NULL };
    if (!parts_body(zip->service, &zip->inner, &zip->only, bytes_of(NULL, 0), &zip->file, err))
        return false;
    entry->offset = zip->written;
    entry->is_large = zip->file->size == BODY_SIZE_UNKNOWN || zip_is_large(zip->file->size);
    zip->passed = zip->filled = 0;
    zip->file_ended = zip->file->size == 0;
    tell(zip, zip_head(&zip->scratch, entry));
    zip->stage = STAGE_FILL;
    return true;
}

/* A block as full as it gets; asked again after having to wait, it goes on. */
static bool fill_block(struct zip_source *zip, enum patience patience, struct error *err)
{
    const uint64_t whole = zip->file->size;
    struct zip_entry *entry = &zip->entries[zip->n];

    while (zip->filled < ZIP_BLOCK_BYTES && !zip->file_ended) {
        size_t size = 0;

        if (!zip->file->read(zip->file, zip->room + zip->filled, ZIP_BLOCK_BYTES - zip->filled, patience,
                             &size, err))
            return false;
        zip->filled += size;
        zip->passed += size;
        if (whole != BODY_SIZE_UNKNOWN && (zip->passed > whole || (size == 0 && zip->passed < whole)))
            return error_set(err, FAULT_INTERNAL, "file %zu of an archive: %" PRIu64 " bytes of %" PRIu64,
                             zip->n, zip->passed, whole);
        zip->file_ended = size == 0 || zip->passed == whole;
    }
    entry->crc = zip_crc(entry->crc, bytes_of(zip->room, zip->filled));
    zip_block_head(zip->block_head, zip->filled, zip->file_ended);
    entry->packed += ZIP_BLOCK_HEAD_BYTES + zip->filled;
    tell(zip, bytes_of(zip->block_head, sizeof zip->block_head));
    zip->stage = STAGE_BLOCK;
    return true;
}

static void end_block(struct zip_source *zip)
{
    tell(zip, bytes_of(zip->room, zip->filled));
    zip->filled = 0;
    zip->stage = zip->file_ended ? STAGE_CLOSE : STAGE_FILL;
}

static void close_file(struct zip_source *zip)
{
    struct zip_entry *entry = &zip->entries[zip->n];

    entry->size = zip->passed;
    tell(zip, zip_tail(&zip->scratch, entry));
    zip->n++;
    zip->stage = STAGE_OPEN;
    if (zip->n == zip->parts->count) {
        zip->n = 0;
        zip->directory_offset = zip->written;
        zip->stage = STAGE_DIRECTORY;
    }
}

static void tell_directory(struct zip_source *zip)
{
    arena_release(&zip->scratch);
    if (zip->n < zip->parts->count) {
        tell(zip, zip_directory_entry(&zip->scratch, &zip->entries[zip->n++]));
        return;
    }
    tell(zip, zip_end(&zip->scratch, zip->parts->count, zip->directory_offset,
                      zip->written - zip->directory_offset));
    zip->stage = STAGE_END;
}

static bool step(struct zip_source *zip, enum patience patience, struct error *err)
{
    switch (zip->stage) {
    case STAGE_OPEN:
        return open_file(zip, patience, err);
    case STAGE_FILL:
        return fill_block(zip, patience, err);
    case STAGE_BLOCK:
        end_block(zip);
        return true;
    case STAGE_CLOSE:
        close_file(zip);
        return true;
    case STAGE_DIRECTORY:
        tell_directory(zip);
        return true;
    case STAGE_END:
        break;
    }
    return true;
}

static bool zip_source_read(struct body_source *body, void *into, size_t capacity, enum patience patience,
                            size_t *ret_size, struct error *err)
{
    struct zip_source *zip = (struct zip_source *)body;
    size_t total = 0;

    while (total < capacity && (zip->text.size > 0 || zip->stage != STAGE_END)) {
        const size_t room = capacity - total;
        const size_t size = zip->text.size < room ? zip->text.size : room;

        if (size > 0)
            memcpy((uint8_t *)into + total, zip->text.data, size);
        zip->text = bytes_from(zip->text, size);
        total += size;
        if (zip->text.size > 0 || step(zip, patience, err))
            continue;
        if (err->fault != FAULT_WOULD_WAIT || total == 0)
            return error_while(err, "archiving file %zu of %zu", zip->n + 1, zip->parts->count);
        error_clear(err);
        break;
    }
    *ret_size = total;
    return true;
}

/* All records measured as they will be; BODY_SIZE_UNKNOWN where a file's size is not known. */
static uint64_t measure(const struct zip_source *zip)
{
    uint64_t size = 0, directory = 0;
    struct arena scratch = { 0 };

    for (size_t n = 0; n < zip->parts->count && size != BODY_SIZE_UNKNOWN; n++) {
        struct part part;

        zip->parts->describe(zip->parts, n, &scratch, &part);
        if (part.size == BODY_SIZE_UNKNOWN) {
            size = BODY_SIZE_UNKNOWN;
            break;
        }
        const struct zip_entry entry = { zip->entries[n].name,       size, part.size,
                                         zip_packed_size(part.size), 0,    zip_is_large(part.size) };
        directory += zip_directory_entry(&scratch, &entry).size;
        size += zip_head(&scratch, &entry).size + entry.packed + zip_tail(&scratch, &entry).size;
        arena_release(&scratch);
    }
    if (size != BODY_SIZE_UNKNOWN)
        size += directory + zip_end(&scratch, zip->parts->count, size, directory).size;
    arena_release(&scratch);
    return size;
}

bool zip_body(const struct service *service, const struct request *request, const struct parts *parts,
              const char *const *names, struct body_source **ret, struct error *err)
{
    struct zip_source *zip = arena_alloc(request->arena, sizeof *zip);

    zip->source.read = zip_source_read;
    zip->service = service;
    zip->request = request;
    zip->parts = parts;
    zip->entries = arena_array(request->arena, parts->count, sizeof *zip->entries);
    for (size_t n = 0; n < parts->count; n++)
        zip->entries[n].name = names[n];
    if (!block_take(ZIP_BLOCK_BYTES, &zip->block, err))
        return false;
    arena_defer(request->arena, zip_source_close, zip);
    zip->room = block_room(zip->block, NULL);
    zip->source.size = measure(zip);
    if (!open_file(zip, request->patience, err))
        return false;
    *ret = &zip->source;
    return true;
}
