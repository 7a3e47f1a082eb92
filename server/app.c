/* server/app.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Builds the house from the ground up; see app.h. `stages` is the list: it is built from its first line to
 * its last and torn down from its last to its first, also when a line in between fails.
 */
#include "server/app.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/block.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"
#include "bridge/start.h"
#include "codec/decoder_process.h"
#include "handlers/handler.h"
#include "http/compress.h"
#include "server/access_log.h"
#include "server/clients.h"
#include "server/authorize.h"
#include "server/client_hello.h"
#include "server/dispatcher.h"
#include "server/farewell.h"
#include "server/house.h"
#include "server/listener.h"
#include "server/plain_http.h"
#include "server/signals.h"
#include "server/tls_profile.h"
#include "server/tls_upkeep.h"
#include "server/transport_h2.h"
#include "server/transport_mhd.h"
#include "server/worker_pool.h"

enum { CONNECTIONS_A_POLL = 128, POLLING_THREADS_MOST = 32, IO_THREADS_MOST = 4 };

/* Of the budget for blocks, what bodies over HTTP/2 may take that no worker can take yet. */
enum { HELD_SHARE = 4, KEPT_SHARE = 4 };

struct app {
    struct settings *started; /* what needs a restart is as it was here */
    struct settings *now;     /* the same object, until a reload */
    atomic_bool stopping;
    unsigned built; /* lines of `stages` */

    struct access_log *access_log;
    struct house house;
    struct display_cache *displays;
    struct frame_cache *frame_cache;
    struct worker_pool *pool;
    struct tls_upkeep *tls;
    const struct access *access; /* the dispatcher's */
    struct dispatcher *dispatcher;
    struct farewell *farewell;
    struct transport_mhd *mhd;
    struct transport_h2 *h2; /* NULL: not offered */
    struct plain_http *plain;
    struct listener *listener;
    struct clients *clients;
};

/* ── settings, as the rooms want them ── */

static enum log_level log_level_of(const struct settings *settings)
{
    static const char *const words[] = { "debug", "info", "warning", "error" };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(settings->log_level, words[i]) == 0)
            return (enum log_level)i;
    return LOG_INFO;
}

static struct dispatcher_choices choices_of(const struct settings *settings)
{
    return (struct dispatcher_choices){
        .limits = {
            .instance_ceiling_bytes = settings->instance_ceiling,
            .request_ceiling_bytes = settings->request_ceiling,
            .max_results = (uint32_t)settings->max_results,
            .frame_list_ceiling = (uint32_t)settings->frame_list_ceiling,
            .batch_instances = (uint32_t)settings->batch_instances,
            .batch_bytes = settings->batch_bytes,
            .answer_ceiling_bytes = settings->answer_ceiling,
            .metadata_ceiling_bytes = settings->metadata_ceiling,
            .expansion_ceiling = (uint32_t)settings->expansion_ceiling,
            .duplicates = house_duplicates(settings),
            .takes_foreign_meta = strcmp(settings->foreign_meta, "warn") == 0,
            .json = house_json_limits(settings),
            .decode_ceiling_bytes = settings->decode_ceiling,
            .lossy_uid_is_new = strcmp(settings->lossy_uid, "new") == 0,
            .unknown_matches = strcmp(settings->unknown_matches, "yes") == 0,
            .deletion = strcmp(settings->deletion, "yes") == 0,
            .viewport_ceiling = (uint32_t)settings->viewport_ceiling,
            .thumbnail_size = (uint32_t)settings->thumbnail_size,
            .rendered_quality = (uint32_t)settings->rendered_quality,
            .picture_ceiling_pixels = settings->picture_ceiling,
            .animation_ceiling_pixels = settings->animation_ceiling,
        },
        .compress_least_bytes = settings->compress_least,
        .cors_origins = settings->cors_origins,
        .cors_credentials = strcmp(settings->client_certificates, "off") != 0,
        .public_url = settings->public_url,
        .resource_policy = settings->resource_policy,
        .hsts = settings->hsts,
        .server_names = settings->server_names,
        .trusted_proxies = settings->trusted_proxies,
    };
}

/* ── the stages ── */

static bool build_process(struct app *app, struct error *err)
{
    (void)err;
    log_least(log_level_of(app->started));
    block_budget(app->started->block_budget);
    compress_limit((unsigned)app->started->compressors);
    (void)house_raise_files();
    return true;
}

