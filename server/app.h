/* server/app.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The whole house, built from the settings and torn down backwards. One thread: the main one.
 */
#ifndef GANTRY_SERVER_APP_H
#define GANTRY_SERVER_APP_H

#include <stdio.h>

#include "base/attributes.h"
#include "base/error.h"
#include "config/settings.h"

struct app;

/* After it, requests are served. Takes the settings over, on success. */
MUST_USE bool app_start(struct settings *settings, struct app **ret, struct error *err);
/* Where it serves, which CA to trust, and a first thing to try. */
void app_announce(const struct app *app, FILE *to);
/* Takes what a reload may change from `next`, which it takes over; the log says what needs a restart, and
 * keeps what cannot be taken. */
void app_reload(struct app *app, struct settings *next);
/* A file that the settings name has changed: certificates and rules of access are loaded anew; what is no
 * good is told in the log and not taken. */
void app_files_changed(struct app *app);
/* Accepts no more, lets what is under way end within the setting stop_deadline, closes and frees all. */
void app_stop(struct app *app);

#endif
