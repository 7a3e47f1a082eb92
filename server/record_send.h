/* server/record_send.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Stands between libmicrohttpd and GnuTLS, on the way out: defines gnutls_record_send in front of GnuTLS'
 * own, which it calls. GnuTLS sends one record of 16 KiB a call, and the library polls between calls: with
 * several connections it goes round, and each record wakes a client alone. Here one call sends all that it is
 * given, record by record, and the kernel is told which of them others follow (MSG_MORE), so it makes few and
 * full segments of them.
 */
#ifndef GANTRY_SERVER_RECORD_SEND_H
#define GANTRY_SERVER_RECORD_SEND_H

#include <gnutls/gnutls.h>

/* Lets `session`, whose transport pointer is its socket, say MSG_MORE. Before the first byte, on its thread.
 */
void record_send_prepare(gnutls_session_t session);

#endif
