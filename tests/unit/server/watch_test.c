/* tests/unit/server/watch_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who is cut off and who is not. Over real sockets, because the kernel is asked what has moved.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/watch.h"
#include "tests/support/expect.h"

static const struct watch_limits limits = { .head_timeout_ms = 200,
                                            .idle_timeout_ms = 200,
                                            .pace = { 1000, 200 } };

struct line {
    int ours, theirs;
    struct watched watched;
};

static void connect_line(struct line *line)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);

    line->theirs = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4) ||
        getsockname(listener, (struct sockaddr *)&address, &size) ||
        connect(line->theirs, (struct sockaddr *)&address, sizeof address) ||
        (line->ours = accept(listener, NULL, NULL)) < 0)
        abort();
    close(listener);
}

static struct watch *begin(struct line *line)
{
    struct watch *watch = NULL;
    struct error err = { 0 };

    log_least(LOG_ERROR + 1);
    connect_line(line);
    if (!watch_open(&limits, &watch, &err))
        abort();
    watch_add(watch, &line->watched, line->ours);
    return watch;
}

static void end(struct watch *watch, struct line *line)
{
    watch_remove(watch, &line->watched);
    watch_close(watch);
    close(line->ours);
    close(line->theirs);
}

/* Waits until the far end finds the line cut; bounded so that a broken watch fails a test and does not hang
 * it. */
static bool is_cut(const struct line *line)
{
    struct pollfd poller = { .fd = line->theirs, .events = POLLRDHUP };

    return poll(&poller, 1, 20000) == 1 && (poller.revents & (POLLRDHUP | POLLHUP));
}

static bool is_cut_now(const struct line *line)
{
    struct pollfd poller = { .fd = line->theirs, .events = POLLRDHUP };

    return poll(&poller, 1, 0) == 1;
}

static void sleep_ms(long ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&time, NULL);
}

TEST(HTP_14_every_turn_of_the_client_has_an_end)
{
    static const enum watch_turn turns[] = { WATCH_HEAD, WATCH_IDLE, WATCH_BODY, WATCH_ANSWER };

    for (size_t i = 0; i < COUNT_OF(turns); i++) {
        struct line line = { 0 };
        struct watch *watch = begin(&line);
        watch_set(&line.watched, turns[i]);
        EXPECT(is_cut(&line), "turn %d: not cut off", turns[i]);
        end(watch, &line);
    }
}

TEST(HTP_14_a_byte_now_and_then_is_a_stall)
{
    struct line line = { 0 };
    struct watch *watch = begin(&line);
    unsigned sent = 0;

    watch_set(&line.watched, WATCH_BODY);
    while (!is_cut_now(&line) && sent < 2000 && send(line.theirs, "x", 1, MSG_NOSIGNAL) == 1) {
        sent++;
        sleep_ms(10); /* a tenth of the least rate */
    }
    EXPECT(sent < 2000, "%u bytes and not cut off", sent);
    end(watch, &line);
}

TEST(HTP_14_who_keeps_the_pace_or_waits_for_us_is_left_alone)
{
    struct line line = { 0 };
    struct watch *watch = begin(&line);
    static char block[4096];
    const uint64_t began_ms = clock_monotonic_ms();
    uint64_t longest_ms = 0, last_ms = began_ms;

    watch_set(&line.watched, WATCH_BODY);
    while (clock_monotonic_ms() - began_ms < 1000) {
        if (send(line.theirs, block, sizeof block, MSG_NOSIGNAL) != (ssize_t)sizeof block ||
            recv(line.ours, block, sizeof block, MSG_WAITALL) != (ssize_t)sizeof block)
            break;
        const uint64_t now_ms = clock_monotonic_ms();
        longest_ms = now_ms - last_ms > longest_ms ? now_ms - last_ms : longest_ms;
        last_ms = now_ms;
        sleep_ms(20);
    }
    /* On a machine that stood still itself, at the last too, nothing can be said. */
    const bool cut = is_cut_now(&line);
    const uint64_t gap_ms = clock_monotonic_ms() - last_ms;
    longest_ms = gap_ms > longest_ms ? gap_ms : longest_ms;
    EXPECT(!cut || longest_ms >= limits.pace.period_ms, "cut off though it kept the pace");
    end(watch, &line);

    struct line waiting = { 0 };
    watch = begin(&waiting);
    watch_set(&waiting.watched, WATCH_SERVER);
    sleep_ms(600);
    EXPECT(!is_cut_now(&waiting), "cut off while it waits for us");
    end(watch, &waiting);
}
