/* base/log.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Log lines; see log.h.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static atomic_int least = LOG_INFO;

void log_least(enum log_level level)
{
    atomic_store(&least, (int)level);
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const names[] = { "debug", "info", "warning", "error" };
    char line[1024];
    struct timespec now;
    struct tm utc;
    va_list args;

    if ((int)level < atomic_load_explicit(&least, memory_order_relaxed))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    int size = snprintf(line, sizeof line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s ", utc.tm_year + 1900,
                        utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                        now.tv_nsec / 1000000, names[level]);
    va_start(args, format);
    const int more = vsnprintf(line + size, sizeof line - (size_t)size - 1, format, args);
    va_end(args);
    const int from = size;
    if (more > 0)
        size += more < (int)sizeof line - size - 1 ? more : (int)sizeof line - size - 2;
    for (int i = from; i < size; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            line[i] = '?';
    line[size++] = '\n';
    /* One write, so lines of different threads never mix. A log that cannot be written is nobody's error. */
    const ssize_t written = write(STDERR_FILENO, line, (size_t)size);
    (void)written;
}
