/* bench/load.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A load generator for HTTP/1.1 over TLS: N connections, each sending one request after the other. It prints
 * one JSON object. It is the same for every server that is compared, knows nothing of DICOM, and reads
 * answers without keeping them.
 *
 *   bench_load --port P [--connections N] [--seconds S] [--requests R] [--paths FILE] [--header 'K: V']...
 *              [--body FILE [--content-type T] [--chunked]] [--stamp-base N] [--handshake keep|full|resume]
 *              [--priority GNUTLS]
 *
 * --paths: one target a line, taken in turn. --body: POSTed; in it every "199999999999" becomes 1e11 plus the
 * number of the request, every "299999999999" 2e11 plus that number divided by 300, so that each request
 * stores new instances.
 * --handshake: one connection for all requests, or a new one for each, with or without resumption.
 */
#include <gnutls/gnutls.h>
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"

enum { MOST_CONNECTIONS = 1024, LATENCIES = 1 << 20, RECORD_BYTES = 16384 };

struct stamp {
    size_t offset;
    uint64_t base, divisor;
};

static struct {
    uint16_t port;
    unsigned connections;
    double seconds;
    uint64_t requests, stamp_base;
    char **paths;
    size_t path_count;
    char headers[8192];
    char *body;
    size_t body_size;
    struct stamp *stamps;
    size_t stamp_count;
    bool chunked;
    enum { KEEP, FULL, RESUME } handshake;
    const char *priority;
    gnutls_certificate_credentials_t credentials;
} load = { .connections = 1,
           .seconds = 2,
           .requests = UINT64_MAX,
           .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM" };

static atomic_uint_fast64_t next_request, done_requests, failed_requests, received_bytes;
static atomic_uint_fast64_t statuses[600];
static uint32_t *latencies; /* microseconds */
static uint64_t deadline_us;

struct link {
    int fd;
    gnutls_session_t session;
    gnutls_datum_t ticket;
    bool more; /* what is sent now is followed by more of the same request */
    char buffer[1 << 16];
    size_t from, to;
    char gathered[RECORD_BYTES]; /* of a request, not sent yet */
    size_t gathered_size;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench_load: %s\n", what);
    exit(2);
}

static void read_paths(const char *file)
{
    char *text;
    size_t size;
    struct error err = { 0 };

    if (!file_read_all(file, (size_t)1 << 30, &text, &size, &err))
        fail(err.detail);
    load.paths = calloc(size / 2 + 1, sizeof *load.paths);
    for (char *line = text, *end; line && *line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        if (*line)
            load.paths[load.path_count++] = line;
    }
    if (!load.path_count)
        fail("no paths");
}

static void read_body(const char *file)
{
    static const char *const marks[] = { "199999999999", "299999999999" };
    struct error err = { 0 };
    size_t capacity = 0;

    if (!file_read_all(file, (size_t)8 << 30, &load.body, &load.body_size, &err))
        fail(err.detail);
    for (char *at = load.body, *end = at + load.body_size;
         (at = memmem(at, (size_t)(end - at), "99999999999", 11)); at++) {
        for (unsigned n = 0; at > load.body && n < 2; n++) {
            if (at[-1] != marks[n][0])
                continue;
            if (load.stamp_count == capacity) {
                capacity = capacity ? capacity * 2 : 64;
                load.stamps = realloc(load.stamps, capacity * sizeof *load.stamps);
            }
            load.stamps[load.stamp_count++] =
                (struct stamp){ (size_t)(at - 1 - load.body), n ? 200000000000 : 100000000000, n ? 300 : 1 };
            at += 10;
        }
    }
}

/* The kernel makes few and full segments of records that others follow. */
static ssize_t push(gnutls_transport_ptr_t of, const giovec_t *pieces, int count)
{
    const struct link *link = of;
    const struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)pieces,
                                    .msg_iovlen = (size_t)count };

    return sendmsg(link->fd, &message, MSG_NOSIGNAL | (link->more ? MSG_MORE : 0));
}

