/* codec/decoder_process.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The server's side of decoder processes: who has which, begun when needed, ended when it does not answer.
 */
#include "codec/decoder_process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/condition.h"
#include "base/file.h"
#include "codec/decoder_area.h"

enum {
    PROCESSES_MOST = 256,
    KEPT_BYTES = 4 * 1024 * 1024, /* of shared memory, between jobs */
    WALL_FACTOR = 20 /* the decoder ends itself by its CPU time; this is for one that does not run at all */
};

struct decoder {
    pid_t pid; /* 0: not begun */
    int socket, memory;
    uint8_t *area;
    size_t area_bytes;
    struct decoder *next_free;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct decoder list[PROCESSES_MOST];
    struct decoder *free;
    unsigned count, begun;
    bool open;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER };

static void end_decoder(struct decoder *decoder)
{
    if (decoder->pid > 0) {
        kill(decoder->pid, SIGKILL);
        while (waitpid(decoder->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (decoder->area)
        munmap(decoder->area, decoder->area_bytes);
    if (decoder->socket >= 0)
        close(decoder->socket);
    if (decoder->memory >= 0)
        close(decoder->memory);
    *decoder = (struct decoder){ .socket = -1, .memory = -1, .next_free = decoder->next_free };
}

static bool resize(struct decoder *decoder, size_t bytes, struct error *err)
{
    if (ftruncate(decoder->memory, (off_t)bytes) != 0)
        return error_errno(err, errno, "memory for a decoder");
    if (decoder->area)
        munmap(decoder->area, decoder->area_bytes);
    decoder->area = NULL;
    void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, decoder->memory, 0);
    if (area == MAP_FAILED)
        return error_set(err, FAULT_BUSY, "%zu bytes cannot be shared with a decoder", bytes);
    decoder->area = area;
    decoder->area_bytes = bytes;
    return true;
}

/* `theirs` and the memory as the decoder's descriptors; both are above those numbers. */
static bool spawn(struct decoder *decoder, int theirs, int memory, struct error *err)
{
    char *arguments[] = { "gantry-decoder", DECODER_PROCESS_ARGUMENT, NULL };
    char *nothing[] = { NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, theirs, DECODER_SOCKET_FD);
    posix_spawn_file_actions_adddup2(&actions, memory, DECODER_MEMORY_FD);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    /* Sanitizers are set by the environment; a decoder needs none, and gets no secrets by it. */
    const int failed = posix_spawn(&decoder->pid, "/proc/self/exe", &actions, &attributes, arguments,
                                   DECODER_SANITIZED ? environ : nothing);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed) {
        decoder->pid = 0;
        return error_set(err, FAULT_BUSY, "a decoder process cannot be begun: %s", strerrorname_np(failed));
    }
    return true;
}

static bool spawn_with(struct decoder *decoder, int theirs, struct error *err)
{
    SCOPED(file) int socket = fcntl(theirs, F_DUPFD_CLOEXEC, DECODER_MEMORY_FD + 1);
    SCOPED(file) int memory = fcntl(decoder->memory, F_DUPFD_CLOEXEC, DECODER_MEMORY_FD + 1);

    if (socket < 0 || memory < 0)
        return error_errno(err, errno, "descriptors for a decoder");
    return spawn(decoder, socket, memory, err);
}

static bool begin_decoder(struct decoder *decoder, struct error *err)
{
    int pair[2];

    if (decoder->pid > 0)
        return true;
    decoder->memory = memfd_create("gantry-decoder", MFD_CLOEXEC);
    if (decoder->memory < 0)
        return error_errno(err, errno, "memory for a decoder");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        error_errno(err, errno, "a socket for a decoder");
        end_decoder(decoder);
        return false;
    }
    decoder->socket = pair[0];
    const bool ok = resize(decoder, KEPT_BYTES, err) && spawn_with(decoder, pair[1], err);
    close(pair[1]);
    if (!ok)
        end_decoder(decoder);
    else
        __atomic_fetch_add(&pool.begun, 1, __ATOMIC_RELAXED);
    return ok;
}

/* ── the pool ── */

static struct decoder *take_decoder(void)
{
    pthread_mutex_lock(&pool.lock);
    while (!pool.free)
        condition_wait(&pool.freed, &pool.lock);
    struct decoder *decoder = pool.free;
    pool.free = decoder->next_free;
    pthread_mutex_unlock(&pool.lock);
    return decoder;
}

/* The one used last is taken first: its memory is warm, and the others may never be begun. */
static void give_decoder(struct decoder *decoder)
{
    struct error ignored = { 0 };

    if (decoder->area_bytes > KEPT_BYTES && !resize(decoder, KEPT_BYTES, &ignored))
        end_decoder(decoder);
    pthread_mutex_lock(&pool.lock);
    decoder->next_free = pool.free;
    pool.free = decoder;
    pthread_cond_signal(&pool.freed);
    pthread_mutex_unlock(&pool.lock);
}

bool decoder_processes_open(unsigned count, struct error *err)
{
    assert(!pool.open && count > 0);
    pool.count = count < PROCESSES_MOST ? count : PROCESSES_MOST;
    for (unsigned i = pool.count; i-- > 0;) {
        pool.list[i] = (struct decoder){ .socket = -1, .memory = -1, .next_free = pool.free };
        pool.free = &pool.list[i];
    }
    if (!begin_decoder(pool.free, err)) {
        pool.free = NULL;
        return false;
    }
    pool.open = true;
    return true;
}

