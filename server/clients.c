/* server/clients.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A table of addresses; see clients.h.
 */
#include "server/clients.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BUCKETS = 4096, NETWORK_BYTES = 8 };

struct clients {
    pthread_mutex_t lock;
    unsigned most;
    uint64_t salt;                    /* so that nobody can choose addresses that share a bucket */
    struct address *buckets[BUCKETS]; /* lock */
};

bool clients_open(unsigned connections_per_address, struct clients **ret, struct error *err)
{
    struct clients *clients = calloc(1, sizeof *clients);

    if (!clients)
        return error_set(err, FAULT_BUSY, "no memory for the table of clients");
    pthread_mutex_init(&clients->lock, NULL);
    clients->most = connections_per_address;
    if (getrandom(&clients->salt, sizeof clients->salt, GRND_NONBLOCK) != (ssize_t)sizeof clients->salt)
        clients->salt = (uint64_t)(uintptr_t)clients;
    *ret = clients;
    return true;
}

void clients_close(struct clients *clients)
{
    if (!clients)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        assert(!clients->buckets[i]);
    pthread_mutex_destroy(&clients->lock);
    free(clients);
}

static void make_key(const struct sockaddr *address, socklen_t size, uint8_t key[16])
{
    static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF };

    memset(key, 0, 16);
    if (address->sa_family == AF_INET && size >= (socklen_t)sizeof(struct sockaddr_in)) {
        memcpy(key, mapped, sizeof mapped);
        memcpy(key + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6 && size >= (socklen_t)sizeof(struct sockaddr_in6)) {
        const uint8_t *bytes = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
        memcpy(key, bytes, memcmp(bytes, mapped, sizeof mapped) == 0 ? 16 : NETWORK_BYTES);
    }
}

static struct address **bucket_of(struct clients *clients, const uint8_t key[16])
{
    uint64_t halves[2];

    memcpy(halves, key, sizeof halves);
    uint64_t hash = (halves[0] ^ clients->salt) * 0x9E3779B97F4A7C15ull;
    hash = ((hash ^ hash >> 29) + halves[1] + clients->salt) * 0xBF58476D1CE4E5B9ull;
    return &clients->buckets[(hash ^ hash >> 32) % BUCKETS];
}

/* Lock held. */
static struct address *find(struct clients *clients, const uint8_t key[16])
{
    struct address **bucket = bucket_of(clients, key);

    for (struct address *address = *bucket; address; address = address->next)
        if (memcmp(address->key, key, 16) == 0)
            return address;
    struct address *address = calloc(1, sizeof *address);
    if (!address)
        abort();
    address->clients = clients;
    memcpy(address->key, key, 16);
    address->next = *bucket;
    *bucket = address;
    return address;
}

struct seat *clients_enter(struct clients *clients, const struct sockaddr *from, socklen_t size)
{
    struct seat *seat = NULL;
    uint8_t key[16];

    make_key(from, size, key);
    pthread_mutex_lock(&clients->lock);
    struct address *address = find(clients, key);
    if (address->connections < clients->most) {
        seat = calloc(1, sizeof *seat);
        if (!seat)
            abort();
        seat->address = address;
        atomic_init(&seat->holders, 1);
        address->connections++;
        address->seats++;
    }
    pthread_mutex_unlock(&clients->lock);
    return seat;
}

void seat_ref(struct seat *seat)
{
    atomic_fetch_add_explicit(&seat->holders, 1, memory_order_relaxed);
}

void seat_unref(struct seat *seat)
{
    if (atomic_fetch_sub_explicit(&seat->holders, 1, memory_order_acq_rel) != 1)
        return;
    struct address *address = seat->address;
    struct clients *clients = address->clients;
    pthread_mutex_lock(&clients->lock);
    if (--address->seats == 0) {
        struct address **at = bucket_of(clients, address->key);
        while (*at != address)
            at = &(*at)->next;
        *at = address->next;
        free(address);
    }
    pthread_mutex_unlock(&clients->lock);
    free(seat);
}

void clients_leave(struct seat *seat)
{
    if (!seat)
        return;
    pthread_mutex_lock(&seat->address->clients->lock);
    seat->address->connections--;
    pthread_mutex_unlock(&seat->address->clients->lock);
    seat_unref(seat);
}
