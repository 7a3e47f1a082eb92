/* codec/text_order.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See text_order.h.
 *
 *   letters ─► without marks ─► Arabic in its joining forms ─► each run from right to left turned round,
 *                                                              the numbers in it turned back
 */
#include "codec/text_order.h"

#include <stdlib.h>

#include "dicom/utf8.h"

/* Letters that join: the form that stands alone; behind it come those at the end, at the beginning and in the
 * middle of a word. Those of two forms do not join with what follows. */
static const struct {
    uint16_t letter, alone;
    uint8_t forms;
} joining[] = {
    { 0x621, 0xFE80, 1 }, { 0x622, 0xFE81, 2 }, { 0x623, 0xFE83, 2 }, { 0x624, 0xFE85, 2 },
    { 0x625, 0xFE87, 2 }, { 0x626, 0xFE89, 4 }, { 0x627, 0xFE8D, 2 }, { 0x628, 0xFE8F, 4 },
    { 0x629, 0xFE93, 2 }, { 0x62A, 0xFE95, 4 }, { 0x62B, 0xFE99, 4 }, { 0x62C, 0xFE9D, 4 },
    { 0x62D, 0xFEA1, 4 }, { 0x62E, 0xFEA5, 4 }, { 0x62F, 0xFEA9, 2 }, { 0x630, 0xFEAB, 2 },
    { 0x631, 0xFEAD, 2 }, { 0x632, 0xFEAF, 2 }, { 0x633, 0xFEB1, 4 }, { 0x634, 0xFEB5, 4 },
    { 0x635, 0xFEB9, 4 }, { 0x636, 0xFEBD, 4 }, { 0x637, 0xFEC1, 4 }, { 0x638, 0xFEC5, 4 },
    { 0x639, 0xFEC9, 4 }, { 0x63A, 0xFECD, 4 }, { 0x641, 0xFED1, 4 }, { 0x642, 0xFED5, 4 },
    { 0x643, 0xFED9, 4 }, { 0x644, 0xFEDD, 4 }, { 0x645, 0xFEE1, 4 }, { 0x646, 0xFEE5, 4 },
    { 0x647, 0xFEE9, 4 }, { 0x648, 0xFEED, 2 }, { 0x649, 0xFEEF, 2 }, { 0x64A, 0xFEF1, 4 },
    { 0x67E, 0xFB56, 4 }, { 0x686, 0xFB7A, 4 }, { 0x688, 0xFB88, 2 }, { 0x691, 0xFB8C, 2 },
    { 0x698, 0xFB8A, 2 }, { 0x6A9, 0xFB8E, 4 }, { 0x6AF, 0xFB92, 4 }, { 0x6BA, 0xFB9E, 2 },
    { 0x6BE, 0xFBAA, 4 }, { 0x6C1, 0xFBA6, 4 }, { 0x6CC, 0xFBFC, 4 }, { 0x6D2, 0xFBAE, 2 },
};
enum { LAM = 0x644, TATWEEL = 0x640 };
/* Lam with an alef behind it is one letter. */
static const struct {
    uint16_t alef, alone;
} lam_alef[] = { { 0x622, 0xFEF5 }, { 0x623, 0xFEF7 }, { 0x625, 0xFEF9 }, { 0x627, 0xFEFB } };

static bool is_right_to_left(uint32_t c)
{
    return (c >= 0x590 && c <= 0x8FF) || (c >= 0xFB1D && c <= 0xFDFF) || (c >= 0xFE70 && c <= 0xFEFC);
}

static bool is_digit(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 0x660 && c <= 0x669) || (c >= 0x6F0 && c <= 0x6F9);
}

