/* tests/unit/server/tls_trust_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whose certificates are believed, who is said to vouch, and which files are refused. Many kinds of bad
 * certificates are met over the wire by tests/web/test_tls_clients.py.
 */
#include "server/tls_trust.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "server/make_certificate.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

static struct temp_folder folder;

static const char *path_of(const char *name)
{
    static char paths[8][700];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", folder.path, name);
    return path;
}

static struct made_certificate make(enum make_kind kind, const char *name,
                                    const struct made_certificate *issuer)
{
    const struct make_order order = {
        .kind = kind, .common_name = name, .names = &name, .name_count = kind == MAKE_CA ? 0 : 1, .days = 10
    };
    struct made_certificate made = { 0 };
    struct error err = { 0 };

    if (!make_certificate(&order, issuer, &made, &err))
        abort();
    return made;
}

static void put(const struct made_certificate *made, const char *name)
{
    struct error err = { 0 };

    if (!made_certificate_write(made->certificate, path_of(name), &err))
        abort();
}

static struct tls_trust *load(const char *ca, const char *crl, struct error *err)
{
    const struct tls_trust_options options = { .ca = ca, .crl = crl };
    struct tls_trust *trust = NULL;

    return tls_trust_load(&options, NULL, NULL, &trust, err) ? trust : NULL;
}

/* "ca principal", or why not. */
static void verify(const struct tls_trust *trust, const struct made_certificate *const *chain, unsigned size,
                   char into[300])
{
    gnutls_datum_t der[4] = { { 0 } };
    gnutls_alert_description_t alert;
    struct tls_peer *peer = NULL;
    struct error err = { 0 };

    for (unsigned i = 0; i < size; i++)
        gnutls_x509_crt_export2(chain[i]->certificate, GNUTLS_X509_FMT_DER, &der[i]);
    if (tls_trust_verify(trust, der, size, time(NULL), &peer, &alert, &err))
        snprintf(into, 300, "%s %s", peer->ca, peer->principal);
    else
        snprintf(into, 300, "%s", err.detail);
    tls_peer_free(peer);
    for (unsigned i = 0; i < size; i++)
        gnutls_free(der[i].data);
}

TEST(TLS_44_TLS_45_who_vouches_is_found_by_signature_and_named_by_its_file)
{
    struct error err = { 0 };
    char told[300];

    folder = temp_folder_new();
    /* Two CAs that bear one name, and a stranger. */
    struct made_certificate a = make(MAKE_CA, "Hospital CA", NULL), b = make(MAKE_CA, "Hospital CA", NULL);
    struct made_certificate stranger = make(MAKE_CA, "Hospital CA", NULL);
    struct made_certificate of_a = make(MAKE_CLIENT, "viewer", &a), of_b = make(MAKE_CLIENT, "viewer", &b);
    struct made_certificate of_nobody = make(MAKE_CLIENT, "viewer", &stranger),
                            server = make(MAKE_SERVER, "x", &a);
    put(&a, "hospital-a.pem");
    put(&b, "hospital-b.crt");
    put(&of_a, "not-looked-at.txt");
    struct tls_trust *trust = load(folder.path, "", &err);
    if (EXPECT(trust, "%s", err.detail)) {
        const struct {
            const struct made_certificate *leaf;
            const char *telling;
        } cases[] = { { &of_a, "hospital-a dns:viewer" },
                      { &of_b, "hospital-b dns:viewer" },
                      { &of_nobody, "" },
                      { &server, "not meant for clients" } };
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            verify(trust, &cases[i].leaf, 1, told);
            EXPECT(strstr(told, cases[i].telling) && (cases[i].telling[0] || !strstr(told, "hospital")),
                   "%zu: %s", i, told);
        }
        /* Certificates that have nothing to do with it beside it change nothing. */
        const struct made_certificate *const padded[] = { &of_a, &stranger, &b };
        verify(trust, padded, 3, told);
        EXPECT_TEXT(bytes_of_text(told), "hospital-a dns:viewer");
        verify(trust, NULL, 0, told);
        EXPECT(!strstr(told, "hospital"), "nothing was shown: %s", told);
    }
    tls_trust_free(trust);
    struct made_certificate *const all[] = { &a, &b, &stranger, &of_a, &of_b, &of_nobody, &server };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        made_certificate_drop(all[i]);
    temp_folder_remove(&folder);
}

TEST(TLS_46_a_set_with_a_mistake_is_no_set)
{
    struct error err = { 0 };

    folder = temp_folder_new();
    struct made_certificate ca = make(MAKE_CA, "CA", NULL), client = make(MAKE_CLIENT, "viewer", &ca);
    put(&ca, "ca.pem");
    put(&client, "client.txt");
    if (mkdir(path_of("empty"), 0700) != 0 || mkdir(path_of("mixed"), 0700) != 0 ||
        !file_replace(path_of("rubbish.pem"), bytes_of_text("-----BEGIN CERTIFICATE-----\nx"), 0600, &err))
        abort();
    put(&ca, "mixed/ca.pem");
    put(&client, "mixed/client.pem");
    const struct {
        const char *ca, *crl, *telling;
    } cases[] = {
        { path_of("missing"), "", "missing" },
        { path_of("empty"), "", "there is no CA" },
        { path_of("rubbish.pem"), "", "holds no certificates" },
        { path_of("client.txt"), "", "is no CA's" },
        { path_of("mixed"), "", "client.pem" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        error_clear(&err);
        struct tls_trust *trust = load(cases[i].ca, cases[i].crl, &err);
        EXPECT(!trust && strstr(err.detail, cases[i].telling), "%s: %s", cases[i].telling, err.detail);
        tls_trust_free(trust);
    }
    error_clear(&err);
    struct tls_trust *trust = load(path_of("ca.pem"), path_of("rubbish.pem"), &err);
    EXPECT(!trust && strstr(err.detail, "client_crl"), "%s", err.detail);
    tls_trust_free(trust);
    made_certificate_drop(&ca);
    made_certificate_drop(&client);
    temp_folder_remove(&folder);
}
