/* handlers/annotation.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lines of text from the metadata, drawn as large as the picture allows.
 */
#include "handlers/annotation.h"

#include <inttypes.h>

#include "codec/drawing.h"
#include "handlers/instance_metadata.h"

enum { LETTERS_LEAST = 9, LETTERS_MOST = 40, SHARE_OF_ROWS = 36, TEXT_CEILING_BYTES = 65536 };

struct line_of_text {
    uint32_t tag;
    const char *before, *behind;
    unsigned line; /* those of one line stand beside each other */
};

static const struct line_of_text patient_lines[] = {
    { 0x00100010, "", "", 0 },       { 0x00100020, "ID ", "", 1 }, { 0x00100030, "Born ", "", 2 },
    { 0x00100040, "Sex ", "", 2 },   { 0x00080080, "", "", 3 },    { 0x00080050, "Acc ", "", 4 },
    { 0x00080020, "Study ", "", 5 }, { 0x00080030, "", "", 5 },
};

static const struct line_of_text technique_lines[] = {
    { 0x00080060, "", "", 0 },       { 0x0008103E, "", "", 0 },       { 0x00200011, "Series ", "", 1 },
    { 0x00200013, "Image ", "", 1 }, { 0x00180060, "", " kV", 2 },    { 0x00181151, "", " mA", 2 },
    { 0x00181152, "", " mAs", 2 },   { 0x00180080, "TR ", " ms", 3 }, { 0x00180081, "TE ", " ms", 3 },
    { 0x00180050, "T ", " mm", 4 },  { 0x00201041, "L ", " mm", 4 },
};

/* One line of the picture after the other. */
static void append_lines(struct bytes object, const struct line_of_text *lines, size_t count,
                         struct arena *arena, struct buffer *into)
{
    unsigned line = 0;
    bool begun = false;

    for (size_t i = 0; i < count; i++) {
        const struct bytes text = instance_metadata_text(object, lines[i].tag, arena);
        if (text.size == 0)
            continue;
        if (begun)
            buffer_append_text(into, lines[i].line == line ? "  " : "\n");
        buffer_printf(into, "%s%.*s%s", lines[i].before, BYTES_ARG(text), lines[i].behind);
        line = lines[i].line;
        begun = true;
    }
}

static unsigned count_lines(struct bytes text)
{
    unsigned lines = 1;

    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    return lines;
}

static void write_lines(const struct pen *pen, const struct pixels *picture, int y, struct bytes text)
{
    static const struct colour white = { 255, 255, 255 };
    const int margin = (int)pen_line(pen) / 4 + 1;

    while (text.data) {
        pen_write(pen, picture, margin, y, bytes_cut(&text, '\n'), white);
        y += (int)pen_line(pen);
    }
}

static unsigned letter_size(const struct pixels *picture)
{
    const unsigned size = picture->shape.rows / SHARE_OF_ROWS;

    return size < LETTERS_LEAST ? LETTERS_LEAST : size > LETTERS_MOST ? LETTERS_MOST : size;
}

static bool draw(const struct service *service, const struct instance_record *record, uint32_t frame,
                 const struct rendering_parameters *parameters, const struct pixels *picture,
                 struct error *err)
{
    SCOPED(buffer) struct buffer metadata = { 0 }, text = { 0 };
    SCOPED(pen) struct pen *pen = NULL;
    struct arena arena = { 0 };

    buffer_init(&metadata, service->limits->answer_ceiling_bytes);
    buffer_init(&text, TEXT_CEILING_BYTES);
    if (!pen_new(service->font, letter_size(picture), &pen, err) ||
        !instance_metadata_read(service, &record->key, &metadata, err))
        return error_while(err, "annotating a picture");
    if (parameters->annotate_patient) {
        append_lines(buffer_bytes(&metadata), patient_lines, COUNT_OF(patient_lines), &arena, &text);
        write_lines(pen, picture, 1, buffer_bytes(&text));
    }
    if (parameters->annotate_technique) {
        buffer_cut(&text, 0);
        append_lines(buffer_bytes(&metadata), technique_lines, COUNT_OF(technique_lines), &arena, &text);
        if (frame_table_count(record->frames) > 1)
            buffer_printf(&text, "\nFrame %" PRIu32 " of %" PRIu32, frame, frame_table_count(record->frames));
        const int height = (int)(count_lines(buffer_bytes(&text)) * pen_line(pen)) + (int)pen_line(pen) / 4;
        write_lines(pen, picture, (int)picture->shape.rows - height, buffer_bytes(&text));
    }
    arena_release(&arena);
    return true;
}

bool annotation_draw(const struct service *service, const struct instance_record *record, uint32_t frame,
                     const struct rendering_parameters *parameters, const struct pixels *picture,
                     struct error *err)
{
    return (!parameters->annotate_patient && !parameters->annotate_technique) ||
           draw(service, record, frame, parameters, picture, err);
}
