/* handlers/links.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * URLs of what is stored, under the public base (GEN-02).
 */
#ifndef GANTRY_HANDLERS_LINKS_H
#define GANTRY_HANDLERS_LINKS_H

#include "base/arena.h"
#include "dicom/instance_key.h"

/* {base}/studies/{}[/series/{}[/instances/{}]], as many levels as `key` has; `tail` ("" or "/frames/3")
 * behind it. */
const char *link_to(struct arena *arena, const char *base, const struct instance_key *key, const char *tail);

#endif
