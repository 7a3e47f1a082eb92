/* dicom/charset.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A state machine for ISO 2022 (PS3.5 6.1.2.5) over tables that are made once from iconv; see charset.h.
 *
 *   bytes 20..7F ── G0: ASCII, JIS X 0201 romaji, or pairs of JIS X 0208, 0212
 *   bytes A0..FF ── G1: a right half of ISO 8859, JIS X 0201 katakana, TIS 620, or pairs of KS X 1001, GB
 * 2312 ESC ...      ── another set in G0 or G1, until the value (or line, or name component) ends
 *
 * UTF-8, GB18030 and GBK stand outside of ISO 2022. Escape sequences are obeyed whatever (0008,0005)
 * announces: the field forgets to announce them, and ESC has no other use in DICOM text.
 */
#include "dicom/charset.h"

#include <errno.h>
#include <iconv.h>
#include <pthread.h>

#include "dicom/utf8.h"

enum kind { KIND_SETS = 0, KIND_UTF8, KIND_GB18030, KIND_GBK };

enum set {
    SET_NONE = 0, /* in G0: ASCII */
    SET_ROMAJI,
    SET_JIS_0208,
    SET_JIS_0212,
    SET_KATAKANA, /* from here on in G1 */
    SET_LATIN1,
    SET_LATIN2,
    SET_LATIN3,
    SET_LATIN4,
    SET_CYRILLIC,
    SET_ARABIC,
    SET_GREEK,
    SET_HEBREW,
    SET_LATIN5,
    SET_LATIN9,
    SET_THAI,
    SET_KS_X_1001,
    SET_GB_2312,
    SET_COUNT
};

/* Pairs: the iconv encoding holds the set in its right half, behind `prefix` if any. */
static const struct set_info {
    const char *encoding;
    bool pairs;
    uint8_t prefix;
} sets[SET_COUNT] = {
    [SET_JIS_0208] = { "EUC-JP", true, 0 },      [SET_JIS_0212] = { "EUC-JP", true, 0x8F },
    [SET_LATIN1] = { "ISO-8859-1", false, 0 },   [SET_LATIN2] = { "ISO-8859-2", false, 0 },
    [SET_LATIN3] = { "ISO-8859-3", false, 0 },   [SET_LATIN4] = { "ISO-8859-4", false, 0 },
    [SET_CYRILLIC] = { "ISO-8859-5", false, 0 }, [SET_ARABIC] = { "ISO-8859-6", false, 0 },
    [SET_GREEK] = { "ISO-8859-7", false, 0 },    [SET_HEBREW] = { "ISO-8859-8", false, 0 },
    [SET_LATIN5] = { "ISO-8859-9", false, 0 },   [SET_LATIN9] = { "ISO-8859-15", false, 0 },
    [SET_THAI] = { "TIS-620", false, 0 },        [SET_KS_X_1001] = { "EUC-KR", true, 0 },
    [SET_GB_2312] = { "EUC-CN", true, 0 },
};

/* Defined terms without ISO, IR and punctuation ("ISO_IR 100", "ISO 2022 IR 100" and their misspellings
 * alike). */
static const struct term {
    const char *name;
    enum kind kind;
    enum set g0, g1;
} terms[] = {
    { "6", KIND_SETS, SET_NONE, SET_NONE },        { "100", KIND_SETS, SET_NONE, SET_LATIN1 },
    { "101", KIND_SETS, SET_NONE, SET_LATIN2 },    { "109", KIND_SETS, SET_NONE, SET_LATIN3 },
    { "110", KIND_SETS, SET_NONE, SET_LATIN4 },    { "144", KIND_SETS, SET_NONE, SET_CYRILLIC },
    { "127", KIND_SETS, SET_NONE, SET_ARABIC },    { "126", KIND_SETS, SET_NONE, SET_GREEK },
    { "138", KIND_SETS, SET_NONE, SET_HEBREW },    { "148", KIND_SETS, SET_NONE, SET_LATIN5 },
    { "203", KIND_SETS, SET_NONE, SET_LATIN9 },    { "166", KIND_SETS, SET_NONE, SET_THAI },
    { "13", KIND_SETS, SET_ROMAJI, SET_KATAKANA }, { "87", KIND_SETS, SET_NONE, SET_NONE },
    { "159", KIND_SETS, SET_NONE, SET_NONE },      { "149", KIND_SETS, SET_NONE, SET_KS_X_1001 },
    { "58", KIND_SETS, SET_NONE, SET_GB_2312 },    { "192", KIND_UTF8, SET_NONE, SET_NONE },
    { "UTF8", KIND_UTF8, SET_NONE, SET_NONE },     { "GB18030", KIND_GB18030, SET_NONE, SET_NONE },
    { "GBK", KIND_GBK, SET_NONE, SET_NONE },       { "88591", KIND_SETS, SET_NONE, SET_LATIN1 },
    { "88592", KIND_SETS, SET_NONE, SET_LATIN2 },  { "885915", KIND_SETS, SET_NONE, SET_LATIN9 },
    { "LATIN1", KIND_SETS, SET_NONE, SET_LATIN1 }, { "ASCII", KIND_SETS, SET_NONE, SET_NONE },
    { "USASCII", KIND_SETS, SET_NONE, SET_NONE },  { "GB2312", KIND_SETS, SET_NONE, SET_GB_2312 },
};

