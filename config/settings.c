/* config/settings.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The settings table as loops: one table from config/settings.def, and for each direction (file, environment,
 * command line, the printed gantry.ini) a walk over it. What the values mean to each other (a key without a
 * certificate) is server/check_config.c's.
 */
#include "config/settings.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"

enum { FILE_CEILING_BYTES = 1 << 20, NAME_CEILING_BYTES = 64 };
/* libinih cuts longer lines in two without a word. */
enum { LINE_CEILING_BYTES = 198 };

enum kind { KIND_TEXT, KIND_NUMBER, KIND_CHOICE };
struct setting {
    enum kind kind;
    const char *name, *unit, *otherwise;
    uint64_t least, most; /* of a text: its length */
    const char *words;    /* of a choice */
    bool reload;
    const char *meaning;
    size_t offset; /* in struct settings */
};

static const struct setting table[] = {
#define TEXT(name, unit, otherwise, least, most, reload, meaning) \
    { \
        KIND_TEXT, #name, unit, otherwise, least, most, NULL, reload, meaning, offsetof(struct settings, name) \
    },
#define NUMBER(name, unit, otherwise, least, most, reload, meaning) \
    { KIND_NUMBER, #name, unit,   #otherwise, least, \
      most,        NULL,  reload, meaning,    offsetof(struct settings, name) },
#define CHOICE(name, words, otherwise, reload, meaning) \
    { KIND_CHOICE, #name, NULL, otherwise, 0, 0, words, reload, meaning, offsetof(struct settings, name) },
#include "config/settings.def"
#undef TEXT
#undef NUMBER
#undef CHOICE
};

extern char **environ;

/* Values as they come in; the later ones win. */
struct loading {
    char *texts[COUNT_OF(table)]; /* owned; not for numbers */
    uint64_t numbers[COUNT_OF(table)];
    const char *file; /* for messages */
    struct error *err;
};

static void loading_drop(struct loading *loading)
{
    for (size_t i = 0; i < COUNT_OF(table); i++)
        free(loading->texts[i]);
}

/* Takes dashes for underscores and capitals for small letters. */
static const struct setting *find_setting(struct bytes name)
{
    char plain[NAME_CEILING_BYTES];

    if (name.size >= sizeof plain)
        return NULL;
    for (size_t i = 0; i < name.size; i++)
        plain[i] = name.data[i] == '-' ? '_' : (char)name.data[i];
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (bytes_equal_nocase(bytes_of(plain, name.size), bytes_of_text(table[i].name)))
            return &table[i];
    return NULL;
}

static bool is_word_of(const char *words, const char *value)
{
    struct bytes rest = bytes_of_text(words);

    while (rest.data)
        if (bytes_equal_text(bytes_cut(&rest, '|'), value))
            return true;
    return false;
}

static bool check_text(const struct setting *setting, const char *value, const char *origin,
                       struct error *err)
{
    const size_t size = strlen(value);

    for (size_t i = 0; i < size; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7F)
            return error_set(err, FAULT_MALFORMED, "%s: %s has a control character", origin, setting->name);
    if (size < setting->least || size > setting->most)
        return error_set(err, FAULT_MALFORMED,
                         "%s: %s (%s) must have %" PRIu64 " to %" PRIu64 " characters, it has %zu", origin,
                         setting->name, setting->unit, setting->least, setting->most, size);
    return true;
}

static bool assign(struct loading *loading, const struct setting *setting, const char *value,
                   const char *origin)
{
    const size_t index = (size_t)(setting - table);
    struct error *err = loading->err;

    switch (setting->kind) {
    case KIND_NUMBER:
        if (!number_parse(bytes_of_text(value), setting->least, setting->most, &loading->numbers[index]))
            return error_set(err, FAULT_MALFORMED,
                             "%s: %s must be a number of %s from %" PRIu64 " to %" PRIu64 ", not \"%.40s\"",
                             origin, setting->name, setting->unit, setting->least, setting->most, value);
        return true;
    case KIND_CHOICE:
        if (!is_word_of(setting->words, value))
            return error_set(err, FAULT_MALFORMED, "%s: %s must be one of %s, not \"%.40s\"", origin,
                             setting->name, setting->words, value);
        break;
    case KIND_TEXT:
        if (!check_text(setting, value, origin, err))
            return false;
        break;
    }
    char *copy = strdup(value);
    if (!copy)
        return error_set(err, FAULT_BUSY, "no memory for %s", setting->name);
    free(loading->texts[index]);
    loading->texts[index] = copy;
    return true;
}

static bool assign_named(struct loading *loading, struct bytes name, const char *value, const char *origin)
{
    const struct setting *setting = find_setting(name);

    if (!setting)
        return error_set(loading->err, FAULT_MALFORMED,
                         "%s: there is no setting \"%.*s\" (gantry --print-settings lists them)", origin,
                         name.size > 60 ? 60 : (int)name.size, (const char *)name.data);
    return assign(loading, setting, value, origin);
}

/* For libinih: 0 is a failure, and it goes on after one; the first is the one to tell. */
static int take_line(void *context, const char *section, const char *name, const char *value)
{
    struct loading *loading = context;

    if (loading->err->fault)
        return 0;
    if (section[0])
        return error_set(loading->err, FAULT_MALFORMED, "%s: sections as [%.40s] are not used", loading->file,
                         section);
    return assign_named(loading, bytes_of_text(name), value, loading->file);
}

/* libinih takes an indented line for more of the setting above it, and cuts long lines, comments too: indents
 * and comments are taken out, long lines refused. Line numbers stay. */
static bool make_plain(char *text, size_t size, const char *path, struct error *err)
{
    size_t to = 0, column = 0;
    bool comment = false;
    unsigned line = 1;

    for (size_t from = 0; from < size; from++) {
        const char c = text[from];
        if (c == '\0')
            return error_set(err, FAULT_MALFORMED, "%s, line %u: has a NUL byte", path, line);
        if (column == 0 && (c == ' ' || c == '\t'))
            continue;
        if (c == '\n') {
            text[to++] = c;
            line++;
            column = 0;
            comment = false;
            continue;
        }
        comment = comment || (column == 0 && (c == '#' || c == ';'));
        if (comment)
            continue;
        if (++column > LINE_CEILING_BYTES)
            return error_set(
                err, FAULT_MALFORMED,
                "%s, line %u: longer than %d characters; set this one in the environment or on the "
                "command line",
                path, line, LINE_CEILING_BYTES);
        text[to++] = c;
    }
    text[to] = '\0';
    return true;
}

static bool load_file(struct loading *loading, const char *path)
{
    struct error *err = loading->err;
    char *text = NULL;
    size_t size = 0;

    if (!file_read_all(path, FILE_CEILING_BYTES, &text, &size, err))
        return error_while(err, "reading the settings");
    if (!make_plain(text, size, path, err)) {
        free(text);
        return false;
    }
    loading->file = path;
    const int bad_line = ini_parse_string(text, take_line, loading);
    free(text);
    if (bad_line == 0)
        return true;
    if (!err->fault)
        return error_set(err, FAULT_MALFORMED, "%s: not a line of the form name = value", path);
    return error_while(err, "line %d", bad_line);
}

/* Names that others put there: the service links of a Kubernetes service called gantry, and the tests' own.
 */
static bool is_foreign(struct bytes name)
{
    static const char *const foreign[] = { "SERVICE_", "PORT", "TEST_" };

    for (size_t i = 0; i < COUNT_OF(foreign); i++)
        if (bytes_starts_with(name, bytes_of_text(foreign[i])))
            return true;
    return false;
}

static bool load_environment(struct loading *loading)
{
    static const char prefix[] = "GANTRY_";

    for (char **entry = environ; entry && *entry; entry++) {
        char origin[sizeof prefix + NAME_CEILING_BYTES + 16];
        const char *equals = strchr(*entry, '=');
        if (!equals || strncmp(*entry, prefix, sizeof prefix - 1) != 0)
            continue;
        const char *start = *entry + sizeof prefix - 1;
        const struct bytes name = bytes_of(start, (size_t)(equals - start));
        snprintf(origin, sizeof origin, "environment, %.*s", (int)(equals - *entry), *entry);
        if (find_setting(name)) {
            if (!assign_named(loading, name, equals + 1, origin))
                return false;
        } else if (!is_foreign(name)) {
            log_line(LOG_WARNING, "%s: there is no such setting; it is ignored", origin);
        }
    }
    return true;
}

static bool load_arguments(struct loading *loading, char *const *arguments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *argument = arguments[i];
        char origin[NAME_CEILING_BYTES + 32];
        if (strncmp(argument, "--", 2) != 0 || !argument[2])
            return error_set(loading->err, FAULT_MALFORMED, "command line: \"%.60s\" is not understood",
                             argument);
        struct bytes value = bytes_of_text(argument + 2);
        const struct bytes name = bytes_cut(&value, '=');
        snprintf(origin, sizeof origin, "command line, --%.*s", name.size > 60 ? 60 : (int)name.size,
                 (const char *)name.data);
        const char *text = (const char *)value.data; /* up to the argument's own NUL */
        if (!text && find_setting(name)) {
            if (i + 1 >= count)
                return error_set(loading->err, FAULT_MALFORMED, "%s: its value is missing", origin);
            text = arguments[++i];
        }
        if (!assign_named(loading, name, text ? text : "", origin))
            return false;
    }
    return true;
}