static bool build_clients(struct app *app, struct error *err)
{
    return clients_open((unsigned)app->started->connections_per_address, &app->clients, err);
}

static void drop_clients(struct app *app)
{
    clients_close(app->clients);
}

static bool build_port(struct app *app, struct error *err)
{
    const struct listener_options options = {
        .addresses = app->started->listen,
        .connections = (unsigned)app->started->connections,
        .peek_connections = (unsigned)app->started->peek_connections,
        .peek_timeout_ms = (unsigned)app->started->peek_timeout,
        .clients = app->clients,
    };

    return listener_open(&options, &app->listener, err);
}

/* Called twice: by the door, to be closed before anything behind it goes, and by the port, if the door was
 * never open. */
static void close_listener(struct app *app)
{
    listener_close(app->listener);
    app->listener = NULL;
}

static bool build_bridge(struct app *app, struct error *err)
{
    (void)app;
    return bridge_start(err);
}

static bool build_access_log(struct app *app, struct error *err)
{
    if (!access_log_open(STDERR_FILENO, &app->access_log, err))
        return false;
    access_log_enable(app->access_log, log_level_of(app->started) <= LOG_INFO);
    return true;
}

static void drop_access_log(struct app *app)
{
    access_log_close(app->access_log);
}

static bool build_house(struct app *app, struct error *err)
{
    return house_open(app->started, "gantry serve", HOUSE_CHANGES, &app->house, err);
}

static void drop_house(struct app *app)
{
    house_close(&app->house);
}

static bool build_displays(struct app *app, struct error *err)
{
    (void)err;
    app->displays = display_cache_new(app->started->display_cache);
    return true;
}

static void drop_displays(struct app *app)
{
    display_cache_free(app->displays);
}

static bool build_decoders(struct app *app, struct error *err)
{
    const unsigned count = (unsigned)app->started->decoder_processes;

    return decoder_processes_open(count ? count : house_cores(), err);
}

static void drop_decoders(struct app *app)
{
    (void)app;
    decoder_processes_close();
}

static void forget_frames(void *cache, const uint64_t *generations, size_t count)
{
    frame_cache_forget(cache, generations, count);
}

static bool build_frame_cache(struct app *app, struct error *err)
{
    char folder[PATH_MAX];
    /* What is kept of the budget cannot be what answers under way need. */
    const uint64_t most = app->started->block_budget / KEPT_SHARE;
    const struct frame_cache_options options = {
        .folder = folder,
        .memory_bytes = app->started->frame_cache_memory < most ? app->started->frame_cache_memory : most,
        .disk_bytes = app->started->frame_cache_disk,
        .free_space_floor = app->started->free_space_floor,
    };

    if (!house_path(app->started, "cache/frames", folder, sizeof folder, err) ||
        !frame_cache_open(&options, &app->frame_cache, err))
        return false;
    store_tell_of_forgotten(app->house.store, forget_frames, app->frame_cache);
    return true;
}

static void drop_frame_cache(struct app *app)
{
    store_tell_of_forgotten(app->house.store, NULL, NULL);
    frame_cache_close(app->frame_cache);
}

static bool build_workers(struct app *app, struct error *err)
{
    const unsigned cores = house_cores(), decoders = (unsigned)app->started->decoder_processes;

    if (!worker_pool_start(house_workers(app->started), (unsigned)app->started->worker_queue, &app->pool,
                           err))
        return false;
    if (worker_pool_add_makers(app->pool, decoders > cores ? decoders : cores, err))
        return true;
    worker_pool_stop(app->pool);
    return false;
}

static void drop_workers(struct app *app)
{
    worker_pool_stop(app->pool);
}

static void raise_files(void)
{
    signals_raise(SIGNALS_FILES);
}

static unsigned least_version_of(const struct settings *settings)
{
    return tls_profile_has_1_2(tls_profile_find(settings->tls_profile)) ? VERSION_TLS_1_2 : VERSION_TLS_1_3;
}

static bool build_tls(struct app *app, struct error *err)
{
    listener_set_least_version(app->listener, least_version_of(app->started));
    return tls_upkeep_open(app->started, raise_files, &app->tls, err);
}

static void drop_tls(struct app *app)
{
    tls_upkeep_close(app->tls);
}

static const char *not_ready(void *context)
{
    const struct app *app = context;

    return atomic_load(&app->stopping) ? "The server is stopping." : tls_upkeep_not_ready(app->tls);
}

