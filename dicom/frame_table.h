/* dicom/frame_table.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where each frame's bytes lie in a stored file, so that serving one needs no parsing. Built once, when the
 * instance arrives; immutable and shared ever after. Frames count from 1, as in PS3.18.
 */
#ifndef GANTRY_DICOM_FRAME_TABLE_H
#define GANTRY_DICOM_FRAME_TABLE_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "dicom/pixel_shape.h"

struct frame_table;

struct extent {
    uint64_t offset, size; /* bytes, from the start of the file */
};

/* What the pixel data element is, so that its frames can be named rightly. */
enum frame_kind {
    FRAMES_NATIVE,       /* whole bytes, little endian */
    FRAMES_NATIVE_BIG,   /* whole words, big endian: swapped on the way out (codec_swap_bytes) */
    FRAMES_NATIVE_BITS,  /* Bits Allocated 1, frames not on byte borders: shifted on the way out */
    FRAMES_ENCAPSULATED, /* code streams in fragments */
    FRAMES_VIDEO,        /* one code stream for all frames */
};

/* Native: `count` frames of `frame_bits` bits each, one behind the other from `offset`; frames beyond
 * `available_bytes` are not in the table. */
struct frame_table *frame_table_of_native(enum frame_kind kind, uint64_t offset, uint64_t frame_bits,
                                          uint32_t count, uint64_t available_bytes);

/* Encapsulated: `fragment_count` fragments whose items stand one behind the other from the offset table on:
 * the bytes of fragment i lie from starts[i] to starts[i + 1] - 8, so `starts` has one entry more. Frame k
 * (from 1) is made of the fragments firsts[k - 1] to firsts[k] - 1; NULL: one fragment a frame. Both arrays
 * (malloc) are taken. */
struct frame_table *frame_table_of_fragments(enum frame_kind kind, struct extent value, uint64_t *starts,
                                             uint32_t fragment_count, uint32_t *firsts_or_null,
                                             uint32_t frame_count);

enum frame_kind frame_table_kind(const struct frame_table *table);
uint32_t frame_table_count(const struct frame_table *table);
/* Bits before the first bit of `frame` within its first byte: 0 but for FRAMES_NATIVE_BITS. */
unsigned frame_table_bit_offset(const struct frame_table *table, uint32_t frame);
/* Bits of one frame; 0 for encapsulated ones. */
uint64_t frame_table_frame_bits(const struct frame_table *table);
/* The bytes of the whole value field behind the element's header (all fragments' items for encapsulated). */
struct extent frame_table_value(const struct frame_table *table);

/* The stored bytes of `frame`, counted from 1. A frame stored in several fragments (PS3.5 A.4) has several
 * extents, in order: frame_table_find gives how many there are, frame_table_extent each one.
 * Never waits; any thread. NOT_FOUND outside 1..frame_table_count(). */
MUST_USE bool frame_table_find(const struct frame_table *table, uint32_t frame, uint32_t *ret_extents,
                               struct error *err);
struct extent frame_table_extent(const struct frame_table *table, uint32_t frame, uint32_t extent_index);
/* Sum of the sizes of a frame's extents; 0 outside the table. */
uint64_t frame_table_frame_bytes(const struct frame_table *table, uint32_t frame);

/* As the catalog keeps it: compact, versioned, checked on the way back (DISK when it is not sound). */
void frame_table_write(const struct frame_table *table, struct buffer *into);
MUST_USE bool frame_table_parse(struct bytes stored, struct frame_table **ret, struct error *err);

/* Scans an open file from the header of Pixel Data, Float or Double Float Pixel Data at `element_offset`
 * (explicit or implicit VR, either endian) and finds every frame: Extended Offset Table (7FE0,0001/2) if the
 * caller read one, Basic Offset Table, one fragment a frame, or by the code streams' own markers. Bounded
 * by the file's size. NOT_DICOM when the structure is broken; what is whole before the break stays usable
 * only if the caller says so by `tolerate_cut`. TOO_LARGE beyond FRAME_SCAN_FRAGMENTS. A table without frames
 * means that they cannot be told apart. Video has one frame: the whole stream. May wait (reads the file). */
enum { FRAME_SCAN_FRAGMENTS = 4 * 1024 * 1024 };
struct frame_scan {
    int fd;
    uint64_t element_offset, file_size;
    bool explicit_vr, big_endian, encapsulated, video, tolerate_cut;
    uint32_t frames;         /* Number of Frames, 1 when absent */
    uint64_t frame_bits;     /* of one native frame */
    unsigned bits_allocated; /* of one native sample; 0: the VR alone decides what big endian means */
    struct bytes extended_offsets, extended_lengths; /* values of 7FE0,0001 and ,0002; empty: none */
};
MUST_USE bool frame_table_scan(const struct frame_scan *scan, struct frame_table **ret, struct error *err);

struct frame_table *frame_table_ref(const struct frame_table *table);
void frame_table_unref(const struct frame_table *table); /* NULL is fine */
void frame_table_drop(struct frame_table **table); /* SCOPED(frame_table) struct frame_table *table = NULL; */

#endif
