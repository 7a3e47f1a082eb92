/* handlers/rendered_choice.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which rendered media type answers an Accept (PS3.18 8.7.4, 8.7.8).
 */
#ifndef GANTRY_HANDLERS_RENDERED_CHOICE_H
#define GANTRY_HANDLERS_RENDERED_CHOICE_H

#include "codec/picture_format.h"
#include "http/accept.h"

/* Reads Accept as accept_read does, without ranges that name a transfer syntax: rendered media types have
 * none, such a range is ignored (REN-11). */
MUST_USE bool rendered_accept_read(const struct request *request, struct accept *ret, struct error *err);

enum rendered_form {
    RENDERED_ALONE,          /* one picture as the body */
    RENDERED_PARTS,          /* one part a frame */
    RENDERED_ANIMATED,       /* all frames in one picture */
    RENDERED_REPRESENTATIVE, /* one frame stands for all */
};
struct rendered_choice {
    enum picture_format format;
    enum rendered_form form;
};
/* What is asked for. */
enum rendered_extent {
    EXTENT_ONE_FRAME,
    EXTENT_THUMBNAIL,  /* one picture, never as a part (THU-02) */
    EXTENT_FRAMES,     /* frames that the client has listed, of one instance */
    EXTENT_INSTANCE,   /* all frames of an instance that has several */
    EXTENT_COLLECTION, /* a study or series */
};
/* `can_animate`: the frames are not too many and too large for one picture. NOT_ACCEPTABLE tells what could
 * be had. */
MUST_USE bool rendered_choose(const struct request *request, const struct accept *accept,
                              enum rendered_extent extent, bool can_animate, struct rendered_choice *ret,
                              struct error *err);

#endif