static bool build_dispatcher(struct app *app, struct error *err)
{
    struct dispatcher_choices choices = choices_of(app->started);
    const struct dispatcher_options options = {
        .service = { .store = app->house.store,
                     .catalog = app->house.catalog,
                     .displays = app->displays,
                     .font = app->started->font,
                     .frame_cache = app->frame_cache,
                     .not_ready = not_ready,
                     .not_ready_context = app },
        .pool = app->pool,
        .access_log = app->access_log,
        .base_path = app->started->base_path,
        .port = listener_port(app->listener),
    };

    if (!access_load(app->started, &choices.access, err))
        return false;
    app->access = choices.access;
    if (dispatcher_new(&options, &choices, &app->dispatcher, err))
        return true;
    access_free(choices.access);
    return false;
}

static void drop_dispatcher(struct app *app)
{
    dispatcher_free(app->dispatcher);
}

static bool build_farewell(struct app *app, struct error *err)
{
    const struct farewell_options options = {
        .connections = (unsigned)app->started->linger_connections,
        .bytes = app->started->linger_bytes,
        .timeout_ms = (unsigned)app->started->linger_timeout,
    };

    return farewell_open(&options, &app->farewell, err);
}

static void drop_farewell(struct app *app)
{
    farewell_close(app->farewell);
}

static unsigned count_io_threads(const struct app *app)
{
    const unsigned cores = house_cores();

    if (app->started->io_threads)
        return (unsigned)app->started->io_threads;
    return cores < IO_THREADS_MOST ? cores : IO_THREADS_MOST;
}

static bool build_h2(struct app *app, struct error *err)
{
    const struct settings *settings = app->started;
    const struct transport_h2_options options = {
        .dispatcher = app->dispatcher,
        .tls = tls_upkeep_context(app->tls),
        .io_threads = count_io_threads(app),
        .streams = (unsigned)settings->http2_streams,
        .stream_window_bytes = (unsigned)settings->http2_stream_window,
        .connection_window_bytes = (unsigned)settings->http2_connection_window,
        .head = { settings->http2_header_bytes, (unsigned)settings->http2_header_fields },
        .resets_a_minute = (unsigned)settings->http2_resets,
        .controls_a_minute = (unsigned)settings->http2_control_frames,
        .head_timeout_ms = (unsigned)settings->header_timeout,
        .idle_timeout_ms = (unsigned)settings->idle_timeout,
        .pace = { settings->least_rate, (unsigned)settings->pace_period },
        .held_bytes = settings->block_budget / HELD_SHARE,
    };

    return strcmp(settings->http2, "yes") != 0 || transport_h2_start(&options, &app->h2, err);
}

static void drop_h2(struct app *app)
{
    transport_h2_stop(app->h2);
}

/* Each wake-up of a polling thread costs a look at all of its connections, idle ones too: so the more there
 * may be, the more threads share them. */
static unsigned count_polling_threads(const struct app *app)
{
    const unsigned least = count_io_threads(app);
    const unsigned wanted = (unsigned)(app->started->connections / CONNECTIONS_A_POLL);

    if (app->started->io_threads || wanted <= least)
        return least;
    return wanted < POLLING_THREADS_MOST ? wanted : POLLING_THREADS_MOST;
}

static bool build_mhd(struct app *app, struct error *err)
{
    const struct transport_mhd_options options = {
        .dispatcher = app->dispatcher,
        .io_threads = count_polling_threads(app),
        .idle_timeout_ms = (unsigned)app->started->idle_timeout,
        .head_timeout_ms = (unsigned)app->started->header_timeout,
        .pace = { app->started->least_rate, (unsigned)app->started->pace_period },
        .connections = (unsigned)app->started->connections,
        .tls = tls_upkeep_context(app->tls),
        .farewell = app->farewell,
        .limits = { .target_bytes = (unsigned)app->started->target_bytes,
                    .header_bytes = (unsigned)app->started->header_bytes,
                    .header_fields = (unsigned)app->started->header_fields },
    };

    return transport_mhd_start(&options, &app->mhd, err);
}

static void drop_mhd(struct app *app)
{
    transport_mhd_stop(app->mhd);
}

static bool build_nothing(struct app *app, struct error *err)
{
    (void)app, (void)err;
    return true;
}

