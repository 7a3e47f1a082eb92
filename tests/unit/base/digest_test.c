/* tests/unit/base/digest_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "base/digest.h"

static const char of_abc[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; /* FIPS 180-2 B.1 */
static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void expect_hex(const uint8_t sum[DIGEST_BYTES], const char *want)
{
    char hex[2 * DIGEST_BYTES + 1];

    digest_hex(sum, DIGEST_BYTES, hex);
    EXPECT_TEXT(bytes_of_text(hex), want);
}

TEST(the_digest_of_known_texts_is_known)
{
    uint8_t sum[DIGEST_BYTES];

    digest_of(bytes_of_text("abc"), sum);
    expect_hex(sum, of_abc);
    digest_of(bytes_of_text(""), sum);
    expect_hex(sum, of_nothing);
}

TEST(a_digest_in_pieces_is_the_same_and_starts_anew)
{
    struct digest *digest = digest_new();
    uint8_t sum[DIGEST_BYTES];

    digest_add(digest, bytes_of_text("a"));
    digest_add(digest, bytes_of(NULL, 0));
    digest_add(digest, bytes_of_text("bc"));
    digest_get(digest, sum);
    expect_hex(sum, of_abc);
    digest_get(digest, sum);
    expect_hex(sum, of_nothing);
    digest_add(digest, bytes_of_text("abc"));
    digest_get(digest, sum);
    expect_hex(sum, of_abc);
    digest_free(digest);
    digest_free(NULL);
}
