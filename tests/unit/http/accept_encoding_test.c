/* tests/unit/http/accept_encoding_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "http/accept_encoding.h"

enum { GZIP = 1 << CODING_GZIP, ZSTD = 1 << CODING_ZSTD, BOTH = GZIP | ZSTD };

/* "-": nothing that is offered is taken. */
static const char *choose(const char *header, unsigned offered)
{
    enum content_coding coding = CODING_IDENTITY;

    if (!accept_encoding_choose(bytes_of_text(header), offered, &coding))
        return "-";
    return coding == CODING_IDENTITY ? "identity" : content_coding_name(coding);
}

TEST(HTP_60_63_the_coding_is_the_one_of_the_highest_q_that_is_offered)
{
    static const struct {
        const char *header;
        unsigned offered;
        const char *want;
    } cases[] = {
        { NULL, BOTH, "identity" },
        { "", BOTH, "identity" },
        { "gzip, deflate, br, zstd", BOTH, "zstd" }, /* every browser */
        { "gzip, deflate, br, zstd", GZIP, "gzip" },
        { "gzip, deflate, br, zstd", 0, "identity" },
        { "gzip, deflate", BOTH, "gzip" }, /* Python's requests */
        { "deflate, br", BOTH, "identity" },
        { "identity", BOTH, "identity" },
        { "x-gzip", BOTH, "gzip" },
        { "GZip", BOTH, "gzip" },
        { "gzip;q=0, zstd", BOTH, "zstd" },
        { "gzip;q=0, zstd", GZIP, "identity" },
        { "gzip;q=1.0, zstd;q=0.5", BOTH, "gzip" },
        { "gzip ; q = 0.2 , zstd\t;\tQ=0.9", BOTH, "zstd" },
        { "identity;q=1, gzip;q=0.5", BOTH, "identity" },
        { "identity;q=0.5, gzip;q=0.5", BOTH, "gzip" },
        { "identity;q=0", BOTH, "-" },
        { "identity;q=0, gzip", BOTH, "gzip" },
        { "identity;q=0, gzip", ZSTD, "-" },
        { "identity;q=0, *", ZSTD, "zstd" },
        { "*", BOTH, "zstd" },
        { "*", 0, "identity" },
        { "*;q=0", BOTH, "-" },
        { "*;q=0, gzip", BOTH, "gzip" },
        { "*;q=0, identity", BOTH, "identity" },
        { "gzip;q=0.001", BOTH, "gzip" },
        { "gzip;q=0.000", BOTH, "identity" },
        { "gzip;q=2", BOTH, "identity" },
        { "gzip;q", BOTH, "identity" },
        { "gzip;level=9", BOTH, "identity" },
        { "gzip;", BOTH, "identity" },
        { ",,, ,gzip,", BOTH, "gzip" },
        { "gzipp, zst", BOTH, "identity" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *got = choose(cases[i].header, cases[i].offered);
        EXPECT(strcmp(got, cases[i].want) == 0, "\"%s\" of %x gave %s, want %s",
               cases[i].header ? cases[i].header : "(none)", cases[i].offered, got, cases[i].want);
    }
}
