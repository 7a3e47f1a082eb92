/* tests/unit/server/throwaway_certificate_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The certificate for whoever has none: what is in it, when it stays and when it is made anew.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/x509.h>

#include "base/file.h"
#include "server/throwaway_certificate.h"
#include "server/tls_certificate.h"
#include "tests/support/expect.h"

static char folder[64];

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/gantry-throwaway-XXXXXX");
    if (!mkdtemp(folder))
        abort();
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void end(void)
{
    static const char *const names[] = { "ca.pem", "server.pem", "server.key" };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        unlink(path_of(names[i]));
    EXPECT(rmdir(folder) == 0, "something else was left in the folder");
}

static bool make(bool *ret_made)
{
    struct error err = { 0 };

    return EXPECT(throwaway_certificate_make(folder, ret_made, &err), "%s", err.detail);
}

static gnutls_x509_crt_t load(const char *name)
{
    gnutls_x509_crt_t certificate;
    struct error err = { 0 };
    char *text = NULL;
    size_t size = 0;

    if (!file_read_all(path_of(name), 65536, &text, &size, &err) || gnutls_x509_crt_init(&certificate) < 0)
        abort();
    const gnutls_datum_t pem = { (unsigned char *)text, (unsigned)size };
    if (gnutls_x509_crt_import(certificate, &pem, GNUTLS_X509_FMT_PEM) < 0)
        abort();
    free(text);
    return certificate;
}

TEST(it_is_good_for_localhost_in_all_its_spellings)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
    struct error err = { 0 };
    unsigned status = 0;
    bool made = false;

    begin();
    if (!make(&made))
        return;
    EXPECT(made, "not made");
    gnutls_x509_crt_t ca = load("ca.pem"), server = load("server.pem");
    for (size_t i = 0; i < COUNT_OF(names); i++)
        EXPECT(gnutls_x509_crt_check_hostname(server, names[i]), "not for %s", names[i]);
    EXPECT(!gnutls_x509_crt_check_hostname(server, "example.org"), "for others too");
    EXPECT(gnutls_x509_crt_list_verify(&server, 1, &ca, 1, NULL, 0, 0, &status) >= 0 && status == 0,
           "status %x", status);
    EXPECT(gnutls_x509_crt_get_expiration_time(server) - gnutls_x509_crt_get_activation_time(server) <=
               825 * 86400,
           "valid for too long");
    EXPECT(gnutls_x509_crt_get_ca_status(ca, NULL) > 0, "the CA is none");
    EXPECT(gnutls_x509_crt_get_ca_status(server, NULL) == 0, "the server is a CA");
    gnutls_x509_crt_deinit(ca);
    gnutls_x509_crt_deinit(server);

    struct tls_certificate *loaded = NULL;
    char certificate[128];
    snprintf(certificate, sizeof certificate, "%s", path_of("server.pem"));
    const struct tls_files files = { certificate, path_of("server.key") };
    EXPECT(tls_certificate_load(&files, NULL, NULL, &loaded, &err), "%s", err.detail);
    tls_certificate_free(loaded);
    end();
}

TEST(TLS_18_its_key_is_the_servers_alone_and_the_cas_is_nowhere)
{
    struct stat about = { 0 };
    bool made = false;

    begin();
    if (!make(&made))
        return;
    EXPECT(stat(path_of("server.key"), &about) == 0 && (about.st_mode & 07777) == 0600, "mode %o",
           (unsigned)about.st_mode);
    end(); /* finds any fourth file */
}

TEST(it_stays_as_long_as_it_is_whole)
{
    bool made = true;
    struct stat before = { 0 }, after = { 0 };

    begin();
    if (!make(&made))
        return;
    stat(path_of("server.pem"), &before);
    EXPECT(make(&made) && !made, "made a second time");
    stat(path_of("server.pem"), &after);
    EXPECT(before.st_ino == after.st_ino, "replaced");
    end();
}

TEST(what_does_not_fit_together_is_made_anew)
{
    static const char *const lost[] = { "ca.pem", "server.pem", "server.key" };

    for (size_t i = 0; i < COUNT_OF(lost); i++) {
        struct error err = { 0 };
        bool made = false;

        begin();
        if (!make(&made))
            return;
        unlink(path_of(lost[i]));
        EXPECT(make(&made) && made, "%s lost, and not made anew", lost[i]);
        if (!file_replace(path_of(lost[i]), bytes_of_text("-----BEGIN CERTIFICATE-----\nAAAA\n"), 0600, &err))
            abort();
        EXPECT(make(&made) && made, "%s broken, and not made anew", lost[i]);

        /* From another set: a crash in the middle of making one. */
        char *old = NULL;
        size_t size = 0;
        if (!file_read_all(path_of(lost[i]), 65536, &old, &size, &err))
            abort();
        unlink(path_of(lost[(i + 1) % 3]));
        EXPECT(make(&made) && made, "not made anew");
        if (!file_replace(path_of(lost[i]), bytes_of(old, size), 0600, &err))
            abort();
        free(old);
        EXPECT(make(&made) && made, "%s of another set, and not made anew", lost[i]);
        EXPECT(make(&made) && !made, "made twice");
        end();
    }
}

TEST(a_folder_that_cannot_be_made_is_told)
{
    struct error err = { 0 };
    bool made = true;

    EXPECT(!throwaway_certificate_make("/proc/nowhere", &made, &err), "made in /proc");
    EXPECT(!made && strstr(err.detail, "throwaway"), "%s", err.detail);
}
