/* tests/unit/dicom/matching_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/matching.h"

#include <stdlib.h>

#include "tests/support/expect.h"

struct pair {
    const char *vr, *key, *stored;
    bool matches;
};

static void expect_pairs(const struct pair *pairs, size_t count, bool any_of)
{
    struct arena arena = { 0 };

    for (size_t i = 0; i < count; i++) {
        const struct pair *pair = &pairs[i];
        struct match match;
        struct error err = { 0 };
        if (!EXPECT(matching_parse("Key", pair->vr, bytes_of_text(pair->key), any_of, &arena, &match, &err),
                    "%s \"%s\": %s", pair->vr, pair->key, err.detail))
            continue;
        EXPECT(matching_test(&match, bytes_of_text(pair->stored), false) == pair->matches,
               "%s \"%s\" against \"%s\" gave %d", pair->vr, pair->key, pair->stored, !pair->matches);
    }
    arena_release(&arena);
}
#define EXPECT_PAIRS(pairs) expect_pairs(pairs, COUNT_OF(pairs), false)

static void expect_malformed(const char *vr, const char *const *values, size_t count)
{
    struct arena arena = { 0 };

    for (size_t i = 0; i < count; i++) {
        struct match match;
        struct error err = { 0 };
        EXPECT(!matching_parse("TheKeyword", vr, bytes_of_text(values[i]), false, &arena, &match, &err) &&
                   err.fault == FAULT_MALFORMED,
               "%s \"%s\" accepted", vr, values[i]);
        EXPECT(strstr(err.told, "TheKeyword") != NULL, "told \"%s\"", err.told);
        EXPECT(values[i][0] == 0 || strlen(values[i]) < 3 || !strstr(err.told, values[i]), "told \"%s\"",
               err.told);
    }
    arena_release(&arena);
}
#define EXPECT_MALFORMED(vr, ...) \
    do { \
        static const char *const values_[] = { __VA_ARGS__ }; \
        expect_malformed(vr, values_, COUNT_OF(values_)); \
    } while (0)

TEST(SEA_17_an_empty_key_matches_everything)
{
    static const struct pair pairs[] = {
        { "PN", "", "Doe^Jane", true }, { "DA", "", "20240101", true }, { "LO", "*", "", true },
        { "LO", "***", "x", true },     { "PN", " * ", "", true },      { "UI", "", "", true },
    };

    EXPECT_PAIRS(pairs);
}

TEST(SEA_12_SEA_14_uids_may_be_a_list_by_comma_or_backslash)
{
    static const struct pair pairs[] = {
        { "UI", "1.2", "1.2", true },       { "UI", "1.2,1.3", "1.3", true },
        { "UI", "1.2\\1.3", "1.2", true },  { "UI", " 1.2 , 1.3 ", "1.3", true },
        { "UI", "1.2,1.3", "1.23", false }, { "UI", "1.2", "1.20", false },
        { "UI", "1.2", "1.1\\1.2", true },  { "UI", "1.2,1.3", "1.2 ", true },
    };

    EXPECT_PAIRS(pairs);
    EXPECT_MALFORMED("UI", "1.2,,1.3", "1.2.*", "*", "1.2,", "1.2,a", "?", ",");
}

TEST(SEA_15_modalities_may_be_any_of_a_list)
{
    static const struct pair pairs[] = {
        { "CS", "CT,MR", "MR", true },          { "CS", "CT\\MR", "CT", true },
        { "CS", "CT,MR", "PT\\CT", true },      { "CS", "CT,MR", "PT", false },
        { "CS", "CT, MR", "MR ", true },        { "CS", "C*", "CT", true },
        { "PN", "Doe,Jane", "Doe,Jane", true },
    };
    struct arena arena = { 0 };
    struct match match;
    struct error err = { 0 };

    expect_pairs(pairs, COUNT_OF(pairs), true);
    EXPECT(!matching_parse("Modality", "CS", bytes_of_text("C*,MR"), true, &arena, &match, &err), "accepted");
    EXPECT_MALFORMED("CS", "CT\\MR");
    EXPECT_MALFORMED("LO", "a\\b");
    arena_release(&arena);
}

TEST(SEA_41_an_unknown_value_matches_when_told_so)
{
    struct arena arena = { 0 };
    struct match match;
    struct error err = { 0 };

    static const struct {
        const char *vr, *key;
    } keys[] = { { "DA", "20240101" }, { "LO", "a" }, { "PN", "doe" },
                 { "LO", "a*" },       { "IS", "1" }, { "UI", "1.2" } };
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        EXPECT(matching_parse("Key", keys[i].vr, bytes_of_text(keys[i].key), false, &arena, &match, &err),
               "%s", err.detail);
        static const char *const unknown[] = { "", "  ", "\\", " \\ " };
        for (size_t k = 0; k < COUNT_OF(unknown); k++) {
            EXPECT(matching_test(&match, bytes_of_text(unknown[k]), true), "%s", keys[i].vr);
            EXPECT(!matching_test(&match, bytes_of_text(unknown[k]), false), "%s", keys[i].vr);
        }
        EXPECT(matching_test(&match, bytes_of(NULL, 0), true), "%s", keys[i].vr);
    }
    arena_release(&arena);
}

TEST(SEA_42_SEA_43_padding_does_not_count_and_any_value_will_do)
{
    static const struct pair pairs[] = {
        { "LO", "ABC", "ABC ", true },   { "LO", " ABC ", "ABC", true }, { "LO", "ABC", "  ABC", true },
        { "ST", "ABC", "  ABC", false }, { "ST", "ABC", "ABC  ", true }, { "ST", "A\\B", "A\\B", true },
        { "LO", "B", "A\\B\\C", true },  { "LO", "A\\", "x", false },    { "SH", "abc", "ABC", false },
        { "CS", "CT", "CT\\PT", true },  { "AE", "X", " X ", true },     { "LO", "A,B", "A,B", true },
    };

    /* "A\" is no single value */
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        if (strcmp(pairs[i].key, "A\\") != 0)
            expect_pairs(&pairs[i], 1, false);
    EXPECT_MALFORMED("LO", "A\\");
}

