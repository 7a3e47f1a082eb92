/* tests/faults/recorded_disk.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See recorded_disk.h. Files and folders get numbers of our own as they are made, since a file system uses
 * its own again.
 */
#include "tests/faults/recorded_disk.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/faults/failing_calls.h"

enum { NODES_MOST = 400, NAME_SIZE = 64, ENTRIES_MOST = 40 };
enum kind { WRITE, CUT, SYNC, UNSYNC, ENTER, LEAVE, RENAME, TOLD };

struct change {
    enum kind kind;
    unsigned node;                /* what is written, cut, synced, entered */
    unsigned folder, from_folder; /* of a name */
    char name[NAME_SIZE], from[NAME_SIZE];
    uint8_t *data;
    size_t size;
    uint64_t at;
    unsigned told;
};

struct node {
    ino_t inode; /* 0: no longer this one's */
    bool is_folder;
};

static struct {
    struct change *list;
    size_t count, room;
    struct node nodes[NODES_MOST];
    unsigned node_count;
    dev_t device;
    void (*then)(void); /* at the next object */
} disk;

static unsigned node_of(ino_t inode)
{
    for (unsigned i = disk.node_count; i-- > 0;)
        if (disk.nodes[i].inode == inode)
            return i;
    return NODES_MOST;
}

static struct change *add(enum kind kind)
{
    if (disk.count == disk.room) {
        disk.room = disk.room ? 2 * disk.room : 256;
        disk.list = realloc(disk.list, disk.room * sizeof *disk.list);
        if (!disk.list)
            abort();
    }
    struct change *change = &disk.list[disk.count++];
    *change = (struct change){ .kind = kind };
    return change;
}

/* Folder and last part of a path; false: not one that is recorded. */
static bool locate(int folder, const char *path, unsigned *ret_folder, char name[NAME_SIZE])
{
    const char *slash = strrchr(path, '/');
    char above[PATH_MAX] = ".";
    struct stat about;

    if (slash)
        snprintf(above, sizeof above, "%.*s", (int)(slash - path), path);
    if (fstatat(folder, slash == path ? "/" : above, &about, 0) != 0 || about.st_dev != disk.device)
        return false;
    *ret_folder = node_of(about.st_ino);
    snprintf(name, NAME_SIZE, "%.*s", NAME_SIZE - 1, slash ? slash + 1 : path);
    return *ret_folder < NODES_MOST;
}

static bool is_left_out(const char *name)
{
    const size_t size = strlen(name);

    /* Shared memory, made anew from the log by whoever comes first; and what says who has the folder. */
    return (size > 4 && strcmp(name + size - 4, "-shm") == 0) || strcmp(name, "lock") == 0;
}

static void note_name(const struct observed_call *call, const struct stat *about)
{
    unsigned folder;
    char name[NAME_SIZE];

    if (!locate(call->folder, call->path, &folder, name) || is_left_out(name))
        return;
    unsigned node = node_of(about->st_ino);
    if (call->what == OBSERVED_MADE) {
        if (node < NODES_MOST)
            disk.nodes[node].inode = 0;
        if (disk.node_count == NODES_MOST)
            abort();
        node = disk.node_count++;
        disk.nodes[node] = (struct node){ about->st_ino, S_ISDIR(about->st_mode) };
    }
    if (node == NODES_MOST)
        return;
    struct change *change = add(call->what == OBSERVED_RENAMED ? RENAME : ENTER);
    change->node = node;
    change->folder = folder;
    memcpy(change->name, name, sizeof name);
    if (call->what == OBSERVED_RENAMED &&
        !locate(call->from_folder, call->from, &change->from_folder, change->from))
        abort();
}

static void note_leave(const struct observed_call *call)
{
    unsigned folder;
    char name[NAME_SIZE];

    if (!locate(call->folder, call->path, &folder, name) || is_left_out(name))
        return;
    struct change *change = add(LEAVE);
    change->folder = folder;
    memcpy(change->name, name, sizeof name);
}

