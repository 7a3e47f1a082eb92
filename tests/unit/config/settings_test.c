/* tests/unit/config/settings_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Settings from file, environment and command line; config/gantry.ini is what --print-settings prints.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "config/settings.h"
#include "tests/support/expect.h"
#include "tests/support/source_file.h"

/* Loads from the text of a file (or NULL) and up to two arguments. */
static struct settings *load(const char *text, const char *first, const char *second, struct error *err)
{
    char path[] = "/tmp/gantry-settings-XXXXXX";
    char *arguments[] = { (char *)first, (char *)second };
    struct settings *settings = NULL;

    if (text) {
        const int fd = mkstemp(path);
        if (fd < 0 || !file_write(fd, bytes_of_text(text), err))
            abort();
        close(fd);
    }
    if (!settings_load(text ? path : NULL, arguments, first ? (second ? 2 : 1) : 0, &settings, err))
        settings = NULL;
    if (text)
        unlink(path);
    return settings;
}

static void expect_refused(const char *text, const char *argument, const char *telling)
{
    struct error err = { 0 };
    struct settings *settings = load(text, argument, NULL, &err);

    EXPECT(!settings, "accepted \"%s\"", text ? text : argument);
    EXPECT(strstr(err.detail, telling), "\"%s\" does not tell \"%s\"", err.detail, telling);
    settings_free(settings);
}

TEST(defaults_come_from_the_table)
{
    struct error err = { 0 };
    struct settings *settings = load(NULL, NULL, NULL, &err);

    if (!EXPECT(settings, "%s", err.detail))
        return;
    EXPECT_TEXT(bytes_of_text(settings->listen), "127.0.0.1:443");
    EXPECT_TEXT(bytes_of_text(settings->duplicates), "reject");
    EXPECT_TEXT(bytes_of_text(settings->tls_key), "");
    EXPECT(settings->block_budget == 268435456, "%zu", (size_t)settings->block_budget);
    settings_free(settings);
}

TEST(the_command_line_wins_over_the_environment_and_that_over_the_file)
{
    static const char file[] = "listen = a:1\n  data=/x ; why\n\n; note\nworkers = 3\n";
    struct error err = { 0 };

    setenv("GANTRY_LISTEN", "b:2", 1);
    setenv("GANTRY_WORKERS", "5", 1);
    struct settings *settings = load(file, "--workers", "7", &err);
    unsetenv("GANTRY_LISTEN");
    unsetenv("GANTRY_WORKERS");
    if (!EXPECT(settings, "%s", err.detail))
        return;
    EXPECT_TEXT(bytes_of_text(settings->data), "/x");
    EXPECT_TEXT(bytes_of_text(settings->listen), "b:2");
    EXPECT(settings->workers == 7, "%zu", (size_t)settings->workers);
    settings_free(settings);
}

TEST(an_option_may_have_dashes_underscores_and_an_equals_sign)
{
    static const char *const spellings[] = { "--base-path=/d=1", "--base_path=/d=1" };

    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        struct error err = { 0 };
        struct settings *settings = load(NULL, spellings[i], NULL, &err);
        if (EXPECT(settings, "%s: %s", spellings[i], err.detail))
            EXPECT_TEXT(bytes_of_text(settings->base_path), "/d=1");
        settings_free(settings);
    }
    struct error err = { 0 };
    struct settings *settings = load(NULL, "--base-path", "", &err);
    if (EXPECT(settings, "%s", err.detail))
        EXPECT_TEXT(bytes_of_text(settings->base_path), "");
    settings_free(settings);
}

TEST(a_bad_value_is_told_with_its_name_unit_bounds_and_origin)
{
    expect_refused("\n\nworkers = 257\n", NULL, "line 3: /tmp/");
    expect_refused("workers = 257\n", NULL, "workers must be a number of threads from 0 to 256, not \"257\"");
    expect_refused(NULL, "--workers=-1", "command line, --workers");
    expect_refused(NULL, "--workers=1x", "from 0 to 256");
    expect_refused(NULL, "--workers=", "from 0 to 256");
    expect_refused(NULL, "--duplicates=maybe", "reject|replace|keep");
    expect_refused(NULL, "--duplicates=", "reject|replace|keep");
    expect_refused(NULL, "--listen=", "1 to 1024 characters");
    expect_refused(NULL, "--data=a\nb", "control character");
    expect_refused(NULL, "--workers", "value is missing");

    setenv("GANTRY_WORKERS", "many", 1);
    expect_refused(NULL, NULL, "environment, GANTRY_WORKERS");
    unsetenv("GANTRY_WORKERS");
}

