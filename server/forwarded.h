/* server/forwarded.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What gateways in front say of a request (RFC 7239, and the X-Forwarded fields that came before it). Anybody
 * can send these fields, so they count only from the addresses of the setting trusted_proxies (HTP-19), and
 * only as far back as the chain of gateways is theirs.
 */
#ifndef GANTRY_SERVER_FORWARDED_H
#define GANTRY_SERVER_FORWARDED_H

#include <sys/socket.h>

#include "base/attributes.h"
#include "base/error.h"
#include "http/request.h"

struct proxies;

/* "10.0.0.1, 192.168.0.0/16, fd00::/8": addresses and networks, separated by commas or spaces; "" is an empty
 * list. MALFORMED. */
MUST_USE bool proxies_parse(const char *text, struct proxies **ret, struct error *err);
void proxies_free(struct proxies *proxies); /* NULL is fine */
/* Any thread. */
bool proxies_have(const struct proxies *proxies, const struct sockaddr *address);
bool proxies_are_none(const struct proxies *proxies);

/* Scheme, host and prefix under which the client asked, by the fields of `request`, which came from a trusted
 * proxy: "https://pacs.example.org/pacs", in the request's arena. NULL: they do not say, or not in a form
 * that can be believed. Forwarded wins over X-Forwarded-*. */
const char *forwarded_base(const struct proxies *proxies, const struct request *request);

#endif
