/* tests/unit/codec/decoder_process_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * This program is its own decoder: begun with the argument, it serves and runs no test.
 */
#include "codec/decoder_process.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/support/made_pixels.h"

__attribute__((constructor(101))) static void serve_if_asked(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], DECODER_PROCESS_ARGUMENT) == 0)
        _exit(decoder_process_serve());
}

static const struct codec_wish all = { 0 };
static const struct codec_parameters usual = { 0 };
static const struct pixel_shape grey = { 64, 96, 1, 16, 12, false, false, MONOCHROME2 };

static void open_processes(unsigned count)
{
    struct error err = { 0 };

    if (!decoder_processes_open(count, &err)) {
        printf("%s\n", err.detail);
        abort();
    }
}

/* The decoders that run, at most `most` of them; returns how many. */
static unsigned decoders(pid_t *into, unsigned most)
{
    char path[64];
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");

    for (struct dirent *task; (task = readdir(tasks));) {
        unsigned pid = 0;
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%.20s/children", task->d_name);
        FILE *children = fopen(path, "r");
        while (children && count < most && fscanf(children, "%u", &pid) == 1)
            into[count++] = (pid_t)pid;
        if (children)
            fclose(children);
    }
    closedir(tasks);
    return count;
}

TEST(every_syntax_gives_the_same_through_a_process_as_without)
{
    for (unsigned syntax = 0; syntax < SYNTAX_COUNT; syntax++) {
        SCOPED(pixels)
        struct pixels made = { 0 }, coded = { 0 }, here = { 0 }, there = { 0 }, here_ls = { 0 },
                      there_ls = { 0 };
        struct error err = { 0 };

        if (!transfer_syntax_info((enum transfer_syntax)syntax)->encapsulated ||
            !codec_can_encode((enum transfer_syntax)syntax, &grey))
            continue;
        made = made_pixels(&grey);
        EXPECT(codec_encode((enum transfer_syntax)syntax, &made, &usual, &coded, &err) &&
                   codec_decode((enum transfer_syntax)syntax, &coded.shape, coded.block, &all, &here, &err) &&
                   codec_transcode((enum transfer_syntax)syntax, SYNTAX_JPEG_LS_LOSSLESS, &coded.shape,
                                   coded.block, &usual, 0, &here_ls, &err),
               "%s", err.detail);
        open_processes(2);
        EXPECT(codec_decode((enum transfer_syntax)syntax, &coded.shape, coded.block, &all, &there, &err) &&
                   codec_transcode((enum transfer_syntax)syntax, SYNTAX_JPEG_LS_LOSSLESS, &coded.shape,
                                   coded.block, &usual, 0, &there_ls, &err),
               "%s", err.detail);
        decoder_processes_close();
        EXPECT(here.block && there.block && bytes_equal(block_bytes(here.block), block_bytes(there.block)),
               "syntax %u: other pixels", syntax);
        EXPECT(here_ls.block && there_ls.block &&
                   bytes_equal(block_bytes(here_ls.block), block_bytes(there_ls.block)),
               "syntax %u: another stream", syntax);
        EXPECT(memcmp(&here.shape, &there.shape, sizeof here.shape) == 0, "syntax %u: another shape", syntax);
    }
}

TEST(broken_streams_fail_alike_and_do_not_cost_a_process)
{
    struct block *broken = made_block(bytes_of_text("\xFF\xD8\xFF no image"));
    const unsigned before = decoder_processes_begun();

    open_processes(1);
    for (unsigned i = 0; i < 5; i++) {
        SCOPED(pixels) struct pixels got = { 0 };
        struct error err = { 0 };
        EXPECT(!codec_decode(SYNTAX_JPEG_LS_LOSSLESS, &grey, broken, &all, &got, &err), "decoded");
        EXPECT(err.fault == FAULT_CORRUPT_PIXELS && strstr(err.told, "cannot be decoded") && err.detail[0],
               "%d: %s", err.fault, err.told);
    }
    EXPECT(decoder_processes_begun() == before + 1, "%u begun", decoder_processes_begun() - before);
    decoder_processes_close();
    block_unref(broken);
}

