/* server/check_config.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Do the settings make sense together, and with this machine? What `gantry check-config` prints and every
 * start does.
 */
#ifndef GANTRY_SERVER_CHECK_CONFIG_H
#define GANTRY_SERVER_CHECK_CONFIG_H

#include "base/attributes.h"
#include "config/settings.h"

enum check_weight { CHECK_WARNING, CHECK_ERROR };
typedef void check_report_fn(void *context, enum check_weight weight, const char *what, const char *remedy);

/* Reports everything that is wrong or doubtful; changes nothing, binds nothing. Returns how many errors there
 * are. */
unsigned check_config(const struct settings *settings, check_report_fn *report, void *context);

#endif
