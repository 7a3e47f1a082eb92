/* server/house.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See house.h. `reindex.sqlite` in the data folder is a catalog that `gantry reindex` had not finished
 * (server/command_reindex.c): what is changed now it would not know, so it goes.
 */
#include "server/house.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "server/command_reindex.h"
#include "storage/recover.h"

enum { WORKERS_LEAST = 12 };

bool house_path(const struct settings *settings, const char *name, char *into, size_t size, struct error *err)
{
    return snprintf(into, size, "%s/%s", settings->data, name) < (int)size ||
           error_set(err, FAULT_DISK, "data: the path is too long");
}

bool house_catalog_open(const struct settings *settings, const char *path, enum house_use use,
                        struct catalog **ret, struct error *err)
{
    const struct catalog_options options = { .path = path,
                                             .record_cache_entries = settings->record_cache,
                                             .sqlite_cache_bytes = settings->sqlite_cache,
                                             .metadata_cache_bytes = settings->metadata_cache,
                                             .known_deletions = settings->known_deletions,
                                             .only_looks = use == HOUSE_LOOKS,
                                             .rebuilds = use == HOUSE_REBUILDS };

    return catalog_open(&options, ret, err);
}

static bool put_right(struct house *house, struct error *err)
{
    uint64_t removed = 0;

    if (!recover(house->store, house->catalog, &removed, err))
        return false;
    if (removed > 0)
        log_line(LOG_WARNING, "removed %" PRIu64 " instances that an earlier stop left unfinished", removed);
    return true;
}

static bool open_all(const struct settings *settings, const char *who, enum house_use use,
                     struct house *house, struct error *err)
{
    const bool only_looks = use == HOUSE_LOOKS;
    const struct store_options options = { .root = settings->data,
                                           .free_space_floor = settings->free_space_floor,
                                           .open_files = (unsigned)settings->open_files,
                                           .held_ms = settings->held_files,
                                           .only_looks = only_looks };
    char path[PATH_MAX];

    if (!house_path(settings, "catalog.sqlite", path, sizeof path, err) ||
        (!only_looks && !data_lock_take(settings->data, who, &house->lock, err)))
        return false;
    if (!only_looks)
        command_reindex_forget(settings);
    uint64_t last = 0;
    return house_catalog_open(settings, path, use, &house->catalog, err) &&
           (only_looks || catalog_last_generation(house->catalog, &last, err)) &&
           store_open(&options, only_looks ? 0 : last + 1, &house->store, err) &&
           (only_looks || put_right(house, err));
}

bool house_open(const struct settings *settings, const char *who, enum house_use use, struct house *ret,
                struct error *err)
{
    struct house house = { 0 };

    if (!open_all(settings, who, use, &house, err)) {
        house_close(&house);
        return false;
    }
    *ret = house;
    return true;
}

void house_close(struct house *house)
{
    store_close(house->store);
    catalog_close(house->catalog);
    data_lock_give(house->lock);
    *house = (struct house){ 0 };
}

enum duplicate_policy house_duplicates(const struct settings *settings)
{
    if (strcmp(settings->duplicates, "replace") == 0)
        return DUPLICATE_REPLACE;
    return strcmp(settings->duplicates, "keep") == 0 ? DUPLICATE_KEEP : DUPLICATE_REJECT;
}

struct json_limits house_json_limits(const struct settings *settings)
{
    return (struct json_limits){ .inline_binary_bytes = (uint32_t)settings->inline_binary,
                                 .inline_text_bytes = (uint32_t)settings->inline_text,
                                 .inline_display_bytes = (uint32_t)settings->inline_display };
}

uint64_t house_raise_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 0;
    const rlim_t before = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    if (before < files.rlim_max && setrlimit(RLIMIT_NOFILE, &files) != 0) {
        log_line(LOG_WARNING, "the limit of open files stays as it is: %s", strerrorname_np(errno));
        return before;
    }
    return files.rlim_cur;
}

unsigned house_cores(void)
{
    cpu_set_t cores;

    if (sched_getaffinity(0, sizeof cores, &cores) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&cores);
}

unsigned house_workers(const struct settings *settings)
{
    const unsigned twice = 2 * house_cores();

    if (settings->workers)
        return (unsigned)settings->workers;
    return twice > WORKERS_LEAST ? twice : WORKERS_LEAST;
}
