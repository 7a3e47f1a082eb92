/* server/access_log.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lines go into one of two buffers under a lock; a thread swaps them and writes the full one. A write(2) a
 * request would cost more than the whole line.
 */
#include "server/access_log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/condition.h"

enum { BUFFER_BYTES = 256 * 1024, LINE_BYTES = 512, COLLECT_MS = 100 };

struct access_log {
    pthread_mutex_t lock;
    pthread_cond_t some;
    char *filling;    /* lock */
    char *writing;    /* the thread's */
    size_t size;      /* lock */
    uint64_t dropped; /* lock */
    bool stopping;    /* lock */
    atomic_bool enabled;
    int fd;
    pthread_t thread;
};

static void write_all(int fd, const char *data, size_t size)
{
    while (size) {
        const ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return; /* A log that cannot be written is nobody's error. */
        data += written;
        size -= (size_t)written;
    }
}

static void *flush(void *of)
{
    struct access_log *log = of;
    bool stopping = false;

    while (!stopping) {
        pthread_mutex_lock(&log->lock);
        while (!log->size && !log->stopping)
            condition_wait(&log->some, &log->lock);
        if (!log->stopping) {
            struct timespec until;
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_nsec += COLLECT_MS * 1000000L;
            until.tv_sec += until.tv_nsec / 1000000000L;
            until.tv_nsec %= 1000000000L;
            while (!log->stopping && log->size < BUFFER_BYTES / 2 &&
                   pthread_cond_timedwait(&log->some, &log->lock, &until) != ETIMEDOUT)
                ;
        }
        char *full = log->filling;
        const size_t size = log->size;
        const uint64_t dropped = log->dropped;
        log->filling = log->writing;
        log->writing = full;
        log->size = 0;
        log->dropped = 0;
        stopping = log->stopping;
        pthread_mutex_unlock(&log->lock);
        write_all(log->fd, full, size);
        if (dropped) {
            char line[LINE_BYTES];
            const int length = snprintf(line, sizeof line, "access lines dropped: %" PRIu64 "\n", dropped);
            write_all(log->fd, line, (size_t)length);
        }
    }
    return NULL;
}

bool access_log_open(int fd, struct access_log **ret, struct error *err)
{
    struct access_log *log = calloc(1, sizeof *log);

    if (log) {
        log->filling = malloc(BUFFER_BYTES);
        log->writing = malloc(BUFFER_BYTES);
    }
    if (!log || !log->filling || !log->writing) {
        if (log) {
            free(log->filling);
            free(log->writing);
        }
        free(log);
        return error_set(err, FAULT_BUSY, "no memory for the access log");
    }
    log->fd = fd;
    atomic_init(&log->enabled, true);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->some, NULL);
    const int failed = pthread_create(&log->thread, NULL, flush, log);
    if (failed) {
        free(log->filling);
        free(log->writing);
        free(log);
        return error_errno(err, failed, "starting the access log");
    }
    *ret = log;
    return true;
}

void access_log_enable(struct access_log *log, bool enabled)
{
    atomic_store(&log->enabled, enabled);
}

/* "2026-01-31T12:34:56.789Z", the seconds formatted once a second and thread: gmtime and snprintf cost more
 * than the rest. */
static void stamp(char into[25])
{
    static _Thread_local time_t second = -1;
    static _Thread_local char text[32];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != second) {
        struct tm utc;
        gmtime_r(&now.tv_sec, &utc);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &utc);
        second = now.tv_sec;
    }
    memcpy(into, text, 25);
    const unsigned ms = (unsigned)(now.tv_nsec / 1000000);
    into[20] = (char)('0' + ms / 100);
    into[21] = (char)('0' + ms / 10 % 10);
    into[22] = (char)('0' + ms % 10);
}

void access_log_write(struct access_log *log, const struct access_entry *entry)
{
    char line[LINE_BYTES];
    char when[25];

    if (!log || !atomic_load_explicit(&log->enabled, memory_order_relaxed))
        return;
    stamp(when);
    int length = snprintf(
        line, sizeof line, "%s info %s %s %d %" PRIu64 " B %" PRIu64 ".%03u ms id=%" PRIu64 "%s\n", when,
        entry->method, entry->pattern, entry->status, entry->body_bytes, entry->microseconds / 1000,
        (unsigned)(entry->microseconds % 1000), entry->id, entry->broken ? " broken" : "");
    if (length <= 0)
        return;
    if (length >= LINE_BYTES) {
        length = LINE_BYTES - 1;
        line[length - 1] = '\n';
    }

    pthread_mutex_lock(&log->lock);
    if (log->size + (size_t)length > BUFFER_BYTES) {
        log->dropped++;
    } else {
        /* The thread sleeps without a time limit only while there is nothing. */
        const bool wake = log->size == 0 ||
                          (log->size < BUFFER_BYTES / 2 && log->size + (size_t)length >= BUFFER_BYTES / 2);
        memcpy(log->filling + log->size, line, (size_t)length);
        log->size += (size_t)length;
        if (wake)
            pthread_cond_signal(&log->some);
    }
    pthread_mutex_unlock(&log->lock);
}

void access_log_close(struct access_log *log)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    log->stopping = true;
    pthread_cond_signal(&log->some);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    pthread_cond_destroy(&log->some);
    pthread_mutex_destroy(&log->lock);
    free(log->filling);
    free(log->writing);
    free(log);
}
