/* server/cert_command.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Making certificates by hand; see cert_command.h.
 */
#include "server/cert_command.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/number.h"
#include "server/make_certificate.h"

enum { NAMES_MOST = 64, DAYS_DEFAULT = 397, DAYS_MOST = 7300, CA_DAYS = 3650, EXIT_WORDS = 2 };

struct wishes {
    const char *out;
    const char *key;
    const char *names[NAMES_MOST], *clients[NAMES_MOST];
    unsigned name_count, client_count;
    uint64_t days;
    bool rsa;
};

static int complain(const char *command, const char *what)
{
    fprintf(stderr, "gantry cert %s: %s\n", command, what);
    return EXIT_FAILURE;
}

static int refuse(const char *command, const char *what, const char *word)
{
    fprintf(stderr, "gantry cert %s: %s%.80s\nTry gantry --help.\n", command, what, word);
    return EXIT_WORDS;
}

static bool add_name(const char **list, unsigned *count, const char *name)
{
    if (*count == NAMES_MOST)
        return false;
    list[(*count)++] = name;
    return true;
}

/* 0, or the exit status. */
static int read_wishes(const char *command, char *const *words, size_t count, struct wishes *ret)
{
    *ret = (struct wishes){ .days = DAYS_DEFAULT };
    for (size_t i = 0; i < count; i++) {
        const char *word = words[i];
        if (strcmp(word, "--rsa") == 0) {
            ret->rsa = true;
            continue;
        }
        if (i + 1 >= count)
            return refuse(command, "a word without its value, or not understood: ", word);
        const char *value = words[++i];
        bool fine = value[0] != '\0';
        if (strcmp(word, "--out") == 0)
            ret->out = value;
        else if (strcmp(word, "--key") == 0)
            ret->key = value;
        else if (strcmp(word, "--name") == 0)
            fine = fine && add_name(ret->names, &ret->name_count, value);
        else if (strcmp(word, "--client") == 0)
            fine = fine && !strchr(value, '/') && add_name(ret->clients, &ret->client_count, value);
        else if (strcmp(word, "--days") == 0)
            fine = number_parse(bytes_of_text(value), 1, DAYS_MOST, &ret->days);
        else
            return refuse(command, "not understood: ", word);
        if (!fine)
            return refuse(command, "not a value that it can have: ", value);
    }
    return 0;
}

/* ── init ── */

static bool path_in(const char *folder, const char *name, const char *suffix, char into[PATH_MAX],
                    struct error *err)
{
    return snprintf(into, PATH_MAX, "%s/%s%s", folder, name, suffix) < PATH_MAX ||
           error_set(err, FAULT_MALFORMED, "the path is too long");
}

/* The CA of the folder, made if it is not there. */
static bool find_ca(const char *folder, struct made_certificate *ret, struct error *err)
{
    static const struct make_order order = { .kind = MAKE_CA,
                                             .common_name = "Gantry laboratory CA",
                                             .days = CA_DAYS };
    char certificate[PATH_MAX], key[PATH_MAX];

    if (!path_in(folder, "ca", ".pem", certificate, err) || !path_in(folder, "ca", ".key", key, err))
        return false;
    if (access(key, F_OK) == 0) {
        if (made_certificate_read(certificate, &ret->certificate) && made_key_read(key, &ret->key))
            return true;
        return error_set(err, FAULT_MALFORMED, "%s is there, but cannot be read with %s", key, certificate);
    }
    if (!make_certificate(&order, NULL, ret, err) || !made_key_write(ret->key, key, err) ||
        !made_certificate_write(ret->certificate, certificate, err))
        return false;
    printf("%s  the CA that clients must trust; keep %s apart\n", certificate, key);
    return true;
}

static bool make_pair(const char *folder, const char *name, const struct make_order *order,
                      const struct made_certificate *ca, struct error *err)
{
    __attribute__((cleanup(made_certificate_drop))) struct made_certificate made = { 0 };
    char certificate[PATH_MAX], key[PATH_MAX];

    if (!path_in(folder, name, ".pem", certificate, err) || !path_in(folder, name, ".key", key, err))
        return false;
    if (access(key, F_OK) == 0)
        return error_set(err, FAULT_DUPLICATE, "%s is there already; remove it, or choose another folder",
                         key);
    if (!make_certificate(order, ca, &made, err) || !made_key_write(made.key, key, err) ||
        !made_certificate_write(made.certificate, certificate, err))
        return false;
    printf("%s  %s\n", certificate, order->kind == MAKE_SERVER ? "server certificate" : "client certificate");
    return true;
}

