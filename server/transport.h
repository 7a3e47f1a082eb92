/* server/transport.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the dispatcher and the pump want of whoever carries an exchange: that it can be paused and woken.
 * Starting, feeding and stopping are each transport's own matter (server/transport_mhd.h;
 * tests/support/loopback.c).
 */
#ifndef GANTRY_SERVER_TRANSPORT_H
#define GANTRY_SERVER_TRANSPORT_H

struct exchange;

struct transport_kind {
    const char *name;
    /* On the thread that carries the exchange, before any worker is told of it: carry it no further until
     * `wake`. */
    void (*pause)(struct exchange *exchange);
    /* From any thread, once for each pause: go on where it was left. The caller no longer touches the
     * exchange but to unref it. */
    void (*wake)(struct exchange *exchange);
    /* The connection's descriptor, -1 for none; on the thread that carries it. NULL: there is no connection.
     */
    int (*socket)(const struct exchange *exchange);
};

#endif