/* What follows ESC (PS3.3 Tables C.12-3 and C.12-4). */
static const struct escape {
    char bytes[4];
    bool to_g0;
    enum set set;
} escapes[] = {
    { "(B", true, SET_NONE },        { "(J", true, SET_ROMAJI },    { ")I", false, SET_KATAKANA },
    { "-A", false, SET_LATIN1 },     { "-B", false, SET_LATIN2 },   { "-C", false, SET_LATIN3 },
    { "-D", false, SET_LATIN4 },     { "-L", false, SET_CYRILLIC }, { "-G", false, SET_ARABIC },
    { "-F", false, SET_GREEK },      { "-H", false, SET_HEBREW },   { "-M", false, SET_LATIN5 },
    { "-b", false, SET_LATIN9 },     { "-T", false, SET_THAI },     { "$B", true, SET_JIS_0208 },
    { "$@", true, SET_JIS_0208 },    { "$(D", true, SET_JIS_0212 }, { "$(B", true, SET_JIS_0208 },
    { "$)C", false, SET_KS_X_1001 }, { "$)A", false, SET_GB_2312 },
};

enum { ESC = 0x1B, REPLACEMENT = 0xFFFD, PAIR_SIDE = 94 };

/* Code points; 0: none. */
static uint16_t halves[SET_COUNT][128];
static uint16_t pairs[SET_COUNT][PAIR_SIDE * PAIR_SIDE];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static uint16_t code_point_of(iconv_t converter, const uint8_t *bytes, size_t size)
{
    char in[4];
    uint8_t out[8];
    char *from = in, *into = (char *)out;
    size_t in_left = size, out_left = sizeof out;

    memcpy(in, bytes, size);
    iconv(converter, NULL, NULL, NULL, NULL);
    if (iconv(converter, &from, &in_left, &into, &out_left) == (size_t)-1 || out_left != sizeof out - 2)
        return 0;
    return (uint16_t)(out[0] | out[1] << 8);
}

static void make_tables(void)
{
    for (size_t set = 0; set < SET_COUNT; set++) {
        if (!sets[set].encoding)
            continue;
        const iconv_t converter = iconv_open("UTF-16LE", sets[set].encoding);
        if (converter == (iconv_t)-1)
            continue; /* all of it becomes U+FFFD */
        for (unsigned i = 0; !sets[set].pairs && i < 128; i++) {
            const uint8_t byte = (uint8_t)(0x80 + i);
            halves[set][i] = code_point_of(converter, &byte, 1);
        }
        for (unsigned i = 0; sets[set].pairs && i < PAIR_SIDE * PAIR_SIDE; i++) {
            const uint8_t bytes[3] = { sets[set].prefix, (uint8_t)(0xA1 + i / PAIR_SIDE),
                                       (uint8_t)(0xA1 + i % PAIR_SIDE) };
            const size_t from = sets[set].prefix ? 0 : 1;
            pairs[set][i] = code_point_of(converter, bytes + from, 3 - from);
        }
        iconv_close(converter);
    }
}

/* ---- which sets a (0008,0005) names ---- */

