/* server/tls_settings.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the settings say about TLS, as tls_context.h wants it: lists split, the folder of certificates looked
 * through.
 */
#ifndef GANTRY_SERVER_TLS_SETTINGS_H
#define GANTRY_SERVER_TLS_SETTINGS_H

#include "base/attributes.h"
#include "base/error.h"
#include "config/settings.h"
#include "server/tls_context.h"

struct tls_settings {
    struct tls_options options; /* points into this object and into the settings */
    struct tls_files files[TLS_CERTIFICATES_MOST];
    bool throwaway; /* no certificate is configured: files[0] is the one of the data folder, made at the start
                     */
};

/* MALFORMED: lists of different lengths, too many. May wait for the disk. tls_settings_free. */
MUST_USE bool tls_settings_make(const struct settings *settings, struct tls_settings **ret,
                                struct error *err);
void tls_settings_free(struct tls_settings *settings); /* NULL is fine */

/* Calls `each` with every file and folder in which a change means: load anew. */
void tls_settings_watched(const struct settings *settings, const struct tls_settings *tls,
                          void (*each)(void *context, const char *path), void *context);

#endif
