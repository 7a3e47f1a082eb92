/* tests/fuzz/dicom_json_data_set_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as JSON metadata of a store.
 */
#include "tests/fuzz/written_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start_once();
    json_t *model = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (model)
        write_model(model);
    return 0;
}
