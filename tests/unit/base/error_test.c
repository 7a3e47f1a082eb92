/* tests/unit/base/error_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include <errno.h>

TEST(a_detail_is_for_the_log_and_what_is_told_is_for_both)
{
    struct error err = { 0 };

    EXPECT(!error_tell(&err, FAULT_MALFORMED, "The limit is %d.", 5), "true");
    EXPECT_TEXT(bytes_of_text(err.told), "The limit is 5.");
    EXPECT_TEXT(bytes_of_text(err.detail), "The limit is 5.");
    EXPECT(!error_set(&err, FAULT_DISK, "pwrite %s", "x") && err.fault == FAULT_DISK, "fault %d", err.fault);
    EXPECT_TEXT(bytes_of_text(err.detail), "pwrite x");
    EXPECT_TEXT(bytes_of_text(err.told), "");
    error_clear(&err);
    EXPECT(err.fault == FAULT_NONE && !err.detail[0] && !err.told[0], "not clear");
}

TEST(what_was_being_done_stands_in_front)
{
    struct error err = { 0 };

    error_tell(&err, FAULT_NOT_FOUND, "frame 7 of 3");
    EXPECT(!error_while(&err, "serving %s", "frames"), "true");
    EXPECT_TEXT(bytes_of_text(err.detail), "serving frames: frame 7 of 3");
    EXPECT_TEXT(bytes_of_text(err.told), "frame 7 of 3");
    EXPECT(err.fault == FAULT_NOT_FOUND, "fault %d", err.fault);
}

TEST(long_texts_are_cut_and_never_overrun)
{
    struct error err = { 0 };

    error_tell(&err, FAULT_DISK, "%0*d", 1000, 1);
    EXPECT(strlen(err.told) == sizeof err.told - 1 && strlen(err.detail) < sizeof err.detail, "%zu",
           strlen(err.told));
    for (int i = 0; i < 10; i++)
        error_while(&err, "%0*d", 1000, i);
    EXPECT(strlen(err.detail) < sizeof err.detail, "%zu", strlen(err.detail));
}

TEST(errno_becomes_the_fault_it_means)
{
    static const struct {
        int number;
        enum fault want;
        const char *name;
    } cases[] = { { ENOSPC, FAULT_DISK_FULL, "ENOSPC" },
                  { EDQUOT, FAULT_DISK_FULL, "EDQUOT" },
                  { EMFILE, FAULT_BUSY, "EMFILE" },
                  { ENOMEM, FAULT_BUSY, "ENOMEM" },
                  { EIO, FAULT_DISK, "EIO" },
                  { 99999, FAULT_DISK, "unknown error" } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err = { 0 };
        EXPECT(!error_errno(&err, cases[i].number, "writing %d", 5), "true");
        EXPECT(err.fault == cases[i].want && strstr(err.detail, cases[i].name), "%s: %d", err.detail,
               err.fault);
        EXPECT(!err.told[0], "told");
    }
}

TEST(what_may_go_when_it_is_asked_for_again_is_not_lasting)
{
    EXPECT(fault_is_lasting(FAULT_CORRUPT_PIXELS) && fault_is_lasting(FAULT_OVER_BUDGET), "does last");
    EXPECT(!fault_is_lasting(FAULT_NONE), "is no failure");
    for (enum fault fault = FAULT_NONE; fault < FAULT_COUNT; fault++)
        EXPECT(!fault_is_lasting(fault) || fault_info(fault)->http_status != 503, "%s",
               fault_info(fault)->name);
}

TEST(every_fault_has_a_status_and_a_sentence)
{
    for (enum fault fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        const struct fault_info *info = fault_info(fault);
        EXPECT(info->http_status >= 400 && info->http_status < 600, "%s: %d", info->name, info->http_status);
        EXPECT(info->failure_reason && info->sentence[0], "%s", info->name);
    }
}