TEST(SEA_44_stars_and_question_marks)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        { "*", "", true },
        { "*", "abc", true },
        { "a*", "abc", true },
        { "*c", "abc", true },
        { "a*c", "abc", true },
        { "a?c", "abc", true },
        { "a?c", "ac", false },
        { "?*", "", false },
        { "?*", "a", true },
        { "*x*", "axb", true },
        { "*x*", "abc", false },
        { "a*b*c", "aXbYc", true },
        { "a*b*c", "acb", false },
        { "*ab", "aab", true },
        { "*aab", "aaab", true },
        { "???", "ab", false },
        { "a**b", "ab", true },
        { "", "", true },
        { "", "a", false },
        { "*?b", "aab", true },
        { "M?ller", "Müller", true },
        { "M??ller", "Müller", false },
        { "?", "山", true },
        { "*?", "山本", true },
        { "?\xC3", "ü", false },
        { "*a*a*b", "aaaaaaaaaab", true },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT(matching_wildcard(bytes_of_text(cases[i].pattern), bytes_of_text(cases[i].text)) ==
                   cases[i].matches,
               "\"%s\" against \"%s\"", cases[i].pattern, cases[i].text);
}

TEST(SEA_44_sixty_stars_take_no_exponential_time)
{
    char pattern[121], text[10001];

    for (size_t i = 0; i < 60; i++)
        memcpy(pattern + 2 * i, "*a", 2);
    pattern[119] = 'b';
    pattern[120] = 0;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    EXPECT(!matching_wildcard(bytes_of_text(pattern), bytes_of_text(text)), "matched");
}

TEST(SEA_46_wildcards_only_where_the_standard_has_them)
{
    EXPECT_MALFORMED("UI", "1.2.*");
    EXPECT_MALFORMED("DA", "2024*", "*");
    EXPECT_MALFORMED("TM", "10*", "??");
    EXPECT_MALFORMED("DT", "2024*");
    EXPECT_MALFORMED("IS", "1*", "*");
    EXPECT_MALFORMED("DS", "1?");
    EXPECT_MALFORMED("US", "*");
    EXPECT_MALFORMED("AS", "0*Y", "32Y", "032X");
    EXPECT_MALFORMED("AT", "0010*", "00100010,00100020");
    EXPECT_MALFORMED("SQ", "x");
    EXPECT_MALFORMED("OB", "x");
}

TEST(SEA_47_numbers_match_by_value)
{
    static const struct pair pairs[] = {
        { "IS", "1", "001 ", true }, { "IS", "1", "+1", true },     { "IS", "1", "10", false },
        { "IS", "-5", "-05", true }, { "DS", "1.5", "1.50", true }, { "DS", "15e-1", "1.5", true },
        { "IS", "2", "1\\2", true }, { "US", "512", "512", true },  { "IS", "0", "-0", true },
        { "IS", "1", "x", false },   { "IS", "007", "7", true },
    };

    EXPECT_PAIRS(pairs);
    EXPECT_MALFORMED("IS", "1.0", "one", "1,2", "0x10", "1 2");
    EXPECT_MALFORMED("DS", "1,5", "inf", "nan");
}

