/* dicom/data_set.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Head, then structure and elements in one pass; see data_set.h.
 *
 *   part10_read ── transfer syntax ─→ dataset_read: element_scan, and a tree of what it passes
 */
#include "dicom/data_set.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "dicom/inflated.h"

enum {
    INFLATED_CEILING = 64 * 1024 * 1024, /* of a deflated data set; what lies beyond can only be pixels */
    INFLATE_PIECE = 64 * 1024
};

static bool read_head(const char *path, struct data_set *into, struct error *err)
{
    struct stat status;

    into->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (into->fd < 0 && errno == ENOENT)
        return error_set(err, FAULT_NOT_FOUND, "the instance has no file");
    if (into->fd < 0)
        return error_errno(err, errno, "opening an instance");
    if (fstat(into->fd, &status) != 0)
        return error_errno(err, errno, "looking at an instance");
    into->file_size = (uint64_t)status.st_size;

    const size_t size = into->file_size < PART10_HEAD_BYTES ? (size_t)into->file_size : PART10_HEAD_BYTES;
    if (!(into->head = malloc(size ? size : 1)))
        return error_set(err, FAULT_BUSY, "no memory for the head of a file");
    if (!file_read_at(into->fd, into->head, size, 0, err))
        return false;
    into->source = (struct element_source){
        .memory = into->head, .memory_size = size, .fd = into->fd, .size = into->file_size
    };
    return part10_read(bytes_of(into->head, size), &into->part10, err);
}

static bool read_file(void *of, uint64_t offset, void *into, size_t size, struct error *err)
{
    const struct data_set *data_set = of;

    return file_read_at(data_set->fd, into, size, offset, err);
}

/* A stream that breaks, or grows beyond the ceiling, is taken up to there: whether that is enough is for the
 * scan to say. */
static bool inflate_data_set(struct data_set *data_set, struct error *err)
{
    struct inflated *inflated = NULL;
    struct error ignored = { 0 };
    size_t size = 1;

    data_set->deflated = true;
    if (!inflated_open(read_file, data_set, data_set->part10.data_set, data_set->file_size, &inflated, err))
        return false;
    buffer_init(&data_set->inflated, INFLATED_CEILING);
    while (size > 0) {
        uint8_t *room = buffer_reserve(&data_set->inflated, INFLATE_PIECE);

        if (!room || !inflated_read(inflated, room, INFLATE_PIECE, &size, &ignored))
            break;
        buffer_grew(&data_set->inflated, size);
    }
    data_set->inflated_whole = size == 0;
    inflated_close(inflated);
    data_set->source = (struct element_source){ .memory = data_set->inflated.data,
                                                .memory_size = data_set->inflated.size,
                                                .fd = -1,
                                                .size = data_set->inflated.size };
    return true;
}

static enum dataset_encoding encoding_of(enum transfer_syntax syntax)
{
    if (syntax == SYNTAX_IMPLICIT_LE)
        return DATASET_IMPLICIT_LE;
    if (syntax == SYNTAX_EXPLICIT_BE)
        return DATASET_EXPLICIT_BE;
    return DATASET_EXPLICIT_LE; /* private ones too (STO-20) */
}

bool data_set_open(const char *path, struct data_set *ret, struct error *err)
{
    *ret = (struct data_set){ .fd = -1 };
    if (!read_head(path, ret, err))
        return false;

    const enum transfer_syntax syntax = ret->part10.transfer_syntax;
    uint64_t from = ret->part10.data_set;
    if (syntax == SYNTAX_DEFLATED_LE || syntax == SYNTAX_JPIP_DEFLATE) {
        if (!inflate_data_set(ret, err))
            return false;
        from = 0;
    }
    ret->encoding = encoding_of(syntax);
    return dataset_read(&ret->source, from, ret->encoding, &ret->skeleton, &ret->elements, err);
}

void data_set_read_tail(struct data_set *data_set, uint64_t pixels_end)
{
    struct element_source tail = data_set->source;
    struct error ignored = { 0 };
    uint64_t from;

    if (element_scan_tail(&data_set->source, &data_set->skeleton, pixels_end, data_set->encoding, &from,
                          &tail.size) &&
        !dataset_read_all(&tail, from, data_set->encoding, &data_set->tail, &ignored))
        data_set->tail = NULL;
}

void data_set_close(struct data_set *data_set)
{
    dataset_free(data_set->elements);
    dataset_free(data_set->tail);
    buffer_done(&data_set->inflated);
    free(data_set->head);
    if (data_set->fd >= 0)
        file_close(data_set->fd);
    *data_set = (struct data_set){ .fd = -1 };
}

void data_set_drop(struct data_set **data_set)
{
    data_set_close(*data_set);
}
