/* server/tls_settings.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Settings into options; see tls_settings.h.
 */
#include "server/tls_settings.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

static bool add_pair(struct tls_settings *tls, char *certificate, char *key, struct error *err)
{
    if (!certificate || !key || tls->options.file_count == TLS_CERTIFICATES_MOST) {
        free(certificate);
        free(key);
        return error_set(err, FAULT_MALFORMED, "tls: more than %d certificates", TLS_CERTIFICATES_MOST);
    }
    tls->files[tls->options.file_count++] = (struct tls_files){ certificate, key };
    return true;
}

static bool split_lists(const struct settings *settings, struct tls_settings *tls, struct error *err)
{
    struct bytes certificates = bytes_of_text(settings->tls_certificate),
                 keys = bytes_of_text(settings->tls_key);

    if (certificates.size == 0 && keys.size == 0)
        return true;
    while (certificates.data && keys.data) {
        const struct bytes certificate = bytes_trim(bytes_cut(&certificates, ','));
        const struct bytes key = bytes_trim(bytes_cut(&keys, ','));
        if (certificate.size == 0 || key.size == 0)
            break;
        if (!add_pair(tls, strndup((const char *)certificate.data, certificate.size),
                      strndup((const char *)key.data, key.size), err))
            return false;
        if (!certificates.data && !keys.data)
            return true;
    }
    return error_set(err, FAULT_MALFORMED, "tls_certificate and tls_key must name as many files each");
}

static char *join(const char *folder, const char *name, int name_size, const char *suffix)
{
    char *path = NULL;

    return asprintf(&path, "%s/%.*s%s", folder, name_size, name, suffix) < 0 ? NULL : path;
}

/* The key that belongs to the entry of the folder, and the certificate; false: it is no pair. */
static bool find_pair(const char *folder, const char *name, char **ret_certificate, char **ret_key)
{
    const size_t size = strlen(name);
    const bool is_key = size > 4 && strcmp(name + size - 4, ".key") == 0;
    static const char *const suffixes[] = { ".pem", ".crt" };

    if (name[0] == '.')
        return false;
    char *key = is_key ? join(folder, name, (int)size, "") : join(folder, name, (int)size, "/privkey.pem");
    char *certificate = is_key ? NULL : join(folder, name, (int)size, "/fullchain.pem");
    for (size_t i = 0; is_key && !certificate && i < COUNT_OF(suffixes); i++) {
        certificate = join(folder, name, (int)size - 4, suffixes[i]);
        if (certificate && access(certificate, F_OK) != 0) {
            free(certificate);
            certificate = NULL;
        }
    }
    if (key && certificate && access(key, F_OK) == 0 && access(certificate, F_OK) == 0) {
        *ret_certificate = certificate;
        *ret_key = key;
        return true;
    }
    free(key);
    free(certificate);
    return false;
}

static bool look_through(const char *folder, struct tls_settings *tls, struct error *err)
{
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, NULL, alphasort);
    bool fine = true;

    if (count < 0)
        return error_errno(err, errno, "tls_folder %s", folder);
    for (int i = 0; i < count; i++) {
        char *certificate = NULL, *key = NULL;
        if (fine && find_pair(folder, entries[i]->d_name, &certificate, &key))
            fine = add_pair(tls, certificate, key, err);
        free(entries[i]);
    }
    free(entries);
    return fine;
}

static enum client_certificates client_certificates_of(const struct settings *settings)
{
    if (strcmp(settings->client_certificates, "required") == 0)
        return CLIENT_CERTIFICATES_REQUIRED;
    return strcmp(settings->client_certificates, "optional") == 0 ? CLIENT_CERTIFICATES_OPTIONAL
                                                                  : CLIENT_CERTIFICATES_OFF;
}

static void settings_drop(struct tls_settings **tls)
{
    tls_settings_free(*tls);
}

bool tls_settings_make(const struct settings *settings, struct tls_settings **ret, struct error *err)
{
    __attribute__((cleanup(settings_drop))) struct tls_settings *tls = calloc(1, sizeof *tls);

    if (!tls)
        return error_set(err, FAULT_BUSY, "no memory for TLS");
    tls->options = (struct tls_options){
        .profile = settings->tls_profile,
        .files = tls->files,
        .refuse_unknown_names = strcmp(settings->unknown_server_name, "refuse") == 0,
        .client_certificates = client_certificates_of(settings),
        .trust = { settings->client_ca, settings->client_crl,
                   strcmp(settings->client_crl_policy, "advised") == 0 },
        .ticket_lifetime_s = (unsigned)settings->ticket_lifetime,
        .ticket_rotation_s = (unsigned)settings->ticket_rotation,
    };
    if (!split_lists(settings, tls, err) ||
        (settings->tls_folder[0] && !look_through(settings->tls_folder, tls, err)))
        return false;
    if (settings->tls_folder[0] && tls->options.file_count == 0)
        return error_set(err, FAULT_MALFORMED, "tls_folder %s: holds no certificate with its key",
                         settings->tls_folder);
    if (tls->options.file_count == 0) {
        tls->throwaway = true;
        if (!add_pair(tls, join(settings->data, "tls/server.pem", 14, ""),
                      join(settings->data, "tls/server.key", 14, ""), err))
            return false;
    }
    *ret = TAKE(tls);
    return true;
}

void tls_settings_free(struct tls_settings *tls)
{
    if (!tls)
        return;
    for (unsigned i = 0; i < tls->options.file_count; i++) {
        free((char *)(uintptr_t)tls->files[i].certificate);
        free((char *)(uintptr_t)tls->files[i].key);
    }
    free(tls);
}

void tls_settings_watched(const struct settings *settings, const struct tls_settings *tls,
                          void (*each)(void *context, const char *path), void *context)
{
    const char *const others[] = { settings->tls_folder, settings->client_ca, settings->client_crl,
                                   settings->access_rules };

    for (unsigned i = 0; i < tls->options.file_count; i++) {
        char staple[PATH_MAX];
        each(context, tls->files[i].certificate);
        each(context, tls->files[i].key);
        if (tls_certificate_staple_path(tls->files[i].certificate, staple, sizeof staple))
            each(context, staple);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (others[i][0])
            each(context, others[i]);
}
