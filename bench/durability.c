/* bench/durability.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Ways to make a batch of new files durable (docs/decisions/0003-durability.md). Prints files and MB a second
 * for each way, number of threads and batch size.
 *
 *   bench_durability <folder on the volume to measure> [KiB a file, default 512] [files a case, default 512]
 *   bench_durability --bare <folder> [KiB a file] [files]     what the disk gives 8 threads that write and
 * fsync, and nothing else: one line for bench/run.py
 *   bench_durability --direct <folder> [KiB a file] [files]   the same past the page cache (O_DIRECT; KiB in
 * fours)
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"

enum way { FDATASYNC, RANGE_THEN_FDATASYNC, RANGE_AT_END, SYNCFS, WAYS };
static const char *const way_names[] = { "fdatasync each", "sync_file_range all, fdatasync each",
                                         "sync_file_range as written, fdatasync each", "syncfs once" };
enum { BATCH_MOST = 64 };

struct work {
    enum way way;
    bool sync_drafts; /* the folder of drafts too */
    bool is_direct;   /* O_DIRECT */
    unsigned thread, batches, batch;
    size_t file_size;
    int drafts_fd, objects_fd;
    uint64_t waited_us; /* in syncs, sum over batches */
};

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    perror(what);
    exit(1);
}

static void one_batch(struct work *work, unsigned number, const uint8_t *data)
{
    int fds[BATCH_MOST];
    char name[64];
    struct error err = { 0 };

    for (unsigned i = 0; i < work->batch; i++) {
        snprintf(name, sizeof name, "%u-%u-%u", work->thread, number, i);
        fds[i] = openat(work->drafts_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        must(fds[i] >= 0 && file_write(fds[i], bytes_of(data, work->file_size), &err), "write");
        if (work->way == RANGE_AT_END)
            sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    const uint64_t from = clock_monotonic_us();
    for (unsigned i = 0; i < work->batch && work->way == RANGE_THEN_FDATASYNC; i++)
        sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
    for (unsigned i = 0; i < work->batch && work->way != SYNCFS; i++)
        must(fdatasync(fds[i]) == 0, "fdatasync");
    if (work->way == SYNCFS)
        must(syncfs(fds[0]) == 0, "syncfs");
    for (unsigned i = 0; i < work->batch; i++) {
        snprintf(name, sizeof name, "%u-%u-%u", work->thread, number, i);
        must(linkat(work->drafts_fd, name, work->objects_fd, name, 0) == 0, "link");
    }
    must(fsync(work->objects_fd) == 0, "fsync objects");
    must(!work->sync_drafts || fsync(work->drafts_fd) == 0, "fsync drafts");
    work->waited_us += clock_monotonic_us() - from;
    for (unsigned i = 0; i < work->batch; i++) {
        snprintf(name, sizeof name, "%u-%u-%u", work->thread, number, i);
        close(fds[i]);
        unlinkat(work->drafts_fd, name, 0);
    }
}

static void *run(void *context)
{
    struct work *work = context;
    uint8_t *data = malloc(work->file_size);

    must(data != NULL, "malloc");
    memset(data, (int)work->thread + 1, work->file_size);
    for (unsigned i = 0; i < work->batches; i++)
        one_batch(work, i, data);
    free(data);
    return NULL;
}

static void one_case(const struct work *model, unsigned threads, unsigned files)
{
    struct work work[16];
    pthread_t ids[16];
    uint64_t waited = 0;
    char name[64];

    sync();
    const uint64_t from = clock_monotonic_us();
    for (unsigned i = 0; i < threads; i++) {
        work[i] = *model;
        work[i].thread = i;
        work[i].batches = files / threads / model->batch;
        must(pthread_create(&ids[i], NULL, run, &work[i]) == 0, "pthread_create");
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        waited += work[i].waited_us;
    }
    const double seconds = (double)(clock_monotonic_us() - from) / 1e6;
    const unsigned batches = work[0].batches * threads;
    const double done = (double)batches * model->batch;
    printf("%2u threads x %2u files  %-44s %s %7.0f files/s %6.1f MB/s  %8.2f ms a batch\n", threads,
           model->batch, way_names[model->way], model->sync_drafts ? "+drafts" : "       ", done / seconds,
           done * (double)model->file_size / 1e6 / seconds, (double)waited / 1e3 / batches);
    for (unsigned t = 0; t < threads; t++)
        for (unsigned b = 0; b < work[t].batches; b++)
            for (unsigned i = 0; i < model->batch; i++) {
                snprintf(name, sizeof name, "%u-%u-%u", t, b, i);
                unlinkat(model->objects_fd, name, 0);
            }
}

static int folder(const char *root, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", root, name);
    mkdir(root, 0700);
    mkdir(path, 0700);
    const int fd = open(path, O_RDONLY | O_DIRECTORY);
    must(fd >= 0, path);
    return fd;
}

enum { BARE_THREADS = 8, DIRECT_ALIGNMENT = 4096 };

static void *write_and_sync(void *context)
{
    struct work *work = context;
    uint8_t *data = aligned_alloc(DIRECT_ALIGNMENT, work->file_size);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | (work->is_direct ? O_DIRECT : 0);
    struct error err = { 0 };
    char name[64];

    must(data != NULL, "malloc");
    memset(data, (int)work->thread + 1, work->file_size);
    for (unsigned i = 0; i < work->batches; i++) {
        snprintf(name, sizeof name, "bare-%u-%u", work->thread, i);
        const int fd = openat(work->objects_fd, name, flags, 0600);
        must(fd >= 0 && file_write(fd, bytes_of(data, work->file_size), &err) && fsync(fd) == 0, "write");
        close(fd);
    }
    free(data);
    return NULL;
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The files stay: unlinking them would be measured with the next run, for a while. */
static void bare(const struct work *model, unsigned files)
{
    struct work work[BARE_THREADS];
    pthread_t ids[BARE_THREADS];
    const double cpu = cpu_seconds();
    const uint64_t from = clock_monotonic_us();

    for (unsigned i = 0; i < BARE_THREADS; i++) {
        work[i] = *model;
        work[i].thread = i;
        work[i].batches = files / BARE_THREADS;
        must(pthread_create(&ids[i], NULL, write_and_sync, &work[i]) == 0, "pthread_create");
    }
    for (unsigned i = 0; i < BARE_THREADS; i++)
        pthread_join(ids[i], NULL);
    const double seconds = (double)(clock_monotonic_us() - from) / 1e6;
    const double done = (double)(files / BARE_THREADS * BARE_THREADS);
    printf("{\"rate\": %.1f, \"cpu_ms\": %.3f}\n", done / seconds, (cpu_seconds() - cpu) * 1e3 / done);
}

int main(int argc, char **argv)
{
    static const struct {
        unsigned threads, batch;
    } shapes[] = { { 1, 1 }, { 8, 1 }, { 1, 64 }, { 4, 64 } };
    uint64_t kib = 512, files = 512;
    const bool is_direct = argc > 1 && strcmp(argv[1], "--direct") == 0;
    const bool is_bare = is_direct || (argc > 1 && strcmp(argv[1], "--bare") == 0);

    argc -= is_bare;
    argv += is_bare;
    if (argc < 2 || (argc > 2 && !number_parse(bytes_of_text(argv[2]), 1, 65536, &kib)) ||
        (argc > 3 && !number_parse(bytes_of_text(argv[3]), 64, 65536, &files))) {
        fprintf(stderr, "usage: %s folder [KiB a file] [files a case]\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct work work = { .file_size = (size_t)kib << 10, .is_direct = is_direct };
    work.drafts_fd = folder(argv[1], "drafts");
    work.objects_fd = folder(argv[1], "objects");
    if (is_bare) {
        bare(&work, (unsigned)files);
        return 0;
    }
    for (size_t shape = 0; shape < COUNT_OF(shapes); shape++)
        for (unsigned way = 0; way < WAYS; way++)
            for (unsigned drafts = 0; drafts < 2; drafts++) {
                work.way = (enum way)way;
                work.sync_drafts = drafts != 0;
                work.batch = shapes[shape].batch;
                one_case(&work, shapes[shape].threads, (unsigned)files);
            }
    return 0;
}
