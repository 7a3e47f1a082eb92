/* tests/unit/server/check_config_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is told about settings that are each within bounds and yet cannot work.
 */
#include <sys/stat.h>

#include "config/settings.h"
#include "server/check_config.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

static char told[4000];
static unsigned warnings, errors;

static void note(void *context, enum check_weight weight, const char *what, const char *remedy)
{
    (void)context;
    *(weight == CHECK_ERROR ? &errors : &warnings) += 1;
    EXPECT(remedy && remedy[0], "\"%s\" has no remedy", what);
    strncat(told, what, sizeof told - strlen(told) - 2);
    strcat(told, "\n");
}

/* Checks the defaults with one or two of them changed; returns the number of errors. */
static unsigned check(const char *data, const char *first, const char *second)
{
    char data_argument[600];
    char *arguments[] = { data_argument, (char *)first, (char *)second };
    struct settings *settings = NULL;
    struct error err = { 0 };

    told[0] = '\0';
    warnings = errors = 0;
    snprintf(data_argument, sizeof data_argument, "--data=%s", data);
    if (!settings_load(NULL, arguments, 1u + (first ? 1u : 0u) + (second ? 1u : 0u), &settings, &err)) {
        EXPECT(false, "%s", err.detail);
        return 0;
    }
    const unsigned found = check_config(settings, note, NULL);
    EXPECT(found == errors, "%u returned, %u reported", found, errors);
    settings_free(settings);
    return found;
}

TEST(the_defaults_are_fine)
{
    const struct temp_folder folder = temp_folder_new();
    char below[600];

    EXPECT(check(folder.path, NULL, NULL) == 0, "%s", told);
    snprintf(below, sizeof below, "%s/a/b", folder.path); /* will be made */
    EXPECT(check(below, NULL, NULL) == 0, "%s", told);
    temp_folder_remove(&folder);
}

TEST(what_cannot_work_is_an_error_with_a_remedy)
{
    static const struct {
        const char *argument, *telling;
    } cases[] = {
        { "--listen=localhost", "has no port" },
        { "--listen=example.org:443", "is no address" },
        { "--public-url=pacs.example.org", "public_url" },
        { "--public-url=https://pacs.example.org/", "public_url" },
        { "--public-url=https://", "public_url" },
        { "--public-url=https:///x", "public_url" },
        { "--public-url=https://pacs.example.org/x?y", "public_url" },
        { "--trusted-proxies=proxy.example", "trusted_proxies" },
        { "--base-path=dicom-web", "base_path" },
        { "--base-path=/dicom web", "base_path" },
        { "--base-path=/a?b", "base_path" },
        { "--cors-origins=viewer.example.org", "cors_origins" },
        { "--cors-origins=https://a.example https://b.example/x", "cors_origins" },
        { "--tls-key=/etc/key.pem", "as many files each" },
        { "--tls-certificate=/etc/cert.pem", "as many files each" },
        { "--tls-folder=/nonexistent", "tls_folder /nonexistent" },
        { "--listen=0.0.0.0:443", "no authentication is configured" },
        { "--listen=127.0.0.1:443,*:8443", "no authentication is configured" },
        { "--listen=[::]:443", "no authentication is configured" },
        { "--client-certificates=required", "there is no client_ca" },
    };
    const struct temp_folder folder = temp_folder_new();

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT(check(folder.path, cases[i].argument, NULL) == 1 && strstr(told, cases[i].telling), "%s: %s",
               cases[i].argument, told);
    EXPECT(check(folder.path, "--tls-certificate=/nonexistent/c", "--tls-key=/nonexistent/k") == 1 &&
               strstr(told, "/nonexistent/c"),
           "%s", told);
    temp_folder_remove(&folder);
}

TEST(who_serves_others_than_this_machine_must_say_how_they_are_known)
{
    static const struct {
        const char *listen, *auth;
        unsigned errors;
    } cases[] = {
        { "--listen=127.0.0.1:443,[::1]:443,localhost:8443", "--auth=auto", 0 },
        { "--listen=127.8.9.10:443", "--auth=auto", 0 },
        { "--listen=192.0.2.1:443", "--auth=auto", 1 },
        { "--listen=[2001:db8::1]:443", "--auth=auto", 1 },
        { "--listen=*:443", "--auth=none", 0 },
    };
    const struct temp_folder folder = temp_folder_new();

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT(check(folder.path, cases[i].listen, cases[i].auth) == cases[i].errors, "%s: %s",
               cases[i].listen, told);
    EXPECT(strstr(told, "whoever reaches *:443"), "%s", told); /* of the last one, a warning */
    temp_folder_remove(&folder);
}

TEST(a_font_that_cannot_be_read_is_told)
{
    const struct temp_folder folder = temp_folder_new();

    EXPECT(check(folder.path, "--font=/nonexistent.ttf", NULL) == 0 && warnings == 1 &&
               strstr(told, "/nonexistent.ttf"),
           "%s", told);
    EXPECT(check(folder.path, "--font=/etc/passwd", NULL) == 0 && warnings == 1, "%s", told);
    temp_folder_remove(&folder);
}

TEST(good_names_are_taken)
{
    static const char *const good[] = { "--public-url=https://pacs.example.org:8443",
                                        "--public-url=http://10.0.0.1",
                                        "--public-url=from-host",
                                        "--base-path=",
                                        "--base-path=/a/b-c_d/",
                                        "--cors-origins=",
                                        "--cors-origins=*",
                                        "--cors-origins=https://a.example http://localhost:3000" };
    const struct temp_folder folder = temp_folder_new();

    for (size_t i = 0; i < COUNT_OF(good); i++)
        EXPECT(check(folder.path, good[i], NULL) == 0, "%s: %s", good[i], told);
    temp_folder_remove(&folder);
}

TEST(the_data_folder_is_looked_at)
{
    const struct temp_folder folder = temp_folder_new();
    char file[600];

    snprintf(file, sizeof file, "%s/file", folder.path);
    fclose(fopen(file, "w"));
    EXPECT(check(file, NULL, NULL) == 1 && strstr(told, "is not a folder"), "%s", told);
    EXPECT(check(folder.path, "--free-space-floor=1099511627776", NULL) == 0, "%s", told);
    chmod(folder.path, 0755);
    EXPECT(check(folder.path, NULL, NULL) == 0 && strstr(told, "others can look into"), "%s", told);
    temp_folder_remove(&folder);
}

TEST(what_contradicts_itself_is_warned_of)
{
    const struct temp_folder folder = temp_folder_new();

    EXPECT(check(folder.path, "--request-ceiling=1048576", NULL) == 0 &&
               strstr(told, "instance_ceiling is above"),
           "%s", told);
    EXPECT(check(folder.path, "--connections=16", NULL) == 0 && strstr(told, "peek_connections is above"),
           "%s", told);
    EXPECT(check(folder.path, "--open-files=1000000", "--connections=100000") == 0, "%s", told);
    temp_folder_remove(&folder);
}
