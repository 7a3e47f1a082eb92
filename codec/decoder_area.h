/* codec/decoder_area.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a decoder process and the server have in common: descriptors by number, and the layout of the memory
 * they share.
 *
 *   │ decoder_area │ head │ coded bytes │ (aligned) head │ output │
 *   0              4032   4096
 *
 * The heads are the decoder's: coded bytes and output are blocks of its own where they lie, and are not
 * copied.
 */
#ifndef GANTRY_CODEC_DECODER_AREA_H
#define GANTRY_CODEC_DECODER_AREA_H

#include "codec/decoder_process.h"

enum { DECODER_SOCKET_FD = 3, DECODER_MEMORY_FD = 4, DECODER_CODED_OFFSET = 4096 };

/* A sanitizer's shadow takes terabytes of addresses, its reports want to be seen, and it asks the kernel for
 * more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DECODER_SANITIZED 1
#else
#define DECODER_SANITIZED 0
#endif

struct decoder_area {
    struct decoder_job job;
    uint64_t coded_bytes, most_output_bytes;
    /* the answer */
    bool ok;
    struct error error;
    struct pixel_shape shape;
    uint64_t output_bytes;
};
_Static_assert(sizeof(struct decoder_area) <= DECODER_CODED_OFFSET - BLOCK_HEAD_BYTES,
               "the coded bytes begin behind it");

static inline size_t decoder_output_offset(size_t coded_bytes)
{
    return DECODER_CODED_OFFSET + (coded_bytes + 63) / 64 * 64 + BLOCK_HEAD_BYTES;
}

/* Native bytes that are worked on; frames of a picture cost those before them. */
static inline uint64_t decoder_job_bytes(const struct decoder_job *job)
{
    const uint64_t frames = job->picture.kind ? (uint64_t)job->first_frame + job->frames : 1;

    return pixel_shape_frame_bytes(&job->shape) * frames;
}

/* Some forty times what the slowest library takes on the reference machine. */
static inline unsigned decoder_cpu_limit_s(const struct decoder_job *job)
{
    return 2 + (unsigned)(decoder_job_bytes(job) / (1024 * 1024));
}

static inline bool decoder_shape_is_sound(const struct pixel_shape *shape)
{
    return shape->rows <= UINT16_MAX && shape->columns <= UINT16_MAX && shape->samples_per_pixel <= 4 &&
           shape->bits_allocated <= 64 && shape->bits_stored <= 64 && (unsigned)shape->photometric <= XYB;
}

/* CORRUPT_PIXELS, told. Returns false. */
bool decoding_ended(struct error *err, const char *detail);

#endif
