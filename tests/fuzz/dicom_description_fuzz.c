/* tests/fuzz/dicom_description_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a file: described or refused, and what is described can be read by its own links.
 */
#include <assert.h>
#include <stdlib.h>

#include "bridge/start.h"
#include "dicom/bulk_value.h"
#include "dicom/description.h"
#include "tests/support/nameless_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of the first link in the JSON, if there is one: .../bulkdata/{path}" */
static struct bytes first_link(struct bytes json)
{
    static const char before[] = "/bulkdata/";
    const uint8_t *found = memmem(json.data, json.size, before, sizeof before - 1);

    if (!found)
        return bytes_of(NULL, 0);
    struct bytes rest = bytes_from(json, (size_t)(found - json.data) + sizeof before - 1);
    return bytes_cut(&rest, '"');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits limits = { 16, 64, 32 };
    struct arena arena = { 0 };
    struct description description;
    struct error err = { 0 };

    const bool started = bridge_start(&err);
    assert(started);
    const struct nameless_file file = nameless_file_open(data, size);
    if (description_read(file.path, &limits, &arena, &description, &err)) {
        const struct bytes link = first_link(block_bytes(description.json));
        struct bulk_value value = { 0 };
        if (link.size > 0 && bulk_value_read(file.path, link, &value, &err))
            block_unref(value.block);
        description_done(&description);
    } else {
        assert(err.fault == FAULT_NOT_DICOM || err.fault == FAULT_MISMATCH ||
               err.fault == FAULT_NOT_STORABLE || err.fault == FAULT_TOO_LARGE || err.fault == FAULT_BUSY);
    }
    arena_release(&arena);
    nameless_file_close(&file);
    return 0;
}
