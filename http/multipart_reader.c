/* http/multipart_reader.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * multipart/related, read in passing; see multipart_reader.h.
 *
 *   preamble CRLF--b CRLF headers CRLF CRLF body CRLF--b CRLF headers ... body CRLF--b-- epilogue
 *   └ dropped ───┘                          └─ part_bytes ─┘                         └ dropped ─┘
 *
 * Bodies are searched for "CRLF--b" with memmem and handed on in place, as large as they came. What might be
 * the beginning of a delimiter when a slice ends is not copied either: it equals the delimiter, so its length
 * is enough
 * (`matched`); only what follows the boundary on its line (padding) is kept, in `tail`. A boundary holds no
 * CR, so a candidate that fails can hide no other one, except for one that starts at the CR after the
 * padding.
 *
 * At the start of the message and of each body the line begins without a CRLF of its own: `matched` starts at
 * 2, and these two, `imagined`, are never handed on.
 */
#include "http/multipart_reader.h"

#include "http/token.h"

enum {
    BOUNDARY_CEILING = 70,                    /* RFC 2046 5.1.1 */
    DELIMITER_CEILING = 4 + BOUNDARY_CEILING, /* CRLF-- and the boundary */
    PADDING_CEILING = 64,                     /* of spaces and tabs behind a boundary */
    HEADERS_CEILING_BYTES = 16 * 1024,        /* of one part */
    FIELDS_CEILING = 128,                     /* of one part */
};

enum place { IN_PREAMBLE, IN_HEADERS, IN_BODY, IN_EPILOGUE, FAILED };

struct multipart_reader {
    const struct multipart_events *events;
    void *context;
    enum place place;
    bool in_part;
    uint64_t parts;

    uint8_t delimiter[DELIMITER_CEILING];
    size_t delimiter_size;

    /* The candidate: this much of the delimiter, then `tail`. */
    size_t matched, imagined;
    uint8_t tail[PADDING_CEILING + 1];
    size_t tail_size;

    uint8_t headers[HEADERS_CEILING_BYTES];
    size_t headers_size, line_start;
    struct field fields[FIELDS_CEILING];
};

static bool is_boundary_byte(uint8_t c)
{
    const uint8_t lower = token_lower(c);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c && strchr("'()+_,-./:=? ", c));
}

bool multipart_reader_new(struct bytes boundary, const struct multipart_events *events, void *context,
                          struct arena *arena, struct multipart_reader **ret, struct error *err)
{
    if (boundary.size == 0 || boundary.size > BOUNDARY_CEILING || boundary.data[boundary.size - 1] == ' ')
        return error_tell(err, FAULT_MALFORMED,
                          "The boundary of the multipart message is missing or not valid.");
    for (size_t i = 0; i < boundary.size; i++)
        if (!is_boundary_byte(boundary.data[i]))
            return error_tell(err, FAULT_MALFORMED, "The boundary of the multipart message is not valid.");

    struct multipart_reader *reader = arena_alloc(arena, sizeof *reader);
    reader->events = events;
    reader->context = context;
    reader->place = IN_PREAMBLE;
    memcpy(reader->delimiter, "\r\n--", 4);
    memcpy(reader->delimiter + 4, boundary.data, boundary.size);
    reader->delimiter_size = 4 + boundary.size;
    reader->matched = reader->imagined = 2;
    *ret = reader;
    return true;
}

static bool fail(struct multipart_reader *reader)
{
    reader->place = FAILED;
    return false;
}

static bool malformed(struct multipart_reader *reader, struct error *err, const char *told)
{
    error_tell(err, FAULT_MALFORMED, "%s", told);
    return fail(reader);
}

/* ── part headers ── */

/* One line without its CRLF. Names are lowered where they stand. */
static bool take_header_line(struct multipart_reader *reader, uint8_t *line, size_t size,
                             struct fields *fields, struct error *err)
{
    size_t name = 0;

