/* tests/fuzz/dicom_bulk_value_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the path of a BulkDataURI into one instance with nested values: found, not found or malformed,
 * and only that.
 */
#include <assert.h>
#include <stdlib.h>

#include "bridge/start.h"
#include "dicom/bulk_value.h"
#include "tests/support/elements.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *sample_path(void)
{
    static struct elements file;
    struct error err = { 0 };

    if (file.bytes.size)
        return elements_path(buffer_bytes(&file.bytes));
    if (!bridge_start(&err))
        abort();
    elements_file(&file, "1.2.840.10008.1.2.1");
    elements_class(&file);
    elements_study(&file);
    elements_bytes(&file, 0x00420011, "OB", "%PDF", 4);
    elements_header(&file, 0x54000100, "SQ", UINT32_MAX);
    for (unsigned item = 0; item < 2; item++) {
        elements_header(&file, 0xFFFEE000, "", UINT32_MAX);
        elements_bytes(&file, 0x54001010, "OW", "abcd", 4);
        elements_header(&file, 0xFFFEE00D, "", 0);
    }
    elements_header(&file, 0xFFFEE0DD, "", 0);
    elements_bytes(&file, 0x7FE00010, "OW", "pixels", 6);
    return elements_path(buffer_bytes(&file.bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bulk_value value = { 0 };
    struct error err = { 0 };

    if (bulk_value_read(sample_path(), bytes_of(data, size), &value, &err)) {
        assert(value.block && block_bytes(value.block).size <= 8);
        block_unref(value.block);
    } else {
        assert(err.fault == FAULT_NOT_FOUND || err.fault == FAULT_MALFORMED);
        assert(!value.block);
    }
    return 0;
}
