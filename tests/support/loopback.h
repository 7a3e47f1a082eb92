/* tests/support/loopback.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The second transport: carries exchanges through the real dispatcher, workers and pump without a socket. A
 * test opens a house in a fresh folder, calls it, looks at the answer.
 */
#ifndef GANTRY_TESTS_LOOPBACK_H
#define GANTRY_TESTS_LOOPBACK_H

#include "base/bytes.h"
#include "handlers/handler.h"

struct loopback;

struct loopback_options {
    const char *data_folder;     /* NULL: a new one below TMPDIR, removed on close */
    const struct limits *limits; /* NULL: the defaults of config/settings.def */
    size_t chunk_bytes;          /* how a request body is cut into pushes; 0: 16384 */
    size_t read_bytes;           /* how an answer is pulled; 0: 32768 */
};
struct loopback_answer {
    int status;
    struct bytes head; /* "name: value\n" for each header field, names in lower case */
    struct bytes body;
    bool cut; /* the body ended short: a real transport would close the connection */
};

struct loopback *loopback_open(const struct loopback_options *options_or_null); /* aborts on failure */
void loopback_close(struct loopback *loopback);
const char *loopback_folder(const struct loopback *loopback);
struct limits loopback_limits(void); /* the defaults of config/settings.def */
/* Store and catalog, to look at what handlers look at; without limits. */
struct service loopback_service(const struct loopback *loopback);
/* `headers`: "name: value\n" lines or NULL. The answer lives until the next call or close. `body_or_empty`
 * with data NULL: no body; `announced`: Content-Length, or UINT64_MAX for chunked. */
const struct loopback_answer *loopback_call(struct loopback *loopback, const char *method, const char *target,
                                            const char *headers, struct bytes body_or_empty,
                                            uint64_t announced);
/* The same for several threads at once: the answer is the caller's. `leave`: the client goes away after the
 * last byte of the body, without its end; NULL then, or when a real transport would close the connection
 * without an answer. */
struct loopback_answer *loopback_call_new(struct loopback *loopback, const char *method, const char *target,
                                          const char *headers, struct bytes body_or_empty, uint64_t announced,
                                          bool leave);
void loopback_answer_free(struct loopback_answer *answer);
/* Value of a header of the last answer, data NULL: none. */
struct bytes loopback_header(const struct loopback *loopback, const char *lower_case_name);
/* POST of DICOM files as multipart/related; returns the status. */
int loopback_store(struct loopback *loopback, const struct bytes *files, size_t count);

#endif