    if (line[0] == ' ' || line[0] == '\t')
        return malformed(reader, err, "A folded header line in a part is not accepted.");
    for (; name < size && token_has(line[name]); name++)
        line[name] = token_lower(line[name]);
    if (name == 0 || name == size || line[name] != ':')
        return malformed(reader, err, "A header line of a part is not of the form \"name: value\".");
    for (size_t i = name + 1; i < size; i++)
        if (!token_is_field_byte(line[i]))
            return malformed(reader, err, "A header of a part holds a control character.");
    if (fields->count == FIELDS_CEILING)
        return malformed(reader, err, "A part has too many headers.");
    fields->list[fields->count++] = (struct field){
        bytes_of(line, name),
        bytes_trim(bytes_of(line + name + 1, size - name - 1)),
    };
    return true;
}

/* The header block is complete: whole lines, the empty one left out. */
static bool begin_part(struct multipart_reader *reader, struct error *err)
{
    struct fields fields = { reader->fields, 0, FIELDS_CEILING };

    for (size_t at = 0; at < reader->headers_size;) {
        const uint8_t *end = memchr(reader->headers + at, '\n', reader->headers_size - at);
        const size_t size = (size_t)(end - (reader->headers + at));

        if (!take_header_line(reader, reader->headers + at, size - 1, &fields, err))
            return false;
        at += size + 1;
    }
    reader->parts++;
    reader->in_part = true;
    reader->place = IN_BODY;
    reader->matched = reader->imagined = 2;
    reader->tail_size = 0;
    return reader->events->part_begin(reader->context, &fields, err) || fail(reader);
}

/* Takes one line or what there is of it; *at moves on. */
static bool take_header_bytes(struct multipart_reader *reader, struct bytes chunk, size_t *at,
                              struct error *err)
{
    const struct bytes rest = bytes_from(chunk, *at);
    const uint8_t *end = memchr(rest.data, '\n', rest.size);
    const size_t size = end ? (size_t)(end - rest.data) + 1 : rest.size;

    if (size > HEADERS_CEILING_BYTES - reader->headers_size)
        return malformed(reader, err, "The headers of a part are longer than 16 KiB.");
    memcpy(reader->headers + reader->headers_size, rest.data, size);
    reader->headers_size += size;
    *at += size;
    if (!end)
        return true;

    const size_t line = reader->headers_size - reader->line_start;
    if (line < 2 || reader->headers[reader->headers_size - 2] != '\r')
        return malformed(reader, err, "A header line of a part ends without CR LF.");
    if (line > 2) {
        reader->line_start = reader->headers_size;
        return true;
    }
    reader->headers_size = reader->line_start;
    return begin_part(reader, err);
}

/* ── delimiters ── */

static bool give(struct multipart_reader *reader, const uint8_t *data, size_t size, struct error *err)
{
    if (reader->place != IN_BODY || size == 0)
        return true;
    return reader->events->part_bytes(reader->context, bytes_of(data, size), err) || fail(reader);
}

/* The candidate was none: it is data. */
static bool give_candidate(struct multipart_reader *reader, struct error *err)
{
    const size_t matched = reader->matched, imagined = reader->imagined, tail_size = reader->tail_size;

    reader->matched = reader->imagined = reader->tail_size = 0;
    return give(reader, reader->delimiter + imagined, matched - imagined, err) &&
           give(reader, reader->tail, tail_size, err);
}

/* The candidate was one. */
static bool pass_delimiter(struct multipart_reader *reader, enum place next, struct error *err)
{
    reader->matched = reader->imagined = reader->tail_size = 0;
    reader->headers_size = reader->line_start = 0;
    if (reader->in_part) {
        reader->in_part = false;
        if (!reader->events->part_end(reader->context, err))
            return fail(reader);
    }
    reader->place = next;
    return true;
}