static const struct term *find_term(struct bytes text)
{
    char name[24];
    size_t size = 0;
    const char *key = name;

    for (size_t i = 0; i < text.size && size < sizeof name - 1; i++) {
        uint8_t c = text.data[i];
        if (c >= 'a' && c <= 'z')
            c = (uint8_t)(c - 'a' + 'A');
        if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
            name[size++] = (char)c;
    }
    name[size] = '\0';
    if (strncmp(key, "ISO", 3) == 0)
        key += 3;
    if (strncmp(key, "2022", 4) == 0)
        key += 4;
    if (strncmp(key, "IR", 2) == 0)
        key += 2;
    if (*key == '\0')
        return &terms[0];
    for (size_t i = 0; i < COUNT_OF(terms); i++)
        if (strcmp(key, terms[i].name) == 0)
            return &terms[i];
    return NULL;
}

void charset_parse(struct bytes value, struct charset *ret)
{
    struct charset found = { 0 };
    struct bytes rest = value;
    bool first = true;

    while (rest.size > 0 && rest.data[rest.size - 1] == '\0')
        rest.size--;
    do {
        const struct bytes text = bytes_trim(bytes_cut(&rest, '\\'));
        const struct term *term = find_term(text);
        if (!term) {
            found.unknown = true;
            if (first)
                found.g1 = SET_LATIN1;
        } else if (first || term->kind != KIND_SETS) {
            /* UTF-8 and its like stand alone; one that stands behind another term is meant all the same. */
            if (found.kind == KIND_SETS) {
                found.kind = (uint8_t)term->kind;
                found.g0 = (uint8_t)term->g0;
                found.g1 = (uint8_t)term->g1;
            }
        } else if (found.g1 == SET_NONE) {
            /* Bytes of the right half without an escape sequence: nothing else can be meant. */
            found.g1 = (uint8_t)term->g1;
        }
        first = false;
    } while (rest.data);
    *ret = found;
}

void charset_done(struct charset *charset)
{
    if (charset->converter)
        iconv_close((iconv_t)charset->converter);
    *charset = (struct charset){ 0 };
}

/* ---- text ---- */

static void append_code_point(struct buffer *into, uint32_t code)
{
    uint8_t bytes[UTF8_MOST];

    if (code < 0x80)
        buffer_append_byte(into, (uint8_t)code);
    else
        buffer_append(into, bytes_of(bytes, utf8_put(code, bytes)));
}

/* The escape sequence behind the ESC at text[0]; its length, 0 when it is none we know. */
static size_t obey_escape(struct bytes text, uint8_t *g0, uint8_t *g1)
{
    const struct bytes behind = bytes_from(text, 1);

    for (size_t i = 0; i < COUNT_OF(escapes); i++) {
        if (!bytes_starts_with(behind, bytes_of_text(escapes[i].bytes)))
            continue;
        *(escapes[i].to_g0 ? g0 : g1) = (uint8_t)escapes[i].set;
        return 1 + strlen(escapes[i].bytes);
    }
    return 0;
}

static uint32_t pair_of(enum set set, struct bytes text)
{
    if (text.size < 2)
        return 0;
    const unsigned high = text.data[0] & 0x7F, low = text.data[1] & 0x7F;
    if (high < 0x21 || high > 0x7E || low < 0x21 || low > 0x7E || (text.data[0] ^ text.data[1]) & 0x80)
        return 0;
    return pairs[set][(high - 0x21) * PAIR_SIDE + (low - 0x21)];
}

static bool ends_reach(uint8_t c, enum charset_text what)
{
    return c == '\r' || c == '\n' || c == '\f' || c == '\t' || (c == '\\' && what != CHARSET_TEXT) ||
           ((c == '^' || c == '=') && what == CHARSET_NAMES);
}

static uint32_t right_half(enum set set, uint8_t c)
{
    if (set == SET_KATAKANA)
        return c >= 0xA1 && c <= 0xDF ? 0xFF61u + (c - 0xA1u) : 0;
    return halves[set][c - 0x80];
}

static bool append_by_sets(const struct charset *charset, struct bytes text, enum charset_text what,
                           struct buffer *into)
{
    uint8_t g0 = charset->g0, g1 = charset->g1;
    bool foreign = false;

