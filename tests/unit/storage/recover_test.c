/* tests/unit/storage/recover_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Recovery's four cases, over a real store and a made-up catalog. Real crashes: tests/crash/.
 */
#include "storage/recover.h"

#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

static uint64_t row_of;
static bool catalog_fails;

bool catalog_has_generation(struct catalog *catalog, uint64_t generation, bool *ret, struct error *err)
{
    (void)catalog;
    *ret = generation == row_of;
    return !catalog_fails || error_set(err, FAULT_DISK, "made up");
}

static uint64_t leaving; /* 0: none */
static unsigned cleared;

bool catalog_each_leaving(struct catalog *catalog, bool (*each)(void *context, uint64_t generation),
                          void *context, struct error *err)
{
    (void)catalog;
    (void)err;
    if (leaving)
        each(context, leaving);
    return true;
}

bool catalog_none_is_leaving(struct catalog *catalog, struct error *err)
{
    (void)catalog;
    (void)err;
    cleared++;
    leaving = 0;
    return true;
}

enum left { DRAFT, DRAFT_AND_FILE };

/* Leaves what a crash would: the draft's second name is given back after the draft is closed. */
static uint64_t leave(struct store *store, enum left left)
{
    struct store_draft *draft = NULL;
    struct error err = { 0 };
    char path[1024], other[1024];

    EXPECT(store_draft_open(store, &draft, &err) && store_draft_append(draft, bytes_of_text("x"), &err), "%s",
           err.detail);
    const uint64_t generation = store_draft_generation(draft);
    if (left == DRAFT_AND_FILE)
        EXPECT(store_place(store, &draft, 1, &err), "%s", err.detail);
    snprintf(path, sizeof path, "%s", store_draft_path(draft));
    snprintf(other, sizeof other, "%s/other", store_root(store));
    EXPECT(link(path, other) == 0, "link");
    store_draft_close(draft);
    EXPECT(rename(other, path) == 0, "rename");
    /* POSIX: renaming a file to another name of itself does nothing. */
    unlink(other);
    return generation;
}

static bool is_readable(struct store *store, uint64_t generation)
{
    char byte;
    struct error err = { 0 };

    return store_read(store, generation, 0, &byte, 1, MAY_WAIT, &err);
}

TEST(drafts_without_a_row_go_with_their_files_and_rows_keep_theirs_until_they_leave)
{
    struct temp_folder folder = temp_folder_new();
    const struct store_options options = { .root = folder.path, .open_files = 8 };
    struct store *store = NULL;
    struct error err = { 0 };
    uint64_t removed = 0;

    EXPECT(store_open(&options, 1, &store, &err), "%s", err.detail);
    (void)leave(store, DRAFT);
    const uint64_t unknown = leave(store, DRAFT_AND_FILE), known = leave(store, DRAFT_AND_FILE);
    row_of = known;
    catalog_fails = true;
    EXPECT(!recover(store, NULL, &removed, &err) && err.fault == FAULT_DISK, "fault %d", err.fault);
    catalog_fails = false;
    EXPECT(is_readable(store, unknown), "nothing goes while the catalog cannot be asked");
    EXPECT(recover(store, NULL, &removed, &err), "%s", err.detail);
    EXPECT(removed == 2, "%d removed", (int)removed);
    EXPECT(!is_readable(store, unknown) && is_readable(store, known), "the wrong one");
    EXPECT(temp_folder_files(folder.path, "") == 1, "the object, %zu", temp_folder_files(folder.path, ""));
    EXPECT(recover(store, NULL, &removed, &err) && removed == 0 && cleared == 0, "again: %d", (int)removed);
    leaving = known;
    EXPECT(recover(store, NULL, &removed, &err) && removed == 0 && cleared == 1, "leaving: %s", err.detail);
    EXPECT(!is_readable(store, known), "its row has gone, and its file has not");
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(a_draft_with_a_row_is_put_in_its_place_again_where_the_name_was_lost)
{
    struct temp_folder folder = temp_folder_new();
    const struct store_options options = { .root = folder.path, .open_files = 8 };
    struct store *store = NULL;
    struct error err = { 0 };
    uint64_t removed = 0;

    catalog_fails = false;
    leaving = 0;
    EXPECT(store_open(&options, 1, &store, &err), "%s", err.detail);
    row_of = leave(store, DRAFT);
    EXPECT(!is_readable(store, row_of), "it has a name already");
    EXPECT(recover(store, NULL, &removed, &err) && removed == 0, "%s", err.detail);
    EXPECT(is_readable(store, row_of) && !store_has_draft(store, row_of), "not put right");
    store_close(store);
    temp_folder_remove(&folder);
}
