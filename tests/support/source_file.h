/* tests/support/source_file.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Files of the checkout, for tests that hold a document against the code.
 */
#ifndef GANTRY_TESTS_SOURCE_FILE_H
#define GANTRY_TESTS_SOURCE_FILE_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SOURCE_FILE_ROOM = 4096 };

/* The path of `name`, as in "docs/tls.md": from this header's own path as the compiler saw it, or, where that
 * is relative to another folder, from the checkout's, in which the tests are started. */
static inline void source_file(const char *name, char path[SOURCE_FILE_ROOM])
{
    snprintf(path, SOURCE_FILE_ROOM, "%s", __FILE__);
    char *below = strstr(path, "tests/support/");
    if (below)
        snprintf(below, SOURCE_FILE_ROOM - (size_t)(below - path), "%s", name);
    if (!below || access(path, R_OK) != 0)
        snprintf(path, SOURCE_FILE_ROOM, "%s", name);
}

#endif
