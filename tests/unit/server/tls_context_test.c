/* tests/unit/server/tls_context_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which handshakes succeed, and that a reload is one step. Client and server
 * shake hands over a pair of sockets in one thread.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/tls_context.h"
#include "tests/support/made_certificate.h"

/* One certificate, all else as shipped; `files` lives as long as they are used. */
static struct tls_files files[8];
static struct tls_options options_of(const struct pair *pair)
{
    static unsigned next;
    struct tls_files *mine = &files[next++ % COUNT_OF(files)];

    *mine = (struct tls_files){ pair->certificate, pair->key };
    return (struct tls_options){ .profile = "bcp195",
                                 .files = mine,
                                 .file_count = 1,
                                 .ticket_lifetime_s = 600,
                                 .ticket_rotation_s = 3600 };
}

/* ── shaking hands ── */

struct hands {
    int client_outcome, server_outcome;
    char protocol[16], version[16];
    unsigned char serial[20];
    size_t serial_size;
    bool resumed;
};

struct meeting {
    const char *priorities;  /* the client's */
    const char *alpn;        /* NULL: none */
    gnutls_datum_t *session; /* in and out, NULL: no resumption */
    void (*between)(void);   /* once the server session is readied */
};

static void run_handshake(gnutls_session_t client, gnutls_session_t server, struct hands *ret)
{
    bool client_done = false, server_done = false;

    for (unsigned turn = 0; turn < 1000 && !(client_done && server_done); turn++) {
        if (!client_done) {
            ret->client_outcome = gnutls_handshake(client);
            client_done = ret->client_outcome == 0 || gnutls_error_is_fatal(ret->client_outcome);
        }
        if (!server_done) {
            ret->server_outcome = gnutls_handshake(server);
            server_done = ret->server_outcome == 0 || gnutls_error_is_fatal(ret->server_outcome);
            if (server_done && ret->server_outcome < 0)
                gnutls_alert_send_appropriate(server, ret->server_outcome);
        }
    }
}

/* A byte to and fro, so that the tickets of TLS 1.3 arrive. */
static void exchange_byte(gnutls_session_t client, gnutls_session_t server)
{
    char byte = 'x';

    gnutls_record_send(server, &byte, 1);
    for (unsigned turn = 0; turn < 100; turn++)
        if (gnutls_record_recv(client, &byte, 1) == 1)
            return;
}

static void look_at(gnutls_session_t client, struct hands *ret)
{
    gnutls_datum_t protocol = { 0 };
    gnutls_x509_crt_t leaf;
    unsigned count = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(client, &count);

    snprintf(ret->version, sizeof ret->version, "%s",
             gnutls_protocol_get_name(gnutls_protocol_get_version(client)));
    if (gnutls_alpn_get_selected_protocol(client, &protocol) == 0)
        snprintf(ret->protocol, sizeof ret->protocol, "%.*s", (int)protocol.size,
                 (const char *)protocol.data);
    ret->resumed = gnutls_session_is_resumed(client) != 0;
    if (count > 0 && gnutls_x509_crt_init(&leaf) == 0) {
        ret->serial_size = sizeof ret->serial;
        if (gnutls_x509_crt_import(leaf, &peers[0], GNUTLS_X509_FMT_DER) == 0)
            gnutls_x509_crt_get_serial(leaf, ret->serial, &ret->serial_size);
        gnutls_x509_crt_deinit(leaf);
    }
}

