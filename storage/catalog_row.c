/* storage/catalog_row.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Small values as the catalog's rows hold them. What is written here lies on disks: a new form needs a new
 * schema version (catalog_schema.c).
 */
#include "storage/catalog_row.h"

#include <endian.h>

/*   0 rows │ 4 columns │ 8 samples │ 10 allocated │ 12 stored │ 14 flags │ 15 photometric      little endian
 */
enum { FLAG_SIGNED = 1, FLAG_PLANAR = 2, FLAG_NEEDS_HEAD = 4 };
_Static_assert(PALETTE_COLOR == 9 && XYB == 10,
               "photometric lies in stored rows: new ones go behind the last");

static void put16(uint8_t *into, uint16_t value)
{
    value = htole16(value);
    memcpy(into, &value, sizeof value);
}

static void put32(uint8_t *into, uint32_t value)
{
    value = htole32(value);
    memcpy(into, &value, sizeof value);
}

static uint16_t get16(const uint8_t *from)
{
    uint16_t value;

    memcpy(&value, from, sizeof value);
    return le16toh(value);
}

static uint32_t get32(const uint8_t *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return le32toh(value);
}

void catalog_row_put_shape(const struct pixel_shape *shape, bool needs_head, uint8_t into[SHAPE_BYTES])
{
    put32(into, shape->rows);
    put32(into + 4, shape->columns);
    put16(into + 8, shape->samples_per_pixel);
    put16(into + 10, shape->bits_allocated);
    put16(into + 12, shape->bits_stored);
    into[14] = (uint8_t)((shape->is_signed ? FLAG_SIGNED : 0) | (shape->planar ? FLAG_PLANAR : 0) |
                         (needs_head ? FLAG_NEEDS_HEAD : 0));
    into[15] = (uint8_t)shape->photometric;
}

bool catalog_row_get_shape(struct bytes stored, struct pixel_shape *ret, bool *ret_needs_head)
{
    if (stored.size != SHAPE_BYTES || stored.data[15] > XYB)
        return false;
    *ret_needs_head = stored.data[14] & FLAG_NEEDS_HEAD;
    *ret = (struct pixel_shape){ .rows = get32(stored.data),
                                 .columns = get32(stored.data + 4),
                                 .samples_per_pixel = get16(stored.data + 8),
                                 .bits_allocated = get16(stored.data + 10),
                                 .bits_stored = get16(stored.data + 12),
                                 .is_signed = stored.data[14] & FLAG_SIGNED,
                                 .planar = stored.data[14] & FLAG_PLANAR,
                                 .photometric = (enum photometric)stored.data[15] };
    return true;
}

bool catalog_row_list_has(struct bytes list, struct bytes value)
{
    while (list.size)
        if (bytes_equal(bytes_cut(&list, '\\'), value))
            return true;
    return false;
}
