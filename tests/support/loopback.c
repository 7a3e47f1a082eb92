/* tests/support/loopback.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A transport over nothing; see loopback.h. The calling thread plays the I/O thread: it sleeps where a real
 * one would have paused the connection.
 */
#include "tests/support/loopback.h"

#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/number.h"
#include "bridge/start.h"
#include "config/settings.h"
#include "server/dispatcher.h"
#include "storage/recover.h"

enum { WORKERS = 4, LONGEST_QUEUE = 4096, CHUNK_BYTES = 16 * 1024, READ_BYTES = 32 * 1024 };

struct loopback {
    char folder[PATH_MAX];
    bool remove_folder;
    size_t chunk_bytes, read_bytes;
    struct store *store;
    struct catalog *catalog;
    struct display_cache *displays;
    struct frame_cache *frame_cache;
    struct worker_pool *pool;
    struct dispatcher *dispatcher;
    struct loopback_answer *last;
};

/* The end of an exchange that a socket would be; ends with the exchange, whoever holds it last. */
struct carrier {
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool paused; /* lock */
};

static void must(bool ok, const struct error *err, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "loopback: %s: %s\n", what, err->detail);
    abort();
}

static void pause_carrier(struct exchange *exchange)
{
    struct carrier *carrier = exchange->carrier;

    pthread_mutex_lock(&carrier->lock);
    carrier->paused = true;
    pthread_mutex_unlock(&carrier->lock);
}

static void wake_carrier(struct exchange *exchange)
{
    struct carrier *carrier = exchange->carrier;

    /* The waker holds the exchange, and with it the carrier, until it has left here. */
    pthread_mutex_lock(&carrier->lock);
    carrier->paused = false;
    pthread_cond_signal(&carrier->woken);
    pthread_mutex_unlock(&carrier->lock);
}

static const struct transport_kind loopback_kind = { "loopback", pause_carrier, wake_carrier, NULL };

static void end_carrier(void *of)
{
    struct carrier *carrier = of;

    pthread_cond_destroy(&carrier->woken);
    pthread_mutex_destroy(&carrier->lock);
}

static void wait_for_wake(struct carrier *carrier)
{
    pthread_mutex_lock(&carrier->lock);
    while (carrier->paused)
        pthread_cond_wait(&carrier->woken, &carrier->lock);
    pthread_mutex_unlock(&carrier->lock);
}

/* ── the house ── */

struct limits loopback_limits(void)
{
    struct settings *settings = NULL;
    struct error err = { 0 };

    must(settings_load(NULL, NULL, 0, &settings, &err), &err, "settings");
    const struct limits limits = {
        .instance_ceiling_bytes = settings->instance_ceiling,
        .request_ceiling_bytes = settings->request_ceiling,
        .max_results = (uint32_t)settings->max_results,
        .frame_list_ceiling = (uint32_t)settings->frame_list_ceiling,
        .batch_instances = (uint32_t)settings->batch_instances,
        .batch_bytes = settings->batch_bytes,
        .answer_ceiling_bytes = settings->answer_ceiling,
        .metadata_ceiling_bytes = settings->metadata_ceiling,
        .expansion_ceiling = (uint32_t)settings->expansion_ceiling,
        .duplicates = strcmp(settings->duplicates, "replace") == 0 ? DUPLICATE_REPLACE
                      : strcmp(settings->duplicates, "keep") == 0  ? DUPLICATE_KEEP
                                                                   : DUPLICATE_REJECT,
        .json = { .inline_binary_bytes = (uint32_t)settings->inline_binary,
                  .inline_text_bytes = (uint32_t)settings->inline_text,
                  .inline_display_bytes = (uint32_t)settings->inline_display },
        .unknown_matches = strcmp(settings->unknown_matches, "yes") == 0,
        .deletion = strcmp(settings->deletion, "yes") == 0,
        .viewport_ceiling = (uint32_t)settings->viewport_ceiling,
        .thumbnail_size = (uint32_t)settings->thumbnail_size,
        .rendered_quality = (uint32_t)settings->rendered_quality,
        .picture_ceiling_pixels = settings->picture_ceiling,
        .animation_ceiling_pixels = settings->animation_ceiling,
    };
    settings_free(settings);
    return limits;
}

static void make_folder(struct loopback *loopback, const char *data_folder)
{
    const char *below = getenv("TMPDIR");

    if (data_folder) {
        snprintf(loopback->folder, sizeof loopback->folder, "%s", data_folder);
        return;
    }
    snprintf(loopback->folder, sizeof loopback->folder, "%s/gantry-XXXXXX", below && *below ? below : "/tmp");
    if (!mkdtemp(loopback->folder))
        abort();
    loopback->remove_folder = true;
}

struct loopback *loopback_open(const struct loopback_options *options_or_null)
{
    static const struct loopback_options plain;
    const struct loopback_options *options = options_or_null ? options_or_null : &plain;
    struct loopback *loopback = calloc(1, sizeof *loopback);
    char path[PATH_MAX + 16];
    uint64_t removed = 0;
    struct error err = { 0 };

