/* server/plain_http.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Port 80, by libmicrohttpd; see plain_http.h. Each request ends its connection: who is in the wrong place
 * has no second thing to ask here, and nothing can be smuggled behind the first.
 */
#include "server/plain_http.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "server/framing.h"
#include "server/listener.h"

enum {
    CONNECTIONS_MOST = 256,
    CONNECTIONS_OF_ONE = 16,
    TIMEOUT_S = 10,
    MEMORY_BYTES = 8192,
    TOKEN_CEILING_BYTES = 128,
    CHALLENGE_CEILING_BYTES = 4096,
    LOCATION_CEILING_BYTES = 8192,
    BACKLOG = 128,
};

struct plain_http {
    struct MHD_Daemon *daemons[LISTENER_ADDRESSES_MOST];
    unsigned daemon_count;
    char *acme_folder, *public_url;
    unsigned https_port;
};

/* ── what is asked ── */

bool plain_http_challenge(struct bytes target, struct bytes *ret)
{
    static const char prefix[] = "/.well-known/acme-challenge/";

    if (!bytes_starts_with(target, bytes_of_text(prefix)))
        return false;
    const struct bytes token = bytes_from(target, sizeof prefix - 1);
    for (size_t i = 0; i < token.size; i++) {
        const uint8_t c = token.data[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_'))
            return false;
    }
    if (token.size == 0 || token.size > TOKEN_CEILING_BYTES)
        return false;
    *ret = token;
    return true;
}

bool plain_http_location(const char *public_url, unsigned https_port, struct bytes host, struct bytes target,
                         char *into, size_t size)
{
    struct bytes origin = bytes_of_text(public_url);
    int length;

    if (target.size == 0 || target.data[0] != '/')
        return false;
    for (size_t i = 0; i < target.size; i++)
        if (target.data[i] <= ' ' || target.data[i] >= 0x7F)
            return false;
    if (bytes_starts_with(origin, bytes_of_text("https://"))) {
        /* The path of a public URL is a gateway's business; the request's own path follows the host. */
        const size_t scheme = strlen("https://");
        const uint8_t *slash = memchr(origin.data + scheme, '/', origin.size - scheme);
        if (slash)
            origin.size = (size_t)(slash - origin.data);
        length = snprintf(into, size, "%.*s%.*s", BYTES_ARG(origin), BYTES_ARG(target));
    } else {
        if (!framing_host_is_valid(host))
            return false;
        size_t name = host.size; /* without the port, if there is one behind the brackets of an address */
        for (size_t i = host.size; i > 0 && host.data[i - 1] != ']'; i--)
            if (host.data[i - 1] == ':')
                name = i - 1;
        host.size = name;
        if (https_port == 443)
            length = snprintf(into, size, "https://%.*s%.*s", BYTES_ARG(host), BYTES_ARG(target));
        else
            length =
                snprintf(into, size, "https://%.*s:%u%.*s", BYTES_ARG(host), https_port, BYTES_ARG(target));
    }
    return length > 0 && (size_t)length < size;
}

/* ── answers ── */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *text,
                              size_t size, const char *location)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Connection", "close");
    MHD_add_response_header(response, "Content-Type", "text/plain");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (location)
        MHD_add_response_header(response, "Location", location);
    const enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *text,
                                   const char *location)
{
    return answer(connection, status, text, strlen(text), location);
}

static enum MHD_Result give_challenge(const struct plain_http *plain, struct MHD_Connection *connection,
                                      struct bytes token)
{
    char path[4400], content[CHALLENGE_CEILING_BYTES];

    const int length = snprintf(path, sizeof path, "%s/.well-known/acme-challenge/%.*s", plain->acme_folder,
                                BYTES_ARG(token));
    SCOPED(file)
    int fd = length > 0 && (size_t)length < sizeof path
                 ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
                 : -1;
    const ssize_t size = fd >= 0 ? read(fd, content, sizeof content) : -1;
    if (size < 0)
        return answer_text(connection, 404, "There is no such challenge.\n", NULL);
    return answer(connection, 200, content, (size_t)size, NULL);
}

