/* server/check_tls.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * An audit of what would be served: certificates and keys, their names against the public URL, staples, the
 * CAs and rules for clients, and whether everyone could reach a server that asks nobody who they are. A part
 * of check_config.h.
 */
#ifndef GANTRY_SERVER_CHECK_TLS_H
#define GANTRY_SERVER_CHECK_TLS_H

#include "config/settings.h"
#include "server/check_config.h"

/* Changes nothing; may wait for the disk. */
void check_tls(const struct settings *settings, check_report_fn *report, void *context);

#endif
