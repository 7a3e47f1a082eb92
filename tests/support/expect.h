/* tests/support/expect.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The test harness: TEST(a_sentence) { EXPECT(condition, "what was seen"); }. Every test of a file runs, each
 * prints PASS or FAIL with its name, and the program ends with the line `N passed, N failed`.
 * A name as argument runs only the tests whose names contain it.
 */
#ifndef GANTRY_TESTS_EXPECT_H
#define GANTRY_TESTS_EXPECT_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

struct expect_test {
    const char *name;
    void (*run)(void);
    struct expect_test *next;
};
static struct expect_test *expect_first, **expect_last = &expect_first;
static unsigned expect_failures;
static const char *expect_skipped;

#define TEST(sentence) \
    static void sentence(void); \
    __attribute__((constructor)) static void expect_add_##sentence(void) \
    { \
        static struct expect_test test = { #sentence, sentence, NULL }; \
        *expect_last = &test; \
        expect_last = &test.next; \
    } \
    static void sentence(void)

/* EXPECT(a == b, "a is %d", a): goes on after a failure, so that one run tells all. */
#define EXPECT(condition, ...) \
    ({ \
        const bool expect_met_ = (condition); \
        if (!expect_met_) { \
            expect_failures++; \
            printf("  %s:%d: expected %s: ", __FILE__, __LINE__, #condition); \
            printf(__VA_ARGS__); \
            printf("\n"); \
        } \
        expect_met_; \
    })
#define EXPECT_TEXT(got, want) \
    ({ \
        const struct bytes expect_got_ = (got); \
        EXPECT(bytes_equal_text(expect_got_, want), "got \"%.*s\", want \"%s\"", BYTES_ARG(expect_got_), \
               want); \
    })
/* Leaves the test as skipped; counted and told. */
#define SKIP(why) \
    do { \
        expect_skipped = (why); \
        return; \
    } while (0)

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0, skipped = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (const struct expect_test *test = expect_first; test; test = test->next) {
        if (argc > 1 && !strstr(test->name, argv[1]))
            continue;
        expect_failures = 0;
        expect_skipped = NULL;
        test->run();
        if (expect_failures)
            failed++;
        else if (expect_skipped)
            skipped++;
        else
            passed++;
        if (expect_skipped && !expect_failures)
            printf("SKIP %s: %s\n", test->name, expect_skipped);
        else
            printf("%s %s\n", expect_failures ? "FAIL" : "PASS", test->name);
    }
    printf("%u passed, %u failed", passed, failed);
    printf(skipped ? ", %u skipped\n" : "\n", skipped);
    return failed ? 1 : 0;
}

#endif
