/* handlers/route_notes.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * route_notes.def as a table; see route_notes.h.
 */
#include "handlers/route_notes.h"

#include "base/buffer.h"
#include "handlers/transactions.h"

#define FRAME_TYPES \
    "image/jpeg|image/jls|image/jp2|image/jpx|image/jphc|image/jxl|image/dicom-rle|application/x-deflate|" \
    "video/mpeg|video/mp4|video/H265"

static const struct route_note notes[] = {
#define NOTE(answer, summary, query, takes, gives) { answer, summary, query, takes, gives },
#include "handlers/route_notes.def"
#undef NOTE
};

const struct route_note *route_note_of(const struct route *route)
{
    static const struct route_note none = { NULL, "", "", "", "" };

    for (size_t i = 0; i < COUNT_OF(notes); i++)
        if (notes[i].answer == route->answer)
            return &notes[i];
    return &none;
}

const char *route_template(struct arena *arena, const char *pattern)
{
    static const char *const names[] = { "study", "series", "instance", "list" };
    struct bytes rest = bytes_from(bytes_of_text(pattern), 1);
    const char *text = "";
    size_t param = 0;

    while (rest.size > 0) {
        const struct bytes segment = bytes_cut(&rest, '/');
        const char *name = NULL;

        if (bytes_equal_text(segment, "{...}"))
            name = "path";
        else if (bytes_equal_text(segment, "{}"))
            name = names[param < 3 ? param++ : 3];
        text = name ? arena_printf(arena, "%s/{%s}", text, name)
                    : arena_printf(arena, "%s/%.*s", text, BYTES_ARG(segment));
    }
    return text[0] ? text : "/";
}
