/* codec/decoder_process.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Decoders of foreign bytes in processes of their own: one that crashes, hangs or eats memory takes nothing
 * with it but its frame. docs/decisions has why, and what it costs.
 *
 *   server                                            decoder (this program again, without keys, files,
 * network) frame ──► shared memory ── "go" ──► socket ──►  codec_transcode, under a limit of CPU time and of
 * memory block ◄── shared memory ◄─ "done" ─ socket ◄──
 *
 * codec_decode and codec_transcode use them by themselves, once they are open, for every code stream that a
 * library decodes; native frames, RLE and Deflate stay in the caller's thread.
 */
#ifndef GANTRY_CODEC_DECODER_PROCESS_H
#define GANTRY_CODEC_DECODER_PROCESS_H

#include "codec/codec.h"
#include "codec/foreign_picture.h"

/* The only argument with which this program is a decoder. */
#define DECODER_PROCESS_ARGUMENT "--decoder-process"

/* At most `count` processes, each begun when it is first needed; the first one now, so that a place where
 * none can be begun is known at once. Before threads, once. */
MUST_USE bool decoder_processes_open(unsigned count, struct error *err);
/* After the last codec call. Fine when nothing is open. */
void decoder_processes_close(void);
bool decoder_processes_are_open(void);

struct decoder_job {
    enum transfer_syntax from, to; /* `to` Explicit VR Little Endian: decoded as `wish` says */
    struct pixel_shape shape;
    struct codec_wish wish;
    struct codec_parameters parameters; /* without a profile */
    /* Of a kind: instead of all that, but the shape, its frames from `first_frame` on are decoded. */
    struct foreign_picture picture;
    uint32_t first_frame, frames;
};
/* As codec_transcode. A decoder that died or took too long: CORRUPT_PIXELS. The thread waits for a free
 * process and for the work. Any thread. */
MUST_USE bool decoder_process_run(const struct decoder_job *job, struct bytes coded, struct pixels *ret,
                                  struct error *err);

/* The other side: serves until the server is gone; the process' exit status. */
int decoder_process_serve(void);

/* For tests and the log: how many were begun since the start. */
unsigned decoder_processes_begun(void);

#endif
