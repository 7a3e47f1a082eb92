/* bridge/start.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sets DCMTK up for the process: dictionary, logging, codecs, once, before any thread.
 */
#ifndef GANTRY_BRIDGE_START_H
#define GANTRY_BRIDGE_START_H

#include "base/attributes.h"
#include "base/error.h"

GANTRY_C_BEGIN

/* INTERNAL when DCMTK's dictionary cannot be loaded. Idempotent. */
MUST_USE bool bridge_start(struct error *err);

/* Only what a decoder process needs: DCMTK says nothing. */
void bridge_quiet(void);

GANTRY_C_END

#endif
