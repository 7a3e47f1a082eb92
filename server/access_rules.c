/* server/access_rules.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Parsing and matching the rules of access; see access_rules.h.
 */
#include "server/access_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { FILE_CEILING_BYTES = 1 << 20, RULES_MOST = 4096, CONDITIONS_MOST = 8 };

static const char *const roles[] = {
#define ROLE(name, scope, doing) #name,
#include "server/role.def"
#undef ROLE
};

enum subject_of_condition { OF_CA, OF_CA_SUBJECT, OF_SUBJECT, OF_FINGERPRINT, OF_NAME, OF_ANY, OF_ANONYMOUS };
struct condition {
    enum subject_of_condition of;
    enum tls_name_kind kind; /* OF_NAME */
    struct bytes value;      /* in `text` of the rules; names and fingerprints in small letters */
};

struct rule {
    unsigned roles;
    unsigned count;
    struct condition conditions[CONDITIONS_MOST];
};

struct access_rules {
    char *text;
    size_t text_size;
    struct rule *rules;
    unsigned count;
};

static const struct keyword {
    const char *name; /* with its "=" when a value follows */
    enum subject_of_condition of;
    enum tls_name_kind kind;
    bool small_letters;
} keywords[] = {
    { "ca=", OF_CA, 0, false },
    { "ca-subject=", OF_CA_SUBJECT, 0, false },
    { "subject=", OF_SUBJECT, 0, false },
    { "fingerprint=", OF_FINGERPRINT, 0, true },
    { "dns=", OF_NAME, TLS_NAME_DNS, true },
    { "uri=", OF_NAME, TLS_NAME_URI, false },
    { "email=", OF_NAME, TLS_NAME_EMAIL, true },
    { "any", OF_ANY, 0, false },
    { "anonymous", OF_ANONYMOUS, 0, false },
};

static void rules_drop(struct access_rules **rules)
{
    access_rules_free(*rules);
}

void access_rules_free(struct access_rules *rules)
{
    if (!rules)
        return;
    free(rules->text);
    free(rules->rules);
    free(rules);
}

/* ── parsing ── */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line, quotes taken for part of it: subject="CN=a b" is one word. */
static struct bytes take_word(struct bytes *line)
{
    size_t from = 0, to;
    bool quoted = false;

    while (from < line->size && is_blank(line->data[from]))
        from++;
    for (to = from; to < line->size && (quoted || !is_blank(line->data[to])); to++)
        quoted ^= line->data[to] == '"';
    const struct bytes word = bytes_of(line->data + from, to - from);
    *line = bytes_from(*line, to);
    return word;
}

static bool parse_roles(struct bytes word, unsigned *ret, struct error *err)
{
    *ret = 0;
    while (word.data) {
        const struct bytes name = bytes_cut(&word, ',');
        unsigned bit = bytes_equal_text(name, "admin") ? (unsigned)ROLE_ADMIN_BIT : 0;
        for (size_t i = 0; i < COUNT_OF(roles); i++)
            if (bytes_equal_text(name, roles[i]))
                bit = 1u << i;
        if (!bit)
            return error_set(err, FAULT_MALFORMED,
                             "\"%.*s\" is no role; there are search, read, store, delete and admin",
                             name.size > 40 ? 40 : (int)name.size, (const char *)name.data);
        *ret |= bit;
    }
    return true;
}

static bool unquote(struct bytes *value, struct error *err)
{
    if (value->size >= 2 && value->data[0] == '"' && value->data[value->size - 1] == '"')
        *value = bytes_of(value->data + 1, value->size - 2);
    if (value->size == 0 || memchr(value->data, '"', value->size))
        return error_set(err, FAULT_MALFORMED, "a condition without a value, or with a quote inside it");
    return true;
}

static bool parse_condition(struct bytes word, struct condition *ret, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        const struct keyword *keyword = &keywords[i];
        const size_t size = strlen(keyword->name);
        const bool has_value = keyword->name[size - 1] == '=';
        if (has_value ? !bytes_starts_with(word, bytes_of_text(keyword->name))
                      : !bytes_equal_text(word, keyword->name))
            continue;
        *ret = (struct condition){ keyword->of, keyword->kind, bytes_from(word, size) };
        if (has_value && !unquote(&ret->value, err))
            return false;
        uint8_t *value = (uint8_t *)(uintptr_t)ret->value.data; /* in our own copy of the text */
        for (size_t k = 0; keyword->small_letters && k < ret->value.size; k++)
            if (value[k] >= 'A' && value[k] <= 'Z')
                value[k] = (uint8_t)(value[k] + 32);
        if (keyword->of == OF_FINGERPRINT && ret->value.size != 64)
            return error_set(err, FAULT_MALFORMED, "a fingerprint is SHA-256, 64 hexadecimal digits");
        return true;
    }
    return error_set(err, FAULT_MALFORMED,
                     "\"%.*s\" is no condition; there are ca=, ca-subject=, subject=, dns=, uri=, email=, "
                     "fingerprint=, any, anonymous",
                     word.size > 40 ? 40 : (int)word.size, (const char *)word.data);
}