/* Moves what was loaded into one settings object with one piece of memory for all texts. */
static struct settings *pack(const struct loading *loading)
{
    struct settings *settings = calloc(1, sizeof *settings);
    size_t size = 0;

    for (size_t i = 0; i < COUNT_OF(table); i++)
        size += loading->texts[i] ? strlen(loading->texts[i]) + 1 : 0;
    char *at = malloc(size + 1);
    if (!settings || !at) {
        free(settings);
        free(at);
        return NULL;
    }
    settings->storage = at;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char *field = (char *)settings + table[i].offset;
        if (table[i].kind == KIND_NUMBER) {
            memcpy(field, &loading->numbers[i], sizeof loading->numbers[i]);
            continue;
        }
        const size_t length = strlen(loading->texts[i]) + 1;
        memcpy(at, loading->texts[i], length);
        memcpy(field, &at, sizeof at);
        at += length;
    }
    return settings;
}

bool settings_load(const char *file_or_null, char *const *arguments, size_t count, struct settings **ret,
                   struct error *err)
{
    __attribute__((cleanup(loading_drop))) struct loading loading = { .err = err };

    error_clear(err);
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (!assign(&loading, &table[i], table[i].otherwise, "default"))
            return false;
    if ((file_or_null && !load_file(&loading, file_or_null)) || !load_environment(&loading) ||
        !load_arguments(&loading, arguments, count))
        return false;

