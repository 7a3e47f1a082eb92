/* storage/spool.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * O_TMPFILE beside the drafts; small appends are gathered.
 */
#include "storage/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/file.h"
#include "storage/store_inside.h"

enum { GATHER_BYTES = 64 * 1024 };

struct spool {
    struct store *store;
    int fd;
    uint64_t written, look_at_space_from;
    size_t gathered;
    uint8_t gather[GATHER_BYTES];
};

bool spool_open(struct store *store, struct spool **ret, struct error *err)
{
    struct spool *spool = malloc(sizeof *spool);

    if (!spool)
        return error_set(err, FAULT_BUSY, "no memory for a spool");
    spool->store = store;
    spool->written = spool->look_at_space_from = 0;
    spool->gathered = 0;
    spool->fd = openat(store->drafts_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (spool->fd < 0) {
        const int why = errno;
        free(spool);
        return error_errno(err, why, "opening a nameless file in drafts");
    }
    *ret = spool;
    return true;
}

static bool write_out(struct spool *spool, struct bytes data, struct error *err)
{
    if (spool->written >= spool->look_at_space_from) {
        if (!store_check_free_space(spool->store, err))
            return false;
        spool->look_at_space_from = spool->written + FREE_SPACE_EVERY_BYTES;
    }
    if (!file_write_at(spool->fd, data, spool->written, err))
        return error_while(err, "spooling");
    spool->written += data.size;
    return true;
}

static bool write_gathered(struct spool *spool, struct error *err)
{
    const size_t size = spool->gathered;

    spool->gathered = 0;
    return size == 0 || write_out(spool, bytes_of(spool->gather, size), err);
}

bool spool_append(struct spool *spool, struct bytes data, struct error *err)
{
    if (data.size >= GATHER_BYTES)
        return write_gathered(spool, err) && write_out(spool, data, err);
    if (spool->gathered + data.size > GATHER_BYTES && !write_gathered(spool, err))
        return false;
    if (data.size)
        memcpy(spool->gather + spool->gathered, data.data, data.size);
    spool->gathered += data.size;
    return true;
}

uint64_t spool_size(const struct spool *spool)
{
    return spool->written + spool->gathered;
}

bool spool_read(struct spool *spool, uint64_t offset, void *into, size_t size, struct error *err)
{
    if (!write_gathered(spool, err) || !file_read_at(spool->fd, into, size, offset, err))
        return error_while(err, "reading what was spooled");
    return true;
}

void spool_close(struct spool *spool)
{
    if (!spool)
        return;
    file_close(spool->fd);
    free(spool);
}
