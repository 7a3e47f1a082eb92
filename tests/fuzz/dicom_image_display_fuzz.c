/* tests/fuzz/dicom_image_display_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a palette in segments (the first byte chooses words of 8 or 16 bits), and as a data set whose
 * windows, tables, overlays and functional groups are read, and where its frames lie.
 */
#include "dicom/image_display.h"

#include <stdlib.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bridge/start.h"
#include "dicom/attribute_reader.h"
#include "dicom/image_planes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_look(const struct gray_look *look)
{
    const struct lut *const luts[] = { &look->modality, &look->voi };

    if (look->slope == 0 || (look->has_window && !(look->window.width > 0)))
        abort();
    for (size_t i = 0; i < COUNT_OF(luts); i++)
        for (uint32_t k = 0; k < luts[i]->count; k++)
            if (luts[i]->values[k] >> luts[i]->bits)
                abort();
}

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
    char path[64];

    if (size < 1 || !bridge_start(&err))
        return 0;
    attribute_expand_segments(bytes_of(data + 1, size - 1), data[0] % 2 ? 16 : 8, COUNT_OF(entries), entries);
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (image_display_read(path, &display, &err)) {
        read_look(&display->look);
        for (uint32_t i = 1; i <= display->frame_look_count + 1; i++) {
            read_look(image_display_look(display, i));
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
    read_planes(path);
    close(fd);
    return 0;
}