/* Before the transports: libmicrohttpd must not be stopped while connections are suspended. */
static void drop_exchanges(struct app *app)
{
    if (app->h2)
        transport_h2_drain(app->h2);
    const unsigned left = dispatcher_drain(app->dispatcher, (unsigned)app->now->stop_deadline);
    if (left > 0)
        log_line(LOG_WARNING, "%u exchanges were not done in time and are cut off", left);
    dispatcher_abort(app->dispatcher);
}

static bool take_mhd(void *transport, int fd, const struct sockaddr *address, socklen_t size,
                     struct seat *seat, struct error *err)
{
    return transport_mhd_add(transport, fd, address, size, seat, err);
}

static unsigned count_mhd(void *transport)
{
    return transport_mhd_connections(transport);
}

static bool take_h2(void *transport, int fd, const struct sockaddr *address, socklen_t size,
                    struct seat *seat, struct error *err)
{
    (void)address, (void)size;
    return transport_h2_add(transport, fd, seat, err);
}

static unsigned count_h2(void *transport)
{
    return transport_h2_connections(transport);
}

static bool build_plain(struct app *app, struct error *err)
{
    const struct plain_http_options options = { .addresses = app->started->http_listen,
                                                .acme_folder = app->started->acme_folder,
                                                .public_url = app->started->public_url,
                                                .https_port = listener_port(app->listener) };

    return !options.addresses[0] || plain_http_start(&options, &app->plain, err);
}

static void drop_plain(struct app *app)
{
    plain_http_stop(app->plain);
}

static bool build_door(struct app *app, struct error *err)
{
    /* The first that a client offers; the last for clients that name none. */
    const struct listener_gate gates[] = { { "h2", app->h2, take_h2, count_h2 },
                                           { "http/1.1", app->mhd, take_mhd, count_mhd } };
    const unsigned first = app->h2 ? 0 : 1;

    return listener_start(app->listener, gates + first, COUNT_OF(gates) - first, err);
}

static const struct stage {
    const char *doing;
    bool (*build)(struct app *app, struct error *err);
    void (*drop)(struct app *app); /* NULL: nothing to drop */
} stages[] = {
    { "preparing the process", build_process, NULL },
    { "counting clients", build_clients, drop_clients },
    { "taking the port", build_port, close_listener },
    { "starting DCMTK", build_bridge, NULL },
    { "opening the access log", build_access_log, drop_access_log },
    { "opening the data folder", build_house, drop_house },
    { "making room for displays", build_displays, drop_displays },
    { "beginning the decoders", build_decoders, drop_decoders },
    { "opening the cache of frames", build_frame_cache, drop_frame_cache },
    { "starting the workers", build_workers, drop_workers },
    { "loading the certificate", build_tls, drop_tls },
    { "making the dispatcher", build_dispatcher, drop_dispatcher },
    { "starting the lingering close", build_farewell, drop_farewell },
    { "starting HTTP/2", build_h2, drop_h2 },
    { "starting HTTP/1.1", build_mhd, drop_mhd },
    { "carrying exchanges", build_nothing, drop_exchanges },
    { "starting plain HTTP", build_plain, drop_plain },
    { "opening the door", build_door, close_listener },
};

static void tear_down(struct app *app)
{
    atomic_store(&app->stopping, true);
    while (app->built > 0) {
        const struct stage *stage = &stages[--app->built];
        if (stage->drop)
            stage->drop(app);
    }
    if (app->now != app->started)
        settings_free(app->now);
}

bool app_start(struct settings *settings, struct app **ret, struct error *err)
{
    struct app *app = calloc(1, sizeof *app);

    if (!app)
        return error_set(err, FAULT_BUSY, "no memory");
    app->started = app->now = settings;
    for (; app->built < COUNT_OF(stages); app->built++)
        if (!stages[app->built].build(app, err)) {
            log_line(LOG_ERROR, "the start ended at %s", stages[app->built].doing);
            tear_down(app);
            free(app);
            return false;
        }
    for (unsigned i = 0; listener_address_text(app->listener, i); i++)
        log_line(LOG_INFO, "listening on %s", listener_address_text(app->listener, i));
    *ret = app;
    return true;
}