static void note_content(const struct observed_call *call, const struct stat *about)
{
    const unsigned node = node_of(about->st_ino);

    if (node == NODES_MOST || about->st_dev != disk.device)
        return;
    struct change *change = add(call->what == OBSERVED_WROTE      ? WRITE
                                : call->what == OBSERVED_CUT      ? CUT
                                : call->what == OBSERVED_UNSYNCED ? UNSYNC
                                                                  : SYNC);
    change->node = node;
    change->at = (uint64_t)call->at;
    change->size = call->size;
    if (call->what == OBSERVED_WROTE) {
        change->data = malloc(call->size);
        if (!change->data)
            abort();
        memcpy(change->data, call->data, call->size);
    }
}

/* What the store's own threads do, and what the test tells and asks for. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void note(const struct observed_call *call)
{
    struct stat about;

    pthread_mutex_lock(&lock);
    if (call->what == OBSERVED_UNLINKED)
        note_leave(call);
    else if (call->what == OBSERVED_MADE || call->what == OBSERVED_LINKED || call->what == OBSERVED_RENAMED) {
        if (fstatat(call->folder, call->path, &about, AT_SYMLINK_NOFOLLOW) == 0)
            note_name(call, &about);
    } else if (fstat(call->fd, &about) == 0) {
        note_content(call, &about);
    }
    if (disk.then && call->what == OBSERVED_LINKED && strstr(call->path, ".dcm")) {
        failing_calls_behind_step(disk.then);
        disk.then = NULL;
    }
    pthread_mutex_unlock(&lock);
}

void recorded_disk_at_next_object(void (*then)(void))
{
    pthread_mutex_lock(&lock);
    disk.then = then;
    pthread_mutex_unlock(&lock);
}

void recorded_disk_begin(const char *root)
{
    struct stat about;

    memset(&disk, 0, sizeof disk);
    if (stat(root, &about) != 0)
        abort();
    disk.device = about.st_dev;
    disk.nodes[disk.node_count++] = (struct node){ about.st_ino, true };
    failing_calls_observe(note);
}

void recorded_disk_told(unsigned what)
{
    pthread_mutex_lock(&lock);
    add(TOLD)->told = what;
    pthread_mutex_unlock(&lock);
}

size_t recorded_disk_end(void)
{
    failing_calls_observe(NULL);
    return disk.count + 1;
}

void recorded_disk_free(void)
{
    for (size_t i = 0; i < disk.count; i++)
        free(disk.list[i].data);
    free(disk.list);
    memset(&disk, 0, sizeof disk);
}

const char *recorded_disk_change(size_t moment)
{
    static const char *const kinds[] = { "write", "cut",   "sync",   "failed sync",
                                         "enter", "leave", "rename", "told" };
    static char text[160];

    if (moment == 0)
        return "nothing";
    const struct change *change = &disk.list[moment - 1];
    snprintf(text, sizeof text, "%s %s node %u", kinds[change->kind], change->name, change->node);
    return text;
}

/* ── what may be found ── */

struct entry {
    char name[NAME_SIZE];
    unsigned node;
};
struct found {
    uint8_t *data;
    size_t size, room;
    struct entry entries[ENTRIES_MOST];
    unsigned entry_count;
};
static struct found *found; /* by node */

static void set_size(struct found *file, size_t size)
{
    if (size > file->room) {
        file->room = size * 2;
        file->data = realloc(file->data, file->room);
        if (!file->data)
            abort();
    }
    if (size > file->size)
        memset(file->data + file->size, 0, size - file->size);
    file->size = size;
}

static void apply_write(const struct change *change, size_t size)
{
    struct found *file = &found[change->node];
    const size_t end = (size_t)change->at + change->size;

    if (end > file->size)
        set_size(file, end);
    memcpy(file->data + change->at, change->data, size);
}

