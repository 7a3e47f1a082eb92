/* server/listener.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The door; see listener.h.
 *
 * One epoll set, two kinds of sockets. Listening ones are level-triggered. Those being peeked at are
 * edge-triggered, with SO_RCVLOWAT at the size that is needed next: peeking leaves the bytes in the socket,
 * so anything else would wake the thread again at once, and a hello that comes byte by byte would wake it for
 * each of them.
 *
 * Those being peeked at stand in a list by age, so that the first is both the next to time out and the one to
 * go when there are too many.
 */
#include "server/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "server/client_hello.h"
#include "server/clients.h"

enum {
    GATES_MOST = 4,
    BACKLOG = 4096,
    EVENTS_AT_ONCE = 64,
    ACCEPTS_AT_ONCE = 64,  /* then the others have their turn */
    ACCEPT_PAUSE_MS = 100, /* when the process has no descriptors left */
    COMPLAIN_EVERY_MS = 10000,
    DRAIN_CEILING_BYTES = 65536,
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 15,
    KEEPALIVE_PROBES = 4,
};

enum alert { ALERT_DECODE_ERROR = 50, ALERT_PROTOCOL_VERSION = 70, ALERT_NO_APPLICATION_PROTOCOL = 120 };

/* What an event is about: the kind in the upper half, an index below; for a peeked one, its turn, so that an
 * event of one that went is not taken for its successor's. */
enum { EVENT_WAKE = 0, EVENT_LISTENING = 1, EVENT_PEEKED = 2 };

struct peeked {
    int fd;
    struct seat *seat;
    uint32_t turn;
    uint64_t since_ms;
    struct peeked *older, *newer; /* `newer` also links the free ones */
    struct sockaddr_storage address;
    socklen_t address_size;
};

struct listener {
    struct listener_gate gates[GATES_MOST];
    unsigned gate_count;
    unsigned connections;
    struct clients *clients;
    atomic_uint peek_timeout_ms, least_version;

    int sockets[LISTENER_ADDRESSES_MOST];
    char texts[LISTENER_ADDRESSES_MOST][INET6_ADDRSTRLEN + 16];
    unsigned socket_count, port;

    int epoll, wake;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    atomic_ullong wakeups;

    struct peeked *slots, *free, *oldest, *newest;
    unsigned slot_count, peeking;
    uint64_t accept_again_ms; /* 0: accepting */
    uint64_t complained_ms;
    unsigned turned_away; /* since then */
    uint8_t look[CLIENT_HELLO_CEILING_BYTES], scratch[CLIENT_HELLO_CEILING_BYTES];
};

/* ── addresses ── */

static bool parse_one(struct bytes text, struct listener_address *ret, struct error *err)
{
    char host[INET6_ADDRSTRLEN] = "";
    uint64_t port;
    size_t colon = text.size;

    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon == 0 || !number_parse(bytes_from(text, colon), 0, 65535, &port))
        return error_set(err, FAULT_MALFORMED,
                         "listen: \"%.60s\" has no port; write 127.0.0.1:443 or [::1]:443",
                         (const char *)text.data);
    struct bytes name = bytes_of(text.data, colon - 1);
    const bool bracketed = name.size >= 2 && name.data[0] == '[' && name.data[name.size - 1] == ']';
    if (bracketed)
        name = bytes_of(name.data + 1, name.size - 2);
    if (name.size >= sizeof host)
        return error_set(err, FAULT_MALFORMED, "listen: the address before port %u is too long",
                         (unsigned)port);
    memcpy(host, name.data, name.size);

    struct listener_address address = { 0 };
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address.address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address.address;
    if (strcmp(host, "localhost") == 0)
        snprintf(host, sizeof host, "127.0.0.1");
    address.any = !bracketed && strcmp(host, "*") == 0;
    if (address.any || (bracketed && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        address.size = sizeof *v6;
    } else if (!bracketed && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        address.size = sizeof *v4;
    } else {
        return error_set(err, FAULT_MALFORMED,
                         "listen: \"%s\" is no address; give it in figures (IPv6 in brackets), or * for all",
                         host);
    }
    *ret = address;
    return true;
}

bool listener_parse(const char *list, struct listener_address ret[LISTENER_ADDRESSES_MOST],
                    unsigned *ret_count, struct error *err)
{
    unsigned count = 0;

    for (struct bytes rest = bytes_of_text(list); rest.data;) {
        const struct bytes text = bytes_trim(bytes_cut(&rest, ','));
        if (count == LISTENER_ADDRESSES_MOST)
            return error_set(err, FAULT_MALFORMED, "listen: more than %d addresses", LISTENER_ADDRESSES_MOST);
        if (!parse_one(text, &ret[count], err))
            return false;
        count++;
    }
    *ret_count = count;
    return true;
}

