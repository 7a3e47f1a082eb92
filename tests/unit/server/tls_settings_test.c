/* tests/unit/server/tls_settings_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lists and folders of certificates become pairs.
 */
#include "server/tls_settings.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

static struct settings *settings;

static struct tls_settings *make(const char *first, const char *second, struct error *err)
{
    char *arguments[] = { (char *)first, (char *)second };
    struct tls_settings *tls = NULL;

    settings_free(settings);
    settings = NULL;
    if (!settings_load(NULL, arguments, second ? 2 : first ? 1 : 0, &settings, err))
        abort();
    return tls_settings_make(settings, &tls, err) ? tls : NULL;
}

static void touch(const char *folder, const char *name)
{
    char path[800];
    struct error err = { 0 };

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!file_replace(path, bytes_of_text("x"), 0600, &err))
        abort();
}

TEST(lists_are_paired_in_their_order)
{
    struct error err = { 0 };
    struct tls_settings *tls = make("--tls-certificate=/a.pem, /b.pem", "--tls-key=/a.key,/b.key", &err);

    if (EXPECT(tls && tls->options.file_count == 2 && !tls->throwaway, "%s", err.detail)) {
        EXPECT_TEXT(bytes_of_text(tls->files[1].certificate), "/b.pem");
        EXPECT_TEXT(bytes_of_text(tls->files[1].key), "/b.key");
    }
    tls_settings_free(tls);
    static const char *const uneven[][2] = { { "--tls-certificate=/a.pem,/b.pem", "--tls-key=/a.key" },
                                             { "--tls-certificate=/a.pem", "--tls-key=/a.key,/b.key" },
                                             { "--tls-certificate=/a.pem,", "--tls-key=/a.key," },
                                             { "--tls-certificate=", "--tls-key=/a.key" } };
    for (size_t i = 0; i < COUNT_OF(uneven); i++) {
        tls = make(uneven[i][0], uneven[i][1], &err);
        EXPECT(!tls, "%s %s", uneven[i][0], uneven[i][1]);
        tls_settings_free(tls);
    }
    settings_free(settings);
    settings = NULL;
}

TEST(without_any_it_is_the_throwaway_one)
{
    struct error err = { 0 };
    struct tls_settings *tls = make("--data=/x", NULL, &err);

    if (EXPECT(tls && tls->throwaway && tls->options.file_count == 1, "%s", err.detail))
        EXPECT_TEXT(bytes_of_text(tls->files[0].key), "/x/tls/server.key");
    tls_settings_free(tls);
    settings_free(settings);
    settings = NULL;
}

TEST(a_folder_gives_the_pairs_that_are_whole)
{
    const struct temp_folder folder = temp_folder_new();
    struct error err = { 0 };
    char argument[700], sub[700];

    snprintf(argument, sizeof argument, "--tls-folder=%s", folder.path);
    struct tls_settings *tls = make(argument, NULL, &err);
    EXPECT(!tls && strstr(err.detail, "holds no certificate"), "%s", err.detail);
    snprintf(sub, sizeof sub, "%s/live", folder.path);
    if (mkdir(sub, 0700) != 0)
        abort();
    touch(sub, "fullchain.pem");
    touch(sub, "privkey.pem");
    static const char *const names[] = { "a.pem",       "a.key",       "b.crt",     "b.key",
                                         "lonely.pem",  "keyless.crt", "alone.key", ".hidden.key",
                                         ".hidden.pem", "README" };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        touch(folder.path, names[i]);
    tls = make(argument, NULL, &err);
    if (EXPECT(tls && tls->options.file_count == 3, "%u, %s", tls ? tls->options.file_count : 0,
               err.detail)) {
        EXPECT(strstr(tls->files[0].certificate, "/a.pem") && strstr(tls->files[0].key, "/a.key"), "%s",
               tls->files[0].certificate);
        EXPECT(strstr(tls->files[1].certificate, "/b.crt"), "%s", tls->files[1].certificate);
        EXPECT(strstr(tls->files[2].certificate, "/live/fullchain.pem"), "%s", tls->files[2].certificate);
    }
    tls_settings_free(tls);
    settings_free(settings);
    settings = NULL;
    temp_folder_remove(&folder);
}
