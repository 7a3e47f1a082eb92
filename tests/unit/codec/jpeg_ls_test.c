/* tests/unit/codec/jpeg_ls_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Our own JPEG-LS against CharLS: the same samples out of every stream, and the same streams out of all
 * samples.
 */
#include "tests/support/charls_judge.h"
#include "tests/support/made_pixels.h"

enum pattern { NOISE, FLAT, FULL, STEPS, WALK, SPECKS, EXTREMES, PATCHES, PATTERNS };

struct image {
    struct ls_stream stream;
    int32_t near;
    enum pattern pattern;
    uint8_t *cells;
};

static void put_cell(const struct image *image, size_t i, uint32_t value)
{
    if (judge_cell_bytes(&image->stream) == 1)
        image->cells[i] = (uint8_t)value;
    else
        memcpy(image->cells + 2 * i, &(uint16_t){ (uint16_t)value }, 2);
}

static void fill(const struct image *image, uint32_t *state)
{
    const uint32_t most = (1u << image->stream.bits) - 1;
    const size_t count = judge_frame_bytes(&image->stream) / judge_cell_bytes(&image->stream);
    uint32_t walk = made_random(state) & most;

    for (size_t i = 0; i < count; i++) {
        const uint32_t random = made_random(state);
        const uint32_t step = random % 7;
        uint32_t value = 0;
        switch (image->pattern) {
        case NOISE:
            value = random;
            break;
        case FULL:
            value = most;
            break;
        case STEPS:
            value = (uint32_t)(i * 7 / image->stream.columns);
            break;
        case WALK:
            walk = walk + step < 3 ? 0 : walk + step - 3 > most ? most : walk + step - 3;
            value = walk;
            break;
        case SPECKS:
            value = random % 20 ? 0 : random >> 8;
            break;
        case EXTREMES:
            value = random % 2 ? most : 0;
            break;
        case PATCHES:
            value = i / 97 % 3 ? most / 2 : random % 3;
            break;
        default:
            break;
        }
        put_cell(image, i, value & most);
    }
}

/* The caller frees its cells. */
static struct image random_image(uint32_t *state)
{
    const unsigned bits = 2 + made_random(state) % 15, components = made_random(state) % 3 ? 1 : 3;
    const uint32_t half = (1u << bits) / 2, nears = half < 256 ? half : 256;
    struct image image = {
        .stream = { .rows = 1 + made_random(state) % 40,
                    .columns = 1 + made_random(state) % (made_random(state) % 4 ? 40 : 300),
                    .components = components,
                    .bits = bits,
                    .interleave =
                        components == 1 ? LS_PLANES : (enum ls_interleave)(made_random(state) % 3) },
        .near = made_random(state) % 2 ? 0 : (int32_t)(made_random(state) % nears),
        .pattern = (enum pattern)(made_random(state) % PATTERNS),
    };

    if (image.near > 3 && made_random(state) % 2)
        image.near = 1 + image.near % 3;
    image.cells = malloc(judge_frame_bytes(&image.stream));
    if (!image.cells)
        abort();
    fill(&image, state);
    return image;
}

static const char *words_of(const struct image *image)
{
    static char words[128];

    snprintf(words, sizeof words, "%u x %u, %u components, %u bits, interleave %u, near %d, pattern %u",
             image->stream.columns, image->stream.rows, image->stream.components, image->stream.bits,
             (unsigned)image->stream.interleave, image->near, (unsigned)image->pattern);
    return words;
}

