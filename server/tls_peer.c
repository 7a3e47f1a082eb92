/* server/tls_peer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reading a client certificate's names; see tls_peer.h.
 */
#include "server/tls_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

static const char *const kinds[] = {
    [TLS_NAME_URI] = "uri", [TLS_NAME_DNS] = "dns", [TLS_NAME_EMAIL] = "email"
};

static void peer_drop(struct tls_peer **peer)
{
    tls_peer_free(*peer);
}

void tls_peer_free(struct tls_peer *peer)
{
    if (!peer)
        return;
    for (unsigned i = 0; i < peer->name_count; i++)
        free(peer->names[i].text);
    free(peer->principal);
    free(peer->subject);
    free(peer->ca);
    free(peer->ca_subject);
    free(peer);
}

/* A NUL or a line feed in a name has but one use: to be taken for another one. */
static bool is_plain(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return false;
    return size > 0 && size <= TLS_PEER_TEXT_CEILING_BYTES;
}

static bool copy_subject(gnutls_x509_crt_t certificate, char **ret, struct error *err)
{
    gnutls_datum_t text = { 0 };

    const int outcome = gnutls_x509_crt_get_dn3(certificate, &text, 0);
    if (outcome < 0 && outcome != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return error_set(err, FAULT_FORBIDDEN, "its subject cannot be read: %s", gnutls_strerror(outcome));
    if (text.size > 0 && !is_plain((const char *)text.data, text.size)) {
        gnutls_free(text.data);
        return error_set(err, FAULT_FORBIDDEN, "its subject is too long or has control characters");
    }
    *ret = strndup(text.data ? (const char *)text.data : "", text.size);
    gnutls_free(text.data);
    return *ret || error_set(err, FAULT_FORBIDDEN, "no memory for a client's name");
}

static bool kind_of(int type, enum tls_name_kind *ret)
{
    switch (type) {
    case GNUTLS_SAN_URI:
        *ret = TLS_NAME_URI;
        return true;
    case GNUTLS_SAN_DNSNAME:
        *ret = TLS_NAME_DNS;
        return true;
    case GNUTLS_SAN_RFC822NAME:
        *ret = TLS_NAME_EMAIL;
        return true;
    default:
        return false;
    }
}

static bool add_name(struct tls_peer *peer, enum tls_name_kind kind, const char *text, size_t size,
                     struct error *err)
{
    if (!is_plain(text, size))
        return error_set(err, FAULT_FORBIDDEN, "a name of it is too long or has control characters");
    if (peer->name_count == TLS_PEER_NAMES_MOST)
        return error_set(err, FAULT_FORBIDDEN, "it has more than %d names", TLS_PEER_NAMES_MOST);
    char *copy = strndup(text, size);
    if (!copy)
        return error_set(err, FAULT_FORBIDDEN, "no memory for a client's name");
    for (size_t i = 0; kind == TLS_NAME_DNS && i < size; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] + 32);
    peer->names[peer->name_count++] = (struct tls_name){ kind, copy };
    return true;
}

static bool read_names(gnutls_x509_crt_t leaf, struct tls_peer *peer, struct error *err)
{
    for (unsigned i = 0;; i++) {
        char text[TLS_PEER_TEXT_CEILING_BYTES + 1];
        size_t size = sizeof text;
        enum tls_name_kind kind;
        const int type = gnutls_x509_crt_get_subject_alt_name(leaf, i, text, &size, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return true;
        if (type < 0)
            return error_set(err, FAULT_FORBIDDEN, "its SubjectAltName: %s", gnutls_strerror(type));
        if (kind_of(type, &kind) && !add_name(peer, kind, text, size, err))
            return false;
    }
}

static bool name_principal(struct tls_peer *peer, struct error *err)
{
    const struct tls_name *best = NULL;

    for (unsigned i = 0; i < peer->name_count; i++)
        if (!best || peer->names[i].kind < best->kind)
            best = &peer->names[i];
    if (!best && !peer->subject[0])
        return error_set(err, FAULT_FORBIDDEN, "it names nobody");
    const int size = best ? asprintf(&peer->principal, "%s:%s", kinds[best->kind], best->text)
                          : asprintf(&peer->principal, "subject:%s", peer->subject);
    if (size < 0) {
        peer->principal = NULL;
        return error_set(err, FAULT_FORBIDDEN, "no memory for a client's name");
    }
    return true;
}

bool tls_peer_new(gnutls_x509_crt_t leaf, const char *ca, gnutls_x509_crt_t authority, int64_t expires_unix_s,
                  struct tls_peer **ret, struct error *err)
{
    __attribute__((cleanup(peer_drop))) struct tls_peer *peer = calloc(1, sizeof *peer);
    unsigned char digest[DIGEST_BYTES];
    size_t size = sizeof digest;

    if (!peer || !(peer->ca = strdup(ca)))
        return error_set(err, FAULT_FORBIDDEN, "no memory for a client's name");
    peer->expires_unix_s = expires_unix_s;
    if (gnutls_x509_crt_get_fingerprint(leaf, GNUTLS_DIG_SHA256, digest, &size) < 0)
        return error_set(err, FAULT_FORBIDDEN, "it has no fingerprint");
    digest_hex(digest, size, peer->fingerprint);
    if (!copy_subject(leaf, &peer->subject, err) || !copy_subject(authority, &peer->ca_subject, err) ||
        !read_names(leaf, peer, err) || !name_principal(peer, err))
        return false;
    *ret = TAKE(peer);
    return true;
}