    if (!loopback)
        abort();
    make_folder(loopback, options->data_folder);
    loopback->chunk_bytes = options->chunk_bytes ? options->chunk_bytes : CHUNK_BYTES;
    loopback->read_bytes = options->read_bytes ? options->read_bytes : READ_BYTES;
    snprintf(path, sizeof path, "%s/catalog.db", loopback->folder);
    const struct catalog_options catalog_options = { .path = path,
                                                     .record_cache_entries = 1024,
                                                     .sqlite_cache_bytes = 8 << 20,
                                                     .metadata_cache_bytes = 8 << 20,
                                                     .known_deletions = 1000 };
    const struct store_options store_options = { .root = loopback->folder,
                                                 .open_files = 64,
                                                 .held_ms = 3600000 };

    must(bridge_start(&err), &err, "bridge");
    must(catalog_open(&catalog_options, &loopback->catalog, &err), &err, "catalog");
    uint64_t last;
    must(catalog_last_generation(loopback->catalog, &last, &err), &err, "catalog");
    must(store_open(&store_options, last + 1, &loopback->store, &err), &err, "store");
    must(recover(loopback->store, loopback->catalog, &removed, &err), &err, "recover");
    snprintf(path, sizeof path, "%s/frames", loopback->folder);
    const struct frame_cache_options cache_options = { .folder = path,
                                                       .memory_bytes = 8 << 20,
                                                       .disk_bytes = 64 << 20 };
    must(frame_cache_open(&cache_options, &loopback->frame_cache, &err), &err, "frames");
    must(worker_pool_start(WORKERS, LONGEST_QUEUE, &loopback->pool, &err), &err, "workers");
    loopback->displays = display_cache_new(1 << 20);
    const struct dispatcher_options dispatcher_options = {
        .service = { .store = loopback->store,
                     .catalog = loopback->catalog,
                     .displays = loopback->displays,
                     .font = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
                     .frame_cache = loopback->frame_cache },
        .pool = loopback->pool,
        .base_path = "/dicom-web",
        .port = 443,
    };
    const struct dispatcher_choices choices = {
        .limits = options->limits ? *options->limits : loopback_limits(),
        .cors_origins = "*",
        .public_url = "",
    };
    must(dispatcher_new(&dispatcher_options, &choices, &loopback->dispatcher, &err), &err, "dispatcher");
    return loopback;
}