/* Ours of `coded` into cells as CharLS has them; checks that not a byte is written beyond. */
static bool decode_own(const struct ls_stream *like, struct bytes coded, uint8_t *into)
{
    const size_t size = judge_frame_bytes(like);
    struct ls_stream stream;
    /* Of just these sizes: a sanitizer sees the byte beyond. */
    uint8_t *copy = malloc(coded.size ? coded.size : 1), *room = malloc(size);

    if (!copy || !room)
        abort();
    memcpy(copy, coded.data, coded.size);
    const struct bytes own = bytes_of(copy, coded.size);
    const bool ok = ls_stream_read(own, &stream) && stream.rows == like->rows &&
                    stream.columns == like->columns && stream.components == like->components &&
                    stream.bits == like->bits &&
                    ls_decode(own, &stream, (unsigned)judge_cell_bytes(like), room);
    memcpy(into, room, ok ? size : 0);
    free(copy);
    free(room);
    return ok;
}

static void compare(const struct image *image, const int32_t *preset)
{
    const size_t size = judge_frame_bytes(&image->stream);
    size_t coded_bytes = 0;
    uint8_t *theirs = malloc(size), *ours = malloc(size);
    uint8_t *coded = judge_encode(&image->stream, image->near, preset, image->cells, &coded_bytes);

    if (!theirs || !ours)
        abort();
    if (!coded) {
        EXPECT(false, "CharLS refuses %s", words_of(image));
    } else if (EXPECT(judge_decode(&image->stream, bytes_of(coded, coded_bytes), theirs), "CharLS")) {
        EXPECT(decode_own(&image->stream, bytes_of(coded, coded_bytes), ours), "%s is not decoded",
               words_of(image));
        EXPECT(memcmp(ours, theirs, size) == 0, "%s: other samples", words_of(image));
    }
    if (coded && !preset &&
        image->stream.interleave == (image->stream.components == 1 ? LS_PLANES : LS_SAMPLES)) {
        struct block *own = NULL;
        struct error err = { 0 };
        EXPECT(ls_encode(&image->stream, image->near, (unsigned)judge_cell_bytes(&image->stream),
                         bytes_of(image->cells, size), &own, &err) &&
                   bytes_equal(block_bytes(own), bytes_of(coded, coded_bytes)),
               "%s: another stream", words_of(image));
        block_unref(own);
    }
    free(coded);
    free(theirs);
    free(ours);
}

TEST(TSX_09_any_image_is_coded_and_decoded_as_by_charls_byte_for_byte)
{
    uint32_t state = 1;

    for (unsigned i = 0; i < 3000; i++) {
        struct image image = random_image(&state);
        compare(&image, NULL);
        free(image.cells);
    }
}

TEST(lines_of_one_sample_and_of_thousands_are_coded_alike)
{
    static const struct {
        uint32_t rows, columns;
    } sizes[] = { { 1, 1 }, { 1, 2 }, { 2, 1 }, { 300, 1 }, { 1, 65535 }, { 2, 40000 }, { 3, 8191 } };

    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        for (unsigned bits = 2; bits <= 16; bits++)
            for (unsigned pattern = 0; pattern < PATTERNS; pattern += bits % 4 ? 5 : 1) {
                struct image image = { .stream = { sizes[i].rows, sizes[i].columns, 1, bits, LS_PLANES },
                                       .pattern = (enum pattern)pattern };
                uint32_t state = bits;
                image.cells = malloc(judge_frame_bytes(&image.stream));
                if (!image.cells)
                    abort();
                fill(&image, &state);
                compare(&image, NULL);
                free(image.cells);
            }
}

TEST(thresholds_of_the_stream_itself_are_used)
{
    uint32_t state = 2;

    for (unsigned i = 0; i < 400; i++) {
        struct image image = random_image(&state);
        const int32_t maxval = (1 << image.stream.bits) - 1, room = maxval - image.near;
        const int32_t t1 = image.near + 1 + (int32_t)(made_random(&state) % (uint32_t)(room > 1 ? room : 1));
        const int32_t t2 = t1 + (int32_t)(made_random(&state) % (uint32_t)(maxval - t1 + 1));
        const int32_t t3 = t2 + (int32_t)(made_random(&state) % (uint32_t)(maxval - t2 + 1));
        const int32_t preset[] = { made_random(&state) % 2 ? maxval : 0, t1, t2, t3, 0 };
        compare(&image, preset);
        free(image.cells);
    }
}

