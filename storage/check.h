/* storage/check.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Files against catalog, both ways: every row has its file, of the size and with the SHA-256 that it had when
 * it came; every file has its row. Goes by ascending generation, so it can be left and taken up again. Beside
 * a running server what comes and goes meanwhile is looked at twice and is no finding.
 */
#ifndef GANTRY_STORAGE_CHECK_H
#define GANTRY_STORAGE_CHECK_H

#include "storage/catalog.h"
#include "storage/store.h"

enum finding {
    FINDING_NO_FILE,    /* a row without its file */
    FINDING_SIZE,       /* the file has another size than its row says */
    FINDING_DIGEST,     /* and other bytes */
    FINDING_UNREADABLE, /* the disk does not give them */
    FINDING_NO_ROW      /* a file that no row knows */
};
/* As in "no file". */
const char *finding_text(enum finding finding);

struct check_options {
    uint64_t from_generation;  /* 0: all */
    uint64_t bytes_per_second; /* 0: as fast as it goes */
    bool read_files;           /* false: only whether they are there, of the right size */
    bool set_aside;            /* files without a row are moved to aside/: only with the data folder's lock */
};
struct check_progress {
    uint64_t next_generation; /* all below are done */
    uint64_t instances, bytes, findings, set_aside;
};
struct check_watch {
    void *context;
    void (*found)(void *context, enum finding finding, uint64_t generation);
    /* After each file; false: leave. */
    bool (*go_on)(void *context, const struct check_progress *progress);
};

/* *progress begins at zero, or where an earlier one was left. False: the catalog or a folder cannot be read
 * at all. *ret_complete: nothing is left. One thread; may wait. */
MUST_USE bool check(struct store *store, struct catalog *catalog, const struct check_options *options,
                    const struct check_watch *watch, struct check_progress *progress, bool *ret_complete,
                    struct error *err);

#endif
