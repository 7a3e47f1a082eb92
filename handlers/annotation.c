/* handlers/annotation.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lines of text from the metadata, drawn as large as the picture allows.
 */
#include "handlers/annotation.h"

#include <inttypes.h>

#include "codec/drawing.h"
#include "dicom/utf8.h"
#include "handlers/instance_metadata.h"

enum {
    PATIENT_NAME = 0x00100010,
    LETTERS_LEAST = 9,
    LETTERS_MOST = 40,
    SHARE_OF_ROWS = 36,
    TEXT_CEILING_BYTES = 65536,
    LINE_CEILING_BYTES = 1024
};

struct line_of_text {
    uint32_t tag;
    const char *before, *behind;
    unsigned line; /* those of one line stand beside each other */
};

static const struct line_of_text patient_lines[] = {
    { 0x00100020, "ID ", "", 1 }, { 0x00100030, "Born ", "", 2 }, { 0x00100040, "Sex ", "", 2 },
    { 0x00080080, "", "", 3 },    { 0x00080050, "Acc ", "", 4 },  { 0x00080020, "Study ", "", 5 },
    { 0x00080030, "", "", 5 },
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
    bool begun = buffer_bytes(into).size > 0;
    unsigned line = 0;

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

/* The patient's name, and its ideographic and phonetic forms (PS3.5 6.2.1.2) where the fonts have their
 * letters. */
static void append_names(const struct pen *pen, struct bytes object, struct arena *arena, struct buffer *into)
{
    static const char *const groups[] = { "Alphabetic", "Ideographic", "Phonetic" };
    bool begun = false;

    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        const struct bytes name = instance_metadata_name(object, PATIENT_NAME, groups[i], arena);
        if (name.size == 0 || (begun && !pen_has(pen, name)))
            continue;
        buffer_append_text(into, begun ? "  " : "");
        buffer_append(into, name);
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

static int margin_of(const struct pen *pen)
{
    return (int)pen_line(pen) / 4 + 1;
}

/* How much of a line fits: all of it, or up to a space, or to the last letter that does; one letter at least.
 */
static size_t size_that_fits(const struct pen *pen, struct bytes line, unsigned room)
{
    size_t fits = 0, space = 0;
    unsigned width = 0;

    if (pen_width(pen, line) <= room)
        return line.size;
    for (size_t at = 0; at < line.size;) {
        uint32_t letter;
        const size_t next = at + utf8_read(bytes_from(line, at), &letter);
        width += pen_width(pen, bytes_of(line.data + at, next - at));
        if (fits > 0 && width > room)
            break;
        fits = next;
        if (letter == ' ')
            space = next;
        at = next;
    }
    return space > 0 ? space : fits;
}

/* Lines that are wider than the picture go on below. */
static void wrap(const struct pen *pen, const struct pixels *picture, struct bytes text, struct buffer *into)
{
    const int room = (int)picture->shape.columns - 2 * margin_of(pen);
    bool begun = false;

    while (text.data) {
        struct bytes line = bytes_cut(&text, '\n');
        if (line.size > LINE_CEILING_BYTES)
            line.size = LINE_CEILING_BYTES;
        do {
            const size_t size = size_that_fits(pen, line, room > 0 ? (unsigned)room : 0);
            if (begun)
                buffer_append_byte(into, '\n');
            buffer_append(into, bytes_of(line.data, size));
            line = bytes_from(line, size);
            begun = true;
        } while (line.size > 0);
    }
}

static void write_lines(const struct pen *pen, const struct pixels *picture, int y, struct bytes text)
{
    static const struct colour white = { 255, 255, 255 };
    const int margin = margin_of(pen);

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
    SCOPED(buffer) struct buffer metadata = { 0 }, text = { 0 }, wrapped = { 0 };
    SCOPED(pen) struct pen *pen = NULL;
    struct arena arena = { 0 };

    buffer_init(&metadata, service->limits->answer_ceiling_bytes);
    buffer_init(&text, TEXT_CEILING_BYTES);
    buffer_init(&wrapped, 2 * TEXT_CEILING_BYTES);
    if (!pen_new(service->font, letter_size(picture), &pen, err) ||
        !instance_metadata_read(service, record, &metadata, err))
        return error_while(err, "annotating a picture");
    if (parameters->annotate_patient) {
        append_names(pen, buffer_bytes(&metadata), &arena, &text);
        append_lines(buffer_bytes(&metadata), patient_lines, COUNT_OF(patient_lines), &arena, &text);
        wrap(pen, picture, buffer_bytes(&text), &wrapped);
        write_lines(pen, picture, 1, buffer_bytes(&wrapped));
    }
    if (parameters->annotate_technique) {
        buffer_cut(&text, 0);
        append_lines(buffer_bytes(&metadata), technique_lines, COUNT_OF(technique_lines), &arena, &text);
        if (frame_table_count(record->frames) > 1)
            buffer_printf(&text, "\nFrame %" PRIu32 " of %" PRIu32, frame, frame_table_count(record->frames));
        buffer_cut(&wrapped, 0);
        wrap(pen, picture, buffer_bytes(&text), &wrapped);
        const int height =
            (int)(count_lines(buffer_bytes(&wrapped)) * pen_line(pen)) + (int)pen_line(pen) / 4;
        write_lines(pen, picture, (int)picture->shape.rows - height, buffer_bytes(&wrapped));
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
