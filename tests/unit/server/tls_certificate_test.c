/* tests/unit/server/tls_certificate_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which certificates and keys are taken, and what is doubted.
 */
#include "server/tls_certificate.h"
#include "tests/support/made_certificate.h"

static void expect_refused(const struct tls_files *files, const char *telling)
{
    struct error err = { 0 };

    struct tls_certificate *certificate = NULL;
    EXPECT(!tls_certificate_load(files, NULL, NULL, &certificate, &err), "accepted, instead of \"%s\"",
           telling);
    tls_certificate_free(certificate);
    EXPECT(strstr(err.detail, telling), "\"%s\" does not tell \"%s\"", err.detail, telling);
}

TEST(TLS_06_TLS_40_a_certificate_that_clients_would_refuse_is_refused)
{
    static const struct {
        struct made made;
        const char *telling;
    } cases[] = {
        { { .name = "localhost", .algorithm = GNUTLS_PK_RSA, .bits = 1024 }, "RSA with 1024 bits" },
        { { .name = "localhost", .from_days = -20, .to_days = -10 }, "has expired" },
        { { .name = "localhost", .from_days = 10, .to_days = 20 }, "not valid yet" },
        { { .name = NULL }, "names no host" },
        { { .name = "localhost", .purpose = GNUTLS_KP_TLS_WWW_CLIENT }, "not meant for servers" },
        { { .name = "localhost", .digest = GNUTLS_DIG_SHA1 }, "broken digest" },
    };

    folder = temp_folder_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct pair pair = make_pair("bad", &cases[i].made);
        const struct tls_files files = { pair.certificate, pair.key };
        expect_refused(&files, cases[i].telling);
    }
    temp_folder_remove(&folder);
}

static unsigned warnings;
static void count_warning(void *context, const char *what, const char *remedy)
{
    (void)context;
    EXPECT(what[0] && remedy[0], "an empty warning");
    warnings++;
}

static bool takes(const struct tls_files *files, struct error *err)
{
    struct tls_certificate *certificate = NULL;
    const bool taken = tls_certificate_load(files, count_warning, NULL, &certificate, err);

    tls_certificate_free(certificate);
    return taken;
}

TEST(TLS_18_a_key_that_others_can_read_is_refused)
{
    struct error err = { 0 };

    folder = temp_folder_new();
    const struct pair pair = make_pair("good", &good);
    const struct tls_files files = { pair.certificate, pair.key };
    warnings = 0;
    EXPECT(takes(&files, &err) && warnings == 0, "%u warnings, %s", warnings, err.detail);
    chmod(pair.key, 0640);
    EXPECT(takes(&files, &err) && warnings == 1, "%u warnings, %s", warnings, err.detail);
    chmod(pair.key, 0644);
    expect_refused(&files, "chmod 600");
    temp_folder_remove(&folder);
}

TEST(a_certificate_about_to_expire_is_warned_of)
{
    static const struct made soon = { .name = "localhost", .from_days = -300, .to_days = 20 };
    struct error err = { 0 };

    folder = temp_folder_new();
    const struct pair pair = make_pair("soon", &soon);
    const struct tls_files files = { pair.certificate, pair.key };
    warnings = 0;
    EXPECT(takes(&files, &err) && warnings == 1, "%u warnings, %s", warnings, err.detail);
    temp_folder_remove(&folder);
}

TEST(files_that_are_no_pair_are_refused)
{
    struct error err = { 0 };
    char both[600], *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;

    folder = temp_folder_new();
    const struct pair one = make_pair("one", &good), other = make_pair("other", &good);
    const struct tls_files mixed = { one.certificate, other.key }, swapped = { one.key, one.key };
    const struct tls_files missing = { "/nonexistent/a.pem", one.key },
                           keyless = { one.certificate, "/nonexistent" };
    const struct tls_files no_key = { one.certificate, both };
    expect_refused(&mixed, "does not belong");
    expect_refused(&swapped, one.key);
    expect_refused(&missing, "/nonexistent/a.pem");
    expect_refused(&keyless, "/nonexistent");

    /* Two certificates of which neither issued the other. */
    snprintf(both, sizeof both, "%s/both.pem", folder.path);
    if (!file_read_all(one.certificate, 65536, &first, &first_size, &err) ||
        !file_read_all(other.certificate, 65536, &second, &second_size, &err))
        abort();
    char *joined = malloc(first_size + second_size);
    memcpy(joined, first, first_size);
    memcpy(joined + first_size, second, second_size);
    if (!file_replace(both, bytes_of(joined, first_size + second_size), 0600, &err))
        abort();
    const struct tls_files unsorted = { both, one.key };
    expect_refused(&unsorted, "out of order");
    expect_refused(&no_key, "key");
    free(first);
    free(second);
    free(joined);
    temp_folder_remove(&folder);
}

TEST(TLS_06_RSA_of_2048_bits_is_doubted_and_3072_is_not)
{
    static const struct made weaker = { .name = "localhost", .algorithm = GNUTLS_PK_RSA, .bits = 2048 };
    static const struct made better = { .name = "localhost", .algorithm = GNUTLS_PK_RSA, .bits = 3072 };
    const struct made *const made[] = { &weaker, &better };
    struct error err = { 0 };

    folder = temp_folder_new();
    for (unsigned i = 0; i < 2; i++) {
        const struct pair pair = make_pair("rsa", made[i]);
        const struct tls_files files = { pair.certificate, pair.key };
        warnings = 0;
        EXPECT(takes(&files, &err) && warnings == 1 - i, "%u warnings, %s", warnings, err.detail);
    }
    temp_folder_remove(&folder);
}

TEST(TLS_10_a_wildcard_covers_one_label)
{
    static const struct {
        const char *name;
        bool covered;
    } cases[] = {
        { "pacs.example.org", true },  { "*.example.org", true },
        { "example.org", false },      { "a.pacs.example.org", false },
        { ".example.org", false },     { "pacs.example.com", false },
        { "pacsxexample.org", false }, { "", false },
    };
    static const struct made wild = { .name = "*.Example.org" };
    struct tls_certificate *certificate = NULL;
    struct error err = { 0 };

    folder = temp_folder_new();
    const struct pair pair = make_pair("wild", &wild);
    const struct tls_files files = { pair.certificate, pair.key };
    if (EXPECT(tls_certificate_load(&files, NULL, NULL, &certificate, &err), "%s", err.detail))
        for (size_t i = 0; i < COUNT_OF(cases); i++)
            EXPECT(tls_certificate_covers(certificate, cases[i].name) == cases[i].covered, "\"%s\"",
                   cases[i].name);
    tls_certificate_free(certificate);
    temp_folder_remove(&folder);
}

TEST(a_staple_lies_beside_its_certificate)
{
    static const char *const cases[][2] = { { "/etc/a/server.pem", "/etc/a/server.ocsp" },
                                            { "/etc/a.b/server", "/etc/a.b/server.ocsp" },
                                            { "fullchain.pem", "fullchain.ocsp" } };
    char path[64];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT(tls_certificate_staple_path(cases[i][0], path, sizeof path), "%s", cases[i][0]);
        EXPECT_TEXT(bytes_of_text(path), cases[i][1]);
    }
    EXPECT(!tls_certificate_staple_path("/etc/a/server.pem", path, 18), "it does not fit");
}