static struct hands shake(struct tls_context *context, const struct meeting *meeting)
{
    static const char *const protocols[] = { "http/1.1" };
    gnutls_certificate_credentials_t server_has, client_has;
    gnutls_session_t server, client;
    struct hands hands = { .client_outcome = -1, .server_outcome = -1 };
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        abort();
    gnutls_certificate_allocate_credentials(&server_has);
    gnutls_certificate_allocate_credentials(&client_has);
    gnutls_init(&server, GNUTLS_SERVER | GNUTLS_NONBLOCK);
    gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
    gnutls_priority_set_direct(server, "NORMAL", NULL);
    gnutls_priority_set_direct(client, meeting->priorities ? meeting->priorities : "NORMAL", NULL);
    gnutls_credentials_set(server, GNUTLS_CRD_CERTIFICATE, server_has);
    gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, client_has);
    gnutls_transport_set_int(server, ends[0]);
    gnutls_transport_set_int(client, ends[1]);
    if (meeting->alpn) {
        const gnutls_datum_t name = { (unsigned char *)meeting->alpn, (unsigned)strlen(meeting->alpn) };
        gnutls_alpn_set_protocols(client, &name, 1, 0);
    }
    if (meeting->session && meeting->session->data)
        gnutls_session_set_data(client, meeting->session->data, meeting->session->size);

    struct tls_session *session = tls_session_ready(context, server, protocols, 1);
    if (meeting->between)
        meeting->between();
    run_handshake(client, server, &hands);
    if (hands.client_outcome == 0 && hands.server_outcome == 0) {
        exchange_byte(client, server);
        look_at(client, &hands);
        if (meeting->session && !meeting->session->data)
            gnutls_session_get_data2(client, meeting->session);
    }
    gnutls_deinit(client);
    gnutls_deinit(server);
    tls_session_done(session);
    gnutls_certificate_free_credentials(server_has);
    gnutls_certificate_free_credentials(client_has);
    close(ends[0]);
    close(ends[1]);
    return hands;
}

static struct tls_context *open_good(struct pair *ret_pair)
{
    struct tls_context *context = NULL;
    struct error err = { 0 };

    *ret_pair = make_pair("good", &good);
    const struct tls_options options = options_of(ret_pair);
    EXPECT(tls_context_open(&options, &context, &err), "%s", err.detail);
    return context;
}

/* ── handshakes ── */

TEST(TLS_01_TLS_02_only_versions_1_2_and_1_3_are_spoken)
{
    static const struct {
        const char *client, *version; /* NULL: refused */
    } cases[] = {
        { "NORMAL", "TLS1.3" },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLS1.2" },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.1:%VERIFY_ALLOW_SIGN_WITH_SHA1", NULL },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.0:%VERIFY_ALLOW_SIGN_WITH_SHA1", NULL },
    };
    struct pair pair;

    folder = temp_folder_new();
    struct tls_context *context = open_good(&pair);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct meeting meeting = { .priorities = cases[i].client };
        const struct hands hands = shake(context, &meeting);
        if (cases[i].version)
            EXPECT_TEXT(bytes_of_text(hands.version), cases[i].version);
        else
            EXPECT(hands.server_outcome < 0, "%s was accepted", cases[i].client);
    }
    tls_context_close(context);
    temp_folder_remove(&folder);
}

TEST(TLS_03_TLS_04_TLS_05_suites_and_groups_are_those_of_the_profile)
{
    static const struct {
        const char *client;
        bool accepted;
    } cases[] = {
        { "NORMAL:-CIPHER-ALL:+AES-128-GCM", true },
        { "NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305", true },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC:+AES-256-CBC", false },
        { "NORMAL:-CIPHER-ALL:+AES-128-CCM", false },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", false },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA", false },
        { "NORMAL:-GROUP-ALL:+GROUP-X25519", true },
        { "NORMAL:-GROUP-ALL:+GROUP-SECP384R1", true },
        { "NORMAL:-GROUP-ALL:+GROUP-SECP521R1", false },
        { "NORMAL:-GROUP-ALL:+GROUP-FFDHE2048", false },
    };
    struct pair pair;

    folder = temp_folder_new();
    struct tls_context *context = open_good(&pair);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct meeting meeting = { .priorities = cases[i].client };
        const struct hands hands = shake(context, &meeting);
        EXPECT((hands.server_outcome == 0) == cases[i].accepted, "%s: %s", cases[i].client,
               gnutls_strerror(hands.server_outcome));
    }
    tls_context_close(context);
    temp_folder_remove(&folder);
}

TEST(TLS_11_a_client_of_other_protocols_is_told_so)
{
    struct pair pair;

    folder = temp_folder_new();
    struct tls_context *context = open_good(&pair);
    struct meeting meeting = { .alpn = "http/1.1" };
    struct hands hands = shake(context, &meeting);
    EXPECT_TEXT(bytes_of_text(hands.protocol), "http/1.1");
    meeting.alpn = NULL;
    hands = shake(context, &meeting);
    EXPECT(hands.server_outcome == 0 && hands.protocol[0] == '\0', "%s",
           gnutls_strerror(hands.server_outcome));
    meeting.alpn = "h2";
    hands = shake(context, &meeting);
    EXPECT(hands.server_outcome == GNUTLS_E_NO_APPLICATION_PROTOCOL, "%s",
           gnutls_strerror(hands.server_outcome));
    tls_context_close(context);
    temp_folder_remove(&folder);
}

