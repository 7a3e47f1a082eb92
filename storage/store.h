/* storage/store.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Objects as files. A stored file never changes: an instance sent again is a new generation. Generations are
 * numbers that are never used twice; a file's place follows from its generation alone:
 *
 *   <root>/objects/<generation / 4096, hex>/<generation, 16 hex digits>.dcm
 *   <root>/drafts/<generation, 16 hex digits>
 *
 * Any thread.
 */
#ifndef GANTRY_STORAGE_STORE_H
#define GANTRY_STORAGE_STORE_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/patience.h"

struct store;
struct store_draft;

struct store_options {
    const char *root;          /* the data folder; made when missing, mode 0700 */
    uint64_t free_space_floor; /* bytes that must stay free on the volume: under it, drafts are DISK_FULL */
    unsigned open_files;       /* descriptors kept open for readers, at most */
    uint64_t held_ms;          /* that a hold keeps a file, at most */
    bool only_looks; /* for reading beside another process that has the lock: makes and changes nothing */
};

enum { STORE_DIGEST_BYTES = 32 }; /* SHA-256 */

/* Makes the folders and finds the next generation. The caller has the folder's lock (storage/data_lock.h).
 * `least_next_generation`: what the catalog has seen, plus one. */
MUST_USE bool store_open(const struct store_options *options, uint64_t least_next_generation,
                         struct store **ret, struct error *err);
void store_close(struct store *store); /* before the catalog, which what is under way needs */
const char *store_root(const struct store *store);

/* Exactly `size` bytes. WOULD_WAIT under MUST_NOT_WAIT when file or bytes are not at hand in memory (preadv2
 * RWF_NOWAIT, openat2 RESOLVE_CACHED; a volume that supports neither always waits); then part of `into` may
 * be written. NOT_FOUND: the file is gone. DISK: it is shorter. */
MUST_USE bool store_read(struct store *store, uint64_t generation, uint64_t offset, void *into, size_t size,
                         enum patience patience, struct error *err);
/* Holds a stored file open, so that an answer that takes its time is whole even when the instance is deleted
 * meanwhile. Costs a count, not a descriptor of its own. Same faults as store_read; any thread. */
struct store_reader;
MUST_USE bool store_reader_open(struct store *store, uint64_t generation, enum patience patience,
                                struct store_reader **ret, struct error *err);
MUST_USE bool store_reader_read(struct store_reader *reader, uint64_t offset, void *into, size_t size,
                                enum patience patience, struct error *err);
void store_reader_close(struct store_reader *reader); /* NULL is fine */
static inline void store_reader_drop(struct store_reader **reader)
{
    store_reader_close(*reader);
}
/* The path of a stored file, into a buffer of at least PATH_MAX bytes. */
void store_path(const struct store *store, uint64_t generation, char *into, size_t size);
/* Removes files for good: once it returns they do not come back after a power cut either, so that notes that
 * told recovery of them may go. Drafts of theirs go last. Readers that hold one open keep it. Absent is fine.
 * False: the disk kept some of them, which the log tells; notes of them stay. May wait. */
bool store_forget(struct store *store, const uint64_t *generations, size_t count);
/* Who keeps things made of stored files is told which are gone; NULL: nobody any more, and none is being told
 * when it returns. One at a time. */
typedef void store_told_fn(void *context, const uint64_t *generations, size_t count);
void store_tell_of_forgotten(struct store *store, store_told_fn *told_or_null, void *context);

/* An answer that reads one file behind the other keeps all that are stored when it begins, before it lists
 * them, without a descriptor for each: for held_ms after they were let go, and while the volume has room. The
 * hold is the caller's memory until it has ended. Never waits. */
struct store_hold {
    struct store_hold *older, *newer; /* both and the number for holds.c */
    uint64_t goings_before;
};
void store_hold_begin(struct store *store, struct store_hold *hold);
void store_hold_end(struct store *store, struct store_hold *hold);
/* As store_forget, of files whose rows have gone for good; `gone` is told once the files have, too, and
 * never of those that the disk would not let go: before it returns, or, of those that a hold keeps, on
 * another thread soon after they go. Whatever `gone` needs lasts as long as the store. May wait. */
