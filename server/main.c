/* server/main.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The command line. The process keeps the "C" locale: numbers are written and compared in one way everywhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/log.h"
#include "codec/decoder_process.h"
#include "config/settings.h"
#include "handlers/openapi.h"
#include "server/app.h"
#include "server/cert_command.h"
#include "server/cert_status.h"
#include "server/check_config.h"
#include "server/command.h"
#include "server/command_check.h"
#include "server/command_import.h"
#include "server/command_reindex.h"
#include "server/signals.h"

enum { EXIT_USAGE = 2, OPENAPI_CEILING_BYTES = 1024 * 1024 };

/* The words of the command line, in their parts. */
struct command_line {
    const char *command;
    const char *file; /* --config, or NULL */
    char **settings;  /* --name value, --name=value */
    size_t setting_count;
    char **others; /* words that are neither */
    size_t other_count;
};

static const char help[] =
    "Gantry " GANTRY_VERSION ", a DICOMweb server over HTTPS.\n"
    "\n"
    "  gantry [serve] [--config FILE] [--SETTING VALUE ...]     serve until told to stop\n"
    "  gantry check-config [--config FILE] [--SETTING VALUE ...]  look for mistakes, change nothing\n"
    "  gantry check [...]         compare files with catalog and SHA-256, both ways; also beside a running "
    "server\n"
    "  gantry reindex [...]       make the catalog anew from the files; the server must be stopped\n"
    "  gantry import [...] DIR... store what lies in folders; the server must be stopped (--import-by "
    "copy|link|in-place)\n"
    "  gantry cert status [...]   each certificate: chain, names, days left, staple, what is weak\n"
    "  gantry cert init [--out FOLDER] [--name NAME]... [--client NAME]... [--days N]   a laboratory CA and "
    "what "
    "it signs\n"
    "  gantry cert csr --name NAME... [--key FILE] [--out FILE] [--rsa]                 a key and a request "
    "for a "
    "CA\n"
    "  gantry --print-settings    every setting with its meaning and default, as a file for --config\n"
    "  gantry --print-openapi     every URL as an OpenAPI document\n"
    "  gantry --version\n"
    "  gantry --help\n"
    "\n"
    "A setting is also an environment variable: --listen is GANTRY_LISTEN.\n"
    "check, reindex and import end with 0: all is well; 1: something was found or refused, and told; 2: "
    "wrong words;\n"
    "3: it could not be done; 4: stopped, and the same command goes on from there.\n"
    "cert status ends with 0: all is well; 1: something wants doing soon; 2: something is wrong.\n"
    "SIGHUP reloads settings and certificates, SIGTERM stops once what is under way is done.\n";

static int refuse_usage(const char *what)
{
    fprintf(stderr, "gantry: %s\nTry gantry --help.\n", what);
    return EXIT_USAGE;
}

/* False: the sentence is told. */
static bool read_command_line(int count, char **words, struct command_line *ret)
{
    int at = 1;
    char **lists = calloc(2 * (size_t)count + 1, sizeof *lists);

    if (!lists)
        abort();
    ret->settings = lists;
    ret->others = lists + count;
    ret->command = "serve";
    if (at < count && words[at][0] != '-')
        ret->command = words[at++];
    for (; at < count; at++) {
        if (strncmp(words[at], "--config=", strlen("--config=")) == 0) {
            ret->file = words[at] + strlen("--config=");
        } else if (strcmp(words[at], "--config") == 0) {
            if (at + 1 >= count) {
                refuse_usage("--config: the file is missing");
                return false;
            }
            ret->file = words[++at];
        } else if (words[at][0] == '-' && words[at][1] == '-') {
            ret->settings[ret->setting_count++] = words[at];
            if (!strchr(words[at], '=') && at + 1 < count)
                ret->settings[ret->setting_count++] = words[++at];
        } else {
            ret->others[ret->other_count++] = words[at];
        }
    }
    return true;
}

static bool load_settings(const struct command_line *line, struct settings **ret, struct error *err)
{
    return settings_load(line->file, line->settings, line->setting_count, ret, err);
}

static void print_finding(void *context, enum check_weight weight, const char *what, const char *remedy)
{
    (void)context;
    printf("%s: %s\n  remedy: %s\n", weight == CHECK_ERROR ? "error" : "warning", what, remedy);
}

static void log_finding(void *context, enum check_weight weight, const char *what, const char *remedy)
{
    (void)context;
    log_line(weight == CHECK_ERROR ? LOG_ERROR : LOG_WARNING, "%s (%s)", what, remedy);
}

