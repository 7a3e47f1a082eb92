/* handlers/instance_answer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One instance as a DICOM file: what WADO-RS and WADO-URI have in common.
 */
#ifndef GANTRY_HANDLERS_INSTANCE_ANSWER_H
#define GANTRY_HANDLERS_INSTANCE_ANSWER_H

#include "handlers/handler.h"
#include "handlers/offer.h"

/* The whole answer, or a 304, in the chosen form, with ranges. `record`, the choice's offer and `location`,
 * which is where it says it is, outlive the exchange. Faults as of parts_body and range_apply. */
MUST_USE bool instance_answer(const struct service *service, const struct request *request,
                              const struct instance_record *record, const struct choice *choice,
                              const char *location, struct response *response, struct error *err);

/* Of pixels that can be made into others within their data set; NULL: they cannot. Borrowed from the record.
 */
const struct pixel_shape *instance_shape(const struct instance_record *record);

#endif