static void base_url(const struct app *app, char *into, size_t size)
{
    const char *url = app->now->public_url, *path = app->started->base_path;
    const char *address = listener_address_text(app->listener, 0);
    const unsigned port = listener_port(app->listener);
    static const char *const local[] = { "127.", "0.0.0.0:", "[::1]:", "[::]:" };
    char host[128] = "localhost";
    size_t path_size = strlen(path);
    bool is_local = false;

    while (path_size > 0 && path[path_size - 1] == '/')
        path_size--;
    for (size_t i = 0; i < COUNT_OF(local); i++)
        is_local = is_local || strncmp(address, local[i], strlen(local[i])) == 0;
    if (!is_local)
        snprintf(host, sizeof host, "%s", address);
    else if (port != 443)
        snprintf(host, sizeof host, "localhost:%u", port);
    if (url[0] && strcmp(url, "from-host") != 0)
        snprintf(into, size, "%s%.*s", url, (int)path_size, path);
    else
        snprintf(into, size, "https://%s%.*s", host, (int)path_size, path);
}

/* As one word of a shell. */
static void quote(const char *text, char *into, size_t size)
{
    static const char apostrophe[] = "'\\''"; /* ends the quoted, one by itself, begins again */
    size_t used = 0;

    into[used++] = '\'';
    for (; *text && used + sizeof apostrophe + 1 < size; text++) {
        if (*text == '\'')
            used += (size_t)snprintf(into + used, size - used, "%s", apostrophe);
        else
            into[used++] = *text;
    }
    into[used++] = '\'';
    into[used] = '\0';
}

static bool is_plain_word(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+")] == '\0';
}

void app_announce(const struct app *app, FILE *to)
{
    char url[2048], ca[PATH_MAX + 16], quoted[4 * PATH_MAX + 128], trust[sizeof quoted + 16] = "";

    base_url(app, url, sizeof url);
    fprintf(to, "Gantry " GANTRY_VERSION " serves %s\n", url);
    if (tls_upkeep_throwaway_ca(app->tls, ca, sizeof ca)) {
        fprintf(to, "  CA: %s\n", ca);
        quote(ca, quoted, sizeof quoted);
        /* So that the line can be taken as it is. */
        snprintf(trust, sizeof trust, " --cacert %s", is_plain_word(ca) ? ca : quoted);
    }
    fprintf(to,
            "  store: curl%s -H 'Content-Type: application/dicom' --data-binary @FILE.dcm %s/studies\n"
            "  find:  curl%s %s/studies\n"
            "  look:  curl%s -o frame.jpg %s/studies/STUDY/rendered?accept=image/jpeg   # or try: /metadata, "
            "/thumbnail\n",
            trust, url, trust, url, trust, url);
    fflush(to);
}

static void tell_restart(const char *name)
{
    log_line(LOG_WARNING, "%s has changed; it needs a restart", name);
}

/* Certificates and the rules of access, each for itself: on failure the old ones stay. */
static void reload_files(struct app *app, const struct settings *settings)
{
    struct error err = { 0 };

    if (!tls_upkeep_reload(app->tls, settings, &err)) {
        log_line(LOG_ERROR, "reload: %s", err.detail);
        return;
    }
    listener_set_least_version(app->listener, least_version_of(settings));
    log_line(LOG_INFO, "the certificates have been loaded anew");
}

static void reload_choices(struct app *app, const struct settings *settings)
{
    struct dispatcher_choices choices = choices_of(settings);
    struct error err = { 0 };

    if (!access_load(settings, &choices.access, &err)) {
        log_line(LOG_ERROR, "reload: %s", err.detail);
        return;
    }
    if (!dispatcher_reload(app->dispatcher, &choices, &err)) {
        log_line(LOG_ERROR, "reload: %s", err.detail);
        access_free(choices.access);
        return;
    }
    app->access = choices.access;
}

void app_files_changed(struct app *app)
{
    struct access *access = NULL;
    struct error err = { 0 };

    reload_files(app, app->now);
    if (!access_load(app->now, &access, &err))
        log_line(LOG_ERROR, "reload: %s", err.detail);
    else if (!access_same(access, app->access))
        reload_choices(app, app->now);
    access_free(access);
}

void app_reload(struct app *app, struct settings *next)
{
    settings_restart_needed(app->started, next, tell_restart);
    log_least(log_level_of(next));
    access_log_enable(app->access_log, log_level_of(next) <= LOG_INFO);
    listener_set_peek_timeout(app->listener, (unsigned)next->peek_timeout);
    reload_files(app, next);
    reload_choices(app, next);
    if (app->now != app->started)
        settings_free(app->now);
    app->now = next;
    log_line(LOG_INFO, "reloaded");
}

void app_stop(struct app *app)
{
    struct settings *started = app->started;

    tear_down(app);
    settings_free(started);
    free(app);
}