static void name_address(const struct sockaddr_storage *address, char *into, size_t size, unsigned *ret_port)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        *ret_port = ntohs(v6->sin6_port);
        snprintf(into, size, "[%s]:%u", host, *ret_port);
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        *ret_port = ntohs(v4->sin_port);
        snprintf(into, size, "%s:%u", host, *ret_port);
    }
}

static bool tell_bind_failure(int why, const char *text, unsigned port, struct error *err)
{
    if (why == EACCES || why == EPERM)
        return error_set(err, FAULT_FORBIDDEN,
                         "listen: this user may not use port %u; grant CAP_NET_BIND_SERVICE, or lower "
                         "net.ipv4.ip_unprivileged_port_start, or listen on a port from 1024 on",
                         port);
    if (why == EADDRINUSE)
        return error_set(err, FAULT_BUSY,
                         "listen: %s is taken by another program; stop it or listen elsewhere", text);
    if (why == EADDRNOTAVAIL)
        return error_set(err, FAULT_MALFORMED, "listen: %s is no address of this machine", text);
    return error_errno(err, why, "listen: %s", text);
}

static int open_socket(struct listener_address *address)
{
    const int fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 || !address->any || errno != EAFNOSUPPORT)
        return fd;
    /* A machine without IPv6. */
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->address;
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = v6->sin6_port };
    memset(&address->address, 0, sizeof address->address);
    memcpy(&address->address, &v4, sizeof v4);
    address->size = sizeof v4;
    address->any = false;
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static bool bind_one(struct listener *listener, struct listener_address *address, struct error *err)
{
    static const int yes = 1;
    const unsigned n = listener->socket_count;
    char *text = listener->texts[n];
    unsigned port = 0;

    SCOPED(file) int fd = open_socket(address);
    name_address(&address->address, text, sizeof listener->texts[n], &port);
    if (fd < 0)
        return error_errno(err, errno, "listen: %s", text);
    const int only_v6 = !address->any;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (address->address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
    if (bind(fd, (const struct sockaddr *)&address->address, address->size) != 0)
        return tell_bind_failure(errno, text, port, err);

    struct sockaddr_storage bound = { 0 };
    socklen_t size = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0)
        return error_errno(err, errno, "listen: %s", text);
    name_address(&bound, text, sizeof listener->texts[n], &port);
    if (n == 0)
        listener->port = port;
    listener->sockets[n] = fd;
    listener->socket_count = n + 1;
    fd = -1;
    return true;
}

/* ── connections being peeked at ── */

static void forget(struct listener *listener, struct peeked *peeked)
{
    *(peeked->older ? &peeked->older->newer : &listener->oldest) = peeked->newer;
    *(peeked->newer ? &peeked->newer->older : &listener->newest) = peeked->older;
    peeked->fd = -1;
    peeked->turn++;
    peeked->newer = listener->free;
    listener->free = peeked;
    listener->peeking--;
}

/* Unread bytes would make the kernel answer with a reset, which can overtake what was sent. */
static void close_politely(int fd, uint8_t *scratch, size_t scratch_size)
{
    size_t drained = 0;

    shutdown(fd, SHUT_WR);
    while (drained < DRAIN_CEILING_BYTES) {
        const ssize_t got = recv(fd, scratch, scratch_size, MSG_DONTWAIT);
        if (got <= 0)
            break;
        drained += (size_t)got;
    }
    file_close(fd);
}

static void turn_away(struct listener *listener, struct peeked *peeked)
{
    const int fd = peeked->fd;

    clients_leave(peeked->seat);
    forget(listener, peeked);
    file_close(fd); /* the epoll set forgets it too */
}

static void complain(struct listener *listener, const char *what)
{
    const uint64_t now = clock_monotonic_ms();

    listener->turned_away++;
    if (listener->complained_ms && now - listener->complained_ms < COMPLAIN_EVERY_MS)
        return;
    log_line(LOG_WARNING, "%s; %u turned away since the last such line", what, listener->turned_away);
    listener->complained_ms = now;
    listener->turned_away = 0;
}