static bool link_open(struct link *link)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(load.port) };
    const int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    link->from = link->to = link->gathered_size = 0;
    link->more = false;
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (link->fd < 0 || connect(link->fd, (struct sockaddr *)&address, sizeof address) != 0)
        return false;
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    gnutls_init(&link->session, GNUTLS_CLIENT);
    gnutls_priority_set_direct(link->session, load.priority, NULL);
    gnutls_credentials_set(link->session, GNUTLS_CRD_CERTIFICATE, load.credentials);
    gnutls_server_name_set(link->session, GNUTLS_NAME_DNS, "localhost", 9);
    gnutls_transport_set_ptr2(link->session, (gnutls_transport_ptr_t)(intptr_t)link->fd, link);
    gnutls_transport_set_vec_push_function(link->session, push);
    gnutls_handshake_set_timeout(link->session, 30000);
    if (load.handshake == RESUME && link->ticket.data)
        gnutls_session_set_data(link->session, link->ticket.data, link->ticket.size);
    int outcome;
    do
        outcome = gnutls_handshake(link->session);
    while (outcome < 0 && !gnutls_error_is_fatal(outcome));
    return outcome == 0;
}

static void link_close(struct link *link)
{
    if (load.handshake == RESUME) {
        gnutls_free(link->ticket.data);
        link->ticket.data = NULL;
        gnutls_session_get_data2(link->session, &link->ticket);
    }
    gnutls_bye(link->session, GNUTLS_SHUT_WR);
    gnutls_deinit(link->session);
    close(link->fd);
    link->session = NULL;
}

static bool send_record(struct link *link, const char *data, size_t size, bool more)
{
    ssize_t sent;

    link->more = more;
    do
        sent = gnutls_record_send(link->session, data, size);
    while (sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED);
    return sent == (ssize_t)size;
}

/* Requests leave in full records, straight from the body but for the records that have something of their
 * own. */
static bool send_some(struct link *link, const char *data, size_t size)
{
    while (size > 0) {
        size_t piece = RECORD_BYTES - link->gathered_size;

        if (link->gathered_size == 0 && size > RECORD_BYTES) {
            if (!send_record(link, data, RECORD_BYTES, true))
                return false;
        } else {
            if (piece == 0) {
                if (!send_record(link, link->gathered, RECORD_BYTES, true))
                    return false;
                link->gathered_size = 0;
                continue;
            }
            piece = size < piece ? size : piece;
            memcpy(link->gathered + link->gathered_size, data, piece);
            link->gathered_size += piece;
        }
        data += piece;
        size -= piece;
    }
    return true;
}

/* The request ends here. */
static bool send_rest(struct link *link)
{
    const size_t size = link->gathered_size;

    link->gathered_size = 0;
    return send_record(link, link->gathered, size, false);
}

static bool refill(struct link *link)
{
    ssize_t got;

    if (link->from == link->to)
        link->from = link->to = 0;
    if (link->to == sizeof link->buffer) {
        memmove(link->buffer, link->buffer + link->from, link->to - link->from);
        link->to -= link->from;
        link->from = 0;
    }
    if (link->to == sizeof link->buffer)
        return false;
    do
        got = gnutls_record_recv(link->session, link->buffer + link->to, sizeof link->buffer - link->to);
    while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
    if (got <= 0)
        return false;
    link->to += (size_t)got;
    atomic_fetch_add_explicit(&received_bytes, (uint64_t)got, memory_order_relaxed);
    return true;
}

/* Takes one line, without its CRLF; it stays valid until the next refill. */
static bool take_line(struct link *link, struct bytes *ret)
{
    for (;;) {
        char *end = memmem(link->buffer + link->from, link->to - link->from, "\r\n", 2);
        if (end) {
            *ret = bytes_of(link->buffer + link->from, (size_t)(end - link->buffer) - link->from);
            link->from = (size_t)(end - link->buffer) + 2;
            return true;
        }
        if (!refill(link))
            return false;
    }
}