int cert_init(char *const *words, size_t count)
{
    static const char *const local[] = { "localhost", "127.0.0.1", "::1" };
    __attribute__((cleanup(made_certificate_drop))) struct made_certificate ca = { 0 };
    struct wishes wishes;
    struct error err = { 0 };
    char server_key[PATH_MAX];

    const int status = read_wishes("init", words, count, &wishes);
    if (status != 0)
        return status;
    const char *folder = wishes.out ? wishes.out : "gantry-lab";
    if (!file_make_folders(folder, 0700, &err) || !find_ca(folder, &ca, &err) ||
        !path_in(folder, "server", ".key", server_key, &err))
        return complain("init", err.detail);
    /* Called again for a further client, it leaves the server's alone. */
    if (wishes.name_count > 0 || access(server_key, F_OK) != 0) {
        const struct make_order order = { .kind = MAKE_SERVER,
                                          .common_name = wishes.name_count ? wishes.names[0] : local[0],
                                          .names = wishes.name_count ? wishes.names : local,
                                          .name_count =
                                              wishes.name_count ? wishes.name_count : COUNT_OF(local),
                                          .days = (unsigned)wishes.days };
        if (!make_pair(folder, "server", &order, &ca, &err))
            return complain("init", err.detail);
    }
    for (unsigned i = 0; i < wishes.client_count; i++) {
        const struct make_order order = { .kind = MAKE_CLIENT,
                                          .common_name = wishes.clients[i],
                                          .names = &wishes.clients[i],
                                          .name_count = 1,
                                          .days = (unsigned)wishes.days };
        if (!make_pair(folder, wishes.clients[i], &order, &ca, &err))
            return complain("init", err.detail);
    }
    return EXIT_SUCCESS;
}

/* ── csr ── */

static bool find_key(const char *path, bool rsa, gnutls_x509_privkey_t *ret, struct error *err)
{
    if (access(path, F_OK) == 0) {
        if (made_key_read(path, ret))
            return true;
        return error_set(err, FAULT_MALFORMED, "%s is there, but is no key that can be read", path);
    }
    if (!make_key(rsa, ret, err) || !made_key_write(*ret, path, err))
        return false;
    printf("%s  the key; it stays here\n", path);
    return true;
}

int cert_csr(char *const *words, size_t count)
{
    __attribute__((cleanup(made_certificate_drop))) struct made_certificate holder = { 0 };
    char key[PATH_MAX], out[PATH_MAX];
    gnutls_datum_t request = { 0 };
    struct wishes wishes;
    struct error err = { 0 };

    const int status = read_wishes("csr", words, count, &wishes);
    if (status != 0)
        return status;
    if (wishes.name_count == 0 || wishes.client_count > 0)
        return refuse("csr", "name the hosts, each by --name", "");
    const struct make_order order = { .kind = MAKE_SERVER,
                                      .common_name = wishes.names[0],
                                      .names = wishes.names,
                                      .name_count = wishes.name_count };
    snprintf(key, sizeof key, "%s%s", wishes.key ? wishes.key : wishes.names[0], wishes.key ? "" : ".key");
    snprintf(out, sizeof out, "%s%s", wishes.out ? wishes.out : wishes.names[0], wishes.out ? "" : ".csr");
    if (!find_key(key, wishes.rsa, &holder.key, &err) || !make_request(holder.key, &order, &request, &err))
        return complain("csr", err.detail);
    const bool written = file_replace(out, bytes_of(request.data, request.size), 0644, &err);
    gnutls_free(request.data);
    if (!written)
        return complain("csr", err.detail);
    printf("%s  the request; send it to the CA, and set tls_certificate to what comes back, its chain behind "
           "it\n",
           out);
    return EXIT_SUCCESS;
}
