/* tests/fuzz/dicom_part10_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the head of a file.
 */
#include "dicom/part10.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes head = bytes_of(data, size < PART10_HEAD_BYTES ? size : PART10_HEAD_BYTES);
    struct part10 part10;
    struct error err = { 0 };

    if (!part10_read(head, &part10, &err)) {
        if (err.fault != FAULT_NOT_DICOM)
            abort();
        return 0;
    }
    /* Only a head that is full leaves the rest of the group to its length. */
    if (part10.data_set > head.size && head.size < PART10_HEAD_BYTES)
        abort();
    return 0;
}