    struct settings *settings = pack(&loading);
    if (!settings)
        return error_set(err, FAULT_BUSY, "no memory for the settings");
    *ret = settings;
    return true;
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    free(settings->storage);
    free(settings);
}

/* As a comment, broken between words. */
static void print_comment(FILE *to, const char *text)
{
    size_t column = 1;

    fputs("#", to);
    for (struct bytes rest = bytes_of_text(text); rest.data;) {
        const struct bytes word = bytes_cut(&rest, ' ');
        if (column > 1 && column + 1 + word.size > 100) {
            fputs("\n#", to);
            column = 1;
        }
        fprintf(to, " %.*s", BYTES_ARG(word));
        column += 1 + word.size;
    }
    fputs("\n", to);
}

void settings_print(FILE *to)
{
    fputs("# Every setting of Gantry with its default. Written by `gantry --print-settings` from\n"
          "# config/settings.def: change that, not this. To use it, copy it, remove the # in front of what "
          "you\n"
          "# change, and start with `gantry serve --config FILE`. Each is also an environment variable\n"
          "# (GANTRY_LISTEN) and an option (--listen); the command line wins over the environment, the "
          "environment\n"
          "# over the file. `reload`: SIGHUP makes the running server take a new value.\n",
          to);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct setting *setting = &table[i];
        fputs("\n", to);
        print_comment(to, setting->meaning);
        fputs("# ", to);
        if (setting->kind == KIND_CHOICE)
            fprintf(to, "one of %s", setting->words);
        else if (setting->kind == KIND_TEXT)
            fprintf(to, "%s, %" PRIu64 " to %" PRIu64 " characters", setting->unit, setting->least,
                    setting->most);
        else
            fprintf(to, "%s, %" PRIu64 " to %" PRIu64, setting->unit, setting->least, setting->most);
        fprintf(to, "; %s\n#%s =%s%s\n", setting->reload ? "reload" : "restart", setting->name,
                setting->otherwise[0] ? " " : "", setting->otherwise);
    }
}

unsigned settings_restart_needed(const struct settings *now, const struct settings *next,
                                 void (*each)(const char *name))
{
    unsigned count = 0;

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const char *old = (const char *)now + table[i].offset;
        const char *new = (const char *)next + table[i].offset;
        bool differs;
        if (table[i].reload)
            continue;
        if (table[i].kind == KIND_NUMBER) {
            differs = memcmp(old, new, sizeof(uint64_t)) != 0;
        } else {
            const char *old_text, *new_text;
            memcpy(&old_text, old, sizeof old_text);
            memcpy(&new_text, new, sizeof new_text);
            differs = strcmp(old_text, new_text) != 0;
        }
        if (differs) {
            each(table[i].name);
            count++;
        }
    }
    return count;
}