TEST(TSX_21_a_decoder_that_is_gone_is_begun_again)
{
    SCOPED(pixels) struct pixels made = made_pixels(&grey), coded = { 0 };
    struct error err = { 0 };
    pid_t pids[8];

    EXPECT(codec_encode(SYNTAX_JPEG_LS_LOSSLESS, &made, &usual, &coded, &err), "%s", err.detail);
    open_processes(1);
    for (unsigned i = 0; i < 5; i++) {
        SCOPED(pixels) struct pixels got = { 0 };
        const unsigned count = decoders(pids, COUNT_OF(pids));
        EXPECT(count == 1, "%u decoders", count);
        for (unsigned n = 0; n < count; n++)
            kill(pids[n], i % 2 ? SIGKILL : SIGTERM);
        usleep(20000);
        err = (struct error){ 0 };
        const bool ok = codec_decode(SYNTAX_JPEG_LS_LOSSLESS, &grey, coded.block, &all, &got, &err);
        EXPECT(ok ? made_difference(&made, &got) == 0 : err.fault == FAULT_CORRUPT_PIXELS, "%s", err.detail);
        if (!ok) /* it died with the work in its hands: the next one has another */
            EXPECT(codec_decode(SYNTAX_JPEG_LS_LOSSLESS, &grey, coded.block, &all, &got, &err) &&
                       made_difference(&made, &got) == 0,
                   "%s", err.detail);
    }
    decoder_processes_close();
    EXPECT(decoders(pids, COUNT_OF(pids)) == 0, "decoders are left");
}

/* OpenJPH ends its process over an assertion that foreign bytes can break. */
TEST(TSX_21_whatever_htj2k_is_broken_to_the_server_stays)
{
    SCOPED(pixels) struct pixels made = made_pixels(&grey), coded = { 0 };
    struct error err = { 0 };
    uint32_t state = 4711;
    unsigned failed = 0;

    EXPECT(codec_encode(SYNTAX_HTJ2K_LOSSLESS, &made, &usual, &coded, &err), "%s", err.detail);
    open_processes(1);
    for (unsigned round = 0; round < 300; round++) {
        SCOPED(pixels) struct pixels got = { 0 };
        struct block *broken = made_block(block_bytes(coded.block));
        uint8_t *room = block_room(broken, NULL);
        for (unsigned i = 0; i < 1 + round % 8; i++)
            room[made_random(&state) % (round % 2 ? 250 : block_bytes(coded.block).size)] =
                (uint8_t)made_random(&state);
        err = (struct error){ 0 };
        const bool ok = codec_decode(SYNTAX_HTJ2K_LOSSLESS, &grey, broken, &all, &got, &err);
        EXPECT(ok || err.fault == FAULT_CORRUPT_PIXELS || err.fault == FAULT_TOO_LARGE ||
                   err.fault == FAULT_BUSY,
               "%d: %s", err.fault, err.detail);
        failed += !ok;
        block_unref(broken);
    }
    EXPECT(failed > 0, "none failed");
    decoder_processes_close();
}

TEST(large_native_frames_are_encoded_apart_and_the_same)
{
    const struct pixel_shape large = { 1100, 1000, 1, 16, 12, false, false, MONOCHROME2 };
    SCOPED(pixels) struct pixels made = made_pixels(&large), here = { 0 }, there = { 0 }, none = { 0 };
    struct error err = { 0 };

    EXPECT(codec_transcode(SYNTAX_EXPLICIT_LE, SYNTAX_HTJ2K_LOSSLESS, &large, made.block, &usual, 0, &here,
                           &err),
           "%s", err.detail);
    open_processes(1);
    EXPECT(codec_transcode(SYNTAX_EXPLICIT_LE, SYNTAX_HTJ2K_LOSSLESS, &large, made.block, &usual, 0, &there,
                           &err),
           "%s", err.detail);
    EXPECT(here.block && there.block && bytes_equal(block_bytes(here.block), block_bytes(there.block)),
           "another stream");
    EXPECT(!codec_transcode(SYNTAX_EXPLICIT_LE, SYNTAX_HTJ2K_LOSSLESS, &large, made.block, &usual, 1000000,
                            &none, &err) &&
               err.fault == FAULT_TOO_LARGE && strstr(err.told, "decode_ceiling"),
           "%d: %s", err.fault, err.told);
    decoder_processes_close();
}

