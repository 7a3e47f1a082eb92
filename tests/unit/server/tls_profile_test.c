/* tests/unit/server/tls_profile_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The suites, groups and signatures of each profile, as GnuTLS understands them; the names are those of the
 * setting. docs/tls.md has the same list, and this test holds it against that.
 */
#include <stdlib.h>

#include "base/file.h"
#include "server/tls_profile.h"
#include "tests/support/expect.h"
#include "tests/support/source_file.h"

/* The names of IANA with the versions in which they are spoken, in order. */
static void list_suites(gnutls_priority_t priorities, char *into, size_t size)
{
    size_t at = 0;

    into[0] = '\0';
    for (unsigned i = 0;; i++) {
        unsigned index = 0;
        const int outcome = gnutls_priority_get_cipher_suite_index(priorities, i, &index);
        if (outcome == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return;
        if (outcome < 0)
            continue; /* not in a version that is spoken */
        gnutls_protocol_t least;
        const char *name = gnutls_cipher_suite_info(index, NULL, NULL, NULL, NULL, &least);
        at += (size_t)snprintf(into + at, size - at, "%s%s", at ? " " : "", name);
    }
}

static const struct {
    const char *name;
    const char *has[24];
    unsigned count; /* of suites in all */
} profiles[] = {
    { "bcp195",
      { "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_CHACHA20_POLY1305", "TLS_ECDHE_RSA_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_CHACHA20_POLY1305" },
      9 },
    { "bcp195-modified",
      { "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256", "TLS_ECDHE_ECDSA_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_CHACHA20_POLY1305",
        "TLS_ECDHE_ECDSA_AES_256_CCM", "TLS_ECDHE_ECDSA_AES_256_CCM_8", "TLS_ECDHE_ECDSA_AES_128_CCM",
        "TLS_ECDHE_ECDSA_AES_128_CCM_8", "TLS_ECDHE_ECDSA_CAMELLIA_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_CAMELLIA_128_GCM_SHA256", "TLS_ECDHE_RSA_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_CHACHA20_POLY1305",
        "TLS_ECDHE_RSA_CAMELLIA_256_GCM_SHA384", "TLS_ECDHE_RSA_CAMELLIA_128_GCM_SHA256" },
      19 },
    { "bcp195-nd",
      { "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_CHACHA20_POLY1305", "TLS_ECDHE_RSA_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_CHACHA20_POLY1305",
        "TLS_DHE_RSA_AES_256_GCM_SHA384", "TLS_DHE_RSA_AES_128_GCM_SHA256", "TLS_DHE_RSA_CHACHA20_POLY1305" },
      12 },
    { "modern", { "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256" }, 3 },
};

static bool has_word(const char *text, const char *word)
{
    for (struct bytes rest = bytes_of_text(text); rest.data;)
        if (bytes_equal_text(bytes_cut(&rest, ' '), word))
            return true;
    return false;
}

static char *read_document(void)
{
    char path[SOURCE_FILE_ROOM], *text = NULL;
    size_t size = 0;
    struct error err = { 0 };

    source_file("docs/tls.md", path);
    return file_read_all(path, 1 << 20, &text, &size, &err) ? text : NULL;
}

TEST(TLS_03_TLS_04_each_profile_has_exactly_its_suites_AES_256_GCM_first_in_code_and_document)
{
    char *document = read_document();

    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        const struct tls_profile *profile = tls_profile_find(profiles[i].name);
        gnutls_priority_t priorities = NULL;
        struct error err = { 0 };
        char suites[4096];
        unsigned count = 0, words = 1;

        if (!EXPECT(profile && tls_profile_priorities(profile, &priorities, &err), "%s: %s", profiles[i].name,
                    err.detail))
            continue;
        list_suites(priorities, suites, sizeof suites);
        gnutls_priority_deinit(priorities);
        for (const char *c = suites; *c; c++)
            words += *c == ' ';
        for (; count < COUNT_OF(profiles[i].has) && profiles[i].has[count]; count++)
            EXPECT(has_word(suites, profiles[i].has[count]), "%s lacks %s: %s", profiles[i].name,
                   profiles[i].has[count], suites);
        EXPECT(count == profiles[i].count && words == count, "%s has %u: %s", profiles[i].name, words,
               suites);
        EXPECT(strncmp(suites, "TLS_AES_256_GCM_SHA384 ", 23) == 0, "%s begins with %s", profiles[i].name,
               suites);
        EXPECT(document && strstr(document, profile->name) && strstr(document, profile->meaning),
               "docs/tls.md does not have %s as in tls_profile.def", profile->name);
    }
    EXPECT(!tls_profile_at(COUNT_OF(profiles)) && tls_profile_at(COUNT_OF(profiles) - 1),
           "as many as are tested");
    EXPECT(!tls_profile_find("sslv3"), "there is no such profile");
    free(document);
}

TEST(TLS_05_TLS_06_groups_and_signatures)
{
    for (size_t i = 0; tls_profile_at(i); i++) {
        gnutls_priority_t priorities = NULL;
        struct error err = { 0 };
        const unsigned *list = NULL;

        if (!EXPECT(tls_profile_priorities(tls_profile_at(i), &priorities, &err), "%s", err.detail))
            continue;
        int count = gnutls_priority_group_list(priorities, &list);
        EXPECT(count >= 3 && list[0] == GNUTLS_GROUP_X25519, "%s: %d groups", tls_profile_at(i)->name, count);
        for (int k = 0; k < count; k++)
            EXPECT(
                list[k] == GNUTLS_GROUP_X25519 || list[k] == GNUTLS_GROUP_SECP256R1 ||
                    list[k] == GNUTLS_GROUP_SECP384R1 ||
                    (strcmp(tls_profile_at(i)->name, "bcp195-nd") == 0 && list[k] >= GNUTLS_GROUP_FFDHE2048),
                "group %s", gnutls_group_get_name(list[k]));
        count = gnutls_priority_sign_list(priorities, &list);
        EXPECT(count > 0, "no signatures");
        for (int k = 0; k < count; k++) {
            const gnutls_digest_algorithm_t digest =
                gnutls_sign_get_hash_algorithm((gnutls_sign_algorithm_t)list[k]);
            EXPECT(digest != GNUTLS_DIG_SHA1 && digest != GNUTLS_DIG_MD5 && digest != GNUTLS_DIG_SHA224,
                   "signature %s", gnutls_sign_get_name((gnutls_sign_algorithm_t)list[k]));
        }
        gnutls_priority_deinit(priorities);
    }
}
