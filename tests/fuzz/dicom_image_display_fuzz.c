/* tests/fuzz/dicom_image_display_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a palette in segments (the first byte chooses words of 8 or 16 bits), and as a data set whose
 * windows, tables, overlays and functional groups are read, and where its frames lie.
 */
#include "dicom/image_display.h"

#include <stdlib.h>

#include "bridge/start.h"
#include "dicom/attribute_reader.h"
#include "dicom/image_planes.h"
#include "tests/support/check_look.h"
#include "tests/support/nameless_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_planes(const char *path)
{
    struct arena arena = { 0 };
    struct image_planes planes;
    struct error err = { 0 };

    if (image_planes_read(path, &arena, &planes, &err))
        for (uint32_t i = 0; i <= planes.frame_count + 1; i++) {
            const struct image_plane *plane = image_planes_of(&planes, i);
            if (plane->is_known && (!(plane->row_spacing > 0) || !image_plane_is_parallel(plane, plane) ||
                                    image_plane_distance(plane, plane->position) != 0))
                abort();
        }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct image_display *display = NULL;
    struct error err = { 0 };
    uint16_t entries[300];

    if (size < 1 || !bridge_start(&err))
        return 0;
    attribute_expand_segments(bytes_of(data + 1, size - 1), data[0] % 2 ? 16 : 8, COUNT_OF(entries), entries);
    const struct nameless_file file = nameless_file_open(data, size);
    if (image_display_read(file.path, &display, &err)) {
        check_look(&display->look);
        for (uint32_t i = 1; i <= display->frame_look_count + 1; i++) {
            check_look(image_display_look(display, i));
            if (!(image_display_show_ms(display, i) > 0))
                abort();
        }
        for (size_t i = 0; i < display->overlay_count; i++) {
            const struct overlay *overlay = &display->overlays[i];
            const uint64_t bits = (uint64_t)overlay->rows * overlay->columns * overlay->frames;
            if (!overlay->in_pixels && overlay->bits.size < (bits + 7) / 8)
                abort();
        }
    }
    image_display_unref(display);
    read_planes(file.path);
    nameless_file_close(&file);
    return 0;
}
