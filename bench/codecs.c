/* bench/codecs.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What decoding costs within the process and in one of its own: CPU time of both sides for a CT slice,
 * alternating. Usage: bench_codecs [frames]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/number.h"
#include "codec/codec.h"
#include "codec/decoder_process.h"

enum { SIDE = 512, ROUNDS = 5, FRAMES = 40 };

static double cpu_of(int who)
{
    struct rusage usage;

    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

/* A body of air, tissue and bone with noise, 12 bits. */
static struct pixels phantom(void)
{
    struct pixels made = { .shape = { SIDE, SIDE, 1, 16, 12, false, false, MONOCHROME2 } };
    struct error err = { 0 };
    uint32_t state = 1;

    if (!block_take(SIDE * SIDE * 2, &made.block, &err))
        abort();
    uint8_t *room = block_room(made.block, NULL);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const double r = hypot(x - SIDE / 2, (y - SIDE / 2) * 1.3);
            state = state * 1664525u + 1013904223u;
            const int noise = (int)(state >> 27) - 16;
            int value = (r < 60    ? 1800
                         : r < 200 ? 1050 + (x * 7 + y * 3) / 40
                                   : 30) +
                        noise / (r < 200 ? 1 : 4);
            value = value < 0 ? 0 : value;
            room[2 * (y * SIDE + x)] = (uint8_t)value;
            room[2 * (y * SIDE + x) + 1] = (uint8_t)(value >> 8);
        }
    block_seal(made.block, SIDE * SIDE * 2);
    return made;
}

static void decode(enum transfer_syntax from, const struct pixels *coded, unsigned frames)
{
    static const struct codec_wish all;

    for (unsigned i = 0; i < frames; i++) {
        struct pixels got = { 0 };
        struct error err = { 0 };
        if (!codec_decode(from, &coded->shape, coded->block, &all, &got, &err)) {
            fprintf(stderr, "%s\n", err.detail);
            exit(1);
        }
        pixels_done(&got);
    }
}

int main(int argc, char **argv)
{
    static const enum transfer_syntax kinds[] = { SYNTAX_JPEG_LOSSLESS_SV1,  SYNTAX_JPEG_LS_LOSSLESS,
                                                  SYNTAX_JPEG_2000_LOSSLESS, SYNTAX_HTJ2K_LOSSLESS,
                                                  SYNTAX_JPEG_EXTENDED_12,   SYNTAX_JPEG_XL_LOSSLESS };
    static const struct codec_parameters usual;
    struct pixels made;
    uint64_t frames = FRAMES;

    if (argc == 2 && strcmp(argv[1], DECODER_PROCESS_ARGUMENT) == 0)
        return decoder_process_serve();
    if (argc == 2 && !number_parse(bytes_of_text(argv[1]), 1, 100000, &frames))
        return 2;
    made = phantom();
    printf("%-26s %10s %10s %8s %10s\n", "decode a CT slice, CPU ms", "within", "apart", "price", "encode");
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct pixels coded = { 0 };
        struct error err = { 0 };
        double within = 1e9, apart = 1e9, encode = cpu_of(RUSAGE_SELF);

        if (!codec_encode(kinds[k], &made, &usual, &coded, &err)) {
            fprintf(stderr, "%s\n", err.detail);
            return 1;
        }
        encode = cpu_of(RUSAGE_SELF) - encode;
        for (unsigned round = 0; round < ROUNDS; round++) {
            double began = cpu_of(RUSAGE_SELF);
            decode(kinds[k], &coded, (unsigned)frames);
            within = fmin(within, (cpu_of(RUSAGE_SELF) - began) / (double)frames);
            if (!decoder_processes_open(1, &err))
                return 1;
            decode(kinds[k], &coded, 1); /* the process' own beginning is not the frame's */
            /* Children count when they are waited for: that of the beginning is taken off by a run of none.
             */
            const double children = cpu_of(RUSAGE_CHILDREN);
            began = cpu_of(RUSAGE_SELF);
            decode(kinds[k], &coded, (unsigned)frames);
            const double self = cpu_of(RUSAGE_SELF) - began;
            decoder_processes_close();
            const double long_run = cpu_of(RUSAGE_CHILDREN) - children;
            const double before = cpu_of(RUSAGE_CHILDREN);
            if (!decoder_processes_open(1, &err))
                return 1;
            decode(kinds[k], &coded, 1);
            decoder_processes_close();
            const double short_run = cpu_of(RUSAGE_CHILDREN) - before;
            apart = fmin(apart, (self + long_run - short_run) / (double)frames);
        }
        printf("%-26s %10.3f %10.3f %7.1f%% %10.3f\n", transfer_syntax_info(kinds[k])->uid, within, apart,
               100 * (apart / within - 1), encode);
        pixels_done(&coded);
    }
    pixels_done(&made);
    return 0;
}