/* `answer` is a courtesy: it is sent if there is room for it. */
static void refuse(struct listener *listener, struct peeked *peeked, struct bytes answer)
{
    const int fd = peeked->fd;

    clients_leave(peeked->seat);
    forget(listener, peeked);
    if (answer.size > 0) {
        const ssize_t sent = send(fd, answer.data, answer.size, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)sent;
    }
    close_politely(fd, listener->look, sizeof listener->look);
}

static void refuse_with_alert(struct listener *listener, struct peeked *peeked, enum alert alert)
{
    const uint8_t record[] = { 21, 3, 3, 0, 2, 2 /* fatal */, (uint8_t)alert }; /* RFC 8446 6 */

    refuse(listener, peeked, bytes_of(record, sizeof record));
}

static void refuse_plain_http(struct listener *listener, struct peeked *peeked)
{
    static const char answer[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 48\r\n"
        "Connection: close\r\n\r\nThis port speaks HTTPS only: ask with https://.\n";

    refuse(listener, peeked, bytes_of(answer, sizeof answer - 1));
}

/* NULL: none speaks what the client asks for. */
static const struct listener_gate *choose_gate(const struct listener *listener,
                                               const struct client_hello *hello)
{
    if (hello->protocols.size == 0)
        return &listener->gates[listener->gate_count - 1];
    for (unsigned i = 0; i < listener->gate_count; i++)
        if (client_hello_offers(hello, listener->gates[i].alpn))
            return &listener->gates[i];
    return NULL;
}

static void hand_over(struct listener *listener, struct peeked *peeked, const struct listener_gate *gate)
{
    static const int one = 1;
    const struct sockaddr_storage address = peeked->address;
    const socklen_t size = peeked->address_size;
    const int fd = peeked->fd;
    struct seat *seat = peeked->seat;
    struct error err = { 0 };

    forget(listener, peeked);
    epoll_ctl(listener->epoll, EPOLL_CTL_DEL, fd, NULL);
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
    if (!gate->take(gate->transport, fd, (const struct sockaddr *)&address, size, seat, &err))
        complain(listener, err.detail);
}

static void answer_hello(struct listener *listener, struct peeked *peeked, const struct client_hello *hello)
{
    const struct listener_gate *gate = choose_gate(listener, hello);

    if (hello->newest < atomic_load_explicit(&listener->least_version, memory_order_relaxed))
        refuse_with_alert(listener, peeked, ALERT_PROTOCOL_VERSION);
    else if (!gate)
        refuse_with_alert(listener, peeked, ALERT_NO_APPLICATION_PROTOCOL);
    else
        hand_over(listener, peeked, gate);
}

/* Looks at what has come, until it is enough or the kernel has been told how much more is. */
static void peek(struct listener *listener, struct peeked *peeked, bool ended)
{
    for (;;) {
        struct client_hello hello;
        size_t needed = 0;
        const ssize_t got = recv(peeked->fd, listener->look, sizeof listener->look, MSG_PEEK | MSG_DONTWAIT);

        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            turn_away(listener, peeked);
            return;
        }
        const size_t size = got > 0 ? (size_t)got : 0;
        switch (client_hello_read(bytes_of(listener->look, size), listener->scratch, &hello, &needed)) {
        case HELLO_WHOLE:
            answer_hello(listener, peeked, &hello);
            return;
        case HELLO_MALFORMED:
            refuse_with_alert(listener, peeked, ALERT_DECODE_ERROR);
            return;
        case HELLO_PLAIN_HTTP:
            refuse_plain_http(listener, peeked);
            return;
        case HELLO_NOT_TLS:
            refuse(listener, peeked, bytes_of(NULL, 0));
            return;
        case HELLO_NOT_YET:
            break;
        }
        if (ended) {
            turn_away(listener, peeked); /* half a hello and no more to come */
            return;
        }
        const int least = (int)needed;
        setsockopt(peeked->fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
        /* What came between the look and the setting gives no new edge on all kernels. */
        const ssize_t again = recv(peeked->fd, listener->look, needed, MSG_PEEK | MSG_DONTWAIT);
        if (again < 0 || (size_t)again < needed)
            return;
    }
}

/* ── accepting ── */

static void set_accepting(struct listener *listener, bool accepting)
{
    for (unsigned i = 0; i < listener->socket_count; i++) {
        struct epoll_event event = { .events = accepting ? EPOLLIN : 0,
                                     .data.u64 = (uint64_t)EVENT_LISTENING << 32 | i };
        epoll_ctl(listener->epoll, EPOLL_CTL_MOD, listener->sockets[i], &event);
    }
    listener->accept_again_ms = accepting ? 0 : clock_monotonic_ms() + ACCEPT_PAUSE_MS;
}

static unsigned count_connections(const struct listener *listener)
{
    unsigned count = listener->peeking;

    for (unsigned i = 0; i < listener->gate_count; i++)
        count += listener->gates[i].connections(listener->gates[i].transport);
    return count;
}

static void set_keepalive(int fd)
{
    static const int one = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S,
                     probes = KEEPALIVE_PROBES;

    /* None of these can fail in a way that matters. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static void begin_peeking(struct listener *listener, int fd, const struct sockaddr_storage *address,
                          socklen_t size, struct seat *seat)
{
    if (!listener->free) {
        complain(listener, "too many connections that say nothing (peek_connections)");
        turn_away(listener, listener->oldest);
    }
    struct peeked *peeked = listener->free;
    listener->free = peeked->newer;
    peeked->fd = fd;
    peeked->seat = seat;
    peeked->since_ms = clock_monotonic_ms();
    peeked->address = *address;
    peeked->address_size = size;
    peeked->newer = NULL;
    peeked->older = listener->newest;
    *(listener->newest ? &listener->newest->newer : &listener->oldest) = peeked;
    listener->newest = peeked;
    listener->peeking++;

    /* 2 and the slot's number above, its turn below. */
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                 .data.u64 = (uint64_t)(EVENT_PEEKED + (peeked - listener->slots)) << 32 |
                                             peeked->turn };
    set_keepalive(fd);
    if (epoll_ctl(listener->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        turn_away(listener, peeked);
}

static void let_in(struct listener *listener, int fd, const struct sockaddr_storage *address, socklen_t size)
{
    if (count_connections(listener) >= listener->connections) {
        file_close(fd);
        complain(listener, "too many connections (connections)");
        return;
    }
    struct seat *seat = clients_enter(listener->clients, (const struct sockaddr *)address, size);
    if (!seat) {
        file_close(fd);
        complain(listener, "too many connections of one address (connections_per_address)");
        return;
    }
    begin_peeking(listener, fd, address, size, seat);
}

static void accept_some(struct listener *listener, int socket)
{
    for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage address = { 0 };
        socklen_t size = sizeof address;
        const int fd = accept4(socket, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            let_in(listener, fd, &address, size);
            continue;
        }
        switch (errno) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            /* The connection stays in the backlog and would wake us again at once. */
            complain(listener, "no descriptors or memory for new connections; raise the limit of open files");
            set_accepting(listener, false);
            return;
        case EAGAIN:
            return;
        default:
            continue; /* this one is gone already */
        }
    }
}

