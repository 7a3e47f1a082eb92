/* config/settings.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The settings, from file, environment and command line, checked against config/settings.def.
 */
#ifndef GANTRY_CONFIG_SETTINGS_H
#define GANTRY_CONFIG_SETTINGS_H

#include <stdint.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/error.h"

struct settings {
#define TEXT(name, unit, otherwise, least, most, reload, meaning) const char *name;
#define NUMBER(name, unit, otherwise, least, most, reload, meaning) uint64_t name;
#define CHOICE(name, words, otherwise, reload, meaning) const char *name;
#include "config/settings.def"
#undef TEXT
#undef NUMBER
#undef CHOICE
    char *storage; /* where the texts live; settings_free */
};

/* Reads `file_or_null` (INI without sections), then the environment, then `arguments` (--name value or
 * --name=value). Unknown names and values out of bounds are errors that name the setting, its unit and
 * bounds, and where it came from. */
MUST_USE bool settings_load(const char *file_or_null, char *const *arguments, size_t count,
                            struct settings **ret, struct error *err);
void settings_free(struct settings *settings);
/* The shipped gantry.ini: every setting, its meaning, unit, bounds, default; commented out. */
void settings_print(FILE *to);
/* One message a setting that differs between the two and needs a restart; returns how many. */
unsigned settings_restart_needed(const struct settings *now, const struct settings *next,
                                 void (*each)(const char *name));

#endif
