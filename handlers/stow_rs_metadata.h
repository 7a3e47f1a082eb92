/* handlers/stow_rs_metadata.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The other form of a store (PS3.18 10.5.1.4): metadata as JSON or XML, and bulk data in parts of their own,
 * joined by BulkDataURI and Content-Location. Metadata wait in memory under a ceiling, bulk data on the disk;
 * when the message is complete, each instance is written to the intake as a DICOM file and goes the way of
 * all.
 *
 * One thread at a time, a worker: everything may wait but _new.
 */
#ifndef GANTRY_HANDLERS_STOW_RS_METADATA_H
#define GANTRY_HANDLERS_STOW_RS_METADATA_H

#include "handlers/handler.h"
#include "http/request.h"
#include "storage/intake.h"

struct stow_metadata;

/* In the request's arena. `is_xml`: what the message's type says, for parts that say nothing. */
struct stow_metadata *stow_metadata_new(const struct service *service, const struct request *request,
                                        bool is_xml);
/* The events of the multipart reader. False: the message as a whole is wrong. */
MUST_USE bool stow_metadata_part_begin(struct stow_metadata *metadata, const struct fields *headers,
                                       struct error *err);
MUST_USE bool stow_metadata_part_bytes(struct stow_metadata *metadata, struct bytes chunk, struct error *err);
MUST_USE bool stow_metadata_part_end(struct stow_metadata *metadata, struct error *err);
/* All parts have arrived: instances go to the intake, each with its outcome, and parts that no metadata refer
 * to are failures of their own (STO-31). MALFORMED: there are no metadata. */
MUST_USE bool stow_metadata_finish(struct stow_metadata *metadata, struct intake *intake, struct error *err);

#endif
