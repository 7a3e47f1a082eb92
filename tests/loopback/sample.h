/* tests/loopback/sample.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the loopback tests share: instances by number, multipart bodies, and looking into answers.
 */
#ifndef GANTRY_TESTS_LOOPBACK_SAMPLE_H
#define GANTRY_TESTS_LOOPBACK_SAMPLE_H

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "tests/support/expect.h"
#include "tests/support/loopback.h"
#include "tests/support/make_dicom.h"

#define STUDY "/dicom-web/studies/1.2.3.1"
#define SERIES STUDY "/series/1.2.3.1.1"
#define INSTANCE SERIES "/instances/1.2.3.1.1.1" /* what make_dicom makes when nothing is asked for */
#define STOW_TYPE "content-type: multipart/related; type=\"application/dicom\"; boundary=B\n"
#define NOTHING bytes_of(NULL, 0)

enum { SAMPLE_CEILING_BYTES = 256 * 1024 * 1024 };

/* A file; free with buffer_done, or hold in a SCOPED(buffer). */
static inline struct buffer sample(const struct make_dicom *what)
{
    struct buffer file;

    buffer_init(&file, SAMPLE_CEILING_BYTES);
    make_dicom(&file, what);
    return file;
}

static inline const struct loopback_answer *get(struct loopback *house, const char *target,
                                                const char *headers)
{
    return loopback_call(house, "GET", target, headers, NOTHING, 0);
}

static inline const struct loopback_answer *post(struct loopback *house, const char *target,
                                                 const char *headers, struct bytes body)
{
    return loopback_call(house, "POST", target, headers, body, body.size);
}

/* The shipped limits, for a test that changes one of them. */
static inline struct limits sample_limits(void)
{
    return (struct limits){
        .instance_ceiling_bytes = (uint64_t)1 << 36,
        .request_ceiling_bytes = (uint64_t)1 << 40,
        .max_results = 5000,
        .frame_list_ceiling = 10000,
        .batch_instances = 64,
        .batch_bytes = (uint64_t)1 << 27,
        .answer_ceiling_bytes = (uint64_t)1 << 26,
        .metadata_ceiling_bytes = 16 << 20,
        .expansion_ceiling = 100,
        .duplicates = DUPLICATE_REJECT,
        .json = { 1024, 65536, 131072 },
        .unknown_matches = true,
        .deletion = true,
        .viewport_ceiling = 16384,
        .thumbnail_size = 256,
        .rendered_quality = 90,
        .picture_ceiling_pixels = (uint64_t)1 << 25,
        .animation_ceiling_pixels = (uint64_t)1 << 26,
    };
}

/* One part more; `headers` ends with CRLF or is empty. */
static inline void add_part(struct buffer *body, const char *headers, struct bytes content)
{
    buffer_printf(body, "--B\r\n%s\r\n", headers);
    buffer_append(body, content);
    buffer_append_text(body, "\r\n");
}

#define DICOM_PART "Content-Type: application/dicom\r\n"

static inline void end_parts(struct buffer *body)
{
    buffer_append_text(body, "--B--\r\n");
}

static inline bool has(struct bytes text, const char *part)
{
    return text.size > 0 && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static inline unsigned times(struct bytes text, const char *part)
{
    unsigned found = 0;

    while (text.size > 0) {
        const uint8_t *at = memmem(text.data, text.size, part, strlen(part));
        if (!at)
            break;
        found++;
        text = bytes_from(text, (size_t)(at - text.data) + strlen(part));
    }
    return found;
}

/* The content of the n-th part (from 0) of a multipart answer, by its Content-Length; *ret_head its headers.
 */
static inline struct bytes part_of(struct bytes body, unsigned n, struct bytes *ret_head)
{
    for (unsigned i = 0;; i++) {
        const uint8_t *end = body.size ? memmem(body.data, body.size, "\r\n\r\n", 4) : NULL;
        if (!end)
            return NOTHING;
        const struct bytes head = bytes_of(body.data, (size_t)(end - body.data));
        char text[1024] = "";
        memcpy(text, head.data, head.size < sizeof(text) - 1 ? head.size : sizeof(text) - 1);
        const char *length = strstr(text, "Content-Length: ");
        const size_t size = length ? (size_t)strtoull(length + 16, NULL, 10) : 0;
        struct bytes content = bytes_from(body, head.size + 4);
        if (content.size < size)
            return NOTHING;
        content.size = size;
        if (i == n) {
            if (ret_head)
                *ret_head = head;
            return content;
        }
        body = bytes_from(body, head.size + 4 + size + 2);
    }
}

#endif
