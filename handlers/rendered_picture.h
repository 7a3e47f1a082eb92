/* handlers/rendered_picture.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A rendered frame as a file, from the cache of what was made before, or made and put there; who asks for the
 * same at the same time waits for the one who makes it.
 */
#ifndef GANTRY_HANDLERS_RENDERED_PICTURE_H
#define GANTRY_HANDLERS_RENDERED_PICTURE_H

#include "handlers/rendered_frame.h"

/* The caller unrefs *ret. WOULD_WAIT under MUST_NOT_WAIT when it has to be made, and when request->waiter
 * was given away (storage/frame_cache.h); else faults as of
 * rendered_frame_write. */
MUST_USE bool rendered_picture(const struct service *service, const struct request *request,
                               const struct instance_record *record, uint32_t frame,
                               const struct rendering_parameters *parameters, enum picture_format format,
                               enum patience patience, struct block **ret, struct error *err);
/* Frames of one instance as an animated GIF, each shown as long as the data set says (REN-07). The same
 * otherwise. */
MUST_USE bool rendered_animation(const struct service *service, const struct request *request,
                                 const struct instance_record *record, const uint32_t *frames, size_t count,
                                 const struct rendering_parameters *parameters, enum patience patience,
                                 struct block **ret, struct error *err);
/* What a name stands for under a frame of an instance, from the cache or made. */
typedef frame_make_fn rendered_make_fn;
MUST_USE bool rendered_cached(const struct service *service, const struct request *request,
                              const struct instance_record *record, uint32_t frame, const char *name,
                              enum patience patience, rendered_make_fn *make, void *context,
                              struct block **ret, struct error *err);

#endif
