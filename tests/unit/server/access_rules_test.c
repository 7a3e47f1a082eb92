/* tests/unit/server/access_rules_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who gets which roles, and which rules are told to be none.
 */
#include "server/access_rules.h"
#include "tests/support/expect.h"

enum { SEARCH = 1, READ = 2, STORE = 4, DELETE = 8 };

static char viewer_name[] = "ct3.viewers.hospital-a.example", viewer_mail[] = "x@Hospital-A.example",
            viewer_uri[] = "urn:dicom:ae:CT3";
static struct tls_peer viewer = {
    .principal = viewer_uri,
    .subject = (char *)"CN=CT 3,O=Hospital A",
    .ca = (char *)"hospital-a",
    .ca_subject = (char *)"CN=Hospital A CA,O=Hospital A",
    .names = { { TLS_NAME_DNS, viewer_name }, { TLS_NAME_EMAIL, viewer_mail }, { TLS_NAME_URI, viewer_uri } },
    .name_count = 3,
    .fingerprint = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
};

static unsigned roles_by(const char *text, const struct tls_peer *peer)
{
    struct access_rules *rules = NULL;
    struct error err = { 0 };

    if (!EXPECT(access_rules_parse(bytes_of_text(text), &rules, &err), "%s: %s", text, err.detail))
        return 0;
    const unsigned roles = access_rules_roles(rules, peer);
    access_rules_free(rules);
    return roles;
}

TEST(TLS_45_each_condition_fits_whom_it_names_and_nobody_else)
{
    static const struct {
        const char *condition;
        bool fits;
    } cases[] = {
        { "ca=hospital-a", true },
        { "ca=hospital", false },
        { "ca=hospital-ab", false },
        { "ca-subject=\"CN=Hospital A CA,O=Hospital A\"", true },
        { "ca-subject=\"CN=Hospital A CA\"", false },
        { "subject=\"CN=CT 3,O=Hospital A\"", true },
        { "subject=\"cn=ct 3,o=hospital a\"", false },
        { "dns=ct3.viewers.hospital-a.example", true },
        { "dns=CT3.Viewers.Hospital-A.Example", true },
        { "dns=*.viewers.hospital-a.example", true },
        { "dns=*.hospital-a.example", false },
        { "dns=*", false },
        { "dns=viewers.hospital-a.example", false },
        { "email=x@hospital-a.example", true },
        { "email=*@hospital-a.example", true },
        { "email=*@example", false },
        { "uri=urn:dicom:ae:CT3", true },
        { "uri=urn:dicom:ae:*", true },
        { "uri=urn:dicom:ae:CT33", false },
        { "uri=*@x", false },
        { "dns=urn:dicom:ae:CT3", false },
        { "fingerprint=00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff", true },
        { "fingerprint=10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false },
        { "any", true },
        { "anonymous", false },
        { "ca=hospital-a dns=*.viewers.hospital-a.example", true },
        { "ca=hospital-b dns=*.viewers.hospital-a.example", false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char rule[200];
        snprintf(rule, sizeof rule, "search %s", cases[i].condition);
        EXPECT((roles_by(rule, &viewer) == SEARCH) == cases[i].fits, "%s", cases[i].condition);
        EXPECT(roles_by(rule, NULL) == (strcmp(cases[i].condition, "anonymous") == 0 ? SEARCH : 0),
               "%s without a certificate", cases[i].condition);
    }
}

TEST(the_roles_of_all_rules_that_fit_are_given)
{
    static const char rules[] = "# who may what\n"
                                "\n"
                                "search,read  ca=hospital-a\r\n"
                                "\tstore  dns=*.viewers.hospital-a.example \n"
                                "delete ca=hospital-b\n"
                                "search anonymous";

    EXPECT(roles_by(rules, &viewer) == (SEARCH | READ | STORE), "%x", roles_by(rules, &viewer));
    EXPECT(roles_by(rules, NULL) == SEARCH, "%x", roles_by(rules, NULL));
    EXPECT(roles_by("", &viewer) == 0 && roles_by("# none\n", NULL) == 0, "nothing gives something");
    EXPECT(roles_by("admin any", &viewer) == (unsigned)ROLE_ADMIN_BIT, "%x", roles_by("admin any", &viewer));
}

TEST(what_is_no_rule_is_told_with_its_line)
{
    static const struct {
        const char *text, *telling;
    } cases[] = {
        { "search any\nwrite any\n", "line 2: \"write\" is no role" },
        { "search\n", "line 1: a rule without a condition" },
        { "search,,read any", "\"\" is no role" },
        { "search everyone", "\"everyone\" is no condition" },
        { "search anybody=x", "is no condition" },
        { "search dns=", "without a value" },
        { "search subject=\"CN=a", "with a quote inside it" },
        { "search fingerprint=0123", "64 hexadecimal digits" },
        { "search any any any any any any any any any", "more than 8 conditions" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct access_rules *rules = NULL;
        struct error err = { 0 };
        EXPECT(!access_rules_parse(bytes_of_text(cases[i].text), &rules, &err), "accepted %s", cases[i].text);
        EXPECT(strstr(err.detail, cases[i].telling), "\"%s\" does not tell \"%s\"", err.detail,
               cases[i].telling);
        access_rules_free(rules);
    }
    struct access_rules *rules = NULL;
    struct error err = { 0 };
    EXPECT(!access_rules_parse(bytes_of("search any\0", 11), &rules, &err), "a NUL byte");
    EXPECT(!access_rules_load("/nonexistent/rules", &rules, &err) && strstr(err.detail, "access_rules"), "%s",
           err.detail);
}
