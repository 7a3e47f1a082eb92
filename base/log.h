/* base/log.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One line per call to standard error: time, level, text. Never a name, a birth date, a patient id; never
 * a secret. Control characters of foreign text are replaced. Any thread.
 */
#ifndef GANTRY_BASE_LOG_H
#define GANTRY_BASE_LOG_H

#include "base/attributes.h"

GANTRY_C_BEGIN

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

void log_least(enum log_level level); /* default LOG_INFO */
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

GANTRY_C_END

#endif