/* ── the thread ── */

static void close_overdue(struct listener *listener)
{
    const uint64_t now = clock_monotonic_ms();
    const unsigned timeout_ms = atomic_load(&listener->peek_timeout_ms);

    while (listener->oldest && now - listener->oldest->since_ms >= timeout_ms)
        turn_away(listener, listener->oldest);
    if (listener->accept_again_ms && now >= listener->accept_again_ms)
        set_accepting(listener, true);
}

/* Until the next thing to do without an event, -1: never. */
static int wait_ms(const struct listener *listener)
{
    const uint64_t now = clock_monotonic_ms();
    uint64_t until = UINT64_MAX;

    if (listener->oldest)
        until = listener->oldest->since_ms + atomic_load(&listener->peek_timeout_ms);
    if (listener->accept_again_ms && listener->accept_again_ms < until)
        until = listener->accept_again_ms;
    if (until == UINT64_MAX)
        return -1;
    return until <= now ? 0 : (int)(until - now);
}

static void handle(struct listener *listener, const struct epoll_event *event)
{
    const uint32_t kind = (uint32_t)(event->data.u64 >> 32), rest = (uint32_t)event->data.u64;

    if (kind == EVENT_WAKE) {
        eventfd_t count;
        eventfd_read(listener->wake, &count);
    } else if (kind == EVENT_LISTENING) {
        accept_some(listener, listener->sockets[rest]);
    } else {
        struct peeked *peeked = &listener->slots[kind - EVENT_PEEKED];
        if (peeked->fd >= 0 && peeked->turn == rest)
            peek(listener, peeked, (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
    }
}

static void *listen_and_peek(void *context)
{
    struct listener *listener = context;
    struct epoll_event events[EVENTS_AT_ONCE];

    while (!atomic_load(&listener->stop)) {
        const int count = epoll_wait(listener->epoll, events, EVENTS_AT_ONCE, wait_ms(listener));
        atomic_fetch_add_explicit(&listener->wakeups, 1, memory_order_relaxed);
        for (int i = 0; i < count; i++)
            handle(listener, &events[i]);
        close_overdue(listener);
    }
    return NULL;
}

/* ── opening and closing ── */

static bool watch(struct listener *listener, int fd, uint64_t what, struct error *err)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = what };

    if (epoll_ctl(listener->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return error_errno(err, errno, "listen: epoll");
    return true;
}

static bool prepare(struct listener *listener, const struct listener_options *options, struct error *err)
{
    listener->slot_count =
        options->peek_connections < options->connections ? options->peek_connections : options->connections;
    listener->slots = calloc(listener->slot_count, sizeof *listener->slots);
    if (!listener->slots)
        return error_set(err, FAULT_BUSY, "no memory for %u connections", listener->slot_count);
    for (unsigned i = 0; i < listener->slot_count; i++) {
        listener->slots[i].fd = -1;
        listener->slots[i].newer = listener->free;
        listener->free = &listener->slots[i];
    }
    listener->epoll = epoll_create1(EPOLL_CLOEXEC);
    listener->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (listener->epoll < 0 || listener->wake < 0)
        return error_errno(err, errno, "listen: epoll");
    return watch(listener, listener->wake, (uint64_t)EVENT_WAKE << 32, err);
}

bool listener_open(const struct listener_options *options, struct listener **ret, struct error *err)
{
    struct listener_address addresses[LISTENER_ADDRESSES_MOST];
    struct listener *listener = calloc(1, sizeof *listener);
    unsigned count = 0;

    if (!listener)
        return error_set(err, FAULT_BUSY, "no memory for the listener");
    listener->epoll = listener->wake = -1;
    listener->connections = options->connections;
    listener->clients = options->clients;
    atomic_init(&listener->peek_timeout_ms, options->peek_timeout_ms);
    atomic_init(&listener->least_version, VERSION_TLS_1_2);

    bool fine = listener_parse(options->addresses, addresses, &count, err) && prepare(listener, options, err);
    for (unsigned i = 0; fine && i < count; i++)
        fine = bind_one(listener, &addresses[i], err);
    if (!fine) {
        listener_close(listener);
        return false;
    }
    *ret = listener;
    return true;
}

unsigned listener_port(const struct listener *listener)
{
    return listener->port;
}

const char *listener_address_text(const struct listener *listener, unsigned n)
{
    return n < listener->socket_count ? listener->texts[n] : NULL;
}

bool listener_start(struct listener *listener, const struct listener_gate *gates, unsigned gate_count,
                    struct error *err)
{
    assert(gate_count >= 1 && gate_count <= GATES_MOST && !listener->running);
    listener->gate_count = gate_count;
    memcpy(listener->gates, gates, gate_count * sizeof *gates);
    for (unsigned i = 0; i < listener->socket_count; i++) {
        /* Two programs can bind the same port, but only one can listen on it. */
        if (listen(listener->sockets[i], BACKLOG) != 0)
            return tell_bind_failure(errno, listener->texts[i], listener->port, err);
        if (!watch(listener, listener->sockets[i], (uint64_t)EVENT_LISTENING << 32 | i, err))
            return false;
    }
    const int why = pthread_create(&listener->thread, NULL, listen_and_peek, listener);
    if (why != 0)
        return error_errno(err, why, "starting the listener");
    pthread_setname_np(listener->thread, "listener");
    listener->running = true;
    return true;
}

void listener_set_peek_timeout(struct listener *listener, unsigned timeout_ms)
{
    atomic_store(&listener->peek_timeout_ms, timeout_ms);
    eventfd_write(listener->wake, 1);
}

void listener_set_least_version(struct listener *listener, unsigned version)
{
    atomic_store_explicit(&listener->least_version, version, memory_order_relaxed);
}

uint64_t listener_wakeups(const struct listener *listener)
{
    return atomic_load_explicit(&listener->wakeups, memory_order_relaxed);
}

void listener_close(struct listener *listener)
{
    if (!listener)
        return;
    if (listener->running) {
        atomic_store(&listener->stop, true);
        eventfd_write(listener->wake, 1);
        pthread_join(listener->thread, NULL);
    }
    for (unsigned i = 0; i < listener->socket_count; i++)
        file_close(listener->sockets[i]);
    while (listener->oldest)
        turn_away(listener, listener->oldest);
    file_close(listener->epoll);
    file_close(listener->wake);
    free(listener->slots);
    free(listener);
}
