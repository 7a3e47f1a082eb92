/* tests/unit/server/plain_http_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is a challenge, and where a request is sent. The port itself is met by tests/web/test_tls_life.py.
 */
#include "server/plain_http.h"
#include "tests/support/expect.h"

TEST(TLS_15_a_challenge_is_one_name_below_its_folder)
{
    static const struct {
        const char *target, *token; /* NULL: none */
    } cases[] = {
        { "/.well-known/acme-challenge/Tok-en_1", "Tok-en_1" },
        { "/.well-known/acme-challenge/", NULL },
        { "/.well-known/acme-challenge", NULL },
        { "/.well-known/acme-challenge/..", NULL },
        { "/.well-known/acme-challenge/a/b", NULL },
        { "/.well-known/acme-challenge/%2e%2e", NULL },
        { "/.well-known/acme-challenge/a?b", NULL },
        { "/x/.well-known/acme-challenge/a", NULL },
        { "http://x/.well-known/acme-challenge/a", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes token = { 0 };
        const bool found = plain_http_challenge(bytes_of_text(cases[i].target), &token);
        EXPECT(found == (cases[i].token != NULL), "%s", cases[i].target);
        if (found && cases[i].token)
            EXPECT_TEXT(token, cases[i].token);
    }
}

TEST(TLS_15_a_request_is_sent_to_the_same_path_by_https)
{
    static const struct {
        const char *public_url, *host, *target, *location; /* NULL: nowhere */
        unsigned port;
    } cases[] = {
        { "", "pacs.example.org", "/a?b=c", "https://pacs.example.org/a?b=c", 443 },
        { "from-host", "pacs.example.org:80", "/", "https://pacs.example.org:8443/", 8443 },
        { "", "[::1]:80", "/", "https://[::1]:8443/", 8443 },
        { "", "[::1]", "/", "https://[::1]/", 443 },
        { "https://pacs.example.org", "evil.example", "//x", "https://pacs.example.org//x", 8443 },
        { "https://example.org/pacs", "evil.example", "/y", "https://example.org/y", 443 },
        { "", "", "/", NULL, 443 },
        { "", "a b", "/", NULL, 443 },
        { "", "a/b", "/", NULL, 443 },
        { "", "pacs.example.org", "http://evil.example/", NULL, 443 },
        { "", "pacs.example.org", "*", NULL, 443 },
        { "", "pacs.example.org", "/a\r\nb", NULL, 443 },
        { "", "pacs.example.org", "/\xc3\xa4", NULL, 443 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char location[200];
        const bool found =
            plain_http_location(cases[i].public_url, cases[i].port, bytes_of_text(cases[i].host),
                                bytes_of_text(cases[i].target), location, sizeof location);
        EXPECT(found == (cases[i].location != NULL), "%s %s", cases[i].host, cases[i].target);
        if (found && cases[i].location)
            EXPECT_TEXT(bytes_of_text(location), cases[i].location);
    }
    char small[20];
    EXPECT(!plain_http_location("", 443, bytes_of_text("pacs.example.org"), bytes_of_text("/"), small,
                                sizeof small),
           "it does not fit");
}
