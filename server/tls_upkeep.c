/* server/tls_upkeep.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Ties the settings, the watch over files and the fetching of staples to the TLS context; see tls_upkeep.h.
 */
#include "server/tls_upkeep.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/file_watch.h"
#include "server/ocsp_refresher.h"
#include "server/throwaway_certificate.h"
#include "server/tls_settings.h"

struct tls_upkeep {
    struct tls_context *context;
    struct file_watch *watch;
    struct ocsp_refresher *refresher;
    void (*files_changed)(void);
    char folder[PATH_MAX]; /* tls/ of the data folder */
    bool throwaway;
};

static void pass_on(void *context)
{
    const struct tls_upkeep *upkeep = context;

    upkeep->files_changed();
}

static bool make_throwaway(const struct tls_upkeep *upkeep, struct error *err)
{
    bool made = false;

    if (!throwaway_certificate_make(upkeep->folder, &made, err))
        return false;
    if (made)
        log_line(LOG_INFO,
                 "made a throwaway certificate; clients that trusted an older CA must trust the new one");
    return true;
}

struct paths {
    const char *list[FILE_WATCH_PATHS_MOST];
    char *copies[FILE_WATCH_PATHS_MOST];
    unsigned count;
};

static void note_path(void *context, const char *path)
{
    struct paths *paths = context;

    if (paths->count == FILE_WATCH_PATHS_MOST || !(paths->copies[paths->count] = strdup(path)))
        return;
    paths->list[paths->count] = paths->copies[paths->count];
    paths->count++;
}

/* Before the files are read, so that no change falls in between. */
static void watch(struct tls_upkeep *upkeep, const struct settings *settings, const struct tls_settings *tls)
{
    struct paths paths = { .count = 0 };

    if (!upkeep->watch)
        return;
    tls_settings_watched(settings, tls, note_path, &paths);
    file_watch_set(upkeep->watch, paths.list, paths.count);
    for (unsigned i = 0; i < paths.count; i++)
        free(paths.copies[i]);
}

static struct ocsp_choices ocsp_choices_of(const struct settings *settings)
{
    return (struct ocsp_choices){
        .mode = strcmp(settings->ocsp_stapling, "off") == 0    ? OCSP_OFF
                : strcmp(settings->ocsp_stapling, "file") == 0 ? OCSP_FILE
                                                               : OCSP_FETCH,
        .timeout_ms = (unsigned)settings->ocsp_timeout,
    };
}

static bool load(struct tls_upkeep *upkeep, const struct settings *settings, struct error *err)
{
    const struct ocsp_choices choices = ocsp_choices_of(settings);
    struct tls_settings *tls = NULL;

    if (!tls_settings_make(settings, &tls, err))
        return false;
    bool fine = !tls->throwaway || make_throwaway(upkeep, err);
    if (fine) {
        watch(upkeep, settings, tls);
        fine = upkeep->context ? tls_context_reload(upkeep->context, &tls->options, err)
                               : tls_context_open(&tls->options, &upkeep->context, err);
    }
    if (fine) {
        upkeep->throwaway = tls->throwaway;
        if (upkeep->refresher)
            ocsp_refresher_poke(upkeep->refresher, &choices);
    }
    tls_settings_free(tls);
    return fine;
}

bool tls_upkeep_reload(struct tls_upkeep *upkeep, const struct settings *settings, struct error *err)
{
    return load(upkeep, settings, err);
}

static bool open_parts(struct tls_upkeep *upkeep, const struct settings *settings, struct error *err)
{
    const struct ocsp_choices choices = ocsp_choices_of(settings);

    if (snprintf(upkeep->folder, sizeof upkeep->folder, "%s/tls", settings->data) >=
        (int)sizeof upkeep->folder)
        return error_set(err, FAULT_MALFORMED, "data: the path is too long");
    if (upkeep->files_changed && strcmp(settings->watch_files, "yes") == 0 &&
        !file_watch_start(pass_on, upkeep, &upkeep->watch, err))
        return false;
    return load(upkeep, settings, err) &&
           ocsp_refresher_start(upkeep->context, upkeep->folder, &choices,
                                strcmp(settings->must_staple, "refuse") == 0, &upkeep->refresher, err);
}

bool tls_upkeep_open(const struct settings *settings, void (*files_changed)(void), struct tls_upkeep **ret,
                     struct error *err)
{
    struct tls_upkeep *upkeep = calloc(1, sizeof *upkeep);

    if (!upkeep)
        return error_set(err, FAULT_BUSY, "no memory for TLS");
    upkeep->files_changed = files_changed;
    if (!open_parts(upkeep, settings, err)) {
        tls_upkeep_close(upkeep);
        return false;
    }
    *ret = upkeep;
    return true;
}

struct tls_context *tls_upkeep_context(const struct tls_upkeep *upkeep)
{
    return upkeep->context;
}

const char *tls_upkeep_not_ready(const struct tls_upkeep *upkeep)
{
    return ocsp_refresher_lacks(upkeep->refresher) ? "A certificate demands an OCSP staple and has none."
                                                   : NULL;
}

bool tls_upkeep_throwaway_ca(const struct tls_upkeep *upkeep, char *into, size_t size)
{
    char folder[PATH_MAX];

    return upkeep->throwaway && realpath(upkeep->folder, folder) &&
           snprintf(into, size, "%s/ca.pem", folder) < (int)size;
}

void tls_upkeep_close(struct tls_upkeep *upkeep)
{
    if (!upkeep)
        return;
    file_watch_stop(upkeep->watch);
    ocsp_refresher_stop(upkeep->refresher);
    tls_context_close(upkeep->context);
    free(upkeep);
}