TEST(TLS_09_sessions_are_resumed)
{
    static const char *const versions[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.2",
                                            "NORMAL:-VERS-ALL:+VERS-TLS1.3" };
    struct pair pair;

    folder = temp_folder_new();
    struct tls_context *context = open_good(&pair);
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        gnutls_datum_t session = { 0 };
        const struct meeting meeting = { .priorities = versions[i], .session = &session };
        const struct hands first = shake(context, &meeting), second = shake(context, &meeting);
        EXPECT(!first.resumed, "%s: the first is resumed", versions[i]);
        EXPECT(second.resumed, "%s: the second is not resumed", versions[i]);
        gnutls_free(session.data);
    }
    tls_context_close(context);
    temp_folder_remove(&folder);
}

TEST(TLS_09_a_ticket_is_void_once_its_key_was_made_anew_or_tickets_are_off)
{
    static const struct {
        unsigned lifetime_s, rotation_s;
    } cases[] = { { 600, 0 }, { 0, 3600 } };
    struct pair pair;
    struct error err = { 0 };

    folder = temp_folder_new();
    struct tls_context *context = open_good(&pair);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_options options = options_of(&pair);
        gnutls_datum_t session = { 0 };
        const struct meeting meeting = { .priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.3", .session = &session };
        options.ticket_lifetime_s = cases[i].lifetime_s;
        options.ticket_rotation_s = cases[i].rotation_s; /* 0: for each session */
        EXPECT(tls_context_reload(context, &options, &err), "%s", err.detail);
        const struct hands first = shake(context, &meeting), second = shake(context, &meeting);
        EXPECT(first.server_outcome == 0 && second.server_outcome == 0 && !second.resumed, "case %zu", i);
        gnutls_free(session.data);
    }
    tls_context_close(context);
    temp_folder_remove(&folder);
}

static struct tls_context *reloading;
static struct tls_options reload_with;
static void reload_now(void)
{
    struct error err = { 0 };

    EXPECT(tls_context_reload(reloading, &reload_with, &err), "%s", err.detail);
}

/* A handshake that began before the reload ends with the certificate it began with. */
TEST(TLS_41_a_reload_changes_new_handshakes_alone)
{
    struct pair pair;

    folder = temp_folder_new();
    reloading = open_good(&pair);
    const struct pair next = make_pair("next", &good);
    const struct meeting plain = { 0 }, reloaded = { .between = reload_now };
    reload_with = options_of(&next);
    const struct hands before = shake(reloading, &plain), during = shake(reloading, &reloaded),
                       after = shake(reloading, &plain);
    const struct bytes old = bytes_of(before.serial, before.serial_size);
    EXPECT(before.server_outcome == 0 && during.server_outcome == 0 && after.server_outcome == 0,
           "a handshake failed");
    EXPECT(bytes_equal(old, bytes_of(during.serial, during.serial_size)), "the old one went too early");
    EXPECT(!bytes_equal(old, bytes_of(after.serial, after.serial_size)), "the new one is not served");
    tls_context_close(reloading);
    temp_folder_remove(&folder);
}

TEST(TLS_40_after_a_failed_reload_the_old_certificate_is_served)
{
    struct error err = { 0 };
    struct pair pair;

    folder = temp_folder_new();
    struct tls_context *context = open_good(&pair);
    const struct pair other = make_pair("other", &good);
    struct pair mixed_pair = pair;
    snprintf(mixed_pair.certificate, sizeof mixed_pair.certificate, "%s", other.certificate);
    const struct tls_options mixed = options_of(&mixed_pair);
    const struct meeting plain = { 0 };
    const struct hands before = shake(context, &plain);
    EXPECT(!tls_context_reload(context, &mixed, &err), "took a pair that is none");
    EXPECT(strstr(err.detail, "stay"), "%s", err.detail);
    const struct hands after = shake(context, &plain);
    EXPECT(after.server_outcome == 0 && bytes_equal(bytes_of(before.serial, before.serial_size),
                                                    bytes_of(after.serial, after.serial_size)),
           "another certificate");
    tls_context_close(context);
    temp_folder_remove(&folder);
}
