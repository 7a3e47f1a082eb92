/* tests/fuzz/handlers_presented_picture_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a presentation state, and what it says done to a small picture: whatever areas, shutters,
 * overlays, graphics and texts are told, it ends soon and stays inside.
 */
#include "handlers/presented_picture.h"

#include <stdlib.h>

#include "codec/scaling.h"
#include "tests/support/check_look.h"
#include "tests/support/nameless_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* bridge/start.h, which handlers do not see. */
bool bridge_start(struct error *err);

static void check(const struct presentation_state *state, const struct uid *instance)
{
    const struct displayed_area *area = presentation_state_area(state, instance, 1);
    const struct presented_voi *voi = presented_gray_voi(&state->gray, instance, 1);
    const struct frame_mask *mask = presentation_state_mask(state, 3, 5);
    uint64_t points = 0;

    if (state->images.count == 0 || state->rotation % 90 != 0 || state->rotation >= 360)
        abort();
    if (area && (area->left > area->right || area->top > area->bottom || !(area->magnification > 0) ||
                 !(area->aspect > 0)))
        abort();
    if (voi)
        check_look(&voi->look);
    if (mask && (mask->averaged < 1 || (mask->operation == MASK_AVERAGE && mask->frame_count == 0)))
        abort();
    if (state->shutter.polygonal && state->shutter.vertex_count < 3)
        abort();
    if (!(state->above.opacity >= 0 && state->above.opacity <= 1))
        abort();
    for (uint32_t i = 0; i < state->annotation_count; i++)
        for (uint32_t k = 0; k < state->annotations[i].graphic_count; k++) {
            points += state->annotations[i].graphics[k].point_count;
            if (state->annotations[i].graphics[k].point_count == 0 || points > PRESENTATION_POINTS_ALL)
                abort();
        }
}

static void present(const struct presentation_state *state, unsigned samples)
{
    static const struct image_display display = { 0 };
    const struct rendering_parameters parameters = { .has_viewport = true,
                                                     .viewport_columns = 48,
                                                     .viewport_rows = 40 };
    const struct presented what = { .state = state,
                                    .instance = &state->images.list[0].instance,
                                    .frame = 1,
                                    .display = &display,
                                    .font_path = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf" };
    SCOPED(pixels) struct pixels picture = { 0 };
    struct error err = { 0 };

    if (!picture_take(20, 30, samples, 8, &picture, &err))
        abort();
    memset(picture_room(&picture), 77, block_bytes(picture.block).size);
    if (presented_picture(&what, &parameters, &picture, &err) &&
        block_bytes(picture.block).size !=
            (size_t)picture.shape.rows * picture.shape.columns * picture.shape.samples_per_pixel)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(presentation_state) struct presentation_state *state = NULL;
    struct error err = { 0 };

    if (size < 1 || !bridge_start(&err))
        return 0;
    const struct nameless_file file = nameless_file_open(data, size);
    const bool read = presentation_state_read(file.path, &state, &err);
    nameless_file_close(&file);
    if (!read)
        return 0;
    check(state, &state->images.list[0].instance);
    present(state, 1);
    present(state, 3);
    return 0;
}
