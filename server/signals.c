/* server/signals.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A thread that takes the signals and writes a byte for each into a pipe; see signals.h. So that a second
 * SIGTERM is heard while the main thread waits for exchanges to end.
 */
#include "server/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int events[2] = { -1, -1 };
static sigset_t ours;

void signals_raise(enum signals_event event)
{
    const unsigned char byte = (unsigned char)event;
    const ssize_t written = write(events[1], &byte, 1);

    (void)written; /* a full pipe: plenty of reloads are waiting already */
}

static void *take_signals(void *unused)
{
    unsigned stops = 0;

    (void)unused;
    for (;;) {
        const int number = sigwaitinfo(&ours, NULL);
        if (number < 0)
            continue; /* EINTR */
        if (number != SIGHUP && stops++ > 0) {
            log_line(LOG_WARNING, "told to stop a second time: ending at once");
            _exit(EXIT_FAILURE);
        }
        signals_raise(number == SIGHUP ? SIGNALS_RELOAD : SIGNALS_STOP);
    }
    return NULL;
}

/* The kernel drops a signal for process 1 that has no handler, unless it is blocked: it is, in every thread;
 * the handler is for the moment before that. */
static void ignore(int number)
{
    (void)number;
}

bool signals_start(struct error *err)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
    struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_RESTART };
    pthread_t thread;

    sigemptyset(&ours);
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        sigaddset(&ours, numbers[i]);
    int why = pthread_sigmask(SIG_BLOCK, &ours, NULL);
    if (why != 0)
        return error_errno(err, why, "blocking signals");
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (sigaction(numbers[i], &action, NULL) != 0)
            return error_errno(err, errno, "handling signals");
    action.sa_handler = SIG_IGN;
    if (sigaction(SIGPIPE, &action, NULL) != 0 || pipe2(events, O_CLOEXEC) != 0)
        return error_errno(err, errno, "handling signals");
    why = pthread_create(&thread, NULL, take_signals, NULL);
    if (why != 0)
        return error_errno(err, why, "starting the thread for signals");
    pthread_setname_np(thread, "signals");
    pthread_detach(thread);
    return true;
}

enum signals_event signals_wait(void)
{
    unsigned char event;

    for (;;) {
        const ssize_t got = read(events[0], &event, 1);
        if (got == 1)
            return (enum signals_event)event;
        if (got < 0 && errno == EINTR)
            continue;
        abort(); /* our own pipe */
    }
}
