/* server/throwaway_certificate.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Making and checking the throwaway certificate; see throwaway_certificate.h. A crash between the writing of
 * the three files leaves a set that does not fit together, which the next start finds and makes anew.
 */
#include "server/throwaway_certificate.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "base/bytes.h"
#include "base/file.h"
#include "server/make_certificate.h"

enum {
    DAY_SECONDS = 86400,
    VALID_DAYS = 824, /* browsers and Apple's systems refuse server certificates of more than 825 days */
    LEAST_DAYS_LEFT = 30,
};

/* The three files. */
struct places {
    char ca[PATH_MAX], certificate[PATH_MAX], key[PATH_MAX];
};

static bool find_places(const char *folder, struct places *ret, struct error *err)
{
    if (snprintf(ret->ca, sizeof ret->ca, "%s/ca.pem", folder) >= (int)sizeof ret->ca ||
        snprintf(ret->certificate, sizeof ret->certificate, "%s/server.pem", folder) >=
            (int)sizeof ret->certificate ||
        snprintf(ret->key, sizeof ret->key, "%s/server.key", folder) >= (int)sizeof ret->key)
        return error_set(err, FAULT_MALFORMED, "data: the path is too long");
    return true;
}

static bool is_still_good(const struct places *places)
{
    __attribute__((cleanup(made_certificate_drop))) struct made_certificate ca = { 0 };
    __attribute__((cleanup(made_certificate_drop))) struct made_certificate server = { 0 };
    unsigned char of_key[64], of_certificate[64];
    size_t key_size = sizeof of_key, certificate_size = sizeof of_certificate;
    unsigned status = 0;

    if (!made_certificate_read(places->ca, &ca.certificate) ||
        !made_certificate_read(places->certificate, &server.certificate) ||
        !made_key_read(places->key, &server.key))
        return false;
    if (gnutls_x509_privkey_get_key_id(server.key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) < 0 ||
        gnutls_x509_crt_get_key_id(server.certificate, GNUTLS_KEYID_USE_SHA256, of_certificate,
                                   &certificate_size) < 0 ||
        !bytes_equal(bytes_of(of_key, key_size), bytes_of(of_certificate, certificate_size)))
        return false;
    if (gnutls_x509_crt_get_expiration_time(server.certificate) - time(NULL) <
        (time_t)LEAST_DAYS_LEFT * DAY_SECONDS)
        return false;
    return gnutls_x509_crt_list_verify(&server.certificate, 1, &ca.certificate, 1, NULL, 0, 0, &status) >=
               0 &&
           status == 0;
}

bool throwaway_certificate_make(const char *folder, bool *ret_made, struct error *err)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
    static const struct make_order ca_order = { .kind = MAKE_CA,
                                                .common_name = "Gantry throwaway CA",
                                                .days = VALID_DAYS };
    static const struct make_order server_order = { .kind = MAKE_SERVER,
                                                    .common_name = "localhost",
                                                    .names = names,
                                                    .name_count = COUNT_OF(names),
                                                    .days = VALID_DAYS };
    __attribute__((cleanup(made_certificate_drop))) struct made_certificate ca = { 0 };
    __attribute__((cleanup(made_certificate_drop))) struct made_certificate server = { 0 };
    struct places places;

    *ret_made = false;
    if (!find_places(folder, &places, err))
        return false;
    if (is_still_good(&places))
        return true;
    /* The CA's key never leaves this function's memory. */
    if (!file_make_folders(folder, 0700, err) || !make_certificate(&ca_order, NULL, &ca, err) ||
        !make_certificate(&server_order, &ca, &server, err) || !made_key_write(server.key, places.key, err) ||
        !made_certificate_write(server.certificate, places.certificate, err) ||
        !made_certificate_write(ca.certificate, places.ca, err))
        return error_while(err, "making a throwaway certificate");
    *ret_made = true;
    return true;
}