/* The target as it came, before the library decodes it. */
static void *note_target(void *context, const char *target, struct MHD_Connection *connection)
{
    (void)context, (void)connection;
    return strdup(target);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **of_request)
{
    const struct plain_http *plain = context;
    const bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    const struct bytes target = bytes_of_text(*of_request);
    char location[LOCATION_CEILING_BYTES];
    struct bytes token;

    (void)url, (void)version, (void)upload, (void)upload_size;
    if (!reads)
        return answer_text(connection, 403, "Use https.\n", NULL);
    if (plain->acme_folder[0] && plain_http_challenge(target, &token))
        return give_challenge(plain, connection, token);
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    if (!plain_http_location(plain->public_url, plain->https_port, bytes_trim(bytes_of_text(host)), target,
                             location, sizeof location))
        return answer_text(connection, 400, "Use https.\n", NULL);
    return answer_text(connection, 308, "Use https.\n", location);
}

static void forget_target(void *context, struct MHD_Connection *connection, void **of_request,
                          enum MHD_RequestTerminationCode how)
{
    (void)context, (void)connection, (void)how;
    free(*of_request);
    *of_request = NULL;
}

/* ── starting and stopping ── */

static int open_port(const struct listener_address *address)
{
    static const int yes = 1;
    const int only_v6 = !address->any;
    SCOPED(file) int fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (address->address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
    if (bind(fd, (const struct sockaddr *)&address->address, address->size) != 0 || listen(fd, BACKLOG) != 0)
        return -1;
    const int opened = fd;
    fd = -1;
    return opened;
}

static void announce(int fd)
{
    struct sockaddr_storage bound = { 0 };
    socklen_t size = sizeof bound;
    unsigned port = 0;

    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0)
        port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                 : ((struct sockaddr_in *)&bound)->sin_port);
    log_line(LOG_INFO, "plain HTTP on port %u sends clients to https", port);
}

static bool start_one(struct plain_http *plain, const struct listener_address *address, struct error *err)
{
    const int fd = open_port(address);

    if (fd < 0)
        return error_set(
            err, errno == EACCES || errno == EPERM ? FAULT_FORBIDDEN : FAULT_BUSY,
            "http_listen: the port cannot be had: %s; grant CAP_NET_BIND_SERVICE, or choose another",
            strerrorname_np(errno));
    announce(fd);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD, 0, NULL, NULL, handle, plain, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MOST, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_OF_ONE, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES, MHD_OPTION_URI_LOG_CALLBACK, note_target,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, forget_target, NULL, MHD_OPTION_END);
    if (!daemon) {
        file_close(fd);
        return error_set(err, FAULT_INTERNAL, "http_listen: libmicrohttpd did not start");
    }
    plain->daemons[plain->daemon_count++] = daemon;
    return true;
}

bool plain_http_start(const struct plain_http_options *options, struct plain_http **ret, struct error *err)
{
    struct listener_address addresses[LISTENER_ADDRESSES_MOST];
    struct plain_http *plain = calloc(1, sizeof *plain);
    unsigned count = 0;

    if (!plain || !(plain->acme_folder = strdup(options->acme_folder)) ||
        !(plain->public_url = strdup(options->public_url))) {
        plain_http_stop(plain);
        return error_set(err, FAULT_BUSY, "no memory for plain HTTP");
    }
    plain->https_port = options->https_port;
    bool fine = listener_parse(options->addresses, addresses, &count, err);
    for (unsigned i = 0; fine && i < count; i++)
        fine = start_one(plain, &addresses[i], err);
    if (!fine) {
        plain_http_stop(plain);
        return false;
    }
    *ret = plain;
    return true;
}

void plain_http_stop(struct plain_http *plain)
{
    if (!plain)
        return;
    for (unsigned i = 0; i < plain->daemon_count; i++)
        MHD_stop_daemon(plain->daemons[i]); /* closes the socket */
    free(plain->acme_folder);
    free(plain->public_url);
    free(plain);
}