struct service loopback_service(const struct loopback *loopback)
{
    return (struct service){ .store = loopback->store, .catalog = loopback->catalog };
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

void loopback_close(struct loopback *loopback)
{
    if (!loopback)
        return;
    loopback_answer_free(loopback->last);
    (void)dispatcher_drain(loopback->dispatcher, 60000);
    dispatcher_abort(loopback->dispatcher);
    worker_pool_stop(loopback->pool);
    frame_cache_close(loopback->frame_cache);
    dispatcher_free(loopback->dispatcher);
    store_close(loopback->store);
    display_cache_free(loopback->displays);
    catalog_close(loopback->catalog);
    if (loopback->remove_folder)
        nftw(loopback->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(loopback);
}

const char *loopback_folder(const struct loopback *loopback)
{
    return loopback->folder;
}

/* ── a call ── */

static void add_headers(struct exchange *exchange, const char *headers)
{
    struct arena *arena = &exchange->arena;
    struct bytes rest = bytes_of_text(headers);

    while (rest.size) {
        struct bytes line = bytes_cut(&rest, '\n');
        if (!line.size)
            continue;
        char *name = arena_text(arena, bytes_trim(bytes_cut(&line, ':')));
        for (char *c = name; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c + 32);
        fields_add(&exchange->request.headers, arena, bytes_of_text(name),
                   arena_copy(arena, bytes_trim(line)));
    }
    if (!fields_find(&exchange->request.headers, "host"))
        fields_add(&exchange->request.headers, arena, bytes_of_text("host"), bytes_of_text("localhost"));
}

/* False: the transport would have closed the connection without an answer. */
static bool push_body(struct loopback *loopback, struct exchange *exchange, struct bytes body)
{
    struct carrier *carrier = exchange->carrier;
    const size_t most = loopback->chunk_bytes < PUMP_PIECE_BYTES ? loopback->chunk_bytes : PUMP_PIECE_BYTES;

    while (body.size) {
        const size_t size = body.size < most ? body.size : most;
        switch (body_pump_in(&exchange->pump, bytes_of(body.data, size))) {
        case PUMP_BYTES:
            body = bytes_from(body, size);
            break;
        case PUMP_LATER:
            wait_for_wake(carrier);
            break;
        case PUMP_END:
        case PUMP_FAILED:
            return false;
        }
    }
    return true;
}

/* False: it ended short. */
static bool pull_body(struct loopback *loopback, struct exchange *exchange, struct buffer *into)
{
    struct carrier *carrier = exchange->carrier;

    for (;;) {
        size_t size = 0;
        uint8_t *room = buffer_reserve(into, loopback->read_bytes);
        if (!room)
            abort();
        switch (body_pump_out(&exchange->pump, room, loopback->read_bytes, &size)) {
        case PUMP_BYTES:
            buffer_grew(into, size);
            break;
        case PUMP_LATER:
            wait_for_wake(carrier);
            break;
        case PUMP_END:
            return true;
        case PUMP_FAILED:
            return false;
        }
    }
}

static struct bytes kept_copy(struct bytes data)
{
    uint8_t *copy = malloc(data.size + 1);

    if (!copy)
        abort();
    if (data.size)
        memcpy(copy, data.data, data.size);
    copy[data.size] = 0;
    return bytes_of(copy, data.size);
}

static struct loopback_answer *take_answer(struct loopback *loopback, struct exchange *exchange)
{
    struct loopback_answer *answer = calloc(1, sizeof *answer);
    const struct response *response = &exchange->response;
    struct buffer head, body;

    if (!answer)
        abort();
    buffer_init(&head, 1 << 20);
    buffer_init(&body, (size_t)1 << 32);
    answer->status = response->status;
    for (size_t i = 0; i < response->headers.count; i++) {
        const struct field *field = &response->headers.list[i];
        for (size_t k = 0; k < field->name.size; k++) {
            const uint8_t c = field->name.data[k];
            buffer_append_byte(&head, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
        }
        buffer_printf(&head, ": %.*s\n", BYTES_ARG(field->value));
    }
    const bool carried =
        exchange->request.method != METHOD_HEAD && response->status != 204 && response->status != 304;
    if (response->body && carried) {
        answer->cut = !pull_body(loopback, exchange, &body) ||
                      (response->body->size != BODY_SIZE_UNKNOWN && response->body->size != body.size);
    }
    answer->head = kept_copy(buffer_bytes(&head));
    answer->body = kept_copy(buffer_bytes(&body));
    buffer_done(&head);
    buffer_done(&body);
    return answer;
}

void loopback_answer_free(struct loopback_answer *answer)
{
    if (!answer)
        return;
    free((void *)(uintptr_t)answer->head.data);
    free((void *)(uintptr_t)answer->body.data);
    free(answer);
}

struct loopback_answer *loopback_call_new(struct loopback *loopback, const char *method, const char *target,
                                          const char *headers, struct bytes body_or_empty, uint64_t announced,
                                          bool leave)
{
    struct exchange *exchange = dispatcher_exchange(loopback->dispatcher, &loopback_kind, NULL);
    struct carrier *carrier = arena_alloc(&exchange->arena, sizeof *carrier);
    struct loopback_answer *answer = NULL;

    pthread_mutex_init(&carrier->lock, NULL);
    pthread_cond_init(&carrier->woken, NULL);
    arena_defer(&exchange->arena, end_carrier, carrier);
    exchange->carrier = carrier;

    exchange->request.method = method_parse(bytes_of_text(method));
    exchange->request.target = arena_copy(&exchange->arena, bytes_of_text(target));
    exchange->request.content_length = announced == 0 ? body_or_empty.size : announced;
    add_headers(exchange, headers);

    enum dispatched next = dispatcher_begin(exchange);
    bool arrived = true;
    if (next == DISPATCH_BODY) {
        arrived = push_body(loopback, exchange, body_or_empty) && !leave;
        if (arrived)
            next = dispatcher_body_in(exchange);
    }
    if (next == DISPATCH_LATER)
        wait_for_wake(carrier);
    if (arrived)
        answer = take_answer(loopback, exchange);
    dispatcher_finish(exchange, answer && !answer->cut);
    return answer;
}

const struct loopback_answer *loopback_call(struct loopback *loopback, const char *method, const char *target,
                                            const char *headers, struct bytes body_or_empty,
                                            uint64_t announced)
{
    loopback_answer_free(loopback->last);
    loopback->last = loopback_call_new(loopback, method, target, headers, body_or_empty, announced, false);
    if (!loopback->last) {
        /* Closed without an answer. */
        loopback->last = calloc(1, sizeof *loopback->last);
        if (!loopback->last)
            abort();
        loopback->last->cut = true;
    }
    return loopback->last;
}

struct bytes loopback_header(const struct loopback *loopback, const char *lower_case_name)
{
    struct bytes rest = loopback->last ? loopback->last->head : bytes_of(NULL, 0);

    while (rest.size) {
        struct bytes line = bytes_cut(&rest, '\n');
        if (bytes_equal_text(bytes_cut(&line, ':'), lower_case_name))
            return bytes_trim(line);
    }
    return bytes_of(NULL, 0);
}

int loopback_store(struct loopback *loopback, const struct bytes *files, size_t count)
{
    struct buffer body;

    buffer_init(&body, (size_t)1 << 32);
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(&body, "--loopback-boundary\r\nContent-Type: application/dicom\r\n\r\n");
        buffer_append(&body, files[i]);
        buffer_append_text(&body, "\r\n");
    }
    buffer_append_text(&body, "--loopback-boundary--\r\n");
    const struct loopback_answer *answer = loopback_call(
        loopback, "POST", "/dicom-web/studies",
        "content-type: multipart/related; type=\"application/dicom\"; boundary=loopback-boundary\n"
        "accept: application/dicom+json\n",
        buffer_bytes(&body), body.size);
    buffer_done(&body);
    return answer->status;
}
