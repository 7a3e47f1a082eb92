/* server/throwaway_certificate.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A certificate for whoever has none yet: for localhost, 127.0.0.1 and ::1, signed by a CA of its own whose
 * key is forgotten at once, so that nobody can ever sign anything else with it.
 */
#ifndef GANTRY_SERVER_THROWAWAY_CERTIFICATE_H
#define GANTRY_SERVER_THROWAWAY_CERTIFICATE_H

#include "base/attributes.h"
#include "base/error.h"

/* Makes `folder` (mode 0700) and in it ca.pem, server.pem and server.key (mode 0600), unless they are there,
 * belong together and are valid for another month; *ret_made says so. May wait; one process at a time. */
MUST_USE bool throwaway_certificate_make(const char *folder, bool *ret_made, struct error *err);

#endif