TEST(SEA_48_dates_and_their_ranges)
{
    static const struct pair pairs[] = {
        { "DA", "20240101", "20240101", true },
        { "DA", "20240101", "2024.01.01", true },
        { "DA", "20240101-", "20240101", true },
        { "DA", "20240101-", "20231231", false },
        { "DA", "-20240101", "20240101", true },
        { "DA", "-20240101", "20240102", false },
        { "DA", "20240101-20240131", "20240115", true },
        { "DA", "20240101-20240131", "20240201", false },
        { "DA", "20240101 - 20240131", "2024.01.31", true },
        { "DA", " 20240101 ", "20240101", true },
        { "DA", "20240229", "20240229", true },
        { "DA", "20240101-", "garbage", false },
        { "DA", "20240101-20240101", "20240101", true },
        { "DA", "20240101", "20240102\\20240101", true },
    };

    EXPECT_PAIRS(pairs);
    EXPECT_MALFORMED("DA", "2024-01-01", "20240131-20240101", "20241301", "20230229", "-", "2024",
                     "20240101-x", "20240101-20240102-", "--", "20240101,20240102", "202401011", "today");
}

TEST(SEA_49_times_and_their_ranges)
{
    static const struct pair pairs[] = {
        { "TM", "1000-1059", "105959.999", true },   { "TM", "1000-1059", "110000", false },
        { "TM", "1000-1059", "100000", true },       { "TM", "10-10", "103000", true },
        { "TM", "-1000", "100059", true },           { "TM", "-1000", "100100", false },
        { "TM", "1000-", "095959.999999", false },   { "TM", "1000-", "10", true },
        { "TM", "101112", "101112.0", true },        { "TM", "101112", "101112.5", false },
        { "TM", "101112.5", "101112.500000", true }, { "TM", "10", "100000", true },
        { "TM", "101112", "10:11:12", true },        { "TM", "101112-101112", "101112.5", true },
        { "TM", "235960", "235960", true },
    };

    EXPECT_PAIRS(pairs);
    EXPECT_MALFORMED("TM", "2200-0200", "24", "1060", "101112.1234567", "1", "101", "101112.", "1000+0100",
                     "-", "10:11:", "noon");
}

TEST(SEA_50_date_times_offsets_and_ranges_are_told_apart)
{
    static const struct pair pairs[] = {
        { "DT", "20240101120000", "20240101120000", true },
        { "DT", "20240101120000-0500", "20240101170000+0000", true },
        { "DT", "20240101120000-0500", "20240101120000-0500", true },
        { "DT", "20240101120000-0500", "20240101120000", false },
        { "DT", "20240101120000+0200", "20240101100000.000000+0000", true },
        { "DT", "20240101-20240102", "20240102235959.999999", true },
        { "DT", "20240101-20240102", "20240103", false },
        { "DT", "2023-2024", "20240630", true },
        { "DT", "2023-2024", "20250101", false },
        { "DT", "20240101120000-", "20240101120000", true },
        { "DT", "-20240101120000", "20240101115959", true },
        { "DT", "20240101120000-0500-", "20240101165959+0000", false },
        { "DT", "20240101120000-0500-", "20240101170000+0000", true },
        { "DT", "-20240101120000-0500", "20240101170000+0000", true },
        { "DT", "-20240101120000-0500", "20240101170001+0000", false },
        { "DT", "20240101000000-0500-20240102000000-0500", "20240101050000+0000", true },
        { "DT", "20240101000000-0500-20240102000000-0500", "20240101045959+0000", false },
        { "DT", "202401-202402", "20240229", true },
        { "DT", "20240101120000 - 20240101130000", "20240101123000", true },
        { "DT", "0100-0500", "0300", true }, /* both readings are legal: a range */
        { "DT", "20231231233000-0100", "20240101003000+0000", true },
        { "DT", "20240301003000+0100", "20240229233000+0000", true },
    };

    EXPECT_PAIRS(pairs);
    EXPECT_MALFORMED("DT", "20240102-20240101", "20240101120000-1500", "20240101120000+1430", "-", "20241301",
                     "x", "20240101120000-0560", "10:00");
}