static bool skip(struct link *link, uint64_t size)
{
    for (;;) {
        const size_t have = link->to - link->from;
        if (have >= size) {
            link->from += (size_t)size;
            return true;
        }
        size -= have;
        link->from = link->to = 0;
        if (!refill(link))
            return false;
    }
}

static bool read_answer(struct link *link, unsigned *ret_status, bool *ret_close)
{
    struct bytes line;
    uint64_t length = 0, status;
    bool chunked = false;

    if (!take_line(link, &line) || line.size < 12 ||
        !number_parse(bytes_of(line.data + 9, 3), 100, 599, &status))
        return false;
    for (;;) {
        if (!take_line(link, &line))
            return false;
        if (line.size == 0)
            break;
        struct bytes value = line;
        const struct bytes name = bytes_cut(&value, ':');
        value = bytes_trim(value);
        if (bytes_equal_nocase(name, bytes_of_text("content-length")) &&
            !number_parse(value, 0, UINT64_MAX, &length))
            return false;
        if (bytes_equal_nocase(name, bytes_of_text("transfer-encoding")))
            chunked = true;
        if (bytes_equal_nocase(name, bytes_of_text("connection")) &&
            bytes_equal_nocase(value, bytes_of_text("close")))
            *ret_close = true;
    }
    *ret_status = (unsigned)status;
    if (status == 100)
        return read_answer(link, ret_status, ret_close);
    if (!chunked)
        return status == 204 || status == 304 || skip(link, length);
    for (;;) {
        uint64_t size;
        if (!take_line(link, &line) || !number_parse_hex(line, UINT32_MAX, &size) || !skip(link, size + 2))
            return false;
        if (size == 0)
            return true;
    }
}

static bool send_request(struct link *link, uint64_t number)
{
    char head[12000];
    char length[64] = "";

    if (load.body)
        snprintf(length, sizeof length,
                 load.chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: %zu\r\n", load.body_size);
    const int size =
        snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n",
                 load.body ? "POST" : "GET", load.paths[number % load.path_count], load.headers, length);
    if (!send_some(link, head, (size_t)size))
        return false;
    size_t at = 0;
    for (size_t n = 0; load.body && n <= load.stamp_count; n++) {
        const size_t end = n < load.stamp_count ? load.stamps[n].offset : load.body_size;
        char frame[32];
        if (load.chunked && !send_some(link, frame,
                                       (size_t)snprintf(frame, sizeof frame, "%zx\r\n",
                                                        end - at + (n < load.stamp_count ? 12 : 0))))
            return false;
        if (!send_some(link, load.body + at, end - at))
            return false;
        if (n < load.stamp_count) {
            char text[24];
            snprintf(text, sizeof text, "%" PRIu64,
                     load.stamps[n].base + (load.stamp_base + number) / load.stamps[n].divisor);
            if (!send_some(link, text, 12))
                return false;
        }
        at = end + 12;
        if (load.chunked && !send_some(link, "\r\n", 2))
            return false;
    }
    return (!load.chunked || send_some(link, "0\r\n\r\n", 5)) && send_rest(link);
}

