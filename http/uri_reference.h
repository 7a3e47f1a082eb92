/* http/uri_reference.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * References resolved against a base (RFC 3986 5.2), so that "bulk/1", "/dicom-web/bulk/1" and the absolute
 * form of the same meet (STO-30). Nothing is fetched. Never waits; any thread.
 */
#ifndef GANTRY_HTTP_URI_REFERENCE_H
#define GANTRY_HTTP_URI_REFERENCE_H

#include "base/arena.h"
#include "base/bytes.h"

/* The absolute form, scheme and authority in lower case, without "." and ".." and without a fragment. `base`
 * is absolute, without query. In the arena. */
struct bytes uri_resolve(struct bytes base, struct bytes reference, struct arena *arena);

#endif
