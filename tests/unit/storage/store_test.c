/* tests/unit/storage/store_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/digest.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

static struct store *open_store(const struct temp_folder *folder, uint64_t least, unsigned open_files)
{
    const struct store_options options = { .root = folder->path, .open_files = open_files };
    struct store *store = NULL;
    struct error err = { 0 };

    EXPECT(store_open(&options, least, &store, &err), "%s", err.detail);
    return store;
}

static struct store_draft *draft_of(struct store *store, const char *text)
{
    struct store_draft *draft = NULL;
    struct error err = { 0 };

    EXPECT(store_draft_open(store, &draft, &err), "%s", err.detail);
    EXPECT(store_draft_append(draft, bytes_of_text(text), &err), "%s", err.detail);
    return draft;
}

static uint64_t stored(struct store *store, const char *text)
{
    struct store_draft *draft = draft_of(store, text);
    const uint64_t generation = store_draft_generation(draft);
    struct error err = { 0 };

    EXPECT(store_place(store, &draft, 1, &err), "%s", err.detail);
    store_draft_close(draft);
    return generation;
}

static enum fault read_fault(struct store *store, uint64_t generation, uint64_t offset, size_t size,
                             enum patience patience)
{
    char into[64];
    struct error err = { 0 };

    return store_read(store, generation, offset, into, size, patience, &err) ? FAULT_NONE : err.fault;
}

static void expect_reads(struct store *store, uint64_t generation, const char *text)
{
    char into[64] = { 0 };
    struct error err = { 0 };

    EXPECT(store_read(store, generation, 0, into, strlen(text), MAY_WAIT, &err), "%s", err.detail);
    EXPECT(strcmp(into, text) == 0, "got \"%s\"", into);
}

TEST(what_is_placed_is_read_and_its_draft_is_gone)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    const uint64_t generation = stored(store, "hello world");
    char path[PATH_MAX], want[PATH_MAX];

    expect_reads(store, generation, "hello world");
    char part[6] = { 0 };
    struct error err = { 0 };
    EXPECT(store_read(store, generation, 6, part, 5, MAY_WAIT, &err), "%s", err.detail);
    EXPECT(strcmp(part, "world") == 0, "got %s", part);
    snprintf(want, sizeof want, "%s/drafts", folder.path);
    EXPECT(temp_folder_files(want, "") == 0, "drafts left");
    store_path(store, generation, path, sizeof path);
    snprintf(want, sizeof want, "%s/objects/0000000000000/%016" PRIx64 ".dcm", folder.path, generation);
    EXPECT(strcmp(path, want) == 0, "path %s", path);
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(a_draft_that_is_kept_goes_by_itself_once_its_object_has_a_durable_name)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    struct store_draft *drafts[2] = { draft_of(store, "one"), draft_of(store, "two") };
    const uint64_t first = store_draft_generation(drafts[0]), second = store_draft_generation(drafts[1]);
    struct error err = { 0 };

    EXPECT(store_place(store, drafts, 2, &err), "%s", err.detail);
    store_draft_is_kept(drafts[0]);
    store_draft_is_kept(drafts[1]);
    store_draft_close(drafts[0]);
    store_draft_close(drafts[1]);
    store_settle(store);
    EXPECT(!store_has_draft(store, first) && !store_has_draft(store, second), "drafts left");
    expect_reads(store, first, "one");
    expect_reads(store, second, "two");

    /* The end of the store does not wait for their time either. */
    drafts[0] = draft_of(store, "three");
    EXPECT(store_place(store, drafts, 1, &err), "%s", err.detail);
    store_draft_is_kept(drafts[0]);
    store_draft_close(drafts[0]);
    store_close(store);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/drafts", folder.path);
    EXPECT(temp_folder_files(path, "") == 0, "drafts left");
    EXPECT(temp_folder_files(folder.path, ".dcm") == 3, "files");
    temp_folder_remove(&folder);
}

TEST(a_draft_is_no_object_and_closing_it_leaves_nothing)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    struct store_draft *draft = draft_of(store, "half");

    EXPECT(access(store_draft_path(draft), F_OK) == 0, "no draft file");
    EXPECT(store_draft_size(draft) == 4, "size");
    EXPECT(read_fault(store, store_draft_generation(draft), 0, 4, MAY_WAIT) == FAULT_NOT_FOUND, "readable");
    store_draft_close(draft);
    EXPECT(temp_folder_files(folder.path, "") == 0, "something stays");
    store_draft_close(NULL);
    store_close(store);
    store_close(NULL);
    temp_folder_remove(&folder);
}