/* Each part coded as a picture of its own, their data joined by restart markers; a DRI segment before the
 * scan. */
TEST(all_begins_anew_behind_a_restart_marker)
{
    enum { PARTS = 11, LINES = 3, COLUMNS = 50 };
    static uint8_t joined[65536];
    uint32_t state = 3;

    for (unsigned components = 1; components <= 3; components += 2) {
        const struct ls_stream whole = { PARTS * LINES, COLUMNS, components, 8,
                                         components == 1 ? LS_PLANES : LS_SAMPLES };
        struct image part = { .stream = whole, .pattern = WALK };
        const size_t part_bytes = (size_t)LINES * COLUMNS * components;
        uint8_t *wanted = malloc(PARTS * part_bytes), *got = malloc(PARTS * part_bytes);
        size_t size = 0;
        if (!wanted || !got)
            abort();
        part.stream.rows = LINES;
        for (unsigned i = 0; i < PARTS; i++) {
            size_t coded_bytes = 0;
            part.cells = wanted + i * part_bytes;
            fill(&part, &state);
            uint8_t *coded = judge_encode(&part.stream, 0, NULL, part.cells, &coded_bytes);
            const size_t sof = 4 + 6 + 3 * components, head = 2 + sof + 4 + 4 + 2 * components;
            if (!coded || coded_bytes < head + 2)
                abort();
            if (i == 0) {
                memcpy(joined, coded, 2 + sof);
                joined[8] = PARTS * LINES; /* the lower byte of the lines */
                memcpy(joined + 2 + sof, "\xFF\xDD\0\x04\0\x03", 6);
                memcpy(joined + 2 + sof + 6, coded + 2 + sof, head - 2 - sof);
                size = head + 6;
            } else {
                joined[size++] = 0xFF;
                joined[size++] = (uint8_t)(0xD0 + (i - 1) % 8);
            }
            memcpy(joined + size, coded + head, coded_bytes - head - 2);
            size += coded_bytes - head - 2;
            free(coded);
        }
        memcpy(joined + size, "\xFF\xD9", 2);
        size += 2;
        EXPECT(decode_own(&whole, bytes_of(joined, size), got), "not decoded");
        EXPECT(memcmp(got, wanted, PARTS * part_bytes) == 0, "other samples");
        EXPECT(judge_decode(&whole, bytes_of(joined, size), got) &&
                   memcmp(got, wanted, PARTS * part_bytes) == 0,
               "CharLS sees something else");
        for (size_t i = 30; i + 1 < size; i++) /* a wrong number */
            if (joined[i] == 0xFF && joined[i + 1] == 0xD1) {
                joined[i + 1] = 0xD5;
                break;
            }
        EXPECT(!decode_own(&whole, bytes_of(joined, size), got), "any restart marker will do");
        free(wanted);
        free(got);
    }
}

TEST(TSX_21_of_a_damaged_stream_nothing_else_comes_out_than_what_charls_makes_of_it)
{
    uint32_t state = 4;
    unsigned decoded = 0;

    for (unsigned i = 0; i < 400; i++) {
        struct image image = random_image(&state);
        const size_t size = judge_frame_bytes(&image.stream);
        size_t coded_bytes = 0;
        uint8_t *theirs = malloc(size), *ours = malloc(size);
        uint8_t *coded = judge_encode(&image.stream, image.near, NULL, image.cells, &coded_bytes);
        if (!theirs || !ours || !coded)
            abort();
        for (unsigned damage = 0; damage < 8; damage++) {
            const size_t kept = damage % 4 ? coded_bytes : made_random(&state) % coded_bytes;
            for (unsigned hits = damage % 4; hits > 0; hits--)
                coded[made_random(&state) % coded_bytes] ^= (uint8_t)(1u << made_random(&state) % 8);
            if (!decode_own(&image.stream, bytes_of(coded, kept), ours))
                continue;
            decoded++;
            /* Of what CharLS refuses (it wants an end marker) nothing is known. */
            if (judge_decode(&image.stream, bytes_of(coded, kept), theirs))
                EXPECT(memcmp(ours, theirs, size) == 0, "%s: other samples", words_of(&image));
        }
        free(coded);
        free(theirs);
        free(ours);
        free(image.cells);
    }
    EXPECT(decoded > 20, "only %u damaged streams were decoded", decoded);
}

