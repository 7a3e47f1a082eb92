/* handlers/metadata_body.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Metadata as response bodies: a whole study or series from its packs, or instance by instance.
 */
#ifndef GANTRY_HANDLERS_METADATA_BODY_H
#define GANTRY_HANDLERS_METADATA_BODY_H

#include "dicom/attribute_selection.h"
#include "handlers/handler.h"
#include "http/accept_encoding.h"

/* One JSON array out of packs, in a coding in which packs can be had: gzip and zstd by joining what is
 * stored, identity by expanding a chunk at a time. The size is known. Takes over the set's reference. Waits
 * only for chunks of more than a megabyte. */
struct body_source *metadata_set_body(struct arena *arena, const struct metadata_set *taken,
                                      enum content_coding coding);

enum metadata_form {
    METADATA_JSON,     /* one array */
    METADATA_XML,      /* the documents alone: for one instance */
    METADATA_XML_PARTS /* the content of multipart/related: head, document, ..., tail */
};
struct metadata_rows {
    const struct catalog_listing *listing; /* outlives the body */
    enum metadata_form form;
    struct bytes boundary;                               /* of METADATA_XML_PARTS */
    const struct attribute_selection *selection_or_null; /* outlives the body */
};
/* Instance by instance out of the catalog. As much as fits into a few blocks is made at once, so that the
 * usual answer has a known size; what is longer is streamed behind them and is never in memory whole. Faults
 * as of catalog_metadata. May wait. */
MUST_USE bool metadata_rows_body(const struct service *service, const struct request *request,
                                 const struct metadata_rows *rows, struct body_source **ret,
                                 struct error *err);

#endif
