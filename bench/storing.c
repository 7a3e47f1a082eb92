/* bench/storing.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What lies behind the body of a STOW request, without network and TLS: deliveries through the intake into a
 * store and a catalog of their own. Prints one JSON object. Instructions: under callgrind, with one thread.
 *
 *   bench_storing FILE FOLDER [DELIVERIES [INSTANCES OF EACH [THREADS]]]
 *
 * FILE: one instance, or a multipart body of one as bench/make_data.py makes it; the marks in it
 * (bench/load.c) become new UIDs for each instance.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "bridge/start.h"
#include "storage/intake.h"

enum { PIECE_BYTES = 256 * 1024, THREADS_MOST = 64 };

static struct {
    struct store *store;
    struct catalog *catalog;
    uint8_t *file;
    size_t size;
    uint64_t deliveries, instances, threads;
    atomic_uint_fast64_t next;
} work = { .deliveries = 1000, .instances = 1, .threads = 1 };

static void must(bool fine, const struct error *err)
{
    if (fine)
        return;
    fprintf(stderr, "bench_storing: %s\n", err->detail);
    exit(1);
}

static void stamp(uint8_t *file, size_t size, const char *mark, uint64_t number)
{
    char digits[32];
    uint8_t *at = file;

    snprintf(digits, sizeof digits, "%012llu", (unsigned long long)number);
    while ((at = memmem(at, size - (size_t)(at - file), mark, strlen(mark))))
        memcpy(at, digits, strlen(mark));
}

static void deliver(uint8_t *file, uint64_t number)
{
    const struct intake_options options = { .instance_ceiling_bytes = 1u << 30,
                                            .batch_instances = 64,
                                            .batch_bytes = 128 << 20,
                                            .json = { 1024, 65536, 131072 } };
    struct intake *intake = NULL;
    struct error err = { 0 };

    must(intake_open(work.store, work.catalog, &options, &intake, &err), &err);
    for (uint64_t i = 0; i < work.instances; i++) {
        const uint64_t instance = number * work.instances + i;
        memcpy(file, work.file, work.size);
        const size_t head = work.size < 65536 ? work.size : 65536;
        stamp(file, head, "199999999999", 100000000000 + instance);
        stamp(file, head, "299999999999", 200000000000 + instance / 300);
        must(intake_begin_instance(intake, &err), &err);
        for (size_t at = 0; at < work.size; at += PIECE_BYTES)
            intake_write(intake,
                         bytes_of(file + at, work.size - at < PIECE_BYTES ? work.size - at : PIECE_BYTES));
        intake_end_instance(intake);
    }
    must(intake_commit(intake, &err), &err);
    struct arena arena = { 0 };
    struct outcome_reader *reader = intake_outcomes(intake, &arena);
    const struct intake_outcome *outcome = NULL;
    do {
        must(outcome_reader_next(reader, MAY_WAIT, &outcome, &err), &err);
        must(!outcome || outcome->error.fault == FAULT_NONE, outcome ? &outcome->error : &err);
    } while (outcome);
    arena_release(&arena);
    intake_close(intake);
}

static void *run(void *unused)
{
    uint8_t *file = malloc(work.size);
    uint64_t number;

    (void)unused;
    while (file && (number = atomic_fetch_add(&work.next, 1)) < work.deliveries)
        deliver(file, number);
    free(file);
    return NULL;
}

static void read_file(const char *path)
{
    static const char magic[] = "DICM";
    struct error err = { 0 };
    struct stat about;
    SCOPED(file) int fd = open(path, O_RDONLY | O_CLOEXEC);

    must(fd >= 0 && fstat(fd, &about) == 0 && (work.file = malloc((size_t)about.st_size)) &&
             file_read_at(fd, work.file, (size_t)about.st_size, 0, &err),
         &err);
    work.size = (size_t)about.st_size;
    /* Of a multipart body what lies between the first part's headers and the closing boundary. */
    const uint8_t *found = memmem(work.file, work.size, magic, 4);
    if (found && found - work.file > 128) {
        const size_t from = (size_t)(found - work.file) - 128;
        memmove(work.file, work.file + from, work.size -= from);
        const uint8_t *end = memrchr(work.file, '\n', work.size - 2);
        if (end && memmem(work.file + work.size - 64, 64, "\r\n--", 4))
            work.size = (size_t)(end - 1 - work.file);
    }
}

static void open_house(const char *folder)
{
    char path[4096];
    struct error err = { 0 };

    must(bridge_start(&err), &err);
    snprintf(path, sizeof path, "%s/catalog.sqlite", folder);
    const struct catalog_options catalog = {
        .path = path, .record_cache_entries = 1000, .sqlite_cache_bytes = 32 << 20, .known_deletions = 8
    };
    const struct store_options store = { .root = folder, .open_files = 64 };
    uint64_t last = 0;
    must(file_make_folders(folder, 0700, &err) && catalog_open(&catalog, &work.catalog, &err) &&
             catalog_last_generation(work.catalog, &last, &err) &&
             store_open(&store, last + 1, &work.store, &err),
         &err);
}

static double cpu_ms(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MOST];
    uint64_t *const numbers[] = { &work.deliveries, &work.instances, &work.threads };

    for (int i = 3; i < argc && i < 6; i++)
        if (!number_parse(bytes_of_text(argv[i]), 1, i == 5 ? THREADS_MOST : 1u << 30, numbers[i - 3]))
            return 2;
    if (argc < 3)
        return 2;
    read_file(argv[1]);
    open_house(argv[2]);
    const double before = cpu_ms();
    const uint64_t from = clock_monotonic_us();
    for (uint64_t i = 0; i < work.threads; i++)
        pthread_create(&threads[i], NULL, run, NULL);
    for (uint64_t i = 0; i < work.threads; i++)
        pthread_join(threads[i], NULL);
    const double instances = (double)(work.deliveries * work.instances);
    const double seconds = (double)(clock_monotonic_us() - from) / 1e6;
    printf("{\"instances\": %.0f, \"rate\": %.1f, \"cpu_ms\": %.4f}\n", instances, instances / seconds,
           (cpu_ms() - before) / instances);
    store_close(work.store);
    catalog_close(work.catalog);
    return 0;
}
