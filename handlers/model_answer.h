/* handlers/model_answer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Answers that are made for the request and are objects of the DICOM JSON model: rows of a search. As JSON,
 * or as the Native DICOM Model made of it. Any thread after bridge_start(); never waits.
 */
#ifndef GANTRY_HANDLERS_MODEL_ANSWER_H
#define GANTRY_HANDLERS_MODEL_ANSWER_H

#include "handlers/handler.h"

struct model_form {
    const char *type; /* of the body, or of its parts */
    bool is_xml, multipart;
};

/* Which form the client likes best; `one_object`: XML may also be the body itself (STO-45). NOT_ACCEPTABLE;
 * faults as of accept_read. */
MUST_USE bool model_form_choose(const struct request *request, bool one_object, struct model_form *ret,
                                struct error *err);
/* The body, with its Content-Type; status 200. `objects`: JSON objects as dicom_json_write writes them, with
 * commas between them and marks (dicom/dicom_json.h) where the public base belongs; JSON is an array of them.
 * TOO_LARGE beyond `ceiling_bytes`. */
MUST_USE bool model_answer(const struct request *request, const struct model_form *form, struct bytes objects,
                           size_t ceiling_bytes, struct response *response, struct error *err);

#endif
