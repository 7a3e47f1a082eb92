/* tests/fuzz/dicom_json_data_set_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as JSON metadata of a store. What is written has to be a file that part10_read understands.
 */
#include "dicom/json_data_set.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "bridge/start.h"
#include "dicom/part10.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool put(void *context, struct bytes bytes, struct error *err)
{
    buffer_append(context, bytes);
    return buffer_check(context, "a data set", err);
}

static bool bulk_size(void *context, struct bytes uri, uint64_t *ret, struct error *err)
{
    (void)context;
    *ret = uri.size;
    return uri.size < 9 || error_set(err, FAULT_NOT_DICOM, "no part");
}

static bool bulk_put(void *context, struct bytes uri, struct error *err)
{
    return put(context, uri, err);
}

static bool pixel_data(void *context, struct bytes uri, bool *ret_done, struct error *err)
{
    (void)context, (void)uri, (void)err;
    *ret_done = false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct buffer file;
    struct error err = { 0 };
    struct part10 part10;
    bool dropped;

    if (!started && !bridge_start(&err))
        abort();
    started = true;
    json_t *model = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (!model)
        return 0;
    buffer_init(&file, 1 << 22);
    const struct json_data_set_output output = { &file, put, bulk_size, bulk_put, pixel_data };
    if (json_data_set_write(model, "1.2.840.10008.1.2.1", &output, &dropped, &err)) {
        if (!part10_read(buffer_bytes(&file), &part10, &err) || !part10.preamble || !part10.meta)
            abort();
    } else if (err.fault == FAULT_NONE) {
        abort();
    }
    buffer_done(&file);
    json_decref(model);
    return 0;
}