/* A stream of an odd length is made even by an FF before the last marker; SPIFF stands before the frame. */
TEST(bytes_that_say_nothing_of_the_picture_are_passed_over)
{
    static const uint8_t spiff[] =
        "\xFF\xE8\0\x20SPIFF\0\x02\0\0\x03\0\0\0\x05\0\0\0\x07\x08\x08\x06\0\0\0\0\x01"
        "\0\0\0\x01\xFF\xE8\0\x08\0\0\0\x01\xFF\xD8";
    struct image image = { .stream = { 5, 7, 1, 8, LS_PLANES }, .pattern = WALK };
    uint8_t cells[35], got[35], longer[1024];
    uint32_t state = 5;
    size_t coded_bytes = 0;

    image.cells = cells;
    fill(&image, &state);
    uint8_t *coded = judge_encode(&image.stream, 0, NULL, cells, &coded_bytes);
    if (!EXPECT(coded && coded_bytes > 4 && coded_bytes < 512, "CharLS refuses"))
        return;
    memcpy(longer, coded, 2);
    memcpy(longer + 2, spiff, sizeof spiff - 1);
    size_t at = 2 + sizeof spiff - 1;
    memcpy(longer + at, coded + 2, coded_bytes - 4);
    at += coded_bytes - 4;
    memcpy(longer + at, "\xFF\xFF\xFF\xD9\0", 5);
    EXPECT(decode_own(&image.stream, bytes_of(longer, at + 5), got) && memcmp(got, cells, sizeof got) == 0,
           "SPIFF, or FF before the end");
    memcpy(longer + 2, "\xFF\xE8\0\x07mrfx\x01", 9);
    memcpy(longer + 11, coded + 2, coded_bytes - 2);
    EXPECT(!decode_own(&image.stream, bytes_of(longer, coded_bytes + 9), got),
           "colours that are transformed");
    free(coded);
}

/* What is not ours goes to CharLS and comes out all the same: here MAXVAL is no power of two less one. */
TEST(what_our_decoder_does_not_take_is_decoded_by_charls)
{
    static const int32_t preset[] = { 200, 3, 7, 21, 64 };
    static const struct codec_wish all = { 0 };
    const struct pixel_shape shape = { .rows = 20,
                                       .columns = 30,
                                       .samples_per_pixel = 1,
                                       .bits_allocated = 8,
                                       .bits_stored = 8,
                                       .photometric = MONOCHROME2 };
    struct image image = { .stream = { 20, 30, 1, 8, LS_PLANES } };
    SCOPED(pixels) struct pixels got = { 0 };
    struct ls_stream stream;
    struct error err = { 0 };
    size_t coded_bytes = 0;
    uint8_t cells[600];

    for (size_t i = 0; i < sizeof cells; i++)
        cells[i] = (uint8_t)(i % 201);
    image.cells = cells;
    uint8_t *coded = judge_encode(&image.stream, 0, preset, cells, &coded_bytes);
    if (!EXPECT(coded, "CharLS refuses"))
        return;
    EXPECT(!ls_stream_read(bytes_of(coded, coded_bytes), &stream), "ours takes it");
    struct block *block = made_block(bytes_of(coded, coded_bytes));
    EXPECT(codec_decode(SYNTAX_JPEG_LS_LOSSLESS, &shape, block, &all, &got, &err), "%s", err.detail);
    EXPECT(got.block && bytes_equal(block_bytes(got.block), bytes_of(cells, sizeof cells)), "other samples");
    block_unref(block);
    free(coded);
}
