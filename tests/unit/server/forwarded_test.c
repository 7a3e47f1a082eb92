/* tests/unit/server/forwarded_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "server/forwarded.h"

static struct proxies *parse(const char *text)
{
    struct proxies *proxies = NULL;
    struct error err = { 0 };

    EXPECT(proxies_parse(text, &proxies, &err), "%s", err.detail);
    return proxies;
}

static bool has(const struct proxies *proxies, const char *address)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
    struct sockaddr_in four = { .sin_family = AF_INET };

    if (inet_pton(AF_INET, address, &four.sin_addr) == 1)
        return proxies_have(proxies, (struct sockaddr *)&four);
    EXPECT(inet_pton(AF_INET6, address, &six.sin6_addr) == 1, "%s", address);
    return proxies_have(proxies, (struct sockaddr *)&six);
}

TEST(HTP_19_proxies_are_addresses_and_networks_of_both_kinds)
{
    static const struct {
        const char *list, *address;
        bool want;
    } cases[] = {
        { "", "10.0.0.1", false },
        { "10.0.0.1", "10.0.0.1", true },
        { "10.0.0.1", "10.0.0.2", false },
        { "10.0.0.1", "::ffff:10.0.0.1", true },
        { "::ffff:10.0.0.1", "10.0.0.1", true },
        { "10.0.0.0/8", "10.255.3.4", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "192.168.4.0/23", "192.168.5.255", true },
        { "192.168.4.0/23", "192.168.6.0", false },
        { "0.0.0.0/0", "1.2.3.4", true },
        { "0.0.0.0/0", "fd00::1", false },
        { "::/0", "fd00::1", true },
        { "::/0", "1.2.3.4", true },
        { "fd00::/8", "fdff::9", true },
        { "fd00::/8", "fe00::9", false },
        { "fd00::/9", "fd80::9", false },
        { "1.1.1.1 , 2.2.2.2,fd00::1", "fd00::1", true },
        { "1.1.1.1\t2.2.2.2", "2.2.2.2", true },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct proxies *proxies = parse(cases[i].list);
        EXPECT(has(proxies, cases[i].address) == cases[i].want, "\"%s\" and %s", cases[i].list,
               cases[i].address);
        EXPECT(proxies_are_none(proxies) == (cases[i].list[0] == '\0'), "\"%s\"", cases[i].list);
        proxies_free(proxies);
    }
    EXPECT(!has(NULL, "10.0.0.1"), "nothing has something");
    proxies_free(NULL);
}

TEST(what_is_no_address_is_refused)
{
    static const char *const bad[] = { "proxy.example", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                                       "fd00::/129",    "::1/x",  "10.0.0.1:80", "1.2.3.4,,x" };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct proxies *proxies = NULL;
        struct error err = { 0 };
        EXPECT(!proxies_parse(bad[i], &proxies, &err) && err.fault == FAULT_MALFORMED &&
                   strstr(err.detail, "trusted_proxies"),
               "\"%s\" was taken", bad[i]);
    }
}

TEST(HTP_19_the_base_is_that_of_the_outermost_proxy_of_ours)
{
    static const struct {
        const char *fields[4][2];
        const char *want; /* NULL: not said */
    } cases[] = {
        { { { "host", "inner:8443" } }, "https://inner:8443" },
        { { { "host", "inner" }, { "x-forwarded-host", "pacs.example" } }, "https://pacs.example" },
        { { { "host", "inner" }, { "x-forwarded-host", "pacs.example" }, { "x-forwarded-proto", "http" } },
          "http://pacs.example" },
        { { { "host", "pacs.example" }, { "x-forwarded-prefix", "/pacs/" } }, "https://pacs.example/pacs" },
        { { { "host", "a" }, { "x-forwarded-prefix", "//evil.example" } }, "https://a" },
        { { { "host", "a" }, { "x-forwarded-prefix", "/a\"b" } }, "https://a" },
        { { { "host", "a" }, { "x-forwarded-proto", "javascript" } }, NULL },
        { { { "host", "a" }, { "x-forwarded-host", "b/c" } }, NULL },
        { { { "host", "a" }, { "x-forwarded-host", "b c" } }, NULL },
        /* One proxy: what stands left of its own entry the client wrote. */
        { { { "host", "a" },
            { "x-forwarded-host", "evil.example, pacs.example" },
            { "x-forwarded-for", "1.2.3.4" } },
          "https://pacs.example" },
        /* Two proxies, 10.0.0.2 in front of 10.0.0.1. */
        { { { "host", "a" },
            { "x-forwarded-for", "1.2.3.4, 10.0.0.2" },
            { "x-forwarded-host", "evil.example, pacs.example, inner" },
            { "x-forwarded-proto", "http, https, http" } },
          "https://pacs.example" },
        { { { "host", "a" }, { "forwarded", "host=pacs.example;proto=https" } }, "https://pacs.example" },
        { { { "host", "a" }, { "forwarded", "For=1.2.3.4; Host=\"pacs.example:8443\" ;PROTO=http" } },
          "http://pacs.example:8443" },
        { { { "host", "a" }, { "forwarded", "host=evil.example, for=1.2.3.4;host=pacs.example" } },
          "https://pacs.example" },
        { { { "host", "a" },
            { "forwarded", "host=pacs.example;proto=https, for=10.0.0.2;host=inner;proto=http" } },
          "https://pacs.example" },
        { { { "host", "a" },
            { "forwarded", "host=evil.example, for=\"[2001:db8::1]:47\";host=pacs.example, "
                           "for=\"[fd00::2]:80\";host=inner" } },
          "https://pacs.example" },
        { { { "host", "a" }, { "forwarded", "for=\"x,y\";host=pacs.example" } }, "https://pacs.example" },
        { { { "host", "a" }, { "forwarded", "for=_hidden" } }, "https://a" },
        { { { "host", "a" }, { "forwarded", "host=\"b\\\"c\"" } }, NULL },
        { { { "host", "a" }, { "forwarded", " , " }, { "x-forwarded-host", "b" } }, "https://b" },
    };
    struct proxies *proxies = parse("10.0.0.0/8, fd00::/8");

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct request request = { .arena = &arena };

        for (size_t k = 0; k < 4 && cases[i].fields[k][0]; k++)
            fields_add(&request.headers, &arena, bytes_of_text(cases[i].fields[k][0]),
                       bytes_of_text(cases[i].fields[k][1]));
        const char *base = forwarded_base(proxies, &request);
        EXPECT(base && cases[i].want ? strcmp(base, cases[i].want) == 0 : !base && !cases[i].want,
               "case %zu: %s, want %s", i, base ? base : "(none)", cases[i].want ? cases[i].want : "(none)");
        arena_release(&arena);
    }
    proxies_free(proxies);
}
