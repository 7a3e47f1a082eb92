/* storage/uid_map.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/uid_map.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIRST_SLOTS = 1 << 16 };

struct slot {
    uint32_t hash, row; /* row 0: empty */
};

struct uid_map {
    struct slot *slots;
    uint64_t room, count; /* room: a power of two */
};

static struct slot *make_slots(uint64_t room)
{
    struct slot *slots = calloc(room, sizeof *slots);

    if (!slots) {
        fputs("gantry: out of memory\n", stderr);
        abort();
    }
    return slots;
}

static uint32_t hash_of(struct bytes uid)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, its upper half folded in */

    for (size_t i = 0; i < uid.size; i++)
        hash = (hash ^ uid.data[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    return (uint32_t)(hash * 0x9e3779b97f4a7c15u >> 32);
}

struct uid_map *uid_map_new(void)
{
    struct uid_map *map = calloc(1, sizeof *map);

    if (!map) {
        fputs("gantry: out of memory\n", stderr);
        abort();
    }
    map->room = FIRST_SLOTS;
    map->slots = make_slots(map->room);
    return map;
}

void uid_map_free(struct uid_map *map)
{
    if (!map)
        return;
    free(map->slots);
    free(map);
}

static void place(struct slot *slots, uint64_t room, struct slot slot)
{
    uint64_t at = slot.hash & (room - 1);

    while (slots[at].row)
        at = (at + 1) & (room - 1);
    slots[at] = slot;
}

static void grow(struct uid_map *map)
{
    const uint64_t room = 2 * map->room;
    struct slot *slots = make_slots(room);

    for (uint64_t i = 0; i < map->room; i++)
        if (map->slots[i].row)
            place(slots, room, map->slots[i]);
    free(map->slots);
    map->slots = slots;
    map->room = room;
}

bool uid_map_put(struct uid_map *map, struct bytes uid, uint64_t row)
{
    if (map->count == UID_MAP_MOST || row == 0 || row > UINT32_MAX)
        return false;
    if (map->count + 1 > map->room / 3 * 2)
        grow(map);
    place(map->slots, map->room, (struct slot){ hash_of(uid), (uint32_t)row });
    map->count++;
    return true;
}

uint64_t uid_map_next(const struct uid_map *map, struct bytes uid, uint64_t *cursor)
{
    const uint32_t hash = hash_of(uid);

    for (; *cursor < map->room; ++*cursor) {
        const struct slot slot = map->slots[(hash + *cursor) & (map->room - 1)];
        if (!slot.row)
            return 0;
        if (slot.hash == hash) {
            ++*cursor;
            return slot.row;
        }
    }
    return 0;
}
