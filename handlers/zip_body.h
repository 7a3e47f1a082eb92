/* handlers/zip_body.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Parts of an answer as the files of a ZIP archive, written while it is sent.
 */
#ifndef GANTRY_HANDLERS_ZIP_BODY_H
#define GANTRY_HANDLERS_ZIP_BODY_H

#include "handlers/parts_body.h"

/* `names`: one a part, safe and unique; they, the parts and the request outlive the body. The size is known
 * where every part's is. One block of memory, and 40 bytes a part. Faults as of parts_body for the first
 * part; BUSY. */
MUST_USE bool zip_body(const struct service *service, const struct request *request,
                       const struct parts *parts, const char *const *names, struct body_source **ret,
                       struct error *err);

#endif
