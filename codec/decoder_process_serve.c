/* codec/decoder_process_serve.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The decoder's side: a process that has two descriptors, may ask the kernel for memory and time and for
 * nothing else, and ends when its CPU time for a frame is over.
 */
#include "codec/decoder_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "bridge/start.h"
#include "codec/decoder_area.h"

enum {
    DATA_FLOOR_BYTES = 256 * 1024 * 1024,
    DATA_FACTOR = 24,
    HEAP_KEPT_BYTES = 32 * 1024 * 1024,
    NICENESS = 10
};

static void leave_files(void)
{
    if (!DECODER_SANITIZED) {
        const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = 0; fd < 3; fd++) /* libjxl prints its thoughts */
            if (nowhere >= 0)
                dup2(nowhere, fd);
    }
    (void)close_range(DECODER_MEMORY_FD + 1, ~0U, 0);
}

#if defined(__x86_64__) && !DECODER_SANITIZED
/* What is not here answers EPERM: no files, no network, no processes. */
static bool lock_up(void)
{
#define ALLOW(call) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    static struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(recvfrom),
        ALLOW(sendto),
        ALLOW(mmap),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(brk),
        ALLOW(madvise),
        ALLOW(mprotect),
        ALLOW(futex),
        ALLOW(setitimer),
        ALLOW(setrlimit),
        ALLOW(prlimit64),
        ALLOW(clock_gettime),
        ALLOW(exit_group),
        ALLOW(exit),
        ALLOW(write),
        ALLOW(rt_sigreturn),
        ALLOW(getrandom),
        ALLOW(sched_yield),
        ALLOW(rt_sigprocmask),
        ALLOW(gettid),
        ALLOW(getpid),
        ALLOW(tgkill),
        ALLOW(close),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    const struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}
#else
static bool lock_up(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}
#endif

/* SIGPROF, which ends a process that does not expect it, comes when the CPU time is used up. */
static void limit(const struct decoder_job *job)
{
    const struct itimerval time = { .it_value = { .tv_sec = (time_t)decoder_cpu_limit_s(job) } };
    const uint64_t data = DATA_FLOOR_BYTES + DATA_FACTOR * pixel_shape_frame_bytes(&job->shape) +
                          pixel_shape_frame_bytes(&job->shape) * job->frames;
    const struct rlimit memory = { data, RLIM_INFINITY };

    setitimer(ITIMER_PROF, &time, NULL);
    if (!DECODER_SANITIZED)
        setrlimit(RLIMIT_DATA, &memory);
}

static void work(struct decoder_area *area, uint8_t *memory, size_t memory_bytes)
{
    const struct decoder_job job = area->job;
    const size_t coded_bytes = (size_t)area->coded_bytes, most = (size_t)area->most_output_bytes;
    struct pixels made = { 0 };
    struct block *coded = NULL;
    struct error err = { 0 };

    const size_t at = decoder_output_offset(coded_bytes);

    limit(&job);
    if (at + most > memory_bytes) {
        area->error = err;
        return;
    }
    coded = block_in_place(memory + DECODER_CODED_OFFSET - BLOCK_HEAD_BYTES, coded_bytes + BLOCK_HEAD_BYTES);
    block_seal(coded, coded_bytes);
    if (!DECODER_SANITIZED) /* a sanitizer sees what is written beyond a block of its own */
        block_offer(memory + at - BLOCK_HEAD_BYTES, most + BLOCK_HEAD_BYTES);
    made.shape = job.shape;
    area->ok = job.picture.kind ? foreign_picture_decode(&job.picture, block_bytes(coded), job.first_frame,
                                                         job.frames, &made.block, &err)
               : job.to == SYNTAX_EXPLICIT_LE
                   ? codec_decode(job.from, &job.shape, coded, &job.wish, &made, &err)
                   : codec_transcode(job.from, job.to, &job.shape, coded, &job.parameters,
                                     job.wish.ceiling_bytes, &made, &err);
    block_offer(NULL, 0);
    if (area->ok) {
        const struct bytes output = block_bytes(made.block);
        if (output.size > most)
            area->ok = error_set(&err, FAULT_BUSY, "%zu bytes came out, of at most %zu", output.size, most);
        else if (output.data != memory + at)
            memmove(memory + at, output.data, output.size);
        area->output_bytes = output.size;
        area->shape = made.shape;
    }
    area->error = err;
    pixels_done(&made);
}

int decoder_process_serve(void)
{
    uint8_t *memory = NULL;
    size_t mapped = 0;
    uint64_t bytes;

    signal(SIGINT, SIG_IGN); /* of a terminal: the server says when it is over */
    leave_files();
    if (nice(NICENESS) == -1) /* the server's threads go first: they answer from what is there */
        errno = 0;
    bridge_quiet();
    /* Frames come one after the other, alike: memory that was given back would be zeroed again for the next.
     */
    mallopt(M_MMAP_THRESHOLD, HEAP_KEPT_BYTES);
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
    block_budget(SIZE_MAX / 2); /* RLIMIT_DATA is what counts here */
    if (!lock_up())
        return 1;
    while (recv(DECODER_SOCKET_FD, &bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes) {
        if (bytes != mapped) {
            if (memory)
                munmap(memory, mapped);
            memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, DECODER_MEMORY_FD, 0);
            if (memory == MAP_FAILED)
                return 1;
            mapped = (size_t)bytes;
        }
        work((struct decoder_area *)memory, memory, mapped);
        if (send(DECODER_SOCKET_FD, &bytes, sizeof bytes, MSG_NOSIGNAL) != (ssize_t)sizeof bytes)
            break;
    }
    return 0;
}
