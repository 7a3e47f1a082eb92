/* server/command.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See command.h.
 */
#include "server/command.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { TERMINAL_EVERY_MS = 500, ELSEWHERE_EVERY_MS = 10000, LINE_MOST = 240 };

/* Lock-free, so a signal handler may set it; read by many threads. */
static atomic_int stopped;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "set in a signal handler");

static void note_signal(int number)
{
    if (atomic_exchange(&stopped, 1)) { /* asked twice: what is committed is safe */
        signal(number, SIG_DFL);
        raise(number);
    }
}

void command_watch_signals(void)
{
    struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESTART };

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool command_is_stopped(void)
{
    return atomic_load(&stopped);
}

void progress_begin(struct progress *progress, const char *command)
{
    *progress = (struct progress){ .command = command,
                                   .began_ms = clock_monotonic_ms(),
                                   .told_ms = clock_monotonic_ms(),
                                   .is_terminal = isatty(STDERR_FILENO) };
}

bool progress_is_due(struct progress *progress)
{
    const uint64_t every = progress->is_terminal ? TERMINAL_EVERY_MS : ELSEWHERE_EVERY_MS;

    return clock_monotonic_ms() - progress->told_ms >= every;
}

void progress_tell(struct progress *progress, const char *format, ...)
{
    char line[LINE_MOST];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    progress->told_ms = clock_monotonic_ms();
    fprintf(stderr, progress->is_terminal ? "\r%s: %s\033[K" : "%s: %s\n", progress->command, line);
    fflush(stderr);
    progress->is_open = progress->is_terminal;
}

void progress_clear(struct progress *progress)
{
    if (progress->is_open)
        fputs("\r\033[K", stderr);
    progress->is_open = false;
}

double progress_seconds(const struct progress *progress)
{
    return (double)(clock_monotonic_ms() - progress->began_ms) / 1e3;
}

const char *command_count(uint64_t count, char into[COMMAND_TEXT])
{
    char digits[COMMAND_TEXT];
    const int size = snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *to = into;

    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return into;
}

const char *command_bytes(double bytes, char into[COMMAND_TEXT])
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
    unsigned unit = 0;

    for (; bytes >= 1000 && unit < 5; unit++)
        bytes /= 1000;
    snprintf(into, COMMAND_TEXT, unit && bytes < 10 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return into;
}

const char *command_time(double seconds, char into[COMMAND_TEXT])
{
    const uint64_t whole = seconds > 0 ? (uint64_t)seconds : 0;

    if (whole >= 3600)
        snprintf(into, COMMAND_TEXT, "%" PRIu64 " h %02" PRIu64 " min", whole / 3600, whole / 60 % 60);
    else if (whole >= 60)
        snprintf(into, COMMAND_TEXT, "%" PRIu64 " min %02" PRIu64 " s", whole / 60, whole % 60);
    else
        snprintf(into, COMMAND_TEXT, "%.1f s", seconds);
    return into;
}

int command_fail(struct progress *progress, const struct error *err)
{
    progress_clear(progress);
    fprintf(stderr, "gantry %s: %s\n", progress->command, err->told[0] ? err->told : err->detail);
    return COMMAND_FAILED;
}