TEST(the_digest_is_of_all_that_was_appended)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    struct store_draft *draft = draft_of(store, "one");
    struct error err = { 0 };
    uint8_t got[STORE_DIGEST_BYTES], want[DIGEST_BYTES];

    EXPECT(store_draft_append(draft, bytes_of_text("two"), &err), "%s", err.detail);
    digest_of(bytes_of_text("onetwo"), want);
    for (int i = 0; i < 2; i++) {
        store_draft_digest(draft, got);
        EXPECT(memcmp(got, want, sizeof got) == 0, "asked %d times", i + 1);
    }
    store_draft_close(draft);
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(generations_never_come_twice)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    const uint64_t first = stored(store, "a"), second = stored(store, "b");

    EXPECT(second == first + 1, "%" PRIu64 " then %" PRIu64, first, second);
    store_close(store);
    store = open_store(&folder, 1, 8);
    EXPECT(stored(store, "c") == second + 1, "after opening again");
    store_close(store);
    store = open_store(&folder, 10000, 8);
    EXPECT(stored(store, "d") == 10000, "the catalog has seen more");
    const uint64_t deleted = 10000;
    store_forget(store, &deleted, 1);
    store_close(store);
    store = open_store(&folder, 1, 8);
    EXPECT(stored(store, "e") > 10000, "the highest folder was emptied");
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(a_draft_left_by_a_crash_keeps_its_generation)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    char path[PATH_MAX];

    store_close(store);
    snprintf(path, sizeof path, "%s/drafts/0000000000000123", folder.path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    store = open_store(&folder, 1, 8);
    EXPECT(stored(store, "a") == 0x124, "next");
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(foreign_files_in_the_folders_are_left_alone)
{
    static const char *const names[] = { "drafts/readme", "objects/lost+found", "objects/zzzzzzzzzzzzz",
                                         "drafts/ffffffffffffffff" };
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    char path[PATH_MAX];

    store_close(store);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder.path, names[i]);
        close(open(path, O_CREAT | O_WRONLY, 0600));
    }
    store = open_store(&folder, 1, 8);
    EXPECT(stored(store, "a") == 1, "counted");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder.path, names[i]);
        EXPECT(access(path, F_OK) == 0, "%s is gone", names[i]);
    }
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(who_only_looks_changes_nothing)
{
    struct temp_folder folder = temp_folder_new();
    const struct store_options options = { .root = folder.path, .open_files = 8, .only_looks = true };
    struct store *store = NULL;
    struct error err = { 0 };

    EXPECT(!store_open(&options, 0, &store, &err), "there is nothing to look at");
    EXPECT(temp_folder_files(folder.path, "") == 0 && access(folder.path, F_OK) == 0, "something was made");
    struct store *owner = open_store(&folder, 1, 8);
    const uint64_t generation = stored(owner, "seen");
    EXPECT(store_open(&options, 0, &store, &err), "%s", err.detail);
    expect_reads(store, generation, "seen");
    store_close(store);
    store_close(owner);
    temp_folder_remove(&folder);
}

static struct store_draft *taken(struct store *store, const char *path, enum store_taking how)
{
    struct store_draft *draft = NULL;
    struct error err = { 0 };

    EXPECT(store_draft_take(store, path, how, 100, &draft, &err), "how %d: %s", how, err.detail);
    return draft;
}

