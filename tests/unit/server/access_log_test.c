/* tests/unit/server/access_log_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Access lines: one for each exchange, whole, from many threads, and none that waits. Run under the thread
 * sanitizer as well.
 */
#include "tests/support/expect.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "server/access_log.h"

enum { THREADS = 4, LINES = 400 };

static char path[64];

static int open_file(void)
{
    snprintf(path, sizeof path, "%s", "/tmp/gantry-access-XXXXXX");
    return mkstemp(path);
}

static struct bytes read_file(void)
{
    char *text = NULL;
    size_t size = 0;
    struct error err = { 0 };

    EXPECT(file_read_all(path, 1 << 24, &text, &size, &err), "%s", err.detail);
    unlink(path);
    return bytes_of(text, size);
}

static const struct access_entry entry = {
    .method = "GET", .pattern = "/studies/{}", .status = 200, .body_bytes = 17, .microseconds = 1234, .id = 99
};

static void *write_lines(void *of)
{
    for (unsigned i = 0; i < LINES; i++)
        access_log_write(of, &entry);
    return NULL;
}

TEST(every_line_of_every_thread_is_written_whole_before_the_log_is_closed)
{
    struct access_log *log = NULL;
    pthread_t threads[THREADS];
    struct error err = { 0 };
    unsigned lines = 0;
    const int fd = open_file();

    if (!EXPECT(access_log_open(fd, &log, &err), "%s", err.detail))
        return;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, write_lines, log);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    access_log_close(log);
    close(fd);

    const struct bytes all = read_file();
    for (struct bytes rest = all; rest.size;) {
        struct bytes line = bytes_cut(&rest, '\n');
        EXPECT(line.size > 25 &&
                   bytes_equal_text(bytes_from(line, 25), "info GET /studies/{} 200 17 B 1.234 ms id=99"),
               "\"%.*s\"", BYTES_ARG(line));
        EXPECT(line.size > 25 && line.data[10] == 'T' && line.data[23] == 'Z', "\"%.*s\"", BYTES_ARG(line));
        lines++;
    }
    EXPECT(lines == THREADS * LINES, "%u lines", lines);
    free((void *)(uintptr_t)all.data);
}

TEST(a_log_that_is_off_or_absent_writes_nothing)
{
    struct access_log *log = NULL;
    struct error err = { 0 };
    const int fd = open_file();

    access_log_write(NULL, &entry);
    access_log_close(NULL);
    if (!EXPECT(access_log_open(fd, &log, &err), "%s", err.detail))
        return;
    access_log_enable(log, false);
    access_log_write(log, &entry);
    access_log_close(log);
    close(fd);
    const struct bytes all = read_file();
    EXPECT(all.size == 0, "%zu bytes", all.size);
    free((void *)(uintptr_t)all.data);
}

TEST(a_reader_that_does_not_read_loses_lines_and_holds_nobody_up)
{
    struct access_log *log = NULL;
    struct error err = { 0 };
    int ends[2];

    signal(SIGPIPE, SIG_IGN);
    if (!EXPECT(pipe(ends) == 0, "no pipe") ||
        !EXPECT(access_log_open(ends[1], &log, &err), "%s", err.detail))
        return;
    /* Far more than a pipe and both buffers hold; nobody reads until all are written. */
    for (unsigned i = 0; i < 20000; i++)
        access_log_write(log, &entry);
    close(ends[0]); /* the writing thread now fails instead of waiting */
    access_log_close(log);
    close(ends[1]);
    EXPECT(true, "came back");
}
