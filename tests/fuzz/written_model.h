/* tests/fuzz/written_model.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * For the targets that read metadata of a store: whatever model comes out is written as a file, which
 * part10_read has to understand, or a fault is told.
 */
#ifndef GANTRY_TESTS_FUZZ_WRITTEN_MODEL_H
#define GANTRY_TESTS_FUZZ_WRITTEN_MODEL_H

#include <stdlib.h>

#include "base/buffer.h"
#include "bridge/start.h"
#include "dicom/json_data_set.h"
#include "dicom/part10.h"

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

static inline void start_once(void)
{
    static bool started;
    struct error err = { 0 };

    if (!started && !bridge_start(&err))
        abort();
    started = true;
}

/* Takes the model. */
static inline void write_model(json_t *model)
{
    struct buffer file;
    struct error err = { 0 };
    struct part10 part10;
    bool dropped;

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
}

#endif