TEST(a_file_from_elsewhere_is_copied_linked_or_left_where_it_is)
{
    static const enum store_taking ways[] = { STORE_COPY, STORE_LINK, STORE_IN_PLACE };
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    struct stat about;
    struct error err = { 0 };
    uint8_t digest[DIGEST_BYTES], want[DIGEST_BYTES];
    char path[600], object[PATH_MAX];

    snprintf(path, sizeof path, "%s/elsewhere", folder.path);
    FILE *file = fopen(path, "w");
    EXPECT(file && fputs("from elsewhere", file) > 0 && fclose(file) == 0, "no file");
    digest_of(bytes_of_text("from elsewhere"), want);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct store_draft *draft = taken(store, path, ways[i]);
        const uint64_t generation = store_draft_generation(draft);
        EXPECT(store_draft_size(draft) == 14, "way %zu: size", i);
        store_draft_digest(draft, digest);
        EXPECT(memcmp(digest, want, sizeof want) == 0, "way %zu: digest", i);
        EXPECT(store_place(store, &draft, 1, &err), "%s", err.detail);
        store_draft_close(draft);
        expect_reads(store, generation, "from elsewhere");
        store_path(store, generation, object, sizeof object);
        EXPECT(lstat(object, &about) == 0 && S_ISLNK(about.st_mode) == (ways[i] == STORE_IN_PLACE), "way %zu",
               i);
        EXPECT(stat(path, &about) == 0 && about.st_nlink == (ways[i] == STORE_LINK ? 2 : 1),
               "way %zu: %d links", i, (int)about.st_nlink);
        store_forget(store, &generation, 1);
        EXPECT(stat(path, &about) == 0 && about.st_nlink == 1, "way %zu: the file went, too", i);
    }
    struct store_draft *none = NULL;
    EXPECT(!store_draft_take(store, path, STORE_COPY, 13, &none, &err) && err.fault == FAULT_TOO_LARGE,
           "fault %d", err.fault);
    EXPECT(!store_draft_take(store, folder.path, STORE_LINK, 100, &none, &err) &&
               err.fault == FAULT_NOT_DICOM,
           "fault %d", err.fault);
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(reading_says_what_is_wrong)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    const uint64_t generation = stored(store, "12345");

    EXPECT(read_fault(store, generation, 3, 3, MAY_WAIT) == FAULT_DISK, "beyond the end");
    EXPECT(read_fault(store, generation, UINT64_MAX, 3, MAY_WAIT) == FAULT_DISK, "no such offset");
    EXPECT(read_fault(store, generation, 3, 3, MUST_NOT_WAIT) == FAULT_WOULD_WAIT, "a worker will find out");
    EXPECT(read_fault(store, generation, 9, 0, MAY_WAIT) == FAULT_NONE, "nothing is always there");
    EXPECT(read_fault(store, generation + 1, 0, 1, MAY_WAIT) == FAULT_NOT_FOUND, "never stored");
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(without_waiting_bytes_come_from_memory_or_not_at_all)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    const uint64_t generation = stored(store, "12345");
    struct error err = { 0 };
    char into[6] = { 0 };

    expect_reads(store, generation, "12345");
    /* Where the file system cannot tell (tmpfs, overlay) it is WOULD_WAIT, always. */
    if (store_read(store, generation, 0, into, 5, MUST_NOT_WAIT, &err))
        EXPECT(strcmp(into, "12345") == 0, "got %s", into);
    else
        EXPECT(err.fault == FAULT_WOULD_WAIT, "fault %d", err.fault);
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(a_forgotten_file_stays_with_those_who_hold_it)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    const uint64_t generation = stored(store, "still here");
    struct store_reader *reader = NULL;
    struct error err = { 0 };
    char into[11] = { 0 }, path[PATH_MAX];

    EXPECT(store_reader_open(store, generation, MAY_WAIT, &reader, &err), "%s", err.detail);
    store_forget(store, &generation, 1);
    store_path(store, generation, path, sizeof path);
    EXPECT(access(path, F_OK) != 0, "the file is still there");
    EXPECT(read_fault(store, generation, 0, 1, MAY_WAIT) == FAULT_NOT_FOUND, "found by others");
    EXPECT(store_reader_read(reader, 0, into, 10, MAY_WAIT, &err), "%s", err.detail);
    EXPECT(strcmp(into, "still here") == 0, "got %s", into);
    store_reader_close(reader);
    store_reader_close(NULL);
    store_forget(store, &generation, 1);
    store_close(store);
    temp_folder_remove(&folder);
}

static size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

TEST(no_more_files_are_kept_open_than_allowed)
{
    enum { FILES = 200 };
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 20);
    uint64_t generations[FILES];

    for (size_t i = 0; i < FILES; i++)
        generations[i] = stored(store, "x");
    const size_t before = open_descriptors();
    for (size_t i = 0; i < FILES; i++)
        expect_reads(store, generations[i], "x");
    EXPECT(open_descriptors() <= before + 20, "%zu more", open_descriptors() - before);
    store_close(store);
    EXPECT(open_descriptors() < before, "closing left %zu", open_descriptors());
    temp_folder_remove(&folder);
}

