/* server/no_delay.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * TCP_NODELAY once a connection. libmicrohttpd sets it before and behind everything that it sends, though it
 * is on: two system calls an answer, a twentieth of what a small one costs. It does so to push what it has
 * corked at a connection's first answer, so the cork has to go too: without the push an answer would lie
 * there for 200 ms. This program's own setsockopt stands before the C library's and leaves both out on
 * threads that say so.
 */
#ifndef GANTRY_SERVER_NO_DELAY_H
#define GANTRY_SERVER_NO_DELAY_H

/* No delay on this socket; and whatever this thread says about it and about TCP_CORK from now on is left out.
 * For threads all of whose sockets come by here, and whose sender tells the kernel itself what belongs
 * together (record_send.h). */
void no_delay_keep(int socket);

#endif