static void leave(unsigned folder, const char *name)
{
    struct found *of = &found[folder];

    for (unsigned i = 0; i < of->entry_count; i++)
        if (strcmp(of->entries[i].name, name) == 0)
            of->entries[i--] = of->entries[--of->entry_count];
}

static void enter(unsigned folder, const char *name, unsigned node)
{
    struct found *of = &found[folder];

    leave(folder, name);
    if (of->entry_count == ENTRIES_MOST)
        abort();
    memcpy(of->entries[of->entry_count].name, name, NAME_SIZE);
    of->entries[of->entry_count++].node = node;
}

static bool is_synced(size_t i, size_t moment)
{
    const struct change *change = &disk.list[i];
    const bool is_name = change->kind == ENTER || change->kind == LEAVE || change->kind == RENAME;

    for (size_t later = i + 1; later < moment; later++)
        if ((disk.list[later].kind == SYNC || disk.list[later].kind == UNSYNC) &&
            disk.list[later].node == (is_name ? change->folder : change->node))
            return disk.list[later].kind == SYNC;
    return false;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static void apply(const struct change *change, size_t data_size)
{
    switch (change->kind) {
    case WRITE:
        apply_write(change, data_size);
        break;
    case CUT:
        set_size(&found[change->node], (size_t)change->at);
        break;
    case ENTER:
        enter(change->folder, change->name, change->node);
        break;
    case LEAVE:
        leave(change->folder, change->name);
        break;
    case RENAME:
        leave(change->from_folder, change->from);
        enter(change->folder, change->name, change->node);
        break;
    case SYNC:
    case UNSYNC:
    case TOLD:
        break;
    }
}

static void apply_if_it_survives(size_t i, size_t moment, enum survivors survivors, uint32_t *seed)
{
    const struct change *change = &disk.list[i];
    const bool is_data = change->kind == WRITE || change->kind == CUT;
    const uint32_t lot = next_random(seed) % 4;

    if (is_synced(i, moment) || survivors == SURVIVES_ALL || (survivors == SURVIVES_DATA && is_data) ||
        (survivors == SURVIVES_NAMES && !is_data) || (survivors == SURVIVES_SOME && lot < 2))
        apply(change, change->size);
    else if (survivors == SURVIVES_SOME && lot == 2 && change->kind == WRITE)
        apply(change, next_random(seed) % 2 ? change->size / 2 : 0);
}

static void write_out(unsigned folder, const char *path, char (*placed)[PATH_MAX])
{
    for (unsigned i = 0; i < found[folder].entry_count; i++) {
        const struct entry *entry = &found[folder].entries[i];
        char below[PATH_MAX];
        if (snprintf(below, sizeof below, "%s/%s", path, entry->name) >= (int)sizeof below)
            abort();
        if (disk.nodes[entry->node].is_folder) {
            if (mkdir(below, 0700) != 0)
                abort();
            write_out(entry->node, below, placed);
        } else if (placed[entry->node][0]) {
            if (link(placed[entry->node], below) != 0)
                abort();
        } else {
            FILE *file = fopen(below, "w");
            const struct found *content = &found[entry->node];
            if (!file || (content->size && fwrite(content->data, content->size, 1, file) != 1) ||
                fclose(file) != 0)
                abort();
            memcpy(placed[entry->node], below, sizeof below);
        }
    }
}

unsigned recorded_disk_build(size_t moment, enum survivors survivors, uint32_t seed, const char *folder)
{
    char(*placed)[PATH_MAX] = calloc(NODES_MOST, sizeof *placed);
    unsigned told = 0;

    found = calloc(NODES_MOST, sizeof *found);
    if (!found || !placed)
        abort();
    for (size_t i = 0; i < moment; i++) {
        if (disk.list[i].kind == TOLD)
            told |= disk.list[i].told;
        else
            apply_if_it_survives(i, moment, survivors, &seed);
    }
    write_out(0, folder, placed);
    for (unsigned i = 0; i < NODES_MOST; i++)
        free(found[i].data);
    free(found);
    free(placed);
    return told;
}
