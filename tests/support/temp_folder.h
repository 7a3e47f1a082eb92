/* tests/support/temp_folder.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A new folder for one test, below TMPDIR or /tmp, and its removal.
 */
#ifndef GANTRY_TESTS_TEMP_FOLDER_H
#define GANTRY_TESTS_TEMP_FOLDER_H

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct temp_folder {
    char path[512];
};

static inline struct temp_folder temp_folder_new(void)
{
    struct temp_folder folder;
    const char *below = getenv("TMPDIR");

    snprintf(folder.path, sizeof folder.path, "%s/gantry-test-XXXXXX", below && *below ? below : "/tmp");
    if (!mkdtemp(folder.path)) {
        perror(folder.path);
        abort();
    }
    return folder;
}

static inline int temp_folder_remove_one(const char *path, const struct stat *about, int kind,
                                         struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void temp_folder_remove(const struct temp_folder *folder)
{
    nftw(folder->path, temp_folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* How many files whose names end so lie in the folder and below. */
static inline size_t temp_folder_files(const char *path, const char *name_end)
{
    DIR *folder = opendir(path);
    size_t count = 0;

    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char *below = NULL;
        const size_t size = strlen(entry->d_name), end = strlen(name_end);
        if (asprintf(&below, "%s/%s", path, entry->d_name) < 0)
            abort();
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            count += temp_folder_files(below, name_end);
        else if (entry->d_type == DT_REG && size >= end && strcmp(entry->d_name + size - end, name_end) == 0)
            count++;
        free(below);
    }
    if (folder)
        closedir(folder);
    return count;
}

#endif
