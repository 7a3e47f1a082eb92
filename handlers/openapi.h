/* handlers/openapi.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The same as an OpenAPI document, for tools that read such.
 */
#ifndef GANTRY_HANDLERS_OPENAPI_H
#define GANTRY_HANDLERS_OPENAPI_H

#include "base/buffer.h"

/* OpenAPI 3.0 of every route there is, JSON. `base`: the path or URL of the DICOMweb service. */
void openapi_write(struct buffer *into, const char *base);

#endif
