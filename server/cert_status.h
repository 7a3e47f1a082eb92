/* server/cert_status.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * `gantry cert status`: what there is to say of the configured certificates, for people and for monitoring.
 */
#ifndef GANTRY_SERVER_CERT_STATUS_H
#define GANTRY_SERVER_CERT_STATUS_H

#include <stdio.h>

#include "config/settings.h"

enum { CERT_STATUS_GOOD = 0, CERT_STATUS_DOUBTFUL = 1, CERT_STATUS_BAD = 2 };

/* Changes nothing, asks no responder. Returns one of the above, the worst of all certificates. */
int cert_status(const struct settings *settings, FILE *to);

#endif
