/* handlers/bulk_part.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The bulk data parts of one store: where each lies in the spool, by what location it is referred to, what it
 * is. One thread at a time; may wait but for _init.
 */
#ifndef GANTRY_HANDLERS_BULK_PART_H
#define GANTRY_HANDLERS_BULK_PART_H

#include <jansson.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "http/media_type.h"
#include "storage/spool.h"

enum { BULK_PARTS_MOST = 1000000, BULK_MEDIA_TYPE_ROOM = 64, BULK_SYNTAX_ROOM = 65 };

struct bulk_part {
    uint64_t offset, size;                  /* in the spool */
    char media_type[BULK_MEDIA_TYPE_ROOM];  /* type/subtype in lower case; "": not said */
    char transfer_syntax[BULK_SYNTAX_ROOM]; /* "": not said */
    bool used;
};
struct bulk_list {
    struct bulk_part **list; /* in the arena */
    size_t count;
};

struct bulk_parts {
    struct store *store;
    struct bytes base;   /* what relative locations are resolved against */
    struct spool *spool; /* opened with the first part */
    struct buffer table; /* of struct bulk_part */
    json_t *by_location; /* resolved location → array of indices */
};

void bulk_parts_init(struct bulk_parts *parts, struct store *store, struct bytes base);
void bulk_parts_done(struct bulk_parts *parts);
/* `type_or_null`: its Content-Type. TOO_LARGE: over BULK_PARTS_MOST. */
MUST_USE bool bulk_parts_begin(struct bulk_parts *parts, const struct fields *headers,
                               const struct media_type *type_or_null, struct error *err);
MUST_USE bool bulk_parts_append(struct bulk_parts *parts, struct bytes chunk, struct error *err);
MUST_USE bool bulk_parts_end(struct bulk_parts *parts, struct error *err);
/* Those that `uri` refers to, in the order of arrival; where there are none, those of uri/frames/1,
 * uri/frames/2 and so on. They count as used from then on. False: none. */
MUST_USE bool bulk_parts_find(struct bulk_parts *parts, struct bytes uri, struct arena *arena,
                              struct bulk_list *ret);
MUST_USE bool bulk_parts_read(struct bulk_parts *parts, const struct bulk_part *part, uint64_t offset,
                              void *into, size_t size, struct error *err);
size_t bulk_parts_count(const struct bulk_parts *parts);
size_t bulk_parts_unused(const struct bulk_parts *parts);
/* Sets an attribute that the model lacks. True when what is there is the same. */
bool bulk_parts_settle_number(json_t *model, uint32_t tag, uint32_t value);
/* The transfer syntax of pixel data in these parts: what they say, checked against what they are; Explicit VR
 * LE for application/octet-stream that says none. The text lives as long as the parts. NOT_DICOM,
 * UNSUPPORTED_MEDIA. */
MUST_USE bool bulk_parts_syntax(struct bulk_parts *parts, const struct bulk_list *list, const char **ret_uid,
                                struct error *err);
/* Attributes of the Image Pixel Description that the model lacks, out of the first part's code stream
 * (STO-38); MISMATCH when those that it has contradict it. */
MUST_USE bool bulk_parts_describe(struct bulk_parts *parts, const struct bulk_list *list,
                                  const char *syntax_uid, json_t *model, struct error *err);

#endif
