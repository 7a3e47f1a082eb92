/* server/plain_http.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The optional listener on port 80 (TLS-15): serves the files of an ACME HTTP-01 challenge (RFC 8555 8.3),
 * sends everyone else to https, and nothing more. It reaches neither the dispatcher nor the store.
 */
#ifndef GANTRY_SERVER_PLAIN_HTTP_H
#define GANTRY_SERVER_PLAIN_HTTP_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

struct plain_http_options {
    const char *addresses;   /* the setting http_listen */
    const char *acme_folder; /* "": no challenges; else the webroot, in which is .well-known/acme-challenge */
    const char *public_url;  /* whereto; "" or "from-host": to the Host of the request and `https_port` */
    unsigned https_port;
};

struct plain_http;

/* BUSY, FORBIDDEN: the port cannot be had. */
MUST_USE bool plain_http_start(const struct plain_http_options *options, struct plain_http **ret,
                               struct error *err);
void plain_http_stop(struct plain_http *plain); /* NULL is fine */

/* The file name of a challenge in the target of a request: letters, digits, - and _, nothing that climbs.
 * False: it is no challenge. `ret` points into `target`. */
bool plain_http_challenge(struct bytes target, struct bytes *ret);
/* Writes where a request is sent, with a NUL; false: its target or Host cannot stand in a Location. */
MUST_USE bool plain_http_location(const char *public_url, unsigned https_port, struct bytes host,
                                  struct bytes target, char *into, size_t size);

#endif