/* Points and vowel marks, which stand over and under letters, and signs that steer the direction. */
static bool is_left_out(uint32_t c)
{
    return (c >= 0x591 && c <= 0x5BD) || (c >= 0x5BF && c <= 0x5C2 && c != 0x5C0) ||
           (c >= 0x5C4 && c <= 0x5C7) || (c >= 0x610 && c <= 0x61A) || (c >= 0x64B && c <= 0x65F) ||
           c == 0x670 || c == 0x61C || (c >= 0x200E && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

static bool is_left_to_right(uint32_t c)
{
    return !is_right_to_left(c) && !is_digit(c) &&
           ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0xC0) && !(c >= 0x2000 && c <= 0x206F);
}

bool text_order_matters(struct bytes utf8)
{
    for (size_t i = 0; i < utf8.size; i++)
        if (utf8.data[i] >= 0xD6) /* U+0580 and beyond */
            return true;
    return false;
}

static uint32_t mirrored(uint32_t c)
{
    static const char pairs[] = "()[]{}<>";
    const char *at = c > 0 && c < 0x80 ? strchr(pairs, (int)c) : NULL;

    return at ? (uint32_t)(uint8_t)pairs[(at - pairs) ^ 1] : c;
}

/* ── joining ── */

static unsigned forms_of(uint32_t c, uint32_t *ret_alone)
{
    for (size_t i = 0; i < COUNT_OF(joining); i++)
        if (joining[i].letter == c) {
            *ret_alone = joining[i].alone;
            return joining[i].forms;
        }
    return c == TATWEEL ? 5 : 0; /* joins on both sides, itself in every form */
}

/* Forms stand as: alone, at the end, at the beginning, in the middle. */
static size_t join(uint32_t *letters, size_t count)
{
    bool joins_before = false; /* the letter before goes on */
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t alone = 0, next = 0, made = letters[i];
        const unsigned forms = forms_of(letters[i], &alone);
        const bool goes_on = forms >= 4 && i + 1 < count && forms_of(letters[i + 1], &next) >= 2;

        if (forms >= 1 && forms <= 4)
            made = alone + (joins_before && forms >= 2) + (goes_on ? 2 : 0);
        for (size_t k = 0; letters[i] == LAM && goes_on && k < COUNT_OF(lam_alef); k++)
            if (letters[i + 1] == lam_alef[k].alef) {
                made = lam_alef[k].alone + joins_before;
                letters[i + 1] = 0; /* taken */
            }
        if (made != 0)
            letters[kept++] = made;
        joins_before = goes_on && letters[i + 1] != 0;
        if (goes_on && letters[i + 1] == 0)
            i++;
    }
    return kept;
}

/* ── order ── */

static void reverse(uint32_t *letters, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        const uint32_t kept = letters[i];
        letters[i] = letters[count - 1 - i];
        letters[count - 1 - i] = kept;
    }
}

/* Digits, and what stands between two of them in a number. */
static size_t number_at(const uint32_t *letters, size_t count)
{
    size_t size = 0;

    while (size < count &&
           (is_digit(letters[size]) ||
            (size > 0 && size + 1 < count && is_digit(letters[size + 1]) && letters[size] < 0x80 &&
             letters[size] > 0 && strchr(".,:/-", (int)letters[size]))))
        size++;
    return size;
}

static void turn_run(uint32_t *letters, size_t count)
{
    reverse(letters, count);
    for (size_t i = 0; i < count; i++)
        letters[i] = mirrored(letters[i]);
    for (size_t i = 0; i < count; i++) {
        const size_t size = number_at(letters + i, count - i);
        if (size > 1) {
            reverse(letters + i, size);
            i += size - 1;
        }
    }
}

/* A run begins and ends with a letter from right to left; only letters the other way end it. */
static void order(uint32_t *letters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t end = i, at = i;

        if (!is_right_to_left(letters[i]) || is_digit(letters[i]))
            continue;
        for (; at < count && !is_left_to_right(letters[at]); at++)
            if (is_right_to_left(letters[at]))
                end = at + 1;
        turn_run(letters + i, end - i);
        i = end - 1;
    }
}

void text_order_apply(struct bytes utf8, struct buffer *into)
{
    uint32_t *letters = malloc((utf8.size + 1) * sizeof(*letters));
    size_t count = 0;

    if (!letters) { /* better as it is than not at all */
        buffer_append(into, utf8);
        return;
    }
    while (utf8.size > 0) {
        uint32_t letter;
        utf8 = bytes_from(utf8, utf8_read(utf8, &letter));
        if (!is_left_out(letter))
            letters[count++] = letter == UTF8_BROKEN ? 0xFFFD : letter;
    }
    count = join(letters, count);
    order(letters, count);
    for (size_t i = 0; i < count; i++) {
        uint8_t one[UTF8_MOST];
        buffer_append(into, bytes_of(one, utf8_put(letters[i], one)));
    }
    free(letters);
}