static bool parse_rule(struct bytes line, struct rule *ret, struct error *err)
{
    if (!parse_roles(take_word(&line), &ret->roles, err))
        return false;
    for (;;) {
        const struct bytes word = take_word(&line);
        if (word.size == 0)
            break;
        if (ret->count == CONDITIONS_MOST)
            return error_set(err, FAULT_MALFORMED, "more than %d conditions", CONDITIONS_MOST);
        if (!parse_condition(word, &ret->conditions[ret->count], err))
            return false;
        ret->count++;
    }
    if (ret->count == 0)
        return error_set(err, FAULT_MALFORMED, "a rule without a condition; write `any` for any certificate");
    return true;
}

static bool is_empty(struct bytes line)
{
    const struct bytes word = take_word(&line);

    return word.size == 0 || word.data[0] == '#';
}

bool access_rules_parse(struct bytes text, struct access_rules **ret, struct error *err)
{
    __attribute__((cleanup(rules_drop))) struct access_rules *rules = calloc(1, sizeof *rules);
    unsigned number = 0, room = 0;

    if (!rules || !(rules->text = malloc(text.size + 1)))
        return error_set(err, FAULT_BUSY, "no memory for the rules");
    if (text.size)
        memcpy(rules->text, text.data, text.size);
    rules->text_size = text.size;
    if (memchr(rules->text, '\0', text.size))
        return error_set(err, FAULT_MALFORMED, "has a NUL byte");
    for (struct bytes rest = bytes_of(rules->text, text.size); rest.data;) {
        const struct bytes line = bytes_cut(&rest, '\n');
        number++;
        if (is_empty(line))
            continue;
        if (rules->count == RULES_MOST)
            return error_set(err, FAULT_TOO_LARGE, "more than %d rules", RULES_MOST);
        if (rules->count == room) {
            room = room ? 2 * room : 16;
            struct rule *more = reallocarray(rules->rules, room, sizeof *more);
            if (!more)
                return error_set(err, FAULT_BUSY, "no memory for the rules");
            rules->rules = more;
        }
        rules->rules[rules->count] = (struct rule){ 0 };
        if (!parse_rule(line, &rules->rules[rules->count], err))
            return error_while(err, "line %u", number);
        rules->count++;
    }
    *ret = TAKE(rules);
    return true;
}

bool access_rules_load(const char *path, struct access_rules **ret, struct error *err)
{
    char *text = NULL;
    size_t size = 0;

    if (!file_read_all(path, FILE_CEILING_BYTES, &text, &size, err))
        return error_while(err, "access_rules");
    const bool fine = access_rules_parse(bytes_of(text, size), ret, err);
    free(text);
    return fine || error_while(err, "access_rules %s", path);
}

bool access_rules_same(const struct access_rules *a, const struct access_rules *b)
{
    return bytes_equal(bytes_of(a->text, a->text_size), bytes_of(b->text, b->text_size));
}

/* ── matching ── */

/* "*.example.org" stands for one label, a last "*" of a URI for any rest, "*@" for anyone there. */
static bool name_fits(const struct condition *condition, const struct tls_name *name)
{
    const struct bytes pattern = condition->value;
    const struct bytes text = bytes_of_text(name->text);

    if (name->kind != condition->kind)
        return false;
    switch (name->kind) {
    case TLS_NAME_DNS:
        if (pattern.size > 2 && pattern.data[0] == '*' && pattern.data[1] == '.') {
            const char *dot = strchr(name->text, '.');
            return dot && dot != name->text && bytes_equal(bytes_of_text(dot), bytes_from(pattern, 1));
        }
        return bytes_equal(text, pattern);
    case TLS_NAME_URI:
        if (pattern.data[pattern.size - 1] == '*')
            return bytes_starts_with(text, bytes_of(pattern.data, pattern.size - 1));
        return bytes_equal(text, pattern);
    case TLS_NAME_EMAIL:
        if (pattern.size > 2 && pattern.data[0] == '*' && pattern.data[1] == '@') {
            const char *at = strrchr(name->text, '@');
            return at && bytes_equal_nocase(bytes_of_text(at), bytes_from(pattern, 1));
        }
        return bytes_equal_nocase(text, pattern);
    }
    return false;
}

static bool condition_holds(const struct condition *condition, const struct tls_peer *peer)
{
    if (condition->of == OF_ANONYMOUS)
        return !peer;
    if (!peer)
        return false;
    switch (condition->of) {
    case OF_CA:
        return bytes_equal_text(condition->value, peer->ca);
    case OF_CA_SUBJECT:
        return bytes_equal_text(condition->value, peer->ca_subject);
    case OF_SUBJECT:
        return bytes_equal_text(condition->value, peer->subject);
    case OF_FINGERPRINT:
        return bytes_equal_text(condition->value, peer->fingerprint);
    case OF_NAME:
        for (unsigned i = 0; i < peer->name_count; i++)
            if (name_fits(condition, &peer->names[i]))
                return true;
        return false;
    case OF_ANY:
        return true;
    case OF_ANONYMOUS:
        break;
    }
    return false;
}

unsigned access_rules_roles(const struct access_rules *rules, const struct tls_peer *peer)
{
    unsigned given = 0;

    for (unsigned i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->rules[i];
        unsigned holds = 0;
        while (holds < rule->count && condition_holds(&rule->conditions[holds], peer))
            holds++;
        if (holds == rule->count)
            given |= rule->roles;
    }
    return given;
}
