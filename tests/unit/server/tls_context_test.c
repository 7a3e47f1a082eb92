/* tests/unit/server/tls_context_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which certificates are taken, which handshakes succeed, and that a reload is one step. Client and server
 * shake hands over a pair of sockets in one thread.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/x509.h>

#include "base/file.h"
#include "server/tls_context.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

/* ── making certificates, good and bad ── */

struct made {
    const char *name;       /* SAN, NULL: none */
    const char *purpose;    /* extended key usage, NULL: none */
    int algorithm;          /* 0: ECDSA */
    unsigned bits;          /* 0: P-256 */
    int digest;             /* 0: SHA-256 */
    int from_days, to_days; /* from now; 0, 0: yesterday to in a year */
};

struct pair {
    char certificate[600], key[600];
};

static struct temp_folder folder;
static unsigned serial;

static void write_file(const char *path, gnutls_datum_t pem, mode_t mode)
{
    struct error err = { 0 };

    if (!file_replace(path, bytes_of(pem.data, pem.size), mode, &err))
        abort();
    chmod(path, mode);
    gnutls_free(pem.data);
}

static gnutls_x509_privkey_t make_key(const struct made *made)
{
    gnutls_x509_privkey_t key;

    if (gnutls_x509_privkey_init(&key) < 0 ||
        gnutls_x509_privkey_generate(
            key, made->algorithm ? (gnutls_pk_algorithm_t)made->algorithm : GNUTLS_PK_ECDSA,
            made->bits ? made->bits : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0)
        abort();
    return key;
}

static gnutls_x509_crt_t make_certificate(const struct made *made, gnutls_x509_privkey_t key)
{
    const time_t now = time(NULL);
    const unsigned char number[2] = { 1, (unsigned char)++serial };
    const int from = made->from_days || made->to_days ? made->from_days : -1;
    const int to = made->from_days || made->to_days ? made->to_days : 365;
    char name[32];
    gnutls_x509_crt_t crt;

    const int size = snprintf(name, sizeof name, "test %u", serial);
    if (gnutls_x509_crt_init(&crt) < 0)
        abort();
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_key(crt, key);
    gnutls_x509_crt_set_serial(crt, number, sizeof number);
    gnutls_x509_crt_set_activation_time(crt, now + from * 86400);
    gnutls_x509_crt_set_expiration_time(crt, now + to * 86400);
    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)size);
    if (made->name)
        gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, made->name,
                                             (unsigned)strlen(made->name), GNUTLS_FSAN_SET);
    if (made->purpose)
        gnutls_x509_crt_set_key_purpose_oid(crt, made->purpose, 0);
    if (gnutls_x509_crt_sign2(
            crt, crt, key, made->digest ? (gnutls_digest_algorithm_t)made->digest : GNUTLS_DIG_SHA256, 0) < 0)
        abort();
    return crt;
}

/* Writes a self-signed pair under a name of the test's folder. */
static struct pair make_pair(const char *name, const struct made *made)
{
    gnutls_datum_t pem = { 0 };
    struct pair pair;

    snprintf(pair.certificate, sizeof pair.certificate, "%s/%s.pem", folder.path, name);
    snprintf(pair.key, sizeof pair.key, "%s/%s.key", folder.path, name);
    gnutls_x509_privkey_t key = make_key(made);
    gnutls_x509_crt_t certificate = make_certificate(made, key);
    gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem);
    write_file(pair.certificate, pem, 0644);
    gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
    write_file(pair.key, pem, 0600);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
    return pair;
}

static struct tls_options options_of(const struct pair *pair)
{
    return (struct tls_options){ "bcp195", { pair->certificate, pair->key } };
}

static const struct made good = { .name = "localhost", .purpose = GNUTLS_KP_TLS_WWW_SERVER };

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

/* ── what is taken ── */

static void expect_refused(const struct tls_options *options, const char *telling)
{
    struct error err = { 0 };

    EXPECT(!tls_check(options, NULL, NULL, &err), "accepted, instead of \"%s\"", telling);
    EXPECT(strstr(err.detail, telling), "\"%s\" does not tell \"%s\"", err.detail, telling);
}

