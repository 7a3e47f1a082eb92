/* tests/unit/server/file_watch_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Changes are told, each set of them once, and what is not watched is not. Run under the thread sanitizer as
 * well.
 */
#include "server/file_watch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

static atomic_uint changes;

static void count_change(void *context)
{
    (void)context;
    atomic_fetch_add(&changes, 1);
}

/* Waits until there are so many, at most 20 s. */
static bool comes(unsigned count)
{
    for (unsigned i = 0; i < 2000 && atomic_load(&changes) < count; i++)
        usleep(10000);
    return atomic_load(&changes) >= count;
}

static struct temp_folder folder;

static const char *path_of(const char *name)
{
    static char paths[8][700];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", folder.path, name);
    return path;
}

static void put(const char *path, const char *text)
{
    struct error err = { 0 };

    if (!file_replace(path, bytes_of_text(text), 0600, &err))
        abort();
}

TEST(a_change_of_a_watched_file_is_told_whatever_its_kind)
{
    struct file_watch *watch = NULL;
    struct error err = { 0 };
    char file[700], link[700], watched_folder[700], below[800];

    folder = temp_folder_new();
    atomic_store(&changes, 0);
    snprintf(file, sizeof file, "%s", path_of("file"));
    snprintf(link, sizeof link, "%s", path_of("link"));
    snprintf(watched_folder, sizeof watched_folder, "%s", path_of("folder"));
    snprintf(below, sizeof below, "%s/below", watched_folder);
    put(file, "1");
    put(path_of("target"), "1");
    put(path_of("other-target"), "2");
    if (symlink(path_of("target"), link) != 0 || mkdir(watched_folder, 0700) != 0)
        abort();
    const char *const paths[] = { file, link, watched_folder, path_of("not-there-yet") };
    if (!EXPECT(file_watch_start(count_change, NULL, &watch, &err), "%s", err.detail))
        return;
    file_watch_set(watch, paths, COUNT_OF(paths));

    put(file, "2");
    EXPECT(comes(1), "a file that was replaced");
    if (unlink(link) != 0 || symlink(path_of("other-target"), link) != 0)
        abort();
    EXPECT(comes(2), "a link that leads elsewhere");
    put(path_of("not-there-yet"), "1");
    EXPECT(comes(3), "a file that appeared");
    put(below, "1");
    EXPECT(comes(4), "a file in a folder");
    unlink(below);
    EXPECT(comes(5), "a file that went");
    file_watch_stop(watch);
    temp_folder_remove(&folder);
}

TEST(what_is_not_watched_is_not_told_and_many_changes_are_told_as_few)
{
    struct file_watch *watch = NULL;
    struct error err = { 0 };
    char file[700];

    folder = temp_folder_new();
    atomic_store(&changes, 0);
    snprintf(file, sizeof file, "%s", path_of("file"));
    put(file, "0");
    const char *const paths[] = { file };
    if (!EXPECT(file_watch_start(count_change, NULL, &watch, &err), "%s", err.detail))
        return;
    file_watch_set(watch, paths, 1);
    const uint64_t began_ms = clock_monotonic_ms();
    for (unsigned i = 0; i < 20; i++)
        put(path_of("unwatched"), "x");
    for (unsigned i = 0; i < 50; i++) {
        char text[8];
        snprintf(text, sizeof text, "%u", i);
        put(file, text);
    }
    const uint64_t quiet =
        (clock_monotonic_ms() - began_ms) / 200; /* as often at most on a disk that pauses */
    EXPECT(comes(1), "nothing was told");
    usleep(600000);
    EXPECT(atomic_load(&changes) < 10 + quiet, "%u times told", atomic_load(&changes));
    file_watch_stop(watch);
    temp_folder_remove(&folder);
}

TEST(a_watch_that_never_watched_can_be_stopped)
{
    struct file_watch *watch = NULL;
    struct error err = { 0 };

    EXPECT(file_watch_start(count_change, NULL, &watch, &err), "%s", err.detail);
    file_watch_stop(watch);
    file_watch_stop(NULL);
}
