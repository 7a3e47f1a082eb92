/* dicom/uid.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Unique identifiers (PS3.5 section 9): what passes here may stand in a URL, in a query and in a file's name.
 */
#include "dicom/uid.h"

bool uid_parse(struct bytes text, struct uid *ret, struct error *err)
{
    static const char what[] = "A UID has digits and dots, 64 characters at most, and no empty component.";
    bool component_empty = true;

    if (text.size == 0 || text.size > sizeof(ret->text) - 1)
        return error_tell(err, FAULT_MALFORMED, "%s", what);
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        if (c == '.' ? component_empty : c < '0' || c > '9')
            return error_tell(err, FAULT_MALFORMED, "%s", what);
        component_empty = c == '.';
    }
    if (component_empty)
        return error_tell(err, FAULT_MALFORMED, "%s", what);

    struct uid uid = { { 0 } };
    memcpy(uid.text, text.data, text.size);
    *ret = uid;
    return true;
}

bool uid_parse_padded(struct bytes value, struct uid *ret, struct error *err)
{
    if (value.size > 0 && value.data[value.size - 1] == 0)
        value.size--;
    while (value.size > 0 && value.data[0] == ' ')
        value = bytes_from(value, 1);
    while (value.size > 0 && value.data[value.size - 1] == ' ')
        value.size--;
    return uid_parse(value, ret, err);
}
