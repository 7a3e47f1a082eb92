/* server/h2_session.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What nghttp2 tells of frames, and how floods of them end. nghttp2 sees to the protocol itself: states,
 * sizes, windows, HPACK, which fields a message may have.
 */
#ifndef GANTRY_SERVER_H2_SESSION_H
#define GANTRY_SERVER_H2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "base/attributes.h"
#include "base/error.h"
#include "server/transport_h2.h"

struct h2_connection;

/* What all sessions share. BUSY. */
MUST_USE bool h2_session_prepare(const struct transport_h2_options *options,
                                 nghttp2_session_callbacks **ret_callbacks, nghttp2_option **ret_option,
                                 struct error *err);
/* connection->session, with our SETTINGS queued. False: no memory. */
MUST_USE bool h2_session_open(struct h2_connection *connection);
/* One record from the client. */
void h2_session_receive(struct h2_connection *connection, struct bytes record);

#endif