void store_let_go(struct store *store, const uint64_t *generations, size_t count, store_told_fn *gone,
                  void *context);

/* A draft has its generation from the start. Appending hashes (SHA-256). DISK_FULL, DISK. May wait. */
MUST_USE bool store_draft_open(struct store *store, struct store_draft **ret, struct error *err);
MUST_USE bool store_draft_append(struct store_draft *draft, struct bytes chunk, struct error *err);
uint64_t store_draft_generation(const struct store_draft *draft);
uint64_t store_draft_size(const struct store_draft *draft);
const char *store_draft_path(const struct store_draft *draft);
void store_draft_digest(struct store_draft *draft, uint8_t ret[STORE_DIGEST_BYTES]); /* of all appended */
/* A draft out of a file that lies elsewhere, hashed: its bytes are copied (sharing them where the volume
 * can), or it is linked (the same volume; whoever changed it later would change what is stored), or it stays
 * where it is and a symbolic link leads there. `path` is absolute. TOO_LARGE over `ceiling_bytes`; DISK when
 * it changes meanwhile. */
enum store_taking { STORE_COPY, STORE_LINK, STORE_IN_PLACE };
MUST_USE bool store_draft_take(struct store *store, const char *path, enum store_taking how,
                               uint64_t ceiling_bytes, struct store_draft **ret, struct error *err);
/* No more will be appended: its bytes may leave for the disk now, so that store_place waits less. Never waits
 * long. */
void store_draft_ended(struct store_draft *draft);
/* Removes the draft; what was placed stays; NULL is fine. */
void store_draft_close(struct store_draft *draft);

/* Syncs the drafts and their names and links each to its place: all or none. Then either its row is made
 * durable and store_draft_is_kept told, or store_forget takes it away again before the draft is closed. The
 * object's own name is not durable before the draft goes. */
MUST_USE bool store_place(struct store *store, struct store_draft *const *drafts, size_t count,
                          struct error *err);

/* The numbers of the folders of objects, in no order; the generations in one of them, in no order (an absent
 * folder has none). `each` returns false to stop. */
enum { STORE_GENERATIONS_PER_FOLDER = 4096 }; /* generation / this is its folder's number */
MUST_USE bool store_each_folder(struct store *store, bool (*each)(void *context, uint64_t folder),
                                void *context, struct error *err);
MUST_USE bool store_each_object(struct store *store, uint64_t folder,
                                bool (*each)(void *context, uint64_t generation), void *context,
                                struct error *err);
/* Moves a stored file out of the way, to <root>/aside/<generation>.dcm: no row knows it. */
MUST_USE bool store_set_aside(struct store *store, uint64_t generation, struct error *err);
bool store_has_draft(struct store *store, uint64_t generation);
/* Closing it leaves it as a name until the object's name is durable: from then on it goes by itself, soon. */
void store_draft_is_kept(struct store_draft *draft);
/* Until all drafts that go by themselves have gone, or failed to once more. Returns how many stay until the
 * next start, since the sync of their objects' folder has failed. */
size_t store_settle(struct store *store);

/* Every generation that has a draft, as left by a crash; `each` returns false to stop. Call before threads.
 */
MUST_USE bool store_each_draft(struct store *store, bool (*each)(void *context, uint64_t generation),
                               void *context, struct error *err);
void store_remove_draft(struct store *store, uint64_t generation);
/* Links a draft to its place, as left by a crash. A name that is there is made anew: the sync that should
 * have kept it may have failed, and then the next sync would not look at it. Call before threads. */
MUST_USE bool store_place_again(struct store *store, uint64_t generation, struct error *err);
/* Makes the names in a folder of objects survive a power cut. NOT_FOUND: there is no such folder. */
MUST_USE bool store_sync_folder(struct store *store, uint64_t folder, struct error *err);

#endif
