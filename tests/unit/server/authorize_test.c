/* tests/unit/server/authorize_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is allowed by the settings and the rules, and how a refusal reads.
 */
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "server/authorize.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

static struct access *load(const char *first, const char *second, const char *third)
{
    char *arguments[] = { (char *)first, (char *)second, (char *)third };
    struct settings *settings = NULL;
    struct access *access = NULL;
    struct error err = { 0 };

    if (!settings_load(NULL, arguments, 3, &settings, &err) || !access_load(settings, &access, &err))
        EXPECT(false, "%s", err.detail);
    settings_free(settings);
    return access;
}

static struct tls_peer somebody = {
    .principal = (char *)"dns:a", .subject = (char *)"", .ca = (char *)"a", .ca_subject = (char *)""
};

TEST(without_authentication_everyone_may_do_everything)
{
    struct error err = { 0 };

    EXPECT(!load("--auth=auto", "--client-certificates=off", "--client-ca=x"), "rules without certificates");
    EXPECT(!load("--auth=none", "--client-certificates=required", "--client-ca=x"), "rules with auth = none");
    EXPECT(authorize(NULL, NULL, SCOPE_DELETE, &err), "%s", err.detail);
}

TEST(what_is_not_given_is_refused_with_the_role_that_it_needs)
{
    const struct temp_folder folder = temp_folder_new();
    char path[600], argument[700];
    struct error err = { 0 };

    snprintf(path, sizeof path, "%s/rules", folder.path);
    snprintf(argument, sizeof argument, "--access-rules=%s", path);
    if (!file_replace(path, bytes_of_text("search,read ca=a\n"), 0600, &err))
        abort();
    struct access *access = load("--client-certificates=optional", "--client-ca=x", argument);
    somebody.expires_unix_s = time(NULL) + 1000;
    EXPECT(authorize(access, &somebody, SCOPE_QUERY, &err) &&
               authorize(access, &somebody, SCOPE_READ, &err) && authorize(access, NULL, SCOPE_NONE, &err),
           "%s", err.detail);
    EXPECT(!authorize(access, &somebody, SCOPE_WRITE, &err) && err.fault == FAULT_FORBIDDEN &&
               strstr(err.told, "\"store\", which storing needs"),
           "%s", err.told);
    EXPECT(!authorize(access, NULL, SCOPE_READ, &err) && strstr(err.told, "without a client certificate"),
           "%s", err.told);
    somebody.expires_unix_s = time(NULL) - 1;
    EXPECT(!authorize(access, &somebody, SCOPE_READ, &err) && strstr(err.told, "has expired"), "%s",
           err.told);

    struct access *again = load("--client-certificates=optional", "--client-ca=x", argument);
    EXPECT(access_same(access, again) && !access_same(access, NULL) && access_same(NULL, NULL),
           "not the same");
    access_free(again);
    access_free(access);
    temp_folder_remove(&folder);
}

TEST(every_route_has_a_scope_that_a_role_covers)
{
    const struct temp_folder folder = temp_folder_new();
    char path[600], argument[700];
    struct error err = { 0 };
    unsigned guarded = 0;

    snprintf(path, sizeof path, "%s/rules", folder.path);
    snprintf(argument, sizeof argument, "--access-rules=%s", path);
    if (!file_replace(path, bytes_of_text("search,read,store,delete any\n"), 0600, &err))
        abort();
    struct access *access = load("--client-certificates=optional", "--client-ca=x", argument);
    somebody.expires_unix_s = time(NULL) + 1000;
    for (size_t i = 0; route_at(i); i++) {
        const struct route *route = route_at(i);
        error_clear(&err);
        EXPECT(authorize(access, &somebody, route->scope, &err), "%s: %s", route->pattern, err.detail);
        EXPECT(route->scope == SCOPE_NONE || !authorize(access, NULL, route->scope, &err),
               "%s is open to all", route->pattern);
        guarded += route->scope != SCOPE_NONE;
    }
    EXPECT(guarded > 10, "%u routes are guarded", guarded);
    access_free(access);
    temp_folder_remove(&folder);
}
