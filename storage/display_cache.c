/* storage/display_cache.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A chained hash table and a list in the order of use, under one lock that is never held across a read.
 */
#include "storage/display_cache.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHAINS = 4096 };

struct kept {
    uint64_t generation;
    const struct image_display *display;
    struct kept *next;          /* of the chain */
    struct kept *newer, *older; /* by use */
};

struct display_cache {
    pthread_mutex_t lock;
    uint64_t bytes, ceiling;
    struct kept *newest, *oldest;
    struct kept *chains[CHAINS];
};

struct display_cache *display_cache_new(uint64_t ceiling_bytes)
{
    struct display_cache *cache = calloc(1, sizeof(*cache));

    if (!cache) {
        fputs("gantry: out of memory\n", stderr);
        abort();
    }
    cache->ceiling = ceiling_bytes;
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static struct kept **chain_of(struct display_cache *cache, uint64_t generation)
{
    return &cache->chains[generation % CHAINS];
}

static void leave_list(struct display_cache *cache, struct kept *kept)
{
    *(kept->newer ? &kept->newer->older : &cache->newest) = kept->older;
    *(kept->older ? &kept->older->newer : &cache->oldest) = kept->newer;
}

static void join_list(struct display_cache *cache, struct kept *kept)
{
    kept->newer = NULL;
    kept->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = kept;
    cache->newest = kept;
}

static void drop_oldest(struct display_cache *cache)
{
    struct kept *kept = cache->oldest, **link = chain_of(cache, kept->generation);

    while (*link != kept)
        link = &(*link)->next;
    *link = kept->next;
    leave_list(cache, kept);
    cache->bytes -= kept->display->bytes;
    image_display_unref(kept->display);
    free(kept);
}

void display_cache_free(struct display_cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        drop_oldest(cache);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static struct kept *find(struct display_cache *cache, uint64_t generation)
{
    struct kept *kept = *chain_of(cache, generation);

    while (kept && kept->generation != generation)
        kept = kept->next;
    return kept;
}

static bool look_up(struct display_cache *cache, uint64_t generation, const struct image_display **ret)
{
    pthread_mutex_lock(&cache->lock);
    struct kept *kept = find(cache, generation);
    if (kept) {
        leave_list(cache, kept);
        join_list(cache, kept);
        *ret = image_display_ref(kept->display);
    }
    pthread_mutex_unlock(&cache->lock);
    return kept != NULL;
}

/* Two that read the same file at once both come here: the first one's stays. */
static void keep(struct display_cache *cache, uint64_t generation, const struct image_display *display)
{
    pthread_mutex_lock(&cache->lock);
    struct kept *kept = find(cache, generation) ? NULL : calloc(1, sizeof(*kept));
    if (kept) {
        *kept = (struct kept){ .generation = generation,
                               .display = image_display_ref(display),
                               .next = *chain_of(cache, generation) };
        *chain_of(cache, generation) = kept;
        join_list(cache, kept);
        cache->bytes += display->bytes;
        while (cache->bytes > cache->ceiling && cache->oldest)
            drop_oldest(cache);
    }
    pthread_mutex_unlock(&cache->lock);
}

bool display_cache_get(struct display_cache *cache, const struct store *store, uint64_t generation,
                       enum patience patience, const struct image_display **ret, struct error *err)
{
    char path[PATH_MAX];

    if (cache && look_up(cache, generation, ret))
        return true;
    if (patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "reading how an image is shown");
    store_path(store, generation, path, sizeof(path));
    if (!image_display_read(path, ret, err))
        return error_while(err, "generation %" PRIu64, generation);
    if (cache)
        keep(cache, generation, *ret);
    return true;
}
