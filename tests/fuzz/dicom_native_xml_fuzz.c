/* tests/fuzz/dicom_native_xml_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a metadata object, and as a list for includefield: choosing and XML stay within what they were
 * given, and XML never holds a byte that XML cannot.
 */
#include <stdlib.h>

#include "bridge/start.h"
#include "dicom/attribute_selection.h"
#include "dicom/dicom_json.h"
#include "dicom/native_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bytes(struct bytes xml)
{
    for (size_t i = 0; i < xml.size; i++) {
        const uint8_t c = xml.data[i];
        if (c < 0x20 && c != '\n' && c != '\t' && c != JSON_BASE_MARK)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct attribute_selection selection;
    struct buffer chosen, xml;
    struct error err = { 0 };

    if (!started && !bridge_start(&err))
        abort();
    started = true;
    struct bytes object = bytes_of(data, size);
    const struct bytes list = bytes_cut(&object, '\n');
    if (!object.data)
        object = list;
    buffer_init(&chosen, 1 << 20);
    buffer_init(&xml, 1 << 22);
    attribute_selection_begin(&selection);
    if (!attribute_selection_add(&selection, list, &err) && err.fault != FAULT_MALFORMED)
        abort();
    attribute_selection_write(&selection, object, &chosen);
    err = (struct error){ 0 };
    if (native_xml_write(object, &xml, &err))
        check_bytes(buffer_bytes(&xml));
    else if (err.fault != FAULT_INTERNAL && err.fault != FAULT_TOO_LARGE)
        abort();
    buffer_done(&chosen);
    buffer_done(&xml);
    return 0;
}
