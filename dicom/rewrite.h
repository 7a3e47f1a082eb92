/* dicom/rewrite.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A stored file as a DICOM file in Explicit VR Little Endian: PS3.18 8.7.3 lets no data set leave in implicit
 * VR or big endian. What is found is a plan, made in one pass over headers and small values: pieces of new
 * bytes, and pieces of the file, which stay there. So the size is known before the first byte is sent, any
 * range of the result can be sent, and no pixel is ever in memory for it.
 *
 *   text:    [preamble, meta, elements ......] [element's header] [elements behind it]
 *   pieces:  ├─ text ─────────────────────────┤├─ text ─┤├─ file: pixels ─┤├─ text ──┤
 *
 * - VRs that the file does not say are the dictionary's (private ones too), resolved as resolve_vr.h says; UN
 * where it has none, and where a value is too long for its VR's length field (PS3.5 6.2.2, TSX-19).
 * - Sequences and items keep their kind of length. Group lengths (gggg,0000) go: they would be wrong.
 * - Garbage behind the pixel data stays behind, as it does for metadata.
 * - File meta information is written anew (PS3.10 7.1); elements of it that say nothing about this file's
 * form stay.
 */
#ifndef GANTRY_DICOM_REWRITE_H
#define GANTRY_DICOM_REWRITE_H

#include "base/attributes.h"
#include "base/block.h"
#include "base/error.h"
#include "dicom/pixel_shape.h"
#include "dicom/transfer_syntax.h"
#include "dicom/uid.h"

enum rewrite_how {
    REWRITE_AWAY,   /* it goes */
    REWRITE_VALUE,  /* another value, or a new element */
    REWRITE_BEHIND, /* a text behind the file's own, with `extra` between; too long for that: the file's stays
                     */
    REWRITE_FIRST,  /* the first of several texts; where the file has no others, `extra` stands behind it */
    REWRITE_ITEM,   /* of a sequence: an item behind the file's own */
};

/* An element of the data set itself that is another afterwards, is new, or goes. */
struct rewrite_change {
    uint32_t tag;
    enum rewrite_how how;
    const char *vr;
    struct bytes value; /* little endian; of even length unless it is a text; an item with its header */
    const char *extra;  /* "" but for BEHIND and FIRST */
    bool aligned; /* BEHIND: empty values go before it until there are as many as the change before had */
};

struct rewrite_source {
    bool (*read)(void *reader, uint64_t offset, void *into, size_t size, struct error *err); /* may wait */
    void *reader;
    uint64_t file_size;
    /* As the catalog has it. */
    enum transfer_syntax syntax; /* IMPLICIT_LE, EXPLICIT_BE; any other, unless pixels go apart: only the file
                                  * meta information is new, and the plan ends where the data set begins */
    const char *syntax_uid;      /* NULL: that of `to`; else what the meta says, although no table knows it */
    uint64_t data_set_offset;    /* 0: found anew */
    struct uid sop_class, sop_instance;
    const struct pixel_shape *shape;
    /* The pixel data element is left out, and what else is not right beside other pixels is changed.
     * Ascending by tag. Of every syntax but DEFLATED_LE. */
    bool pixels_apart;
    const struct rewrite_change *changes;
    size_t change_count;
    const char *frame_type; /* not NULL: the first value of each Frame Type (0008,9007), however deep */
    uint32_t frames;        /* with pixels_apart: how many there are; CORRUPT_PIXELS if the file says more */
};

struct rewrite_piece {
    uint64_t offset, size; /* bytes, in the text or in the file */
    uint8_t unit; /* 0: of the text; 1: of the file as they are; 2, 4, 8: of the file, each so many turned */
};

struct rewrite {
    struct rewrite_piece *pieces;
    size_t count;
    size_t pixels_at; /* with pixels_apart: the piece that they stand in front of */
    struct block *text;
    uint64_t size;            /* bytes of all pieces */
    uint64_t data_set_offset; /* of the file */
};

/* `to`: what the meta says the rest is in. NOT_ACCEPTABLE: pixels that go apart are not there or are real
 * numbers (which have no other form), or an icon is in fragments. NOT_DICOM: the data set is broken before or
 * in its pixel data; BUSY: no memory or over the budget of blocks; TOO_LARGE: more than REWRITE_TEXT_BYTES of
 * headers and small values. The caller owns *ret. May wait. */
#define REWRITE_TEXT_BYTES ((size_t)256 << 20)
MUST_USE bool rewrite_plan(const struct rewrite_source *source, enum transfer_syntax to, struct rewrite **ret,
                           struct error *err);
void rewrite_free(struct rewrite *rewrite); /* NULL is fine */
void rewrite_drop(struct rewrite **rewrite);

#endif
