/* base/block.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Free lists: one for blocks of the standard size (bodies are pumped in those), some for larger ones, in
 * steps of 64 KiB (frames); others go back to malloc. Answering from buffers that one thread allocates and
 * another frees costs five times the CPU of recycled ones (ARCHITECTURE.md, Memory): every page of them is a
 * fault.
 */
#include "base/block.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct block {
    atomic_size_t references;
    size_t size, capacity;
    struct block *next_free;
    bool in_place; /* the memory is another's */
    _Alignas(64) uint8_t room[];
};
_Static_assert(sizeof(struct block) == BLOCK_HEAD_BYTES, "what block_in_place takes");

/* Of the budget: standard blocks that are kept, others that are. */
enum { STEP_BYTES = 64 * 1024, STEPS = 33, STANDARD_SHARE = 4, OTHERS_SHARE = 16 };

static struct {
    pthread_mutex_t lock;
    struct block *free[STEPS]; /* by capacity, in steps */
    size_t standard_bytes, other_bytes;
    size_t budget;
    size_t in_use, peak;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .budget = (size_t)256 << 20 };

/* Set by block_offer. */
static _Thread_local struct block *offered;

/* In which list blocks of this capacity are kept; 0: none. */
static size_t step_of(size_t capacity)
{
    return capacity >= BLOCK_STANDARD_BYTES && capacity % STEP_BYTES == 0 && capacity / STEP_BYTES < STEPS
               ? capacity / STEP_BYTES
               : 0;
}

static size_t *kept_bytes(size_t step)
{
    return step == BLOCK_STANDARD_BYTES / STEP_BYTES ? &pool.standard_bytes : &pool.other_bytes;
}

/* The lock is held. */
static struct block *take_kept(size_t step)
{
    struct block *block = step ? pool.free[step] : NULL;

    if (block) {
        pool.free[step] = block->next_free;
        *kept_bytes(step) -= block->capacity;
    }
    return block;
}

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

/* The client is not told how much is in use. */
static bool refused(size_t capacity, size_t in_use, size_t budget, struct error *err)
{
    if (capacity > budget) /* waiting does not help */
        return error_tell(err, FAULT_OVER_BUDGET, "%zu bytes are wanted at once; at most %zu (block_budget).",
                          capacity, budget);
    error_tell(err, FAULT_BUSY, "The memory for what is under way is taken: %zu bytes (block_budget).",
               budget);
    return error_while(err, "%zu bytes wanted, %zu in use", capacity, in_use);
}

static bool take(size_t capacity, struct block **ret, struct error *err)
{
    struct block *block = NULL;

    pthread_mutex_lock(&pool.lock);
    if (capacity > pool.budget || pool.in_use > pool.budget - capacity) {
        const size_t in_use = pool.in_use, budget = pool.budget;
        pthread_mutex_unlock(&pool.lock);
        return refused(capacity, in_use, budget, err);
    }
    pool.in_use += capacity;
    if (pool.in_use > pool.peak)
        pool.peak = pool.in_use;
    block = take_kept(step_of(capacity));
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
    block->in_place = false;
    *ret = block;
    return true;
}

static struct block *in_place(void *memory, size_t bytes)
{
    struct block *block = memory;

    assert((uintptr_t)memory % _Alignof(struct block) == 0 && bytes >= sizeof *block);
    *block = (struct block){ .capacity = bytes - sizeof *block, .in_place = true };
    atomic_init(&block->references, 1);
    return block;
}

struct block *block_in_place(void *memory, size_t bytes)
{
    return in_place(memory, bytes);
}

void block_offer(void *memory_or_null, size_t bytes)
{
    offered = memory_or_null ? in_place(memory_or_null, bytes) : NULL;
}

bool block_take(size_t capacity, struct block **ret, struct error *err)
{
    if (offered && capacity > BLOCK_STANDARD_BYTES && capacity <= offered->capacity) {
        *ret = offered;
        offered = NULL;
        return true;
    }
    if (capacity < BLOCK_STANDARD_BYTES)
        return take(BLOCK_STANDARD_BYTES, ret, err);
    if (capacity > (STEPS - 1) * STEP_BYTES)
        return take(capacity, ret, err);
    return take((capacity + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES, ret, err);
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

struct block *block_keep(struct block *block)
{
    const struct bytes kept = block_bytes(block);
    struct block *small = kept.size <= block->capacity / 2 ? allocate(kept.size) : NULL;

    if (!small)
        return block_ref(block);
    *small = (struct block){ .size = kept.size, .capacity = kept.size };
    atomic_init(&small->references, 1);
    if (kept.size)
        memcpy(small->room, kept.data, kept.size);
    pthread_mutex_lock(&pool.lock);
    pool.in_use += kept.size; /* less than the block's own: no budget to ask */
    if (pool.in_use > pool.peak)
        pool.peak = pool.in_use;
    pthread_mutex_unlock(&pool.lock);
    return small;
}

void block_trim(struct block **block)
{
    struct block *kept = block_keep(*block);

    assert(kept == *block || atomic_load(&(*block)->references) == 1);
    block_unref(*block);
    *block = kept;
}

size_t block_cost(const struct block *block)
{
    return block->capacity;
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

/* Makes room among what is kept for a block of this step, by giving back others if they are what fills it;
 * the lock is held. What is to be freed is hung to *ret_surplus. */
static bool can_keep(size_t step, size_t capacity, struct block **ret_surplus)
{
    const bool standard = step == BLOCK_STANDARD_BYTES / STEP_BYTES;
    const size_t most = pool.budget / (standard ? STANDARD_SHARE : OTHERS_SHARE);

    if (step == 0 || capacity > most)
        return false;
    for (size_t i = STEPS - 1; !standard && i > 0 && pool.other_bytes + capacity > most; i--)
        while (i != step && kept_bytes(i) == &pool.other_bytes && pool.free[i] &&
               pool.other_bytes + capacity > most) {
            struct block *block = take_kept(i);
            block->next_free = *ret_surplus;
            *ret_surplus = block;
        }
    return *kept_bytes(step) + capacity <= most;
}

void block_unref(struct block *block)
{
    struct block *surplus = NULL;

    if (!block || atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) != 1 ||
        block->in_place)
        return;
    const size_t step = step_of(block->capacity);
    pthread_mutex_lock(&pool.lock);
    pool.in_use -= block->capacity;
    if (can_keep(step, block->capacity, &surplus)) {
        block->next_free = pool.free[step];
        pool.free[step] = block;
        *kept_bytes(step) += block->capacity;
        block = NULL;
    }
    pthread_mutex_unlock(&pool.lock);
    free(block);
    while (surplus) {
        struct block *next = surplus->next_free;
        free(surplus);
        surplus = next;
    }
}