TEST(a_batch_across_folders_is_placed_whole)
{
    enum { COUNT = 6 };
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 4093, 8);
    struct store_draft *drafts[COUNT];
    struct error err = { 0 };
    char text[2] = "a";

    for (int i = 0; i < COUNT; i++, text[0]++)
        drafts[i] = draft_of(store, text);
    EXPECT(store_place(store, drafts, COUNT, &err), "%s", err.detail);
    text[0] = 'a';
    for (int i = 0; i < COUNT; i++, text[0]++) {
        store_draft_close(drafts[i]);
        expect_reads(store, 4093 + (uint64_t)i, text);
    }
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(a_batch_that_fails_is_not_placed_at_all)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 1, 8);
    struct store_draft *drafts[3];
    struct error err = { 0 };

    for (int i = 0; i < 3; i++)
        drafts[i] = draft_of(store, "x");
    unlink(store_draft_path(drafts[2])); /* so that its link fails */
    EXPECT(!store_place(store, drafts, 3, &err) && err.fault == FAULT_DISK, "fault %d", err.fault);
    EXPECT(temp_folder_files(folder.path, ".dcm") == 0, "objects left");
    for (int i = 0; i < 3; i++)
        store_draft_close(drafts[i]);
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(a_full_volume_takes_no_drafts)
{
    struct temp_folder folder = temp_folder_new();
    const struct store_options options = { .root = folder.path,
                                           .open_files = 8,
                                           .free_space_floor = UINT64_MAX };
    struct store *store = NULL;
    struct store_draft *draft = NULL;
    struct error err = { 0 };

    EXPECT(store_open(&options, 1, &store, &err), "%s", err.detail);
    EXPECT(!store_draft_open(store, &draft, &err) && err.fault == FAULT_DISK_FULL, "fault %d", err.fault);
    store_close(store);
    temp_folder_remove(&folder);
}

static bool count_draft(void *context, uint64_t generation)
{
    uint64_t *sum = context;

    *sum += generation;
    return true;
}

TEST(drafts_left_behind_are_listed_and_removed)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder, 5, 8);
    struct error err = { 0 };
    uint64_t sum = 0;

    struct store_draft *one = draft_of(store, "1"), *other = draft_of(store, "2");
    EXPECT(store_each_draft(store, count_draft, &sum, &err) && sum == 11, "sum %" PRIu64, sum);
    store_remove_draft(store, 5);
    store_remove_draft(store, 5);
    sum = 0;
    EXPECT(store_each_draft(store, count_draft, &sum, &err) && sum == 6, "sum %" PRIu64, sum);
    store_draft_close(one);
    store_draft_close(other);
    store_close(store);
    temp_folder_remove(&folder);
}

/* ── threads ── */

enum { SHARED_FILES = 12 };
struct traffic {
    struct store *store;
    _Atomic uint64_t generations[SHARED_FILES];
    atomic_bool stop;
    atomic_uint wrong, read;
};

static void *read_on(void *context)
{
    struct traffic *traffic = context;
    struct error err = { 0 };

    for (unsigned i = 0; !atomic_load(&traffic->stop); i++) {
        const uint64_t generation = atomic_load(&traffic->generations[i % SHARED_FILES]);
        struct store_reader *reader = NULL;
        uint64_t content = 0;
        if (!store_reader_open(traffic->store, generation, i % 2 ? MAY_WAIT : MUST_NOT_WAIT, &reader, &err))
            continue;
        if (store_reader_read(reader, 0, &content, sizeof content, MAY_WAIT, &err) && content == generation)
            atomic_fetch_add(&traffic->read, 1);
        else
            atomic_fetch_add(&traffic->wrong, 1);
        store_reader_close(reader);
    }
    return NULL;
}

static uint64_t store_own_number(struct store *store)
{
    struct store_draft *draft = NULL;
    struct error err = { 0 };

    EXPECT(store_draft_open(store, &draft, &err), "%s", err.detail);
    const uint64_t generation = store_draft_generation(draft);
    EXPECT(store_draft_append(draft, bytes_of(&generation, sizeof generation), &err) &&
               store_place(store, &draft, 1, &err),
           "%s", err.detail);
    store_draft_close(draft);
    return generation;
}

TEST(readers_never_see_another_file_while_files_come_and_go)
{
    struct temp_folder folder = temp_folder_new();
    static struct traffic traffic;
    pthread_t readers[4];

    traffic.store = open_store(&folder, 1, 4); /* fewer than there are files */
    for (size_t i = 0; i < SHARED_FILES; i++)
        atomic_store(&traffic.generations[i], store_own_number(traffic.store));
    for (size_t i = 0; i < COUNT_OF(readers); i++)
        pthread_create(&readers[i], NULL, read_on, &traffic);
    for (unsigned i = 0; i < 150; i++) {
        const uint64_t old = atomic_load(&traffic.generations[i % SHARED_FILES]);
        atomic_store(&traffic.generations[i % SHARED_FILES], store_own_number(traffic.store));
        store_forget(traffic.store, &old, 1);
    }
    atomic_store(&traffic.stop, true);
    for (size_t i = 0; i < COUNT_OF(readers); i++)
        pthread_join(readers[i], NULL);
    EXPECT(atomic_load(&traffic.wrong) == 0, "%u wrong reads", atomic_load(&traffic.wrong));
    EXPECT(temp_folder_files(folder.path, ".dcm") == SHARED_FILES, "%zu files",
           temp_folder_files(folder.path, ".dcm"));
    store_close(traffic.store);
    temp_folder_remove(&folder);
}
