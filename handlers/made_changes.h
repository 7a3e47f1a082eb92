/* handlers/made_changes.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a data set says otherwise once its pixels are in another transfer syntax: how they are encoded
 * (PS3.5 8.2), and, where something was lost, that it was (PS3.3 C.7.6.1.1.5, C.12.4.1).
 */
#ifndef GANTRY_HANDLERS_MADE_CHANGES_H
#define GANTRY_HANDLERS_MADE_CHANGES_H

#include "dicom/rewrite.h"
#include "handlers/made_frame.h"

/* Fills what of `into` describes the changes: the list, the frame type and the SOP Instance UID, in `arena`.
 * `new_uid`: a lossy one is another instance, with a UID that follows from the stored bytes and `to`, and
 * names the one that it was made of (docs/decisions/0024-lossy-instances.md). */
void made_changes(struct arena *arena, const struct instance_record *record, enum transfer_syntax to,
                  const struct made_shape *made, bool new_uid, struct rewrite_source *into);
/* Is something lost on the way to `to`, beyond what was lost already? */
bool made_is_lossy(enum transfer_syntax to);

#endif