struct worker {
    pthread_t thread;
    const struct pixels *made, *coded;
    unsigned right, corrupt, other;
};

static atomic_bool over;

static void *decode_often(void *of)
{
    struct worker *worker = of;

    while (!atomic_load(&over)) {
        SCOPED(pixels) struct pixels got = { 0 };
        struct error err = { 0 };
        if (codec_decode(SYNTAX_JPEG_LS_LOSSLESS, &grey, worker->coded->block, &all, &got, &err))
            *(made_difference(worker->made, &got) == 0 ? &worker->right : &worker->other) += 1;
        else
            *(err.fault == FAULT_CORRUPT_PIXELS || err.fault == FAULT_BUSY ? &worker->corrupt
                                                                           : &worker->other) += 1;
    }
    return NULL;
}

TEST(TSX_21_decoders_that_die_at_work_cost_their_frames_alone)
{
    SCOPED(pixels) struct pixels made = made_pixels(&grey), coded = { 0 };
    struct worker workers[4];
    struct error err = { 0 };
    unsigned right = 0;

    EXPECT(codec_encode(SYNTAX_JPEG_LS_LOSSLESS, &made, &usual, &coded, &err), "%s", err.detail);
    open_processes(3);
    atomic_store(&over, false);
    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        workers[i] = (struct worker){ .made = &made, .coded = &coded };
        pthread_create(&workers[i].thread, NULL, decode_often, &workers[i]);
    }
    for (unsigned round = 0; round < 20; round++) {
        pid_t pids[8];
        usleep(10000);
        const unsigned count = decoders(pids, COUNT_OF(pids));
        if (count)
            kill(pids[round % count], SIGKILL);
    }
    atomic_store(&over, true);
    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        pthread_join(workers[i].thread, NULL);
        EXPECT(workers[i].other == 0, "%u of another kind", workers[i].other);
        right += workers[i].right;
    }
    EXPECT(right > 0, "none was right");
    decoder_processes_close();
}

/* The value of a line in /proc/<pid>/status. */
static unsigned status_of(pid_t pid, const char *name)
{
    char path[64], line[256];
    unsigned value = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = (unsigned)(line[strlen(name) + 1] - '0');
    if (file)
        fclose(file);
    return value;
}

TEST(a_decoder_has_five_descriptors_and_no_way_to_more)
{
    SCOPED(pixels) struct pixels made = made_pixels(&grey), coded = { 0 }, got = { 0 };
    struct error err = { 0 };
    char path[64];
    pid_t pids[2];
    unsigned files = 0;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
    SKIP("sanitizers need more of the kernel");
#endif
    EXPECT(codec_encode(SYNTAX_JPEG_2000_LOSSLESS, &made, &usual, &coded, &err), "%s", err.detail);
    open_processes(1);
    EXPECT(codec_decode(SYNTAX_JPEG_2000_LOSSLESS, &coded.shape, coded.block, &all, &got, &err), "%s",
           err.detail);
    EXPECT(decoders(pids, 2) == 1, "decoders");
    EXPECT(status_of(pids[0], "Seccomp:") == 2 && status_of(pids[0], "NoNewPrivs:") == 1, "not locked up");
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pids[0]);
    DIR *folder = opendir(path);
    for (struct dirent *at; folder && (at = readdir(folder));)
        files += at->d_name[0] != '.';
    closedir(folder);
    EXPECT(files <= 6, "%u descriptors", files);
    decoder_processes_close();
}