TEST(TLS_06_TLS_40_a_certificate_that_clients_would_refuse_is_refused)
{
    static const struct {
        struct made made;
        const char *telling;
    } cases[] = {
        { { .name = "localhost", .algorithm = GNUTLS_PK_RSA, .bits = 1024 }, "RSA with 1024 bits" },
        { { .name = "localhost", .from_days = -20, .to_days = -10 }, "has expired" },
        { { .name = "localhost", .from_days = 10, .to_days = 20 }, "not valid yet" },
        { { .name = NULL }, "names no host" },
        { { .name = "localhost", .purpose = GNUTLS_KP_TLS_WWW_CLIENT }, "not meant for servers" },
        { { .name = "localhost", .digest = GNUTLS_DIG_SHA1 }, "broken digest" },
    };

    folder = temp_folder_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct pair pair = make_pair("bad", &cases[i].made);
        const struct tls_options options = options_of(&pair);
        expect_refused(&options, cases[i].telling);
    }
    temp_folder_remove(&folder);
}

static unsigned warnings;
static void count_warning(void *context, const char *what, const char *remedy)
{
    (void)context;
    EXPECT(what[0] && remedy[0], "an empty warning");
    warnings++;
}

TEST(TLS_18_a_key_that_others_can_read_is_refused)
{
    struct error err = { 0 };

    folder = temp_folder_new();
    const struct pair pair = make_pair("good", &good);
    const struct tls_options options = options_of(&pair);
    warnings = 0;
    EXPECT(tls_check(&options, count_warning, NULL, &err) && warnings == 0, "%u warnings, %s", warnings,
           err.detail);
    chmod(pair.key, 0640);
    EXPECT(tls_check(&options, count_warning, NULL, &err) && warnings == 1, "%u warnings, %s", warnings,
           err.detail);
    chmod(pair.key, 0644);
    expect_refused(&options, "chmod 600");
    temp_folder_remove(&folder);
}

TEST(a_certificate_about_to_expire_is_warned_of)
{
    static const struct made soon = { .name = "localhost", .from_days = -300, .to_days = 20 };
    struct error err = { 0 };

    folder = temp_folder_new();
    const struct pair pair = make_pair("soon", &soon);
    const struct tls_options options = options_of(&pair);
    warnings = 0;
    EXPECT(tls_check(&options, count_warning, NULL, &err) && warnings == 1, "%u warnings, %s", warnings,
           err.detail);
    temp_folder_remove(&folder);
}

TEST(files_that_are_no_pair_are_refused)
{
    struct error err = { 0 };
    char both[600], *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;

    folder = temp_folder_new();
    const struct pair one = make_pair("one", &good), other = make_pair("other", &good);
    const struct tls_options mixed = { "bcp195", { one.certificate, other.key } },
                             swapped = { "bcp195", { one.key, one.key } };
    const struct tls_options missing = { "bcp195", { "/nonexistent/a.pem", one.key } },
                             keyless = { "bcp195", { one.certificate, "/nonexistent" } };
    const struct tls_options no_key = { "bcp195", { one.certificate, both } };
    expect_refused(&mixed, "does not belong");
    expect_refused(&swapped, one.key);
    expect_refused(&missing, "/nonexistent/a.pem");
    expect_refused(&keyless, "/nonexistent");

    /* Two certificates of which neither issued the other. */
    snprintf(both, sizeof both, "%s/both.pem", folder.path);
    if (!file_read_all(one.certificate, 65536, &first, &first_size, &err) ||
        !file_read_all(other.certificate, 65536, &second, &second_size, &err))
        abort();
    char *joined = malloc(first_size + second_size);
    memcpy(joined, first, first_size);
    memcpy(joined + first_size, second, second_size);
    if (!file_replace(both, bytes_of(joined, first_size + second_size), 0600, &err))
        abort();
    const struct tls_options unsorted = { "bcp195", { both, one.key } };
    expect_refused(&unsorted, "out of order");
    expect_refused(&no_key, "key");
    free(first);
    free(second);
    free(joined);
    temp_folder_remove(&folder);
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
    const struct tls_options mixed = { "bcp195", { other.certificate, pair.key } };
    const struct meeting plain = { 0 };
    const struct hands before = shake(context, &plain);
    EXPECT(!tls_context_reload(context, &mixed, &err), "took a pair that is none");
    EXPECT(strstr(err.detail, "stays"), "%s", err.detail);
    const struct hands after = shake(context, &plain);
    EXPECT(after.server_outcome == 0 && bytes_equal(bytes_of(before.serial, before.serial_size),
                                                    bytes_of(after.serial, after.serial_size)),
           "another certificate");
    tls_context_close(context);
    temp_folder_remove(&folder);
}
