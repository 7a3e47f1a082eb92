/* tests/fuzz/dicom_rewrite_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a file in implicit VR or big endian: planned or refused; what is planned lies within the file
 * and reads as a data set in Explicit VR Little Endian.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/start.h"
#include "dicom/element_scan.h"
#include "dicom/part10.h"
#include "dicom/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_bytes(void *reader, uint64_t offset, void *into, size_t size, struct error *err)
{
    const struct bytes *file = reader;

    if (offset > file->size || size > file->size - offset)
        return error_set(err, FAULT_DISK, "the file ends");
    memcpy(into, file->data + offset, size);
    return true;
}

static void carry_out(const struct rewrite *rewrite, struct bytes file)
{
    const struct bytes text = block_bytes(rewrite->text);
    uint8_t *all = malloc((size_t)rewrite->size);
    struct part10 part10;
    struct element_skeleton skeleton;
    struct error err = { 0 };
    size_t filled = 0;

    assert(all);
    for (size_t i = 0; i < rewrite->count; i++) {
        const struct rewrite_piece *piece = &rewrite->pieces[i];
        const struct bytes from = piece->unit ? file : text;

        assert(piece->offset <= from.size && piece->size <= from.size - piece->offset);
        assert(filled + piece->size <= rewrite->size);
        memcpy(all + filled, from.data + piece->offset, (size_t)piece->size);
        filled += (size_t)piece->size;
    }
    assert(filled == rewrite->size);
    const bool read =
        part10_read(bytes_of(all, filled < PART10_HEAD_BYTES ? filled : PART10_HEAD_BYTES), &part10, &err);
    if (read && part10.data_set <= filled) {
        const struct element_source source = {
            .memory = all, .memory_size = filled, .fd = -1, .size = filled
        };
        const bool scanned = element_scan(&source, part10.data_set, DATASET_EXPLICIT_LE, &skeleton, &err);
        assert(scanned);
    }
    free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pixel_shape shape = { .bits_allocated = 16 };
    struct bytes file = bytes_of(data, size);
    struct error err = { 0 };

    const bool started = bridge_start(&err);
    assert(started);
    for (int i = 0; i < 2; i++) {
        struct rewrite_source source = {
            .read = read_bytes,
            .reader = &file,
            .file_size = size,
            .syntax = i ? SYNTAX_EXPLICIT_BE : SYNTAX_IMPLICIT_LE,
            .shape = &shape,
        };
        struct rewrite *rewrite = NULL;

        strcpy(source.sop_class.text, "1.2.840.10008.5.1.4.1.1.7");
        strcpy(source.sop_instance.text, "1.2.3.4");
        if (rewrite_plan(&source, SYNTAX_EXPLICIT_LE, &rewrite, &err))
            carry_out(rewrite, file);
        rewrite_free(rewrite);
    }
    return 0;
}