void decoder_processes_close(void)
{
    for (unsigned i = 0; pool.open && i < pool.count; i++)
        end_decoder(&pool.list[i]);
    pool.free = NULL;
    pool.open = false;
}

bool decoder_processes_are_open(void)
{
    return pool.open;
}

unsigned decoder_processes_begun(void)
{
    return __atomic_load_n(&pool.begun, __ATOMIC_RELAXED);
}

/* ── a job ── */

/* What may come out: samples that subsampling left out come back, noise grows a little; a JPEG out of its
 * JPEG XL is as large again, roughly. */
static uint64_t most_output(const struct decoder_job *job, size_t coded_bytes)
{
    struct pixel_shape shape = job->shape;

    if (job->picture.kind)
        return pixel_shape_frame_bytes(&shape) * job->frames;
    if (shape.photometric == YBR_FULL_422 || shape.photometric == YBR_PARTIAL_420)
        shape.photometric = YBR_FULL;
    const uint64_t native = pixel_shape_frame_bytes(&shape);
    return native + native / 4 + 4 * (uint64_t)coded_bytes + 256 * 1024;
}

/* True: an answer lies in the area. */
static bool exchange(struct decoder *decoder, unsigned cpu_limit_s, struct error *err)
{
    const uint64_t bytes = decoder->area_bytes;
    struct pollfd answer = { .fd = decoder->socket, .events = POLLIN };
    uint64_t echo = 0;
    int ready;

    if (send(decoder->socket, &bytes, sizeof bytes, MSG_NOSIGNAL) != (ssize_t)sizeof bytes)
        return error_set(err, FAULT_BUSY, "a decoder is gone");
    while ((ready = poll(&answer, 1, (int)(cpu_limit_s * 1000 * WALL_FACTOR))) < 0 && errno == EINTR)
        continue;
    if (ready == 0)
        return decoding_ended(err, "a decoder did not answer");
    if (recv(decoder->socket, &echo, sizeof echo, 0) != (ssize_t)sizeof echo || echo != bytes)
        return decoding_ended(err, "a decoder died, or ran longer than its limit");
    return true;
}

static bool take_answer(const struct decoder *decoder, size_t coded_bytes, struct pixels *ret,
                        struct error *err)
{
    /* A copy: what decodes foreign bytes may write to it still. */
    struct decoder_area area;

    memcpy(&area, decoder->area, sizeof area);
    area.error.detail[sizeof area.error.detail - 1] = area.error.told[sizeof area.error.told - 1] = '\0';
    if (!area.ok) {
        if (area.error.fault <= FAULT_WOULD_WAIT || area.error.fault >= FAULT_COUNT)
            return decoding_ended(err, "a decoder answered nonsense");
        *err = area.error;
        return false;
    }
    const size_t at = decoder_output_offset(coded_bytes);
    if (area.output_bytes > decoder->area_bytes - at || !decoder_shape_is_sound(&area.shape))
        return decoding_ended(err, "a decoder answered nonsense");
    if (!block_take((size_t)area.output_bytes, &ret->block, err))
        return false;
    memcpy(block_room(ret->block, NULL), decoder->area + at, (size_t)area.output_bytes);
    block_seal(ret->block, (size_t)area.output_bytes);
    ret->shape = area.shape;
    return true;
}

/* *ret_usable: the process is where it should be. */
static bool run(struct decoder *decoder, const struct decoder_job *job, struct bytes coded, bool *ret_usable,
                struct pixels *ret, struct error *err)
{
    const uint64_t output = most_output(job, coded.size);
    const size_t needed = decoder_output_offset(coded.size) + (size_t)output;
    const unsigned cpu_limit_s = decoder_cpu_limit_s(job);

    *ret_usable = false;
    if (!begin_decoder(decoder, err) || (decoder->area_bytes < needed && !resize(decoder, needed, err)))
        return false;
    struct decoder_area *area = (struct decoder_area *)decoder->area;
    memset(area, 0, sizeof *area);
    area->job = *job;
    area->job.parameters.icc_profile = bytes_of(NULL, 0);
    area->coded_bytes = coded.size;
    area->most_output_bytes = output;
    memcpy(decoder->area + DECODER_CODED_OFFSET, coded.data, coded.size);
    if (!exchange(decoder, cpu_limit_s, err))
        return false;
    *ret_usable = true;
    return take_answer(decoder, coded.size, ret, err);
}

bool decoder_process_run(const struct decoder_job *job, struct bytes coded, struct pixels *ret,
                         struct error *err)
{
    struct decoder *decoder = take_decoder();
    bool usable = false;
    bool ok = run(decoder, job, coded, &usable, ret, err);

    /* One that was gone before it got the work, as after a signal from outside, is no fault of the frame. */
    if (!ok && !usable && err->fault == FAULT_BUSY) {
        error_clear(err);
        end_decoder(decoder);
        ok = run(decoder, job, coded, &usable, ret, err);
    }
    if (!usable)
        end_decoder(decoder);
    give_decoder(decoder);
    return ok;
}