TEST(what_is_not_a_setting_is_refused)
{
    expect_refused("colour = red\n", NULL, "no setting \"colour\"");
    expect_refused("[server]\nworkers = 2\n", NULL, "sections");
    expect_refused("workers\n", NULL, "name = value");
    expect_refused("listen = a:1\n  b:2\n", NULL, "line 2");
    expect_refused(NULL, "--colour=red", "no setting \"colour\"");
    expect_refused(NULL, "--=red", "no setting \"\"");
    expect_refused(NULL, "serve", "not understood");
    expect_refused(NULL, "--", "not understood");
}

TEST(a_line_that_the_library_would_cut_is_refused)
{
    char text[400] = "workers = 2\ncors_origins = ";
    const size_t start = strlen(text);

    memset(text + start, 'x', 300);
    expect_refused(text, NULL, "line 2: longer than");
}

TEST(a_missing_file_is_told)
{
    struct error err = { 0 };
    struct settings *settings = NULL;

    EXPECT(!settings_load("/nonexistent/gantry.ini", NULL, 0, &settings, &err), "loaded");
    EXPECT(strstr(err.detail, "/nonexistent/gantry.ini"), "%s", err.detail);
}

TEST(a_variable_that_is_no_setting_stops_nothing)
{
    struct error err = { 0 };

    setenv("GANTRY_PORT_443_TCP", "tcp://10.0.0.1:443", 1); /* as Kubernetes sets them */
    struct settings *settings = load(NULL, NULL, NULL, &err);
    unsetenv("GANTRY_PORT_443_TCP");
    EXPECT(settings, "%s", err.detail);
    settings_free(settings);
}

static char named[200];
static void note(const char *name)
{
    strcat(named, name);
    strcat(named, " ");
}

TEST(settings_that_need_a_restart_are_named)
{
    struct error err = { 0 };
    struct settings *now = load("workers = 2\ndata = a\nmax_results = 5\n", NULL, NULL, &err);
    struct settings *next = load("workers = 3\ndata = b\nmax_results = 6\n", NULL, NULL, &err);

    if (!EXPECT(now && next, "%s", err.detail))
        return;
    named[0] = '\0';
    EXPECT(settings_restart_needed(now, next, note) == 2, "%s", named);
    EXPECT_TEXT(bytes_of_text(named), "data workers ");
    named[0] = '\0';
    EXPECT(settings_restart_needed(now, now, note) == 0, "%s", named);
    settings_free(now);
    settings_free(next);
}

/* The printed file, with every setting uncommented, must be loadable and change nothing. */
TEST(what_is_printed_can_be_loaded)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    struct error err = { 0 };

    settings_print(to);
    fclose(to);
    for (char *at = text; (at = strchr(at, '#')); at++)
        if (at[1] != ' ')
            *at = ' ';
    struct settings *settings = load(text, NULL, NULL, &err), *plain = load(NULL, NULL, NULL, &err);
    if (EXPECT(settings && plain, "%s", err.detail))
        EXPECT(settings_restart_needed(plain, settings, note) == 0, "%s", named);
    settings_free(settings);
    settings_free(plain);
    free(text);
}

TEST(the_shipped_file_is_current)
{
    char path[SOURCE_FILE_ROOM], *text = NULL, *shipped = NULL;
    size_t size = 0, shipped_size = 0;
    struct error err = { 0 };

    source_file("config/gantry.ini", path);
    FILE *to = open_memstream(&text, &size);
    settings_print(to);
    fclose(to);
    if (!file_read_all(path, 1 << 20, &shipped, &shipped_size, &err))
        EXPECT(false, "%s", err.detail);
    else
        EXPECT(bytes_equal(bytes_of(text, size), bytes_of(shipped, shipped_size)),
               "config/gantry.ini is old: write it anew with gantry --print-settings");
    free(shipped);
    free(text);
}
