/* tests/fuzz/dicom_xml_data_set_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as XML metadata of a store.
 */
#include "tests/fuzz/written_model.h"

#include "dicom/xml_data_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { 0 };
    json_t *model = NULL;

    start_once();
    if (xml_data_set_read(bytes_of(data, size), &model, &err))
        write_model(model);
    else if (err.fault != FAULT_NOT_DICOM)
        abort();
    return 0;
}