static int run_check(const struct command_line *line)
{
    struct settings *settings = NULL;
    struct error err = { 0 };

    if (!load_settings(line, &settings, &err)) {
        print_finding(NULL, CHECK_ERROR, err.detail,
                      "gantry --print-settings lists every setting and its bounds");
        return EXIT_FAILURE;
    }
    const unsigned errors = check_config(settings, print_finding, NULL);
    settings_free(settings);
    if (errors == 0)
        puts("The configuration can be used.");
    return errors ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void reload(const struct command_line *line, struct app *app)
{
    struct settings *next = NULL;
    struct error err = { 0 };

    if (!load_settings(line, &next, &err)) {
        log_line(LOG_ERROR, "reload: %s; the settings stay as they are", err.detail);
    } else if (check_config(next, log_finding, NULL) > 0) {
        log_line(LOG_ERROR, "reload: the settings stay as they are");
        settings_free(next);
    } else {
        app_reload(app, next);
    }
}

static int serve(const struct command_line *line)
{
    struct settings *settings = NULL;
    struct app *app = NULL;
    struct error err = { 0 };

    if (!load_settings(line, &settings, &err))
        return refuse_usage(err.detail);
    if (check_config(settings, log_finding, NULL) > 0) {
        settings_free(settings);
        return EXIT_FAILURE;
    }
    if (!signals_start(&err) || !app_start(settings, &app, &err)) {
        log_line(LOG_ERROR, "%s", err.detail);
        settings_free(settings);
        return EXIT_FAILURE;
    }
    app_announce(app, stdout);
    for (enum signals_event event; (event = signals_wait()) != SIGNALS_STOP;)
        if (event == SIGNALS_RELOAD)
            reload(line, app);
        else
            app_files_changed(app);
    log_line(LOG_INFO, "stopping");
    app_stop(app);
    log_line(LOG_INFO, "stopped");
    return EXIT_SUCCESS;
}

/* check, reindex and import. */
static int run_offline(const struct command_line *line)
{
    struct settings *settings = NULL;
    struct error err = { 0 };
    int status;

    if (!load_settings(line, &settings, &err))
        return refuse_usage(err.detail);
    log_least(LOG_WARNING);
    if (strcmp(line->command, "check") == 0)
        status = command_check(settings);
    else if (strcmp(line->command, "reindex") == 0)
        status = command_reindex(settings);
    else
        status = command_import(settings, line->others, line->other_count);
    settings_free(settings);
    return status;
}

static bool is_offline(const char *command)
{
    return strcmp(command, "check") == 0 || strcmp(command, "reindex") == 0 || strcmp(command, "import") == 0;
}

static int run(const struct command_line *line)
{
    const bool takes_words = strcmp(line->command, "import") == 0;
    char complaint[120];

    if (line->other_count > 0 && !takes_words) {
        snprintf(complaint, sizeof complaint, "\"%.60s\" is one word too many", line->others[0]);
        return refuse_usage(complaint);
    }
    if (takes_words && line->other_count == 0)
        return refuse_usage("import: name the folders");
    if (is_offline(line->command))
        return run_offline(line);
    if (strcmp(line->command, "serve") == 0)
        return serve(line);
    if (strcmp(line->command, "check-config") == 0)
        return run_check(line);
    snprintf(complaint, sizeof complaint, "there is no command \"%.60s\"", line->command);
    return refuse_usage(complaint);
}

static int run_cert_status(const struct command_line *line)
{
    struct settings *settings = NULL;
    struct error err = { 0 };

    if (line->other_count > 0)
        return refuse_usage("cert status: a word too many");
    if (!load_settings(line, &settings, &err))
        return refuse_usage(err.detail);
    const int status = cert_status(settings, stdout);
    settings_free(settings);
    return status;
}

/* `words` begins at "cert". */
static int run_cert(int count, char **words)
{
    const char *what = count > 1 ? words[1] : "";
    struct command_line line = { 0 };

    if (strcmp(what, "init") == 0)
        return cert_init(words + 2, (size_t)count - 2);
    if (strcmp(what, "csr") == 0)
        return cert_csr(words + 2, (size_t)count - 2);
    if (strcmp(what, "status") != 0)
        return refuse_usage("cert: say init, csr or status");
    const int status = read_command_line(count, words, &line) ? run_cert_status(&line) : EXIT_USAGE;
    free(line.settings);
    return status;
}

static int print_openapi(void)
{
    SCOPED(buffer) struct buffer text = { 0 };

    buffer_init(&text, OPENAPI_CEILING_BYTES);
    openapi_write(&text, "/dicom-web");
    return text.overflowed || fwrite(text.data, 1, text.size, stdout) != text.size || fflush(stdout) != 0
               ? EXIT_FAILURE
               : EXIT_SUCCESS;
}

int main(int count, char **words)
{
    struct command_line line = { 0 };
    const char *first = count > 1 ? words[1] : "";

    umask(077);
    if (strcmp(first, DECODER_PROCESS_ARGUMENT) == 0)
        _exit(decoder_process_serve());
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0)
        return fputs(help, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (strcmp(first, "--version") == 0)
        return puts("gantry " GANTRY_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (strcmp(first, "--print-settings") == 0) {
        settings_print(stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(first, "--print-openapi") == 0)
        return print_openapi();
    if (strcmp(first, "cert") == 0)
        return run_cert(count - 1, words + 1);
    const int status = read_command_line(count, words, &line) ? run(&line) : EXIT_USAGE;
    free(line.settings);
    return status;
}
