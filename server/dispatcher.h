/* server/dispatcher.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What happens to an exchange, in order. Called by transports; knows none of them.
 *
 *   begin: id ─► target ─► preflight ─► route ─► identity ─► authorize ─► receive ─► (body) ─► answer ─►
 * finish
 */
#ifndef GANTRY_SERVER_DISPATCHER_H
#define GANTRY_SERVER_DISPATCHER_H

#include "handlers/handler.h"
#include "server/exchange.h"
#include "server/worker_pool.h"

struct access;
struct access_log;
struct dispatcher;

/* What a reload may change. Texts are copied; `access` is taken over, on success. */
struct dispatcher_choices {
    struct limits limits;
    struct access *access;         /* NULL: everyone may do everything */
    uint64_t compress_least_bytes; /* smaller answers go out as they are */
    const char *cors_origins;      /* "*", a list, or "" */
    bool cors_credentials;         /* do clients have credentials that browsers only send when allowed to? */
    const char *resource_policy;   /* NULL: cross-origin */
    const char *hsts;              /* Strict-Transport-Security; NULL: a year, "": not sent */
    const char *public_url;        /* the setting: "", "from-host" or https://pacs.example.org[:port] */
    const char *server_names;      /* a list, or "": any name */
    const char *trusted_proxies;   /* a list, or "" */
};
struct dispatcher_options {
    struct service service;        /* `limits` is ignored: they come from the choices */
    struct worker_pool *pool;      /* outlives the dispatcher */
    struct access_log *access_log; /* NULL: no access lines */
    const char *base_path;         /* "/dicom-web" or ""; a slash at the end is dropped; copied */
    unsigned port;                 /* for the public base when public_url is empty; may be set later */
};

MUST_USE bool dispatcher_new(const struct dispatcher_options *options,
                             const struct dispatcher_choices *choices, struct dispatcher **ret,
                             struct error *err);
/* Exchanges that have begun keep what they began with. One thread at a time. */
MUST_USE bool dispatcher_reload(struct dispatcher *dispatcher, const struct dispatcher_choices *choices,
                                struct error *err);
/* The port, once it is known (a listener on port 0); before any exchange. */
void dispatcher_set_port(struct dispatcher *dispatcher, unsigned port);
/* After the transports have stopped, while workers still run: waits for what they have to clear up. NULL is
 * fine. */
void dispatcher_free(struct dispatcher *dispatcher);

/* A new exchange, held by the transport, which fills request.method, target, headers (names in lower case)
 * and content_length, all of it in the arena, and exchange->peer, or sets `error` to have it refused; then
 * calls dispatcher_begin, behind which the peer is not looked at. Any thread. */
struct exchange *dispatcher_exchange(struct dispatcher *dispatcher, const struct transport_kind *transport,
                                     void *carrier);

enum dispatched {
    DISPATCH_ANSWER, /* exchange->response is complete; its body comes by body_pump_out (not for HEAD) */
    DISPATCH_BODY,   /* push the body by body_pump_in, then call dispatcher_body_in */
    DISPATCH_LATER   /* paused; when woken, the answer is there */
};
/* The headers are in. A refusal comes as ANSWER, before any byte of the body was asked for. */
enum dispatched dispatcher_begin(struct exchange *exchange);
/* So is the body; ANSWER or LATER. */
enum dispatched dispatcher_body_in(struct exchange *exchange);
/* Last byte out, or the client left; `complete`: all was sent. Gives back the transport's hold. */
void dispatcher_finish(struct exchange *exchange, bool complete);

/* Stopping, in this order. Drain: answers carry Connection: close; waits until no exchange is left or the
 * deadline has passed; returns how many are left. Abort: nothing is paused any more, paused ones are woken as
 * their jobs end; returns when none is paused. After that transports may be stopped. May wait. */
unsigned dispatcher_drain(struct dispatcher *dispatcher, unsigned deadline_ms);
void dispatcher_abort(struct dispatcher *dispatcher);
bool dispatcher_draining(const struct dispatcher *dispatcher);

#endif
