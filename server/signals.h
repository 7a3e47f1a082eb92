/* server/signals.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Signals as events. SIGTERM and SIGINT: stop; the second one ends the process at once (what is stored is
 * safe, what is under way is lost). SIGHUP: reload. SIGPIPE is ignored. Works as process 1 too, where a
 * signal without a handler is dropped by the kernel.
 */
#ifndef GANTRY_SERVER_SIGNALS_H
#define GANTRY_SERVER_SIGNALS_H

#include "base/attributes.h"
#include "base/error.h"

enum signals_event { SIGNALS_STOP, SIGNALS_RELOAD, SIGNALS_FILES /* raised by file_watch */ };

/* Once, before any other thread: all threads that come after inherit that these signals are not theirs. */
MUST_USE bool signals_start(struct error *err);
/* Makes signals_wait return `event`, too. Any thread, after signals_start. */
void signals_raise(enum signals_event event);
/* Waits for the next event. */
enum signals_event signals_wait(void);

#endif
