/* dicom/xml_data_set.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Native DICOM Model (PS3.19 A.1) read into an object of the DICOM JSON model, so that there is one way
 * from a model to a file (json_data_set.h). Document type declarations are refused, and with them entities;
 * elements that the model does not have are skipped. Never waits; any thread.
 */
#ifndef GANTRY_DICOM_XML_DATA_SET_H
#define GANTRY_DICOM_XML_DATA_SET_H

#include <jansson.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

/* The caller owns *ret (json_decref). NOT_DICOM: no XML, or no Native DICOM Model; tells the line. */
MUST_USE bool xml_data_set_read(struct bytes document, json_t **ret, struct error *err);

#endif
