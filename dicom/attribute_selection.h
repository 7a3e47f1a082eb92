/* dicom/attribute_selection.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A subset of attributes, as `includefield` names it: of whole metadata objects only those go out. Never
 * waits; any thread after bridge_start().
 */
#ifndef GANTRY_DICOM_ATTRIBUTE_SELECTION_H
#define GANTRY_DICOM_ATTRIBUTE_SELECTION_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

enum { ATTRIBUTE_SELECTION_MOST = 512 };

struct attribute_selection {
    bool all;
    size_t count; /* ascending, each once */
    uint32_t tags[ATTRIBUTE_SELECTION_MOST];
};

/* Nothing but what identifies an instance: character set, SOP class, the three UIDs, Instance Number. */
void attribute_selection_begin(struct attribute_selection *selection);
/* A list of keywords and tags with commas between, or `all`. Of a path into a sequence its first step counts:
 * the sequence comes as a whole. An unknown name is passed over, as in a search (PS3.18 8.3.4.3). MALFORMED:
 * too many. */
MUST_USE bool attribute_selection_add(struct attribute_selection *selection, struct bytes list,
                                      struct error *err);
/* The object with only the chosen attributes, and the creators of chosen private ones, appended to `into`.
 * `object` is one of dicom_json_write; of anything else a part. */
void attribute_selection_write(const struct attribute_selection *selection, struct bytes object,
                               struct buffer *into);

#endif
