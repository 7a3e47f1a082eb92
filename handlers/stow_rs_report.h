/* handlers/stow_rs_report.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Store Instances Response Module (PS3.18 Annex I): what became of each instance.
 */
#ifndef GANTRY_HANDLERS_STOW_RS_REPORT_H
#define GANTRY_HANDLERS_STOW_RS_REPORT_H

#include "handlers/handler.h"
#include "handlers/model_answer.h"
#include "storage/intake.h"

/* The whole answer to a store: status by outcome (STO-43), one object in the form chosen (STO-45), Location
 * where there is one (STO-49). The intake is committed, and lives as long as the request's arena. May wait;
 * reading the body may have to. */
MUST_USE bool stow_rs_report(const struct request *request, struct intake *intake,
                             const struct model_form *form, struct response *response, struct error *err);

#endif
