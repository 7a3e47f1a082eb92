/* base/block.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One free list for blocks of the standard size (bodies are pumped in those); others go back to malloc.
 * Answering from buffers that one thread allocates and another frees costs five times the CPU of
 * recycled ones (ARCHITECTURE.md, Memory).
 */
#include "base/block.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct block {
    atomic_size_t references;
    size_t size, capacity;
    struct block *next_free;
    _Alignas(64) uint8_t room[];
};

static struct {
    pthread_mutex_t lock;
    struct block *free;
    size_t free_bytes;
    size_t budget;
    size_t in_use, peak;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .budget = (size_t)256 << 20 };

static struct block *allocate(size_t capacity)
{
    const size_t alignment = _Alignof(struct block);

    return aligned_alloc(alignment,
                         (sizeof(struct block) + capacity + alignment - 1) / alignment * alignment);
}

void block_budget(size_t bytes)
{
    pthread_mutex_lock(&pool.lock);
    pool.budget = bytes;
    pthread_mutex_unlock(&pool.lock);
}

size_t block_in_use(void)
{
    pthread_mutex_lock(&pool.lock);
    const size_t in_use = pool.in_use;
    pthread_mutex_unlock(&pool.lock);
    return in_use;
}

size_t block_peak(void)
{
    pthread_mutex_lock(&pool.lock);
    const size_t peak = pool.peak;
    pthread_mutex_unlock(&pool.lock);
    return peak;
}

static bool take(size_t capacity, struct block **ret, struct error *err)
{
    struct block *block = NULL;

    pthread_mutex_lock(&pool.lock);
    if (capacity > pool.budget || pool.in_use > pool.budget - capacity) {
        const size_t in_use = pool.in_use, budget = pool.budget;
        pthread_mutex_unlock(&pool.lock);
        return error_set(err, FAULT_BUSY, "block_budget: %zu bytes wanted, %zu of %zu in use", capacity,
                         in_use, budget);
    }
    pool.in_use += capacity;
    if (pool.in_use > pool.peak)
        pool.peak = pool.in_use;
    if (capacity == BLOCK_STANDARD_BYTES && pool.free) {
        block = pool.free;
        pool.free = block->next_free;
        pool.free_bytes -= capacity;
    }
    pthread_mutex_unlock(&pool.lock);

    if (!block && !(block = allocate(capacity))) {
        pthread_mutex_lock(&pool.lock);
        pool.in_use -= capacity;
        pthread_mutex_unlock(&pool.lock);
        return error_set(err, FAULT_BUSY, "no memory for a block of %zu bytes", capacity);
    }
    atomic_init(&block->references, 1);
    block->size = 0;
    block->capacity = capacity;
    block->next_free = NULL;
    *ret = block;
    return true;
}

bool block_take(size_t capacity, struct block **ret, struct error *err)
{
    return take(capacity < BLOCK_STANDARD_BYTES ? BLOCK_STANDARD_BYTES : capacity, ret, err);
}

bool block_take_exact(size_t capacity, struct block **ret, struct error *err)
{
    return take(capacity, ret, err);
}

uint8_t *block_room(struct block *block, size_t *ret_capacity_or_null)
{
    if (ret_capacity_or_null)
        *ret_capacity_or_null = block->capacity;
    return block->room;
}

void block_seal(struct block *block, size_t size)
{
    assert(size <= block->capacity);
    block->size = size;
}

void block_trim(struct block **block)
{
    const struct bytes kept = block_bytes(*block);

    if (kept.size > (*block)->capacity / 2)
        return;
    assert(atomic_load(&(*block)->references) == 1);
    struct block *small = allocate(kept.size);
    if (!small)
        return;
    *small = (struct block){ .size = kept.size, .capacity = kept.size };
    atomic_init(&small->references, 1);
    if (kept.size)
        memcpy(small->room, kept.data, kept.size);
    pthread_mutex_lock(&pool.lock);
    pool.in_use += kept.size; /* block_unref gives back more: no budget to ask */
    pthread_mutex_unlock(&pool.lock);
    block_unref(*block);
    *block = small;
}

struct bytes block_bytes(const struct block *block)
{
    return bytes_of(block->room, block->size);
}

struct block *block_ref(struct block *block)
{
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
    return block;
}

void block_unref(struct block *block)
{
    if (!block || atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_lock(&pool.lock);
    pool.in_use -= block->capacity;
    if (block->capacity == BLOCK_STANDARD_BYTES && pool.free_bytes + block->capacity <= pool.budget / 4) {
        block->next_free = pool.free;
        pool.free = block;
        pool.free_bytes += block->capacity;
        block = NULL;
    }
    pthread_mutex_unlock(&pool.lock);
    free(block);
}
