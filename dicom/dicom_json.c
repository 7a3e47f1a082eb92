/* dicom/dicom_json.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Single attributes and links of the DICOM JSON model; see dicom_json.h. Whole data sets:
 * dicom_json_writer.c.
 */
#include "dicom/dicom_json.h"

#include "dicom/dicom_json_value.h"
#include "dicom/tag.h"

void dicom_json_attribute(struct buffer *into, uint32_t tag, const char *vr, struct bytes value)
{
    json_value_begin(into, tag, vr);
    json_value_text(into, vr_info(vr), value);
    buffer_append_byte(into, '}');
}

void dicom_json_instance_url(struct buffer *into, const struct instance_key *key)
{
    static const char *const levels[] = { "/studies/", "/series/", "/instances/" };
    const struct uid *const uids[] = { &key->study, &key->series, &key->instance };

    buffer_append_byte(into, JSON_BASE_MARK);
    for (size_t i = 0; i < COUNT_OF(levels) && uids[i]->text[0]; i++) {
        buffer_append_text(into, levels[i]);
        buffer_append(into, uid_bytes(uids[i]));
    }
}

void dicom_json_retrieve_url(struct buffer *into, const struct instance_key *key)
{
    json_value_begin(into, TAG_RETRIEVE_URL, "UR");
    buffer_append_text(into, ",\"Value\":[\"");
    dicom_json_instance_url(into, key);
    buffer_append_text(into, "\"]}");
}