    pthread_once(&tables_once, make_tables);
    for (size_t i = 0; i < text.size;) {
        const uint8_t c = text.data[i];
        const enum set set = c & 0x80 ? g1 : g0;
        const struct bytes rest = bytes_from(text, i);
        const size_t escape = c == ESC ? obey_escape(rest, &g0, &g1) : 0;
        uint32_t code = c;
        size_t taken = 1;

        if (escape > 0) {
            i += escape;
            continue;
        }
        if (c == ESC) {
            code = REPLACEMENT;
        } else if (sets[set].pairs && (c & 0x7F) > 0x20 && c != 0x7F) {
            const uint32_t pair = pair_of(set, rest);
            code = pair ? pair : REPLACEMENT;
            taken = pair ? 2 : 1;
        } else if (c & 0x80) {
            const uint32_t single = right_half(set, c);
            code = single ? single : REPLACEMENT;
        } else if (ends_reach(c, what)) {
            g0 = charset->g0;
            g1 = charset->g1;
        } else if (set == SET_ROMAJI && c == '\\') {
            code = 0xA5;
        } else if (set == SET_ROMAJI && c == '~') {
            code = 0x203E;
        }
        foreign |= code >= 0x80;
        append_code_point(into, code);
        i += taken;
    }
    return foreign;
}

static void append_utf8(struct bytes text, struct buffer *into)
{
    size_t whole_from = 0;

    for (size_t i = 0; i < text.size;) {
        uint32_t code;
        const size_t size = utf8_read(bytes_from(text, i), &code);
        if (code == UTF8_BROKEN) {
            buffer_append(into, bytes_of(text.data + whole_from, i - whole_from));
            append_code_point(into, REPLACEMENT);
            whole_from = i + size;
        }
        i += size;
    }
    buffer_append(into, bytes_from(text, whole_from));
}

static void append_by_iconv(struct charset *charset, struct bytes text, struct buffer *into)
{
    if (!charset->converter) {
        const iconv_t opened = iconv_open("UTF-8", charset->kind == KIND_GBK ? "GBK" : "GB18030");
        if (opened == (iconv_t)-1) {
            append_utf8(text, into);
            return;
        }
        charset->converter = (void *)opened;
    }
    const iconv_t converter = (iconv_t)charset->converter;
    char *from = (char *)(uintptr_t)text.data; /* iconv's prototype; it does not write there */
    size_t left = text.size;

    iconv(converter, NULL, NULL, NULL, NULL);
    while (left > 0) {
        char piece[1024];
        char *out = piece;
        size_t room = sizeof piece;
        const size_t done = iconv(converter, &from, &left, &out, &room);
        const int why = errno;
        buffer_append(into, bytes_of(piece, (size_t)(out - piece)));
        if (done != (size_t)-1 || why == E2BIG)
            continue;
        append_code_point(into, REPLACEMENT);
        from++;
        left--;
    }
}

/* NUL is no character of any text, and few readers of JSON bear it: as padding before a separator it goes,
 * elsewhere it is one more byte that means nothing. */
static bool replace_nuls(struct buffer *into, size_t from, enum charset_text what)
{
    struct buffer clean;
    bool foreign = false;

    buffer_init(&clean, into->ceiling);
    for (size_t i = from; i < into->size; i++) {
        const uint8_t c = into->data[i], next = i + 1 < into->size ? into->data[i + 1] : 0;
        if (c == 0 && next == '\\' && what != CHARSET_TEXT)
            continue;
        if (c == 0)
            append_code_point(&clean, REPLACEMENT);
        else
            buffer_append_byte(&clean, c);
        foreign |= c == 0;
    }
    buffer_cut(into, from);
    buffer_append(into, buffer_bytes(&clean));
    into->overflowed |= clean.overflowed;
    buffer_done(&clean);
    return foreign;
}

bool charset_append(struct charset *charset, struct bytes text, enum charset_text what, struct buffer *into)
{
    const size_t from = into->size;
    bool plain = charset->g0 == SET_NONE, foreign = false;

    while (text.size > 0 && text.data[text.size - 1] == 0)
        text.size--;
    for (size_t i = 0; plain && i < text.size; i++)
        plain = text.data[i] < 0x80 && text.data[i] != ESC;
    if (plain)
        buffer_append(into, text);
    else if (charset->kind == KIND_SETS)
        foreign = append_by_sets(charset, text, what, into);
    else if (charset->kind == KIND_UTF8)
        append_utf8(text, into);
    else
        append_by_iconv(charset, text, into);
    if (charset->kind != KIND_SETS)
        foreign = !plain;
    if (into->size > from && memchr(into->data + from, 0, into->size - from))
        foreign |= replace_nuls(into, from, what);
    return foreign;
}