/* One byte behind "CRLF--b". *ret_taken: it belongs to the candidate or the delimiter. */
static bool take_tail_byte(struct multipart_reader *reader, uint8_t byte, bool *ret_taken, struct error *err)
{
    const uint8_t last = reader->tail_size ? reader->tail[reader->tail_size - 1] : 0;

    *ret_taken = true;
    if (last == '\r' && byte == '\n')
        return pass_delimiter(reader, IN_HEADERS, err);
    if (last == '-' && byte == '-')
        return pass_delimiter(reader, IN_EPILOGUE, err);

    const bool padding = byte == ' ' || byte == '\t';
    const bool goes_on =
        last != '\r' && last != '-' && (padding || byte == '\r' || (byte == '-' && reader->tail_size == 0));
    if (goes_on) {
        if (padding && reader->tail_size == PADDING_CEILING)
            return malformed(reader, err, "A delimiter of the multipart message is padded beyond 64 bytes.");
        reader->tail[reader->tail_size++] = byte;
        return true;
    }

    /* A CR behind the padding may begin the next candidate. */
    *ret_taken = false;
    if (last != '\r')
        return give_candidate(reader, err);
    reader->tail_size--;
    if (!give_candidate(reader, err))
        return false;
    reader->matched = 1;
    return true;
}

/* Goes on with the candidate; *at stays behind what belongs to it. */
static bool take_candidate_bytes(struct multipart_reader *reader, struct bytes chunk, size_t *at,
                                 struct error *err)
{
    while (reader->matched > 0 && *at < chunk.size) {
        const uint8_t byte = chunk.data[*at];
        bool taken = true;

        if (reader->matched == reader->delimiter_size) {
            if (!take_tail_byte(reader, byte, &taken, err))
                return false;
            *at += taken ? 1 : 0;
        } else if (byte == reader->delimiter[reader->matched]) {
            reader->matched++;
            ++*at;
        } else if (!give_candidate(reader, err)) {
            return false;
        }
    }
    return true;
}

/* No candidate: hands on data up to the next one. */
static bool take_data(struct multipart_reader *reader, struct bytes chunk, size_t *at, struct error *err)
{
    const struct bytes rest = bytes_from(chunk, *at);
    const uint8_t *found = memmem(rest.data, rest.size, reader->delimiter, reader->delimiter_size);
    size_t size = rest.size, matched = 0;

    if (found) {
        size = (size_t)(found - rest.data);
        matched = reader->delimiter_size;
    } else {
        /* Only the last CR can begin a delimiter that the slice's end cuts: a delimiter has no second one. */
        const size_t window = rest.size < reader->delimiter_size ? rest.size : reader->delimiter_size - 1;
        const uint8_t *start = memrchr(rest.data + rest.size - window, '\r', window);
        const size_t left = start ? (size_t)(rest.data + rest.size - start) : 0;
        if (left && memcmp(start, reader->delimiter, left) == 0) {
            size -= left;
            matched = left;
        }
    }
    *at += size + matched;
    if (!give(reader, rest.data, size, err))
        return false;
    reader->matched = matched;
    return true;
}

bool multipart_reader_push(struct multipart_reader *reader, struct bytes chunk, struct error *err)
{
    if (reader->place == FAILED)
        return error_set(err, FAULT_MALFORMED, "the multipart message has failed before");

    for (size_t at = 0; at < chunk.size && reader->place != IN_EPILOGUE;) {
        bool went;

        if (reader->place == IN_HEADERS)
            went = take_header_bytes(reader, chunk, &at, err);
        else if (reader->matched > 0)
            went = take_candidate_bytes(reader, chunk, &at, err);
        else
            went = take_data(reader, chunk, &at, err);
        if (!went)
            return false;
    }
    return true;
}

bool multipart_reader_end(struct multipart_reader *reader, struct error *err)
{
    if (reader->place == IN_EPILOGUE)
        return true;
    if (reader->place == FAILED)
        return error_set(err, FAULT_MALFORMED, "the multipart message has failed before");
    return malformed(reader, err, "The multipart message ends without its closing delimiter.");
}

bool multipart_reader_in_part(const struct multipart_reader *reader)
{
    return reader->in_part;
}

uint64_t multipart_reader_parts(const struct multipart_reader *reader)
{
    return reader->parts;
}