static void *sender(void *unused)
{
    struct link *link = calloc(1, sizeof *link);

    (void)unused;
    for (;;) {
        const uint64_t number = atomic_fetch_add(&next_request, 1);
        unsigned status = 0;
        bool close_it = load.handshake != KEEP;
        if (number >= load.requests || (number >= load.connections && clock_monotonic_us() >= deadline_us))
            break; /* one a connection goes out however late its thread begins */
        const uint64_t began = clock_monotonic_us();
        const bool fine = (link->session || link_open(link)) && send_request(link, number) &&
                          read_answer(link, &status, &close_it);
        const uint64_t took = clock_monotonic_us() - began;
        if (fine && status < 400) {
            const uint64_t place = atomic_fetch_add(&done_requests, 1);
            latencies[place % LATENCIES] = (uint32_t)(took > UINT32_MAX ? UINT32_MAX : took);
        } else {
            atomic_fetch_add(&failed_requests, 1);
        }
        atomic_fetch_add(&statuses[status % 600], 1);
        if (link->session && (close_it || !fine))
            link_close(link);
    }
    if (link->session)
        link_close(link);
    free(link);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void print_result(double seconds)
{
    const uint64_t done = done_requests;
    const size_t kept = done < LATENCIES ? (size_t)done : LATENCIES;
    const char *comma = "";

    qsort(latencies, kept, sizeof *latencies, by_value);
    printf("{\"requests\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"seconds\": %.3f, \"bytes\": %" PRIu64,
           done, (uint64_t)failed_requests, seconds, (uint64_t)received_bytes);
    printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"statuses\": {",
           kept ? latencies[kept / 2] / 1000.0 : 0, kept ? latencies[kept * 99 / 100] / 1000.0 : 0,
           kept ? latencies[kept - 1] / 1000.0 : 0);
    for (unsigned status = 0; status < 600; status++) {
        if (!statuses[status])
            continue;
        printf("%s\"%u\": %" PRIu64, comma, status, (uint64_t)statuses[status]);
        comma = ", ";
    }
    puts("}}");
}

static uint64_t whole_number(const char *text)
{
    uint64_t value;

    if (!number_parse(bytes_of_text(text), 0, UINT64_MAX, &value))
        fail("not a number");
    return value;
}

static void read_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        { "port", 1, NULL, 'p' },      { "connections", 1, NULL, 'c' }, { "seconds", 1, NULL, 's' },
        { "requests", 1, NULL, 'r' },  { "paths", 1, NULL, 'P' },       { "header", 1, NULL, 'h' },
        { "body", 1, NULL, 'b' },      { "chunked", 0, NULL, 'k' },     { "stamp-base", 1, NULL, 'S' },
        { "handshake", 1, NULL, 'H' }, { "priority", 1, NULL, 'q' },    { 0 },
    };
    size_t used = 0;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'p':
            load.port = (uint16_t)whole_number(optarg);
            break;
        case 'c':
            load.connections = (unsigned)whole_number(optarg);
            break;
        case 's':
            if (!number_parse_real(bytes_of_text(optarg), &load.seconds))
                fail("--seconds");
            break;
        case 'r':
            load.requests = whole_number(optarg);
            break;
        case 'P':
            read_paths(optarg);
            break;
        case 'h':
            used += (size_t)snprintf(load.headers + used, sizeof load.headers - used, "%s\r\n", optarg);
            break;
        case 'b':
            read_body(optarg);
            break;
        case 'k':
            load.chunked = true;
            break;
        case 'S':
            load.stamp_base = whole_number(optarg);
            break;
        case 'H':
            load.handshake = *optarg == 'f' ? FULL : *optarg == 'r' ? RESUME : KEEP;
            break;
        case 'q':
            load.priority = optarg;
            break;
        default:
            fail("bad usage");
        }
    }
    if (!load.port || !load.paths || load.connections < 1 || load.connections > MOST_CONNECTIONS ||
        used >= sizeof load.headers)
        fail("--port and --paths are needed, at most 1024 connections");
}

int main(int argc, char **argv)
{
    pthread_t threads[MOST_CONNECTIONS];

    read_arguments(argc, argv);
    gnutls_certificate_allocate_credentials(&load.credentials);
    latencies = calloc(LATENCIES, sizeof *latencies);
    const uint64_t began = clock_monotonic_us();
    deadline_us = began + (uint64_t)(load.seconds * 1e6);
    for (unsigned n = 0; n < load.connections; n++)
        if (pthread_create(&threads[n], NULL, sender, NULL) != 0)
            fail("no thread");
    for (unsigned n = 0; n < load.connections; n++)
        pthread_join(threads[n], NULL);
    print_result((double)(clock_monotonic_us() - began) / 1e6);
    return 0;
}