TEST(SEA_56_person_names)
{
    static const struct pair pairs[] = {
        { "PN", "SMITH*", "Smith^John", true },
        { "PN", "smith^john", "SMITH^JOHN", true },
        { "PN", "SMITH^JOHN", "Smith^John^^Dr", false },
        { "PN", "SMITH^JOHN*", "Smith^John^^Dr", true },
        { "PN", "Smith", "Smith^^^^", true },
        { "PN", "Smith^^^", "Smith", true },
        { "PN", "Smith^*", "Smith", true },
        { "PN", "Smith^*^*", "Smith^John", true },
        { "PN", "Smith^J*", "Smith", false },
        { "PN", "Smith", "Smithson", false },
        { "PN", "Sm?th", "Smyth", true },
        { "PN", "smith", " Smith ", true },
        { "PN", "smith^john", "Smith ^ John ", true },
        { "PN", "muller", "Müller", true },
        { "PN", "MÜLLER", "mu\xCC\x88ller", true },
        { "PN", "strasse", "Straße", true },
        { "PN", "soren", "Søren", true },
        { "PN", "lodz*", "Łódź^X", true },
        { "PN", "nguyen", "Nguyễn", true },
        { "PN", "ΠΑΠΑΔΟΠΟΥΛΟΣ", "Παπαδόπουλος", true },
        { "PN", "люкceмбург", "Люксембург", false }, /* two Latin letters in the key */
        { "PN", "люксембург", "ЛЮКСЕМБУРГ", true },
        { "PN", "елкин", "Ёлкин", true },
        { "PN", "山田^太郎", "Yamada^Tarou=山田^太郎=やまだ^たろう", true },
        { "PN", "yamada*", "Yamada^Tarou=山田^太郎=やまだ^たろう", true },
        { "PN", "やまだ*", "Yamada^Tarou=山田^太郎=やまだ^たろう", true },
        { "PN", "Yamada^Tarou=山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", true },
        { "PN", "Yamada^Tarou=山田", "Yamada^Tarou=山田^太郎=やまだ^たろう", false },
        { "PN", "*=山田*", "=山田^太郎", true },
        { "PN", "山?*", "=山田^太郎", true },
        { "PN", "Buc^Jérôme", "BUC^JEROME", true },
        { "PN", "Doe^Jane", "Roe^Jim\\Doe^Jane", true },
        { "PN", "*jane*", "Roe^Jim\\Doe^Jane", true },
        { "PN", "김희중", "Hong=김희중", true },
    };

    EXPECT_PAIRS(pairs);
}

TEST(SEA_60_text_matches_however_its_accents_are_spelt)
{
    static const struct pair pairs[] = {
        { "LO", "Thorax Ä", "Thorax Ä", true },
        { "LO", "Thorax A\xCC\x88", "Thorax Ä", true },
        { "LO", "Thorax a", "Thorax Ä", false },
        { "LO", "\xE3\x81\x8B\xE3\x82\x99", "\xE3\x81\x8C", true }, /* ka and a voiced mark, ga */
        { "LO", "\xE1\x84\x80\xE1\x85\xB5\xE1\x86\xB7", "김", true },
    };

    EXPECT_PAIRS(pairs);
}

TEST(SEA_16_a_key_that_is_not_utf_8_is_malformed)
{
    EXPECT_MALFORMED("PN", "\xFF", "a\xC0\x80", "\xED\xA0\x80", "caf\xE9");
    EXPECT_MALFORMED("LO", "\xFF");
}

TEST(matching_fold_makes_what_is_compared_and_nothing_twice)
{
    static const struct {
        const char *name, *folded;
    } cases[] = {
        { "Doe^Jane", "doe^jane" },
        { " Doe ^ Jane ^^^ ", "doe^jane" },
        { "Doe^^=", "doe" },
        { "=山田^太郎^^==", "=山田^太郎" },
        { "Müller^Zoë^^=X^=Y", "muller^zoe=x=y" },
        { "A^B^\\C^D^ ", "a^b\\c^d" },
        { "^^^", "" },
        { "", "" },
        { "Mac Donald^Ann Marie", "mac donald^ann marie" },
    };
    struct arena arena = { 0 };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct bytes once = matching_fold(bytes_of_text(cases[i].name), &arena);
        EXPECT_TEXT(once, cases[i].folded);
        EXPECT_TEXT(matching_fold(once, &arena), cases[i].folded);
    }
    arena_release(&arena);
}

TEST(canonical_dates_compare_as_text)
{
    static const struct {
        const char *vr, *stored, *canonical;
    } cases[] = {
        { "DA", "20240102", "20240102" },
        { "DA", "2024.01.02", "20240102" },
        { "DA", "20240102 ", "20240102" },
        { "DA", "2024", "" },
        { "DA", "", "" },
        { "TM", "10", "100000.000000" },
        { "TM", "101112.5 ", "101112.500000" },
        { "TM", "10:11", "101100.000000" },
        { "TM", "99", "" },
        { "DT", "2024", "20240101000000.000000" },
        { "DT", "20240101000000+0100", "20231231230000.000000" },
        { "LO", "20240102", "" },
    };
    struct arena arena = { 0 };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT_TEXT(matching_canonical(cases[i].vr, bytes_of_text(cases[i].stored), &arena),
                    cases[i].canonical);
    arena_release(&arena);
}
