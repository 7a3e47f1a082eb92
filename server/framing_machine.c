/* server/framing_machine.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The framing of HTTP/1.1; see framing_machine.h. Heads are judged whole, by framing_check, bodies are
 * counted.
 */
#include "server/framing_machine.h"

#include <string.h>

#include "base/number.h"
#include "http/request.h"
#include "http/token.h"
#include "server/framing.h"

enum {
    METHOD_MOST = 32,
    LINE_EXTRA_BYTES = METHOD_MOST + 16, /* of the request line, beside the target */
    BLANK_LINES_MOST = 4,
    CHUNK_DIGITS_MOST = 15, /* the library refuses 16 */
    CHUNK_LINE_BYTES = 1024,
    TRAILER_BYTES = 8192
};

/* `took` bytes are done with, the first `kept` of them go on; took == 0: not whole yet. */
struct piece {
    size_t took, kept;
};
static const struct piece not_whole = { 0, 0 };

static struct piece refuse(struct framing_machine *machine, const char *why)
{
    error_tell(&machine->error, FAULT_MALFORMED, "%s", why);
    machine->refused_in = machine->state;
    machine->state = FRAMING_REFUSED;
    return not_whole;
}

/* ── heads ── */

static bool malformed(struct error *err, const char *why)
{
    return error_tell(err, FAULT_MALFORMED, "%s", why);
}

static bool is_version(struct bytes text)
{
    return text.size == 8 && bytes_starts_with(text, bytes_of_text("HTTP/")) && text.data[5] >= '0' &&
           text.data[5] <= '9' && text.data[6] == '.' && text.data[7] >= '0' && text.data[7] <= '9';
}

struct request_line {
    struct bytes method, target, version;
};

static bool read_request_line(struct bytes line, const struct framing_limits *limits,
                              struct request_line *ret, struct error *err)
{
    ret->method = bytes_cut(&line, ' ');
    ret->target = bytes_cut(&line, ' ');
    ret->version = line;
    if (!token_is(ret->method) || ret->method.size > METHOD_MOST)
        return malformed(err, "The method is not a token.");
    for (size_t i = 0; i < ret->target.size; i++)
        if (ret->target.data[i] < 0x20 || ret->target.data[i] == 0x7F)
            return malformed(err, "The request target has control characters.");
    if (ret->target.size == 0 || !is_version(ret->version))
        return malformed(err, "The request line is not of the form: method, target, version.");
    if (ret->target.size > limits->target_bytes)
        return error_tell(err, FAULT_URI_TOO_LONG, "A request target may have %u bytes (target_bytes).",
                          limits->target_bytes);
    return true;
}

/* The authority of an absolute target is the Host, or two readers would serve two names (RFC 9112 3.2.2). */
static bool check_authority(struct bytes target, const struct fields *fields, struct error *err)
{
    static const char *const schemes[] = { "https://", "http://" };

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        const struct bytes scheme = bytes_of_text(schemes[i]);
        if (target.size <= scheme.size || !bytes_equal_nocase(bytes_of(target.data, scheme.size), scheme))
            continue;
        struct bytes authority = bytes_from(target, scheme.size);
        for (size_t k = 0; k < authority.size; k++)
            if (authority.data[k] == '/' || authority.data[k] == '?')
                authority.size = k;
        for (size_t k = 0; k < fields->count; k++)
            if (bytes_equal_nocase(fields->list[k].name, bytes_of_text("host")) &&
                !bytes_equal_nocase(fields->list[k].value, authority))
                return malformed(err, "The request target names another authority than Host.");
    }
    return true;
}

/* `lines`: the header fields, each with its CRLF. */
static bool read_fields(struct bytes lines, const struct framing_limits *limits, struct fields *fields,
                        struct error *err)
{
    while (lines.size > 0) {
        struct bytes value = bytes_cut(&lines, '\n');
        value.size--; /* CR: looked at before */
        if (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
            return malformed(err, "A header field is folded, or begins with white space.");
        const struct bytes name = bytes_cut(&value, ':');
        if (!value.data)
            return malformed(err, "A header line has no colon.");
        if (fields->count == fields->capacity)
            return error_tell(err, FAULT_HEADERS_TOO_LARGE,
                              "A request may have %u header fields (header_fields).", limits->header_fields);
        fields->list[fields->count++] = (struct field){ name, bytes_trim(value) };
    }
    return true;
}

/* `head`: with the empty line at its end; every LF in it has a CR before it. */
static bool judge_head(struct framing_machine *machine, const struct framing_limits *limits,
                       struct bytes head, uint64_t *ret_length)
{
    struct field list[FRAMING_FIELDS_MOST];
    struct fields fields = { list, 0,
                             limits->header_fields < COUNT_OF(list) ? limits->header_fields
                                                                    : COUNT_OF(list) };
    struct error *err = &machine->error;
    struct request_line line;

    const struct bytes lines = bytes_of(head.data + machine->first_line, head.size - machine->first_line - 2);
    if (!read_request_line(bytes_of(head.data, machine->first_line - 2), limits, &line, err))
        return false;
    if (lines.size > limits->header_bytes)
        return error_tell(err, FAULT_HEADERS_TOO_LARGE,
                          "The header fields of a request may have %u bytes (header_bytes).",
                          limits->header_bytes);
    machine->speaks_1_1 = line.version.data[7] != '0';
    return read_fields(lines, limits, &fields, err) &&
           framing_check(line.version, &fields, ret_length, err) &&
           check_authority(line.target, &fields, err);
}

/* Too long already, though not whole? */
static struct piece wait_for_head(struct framing_machine *machine, const struct framing_limits *limits,
                                  size_t size)
{
    const size_t line = machine->first_line > 0 ? machine->first_line : size;

    machine->scanned = size;
    if (line > (size_t)limits->target_bytes + LINE_EXTRA_BYTES)
        error_tell(&machine->error, FAULT_URI_TOO_LONG, "A request target may have %u bytes (target_bytes).",
                   limits->target_bytes);
    else if (machine->first_line > 0 && size - machine->first_line > (size_t)limits->header_bytes + 2)
        error_tell(&machine->error, FAULT_HEADERS_TOO_LARGE,
                   "The header fields of a request may have %u bytes (header_bytes).", limits->header_bytes);
    else
        return not_whole;
    machine->refused_in = FRAMING_HEAD;
    machine->state = FRAMING_REFUSED;
    return not_whole;
}

static struct piece end_head(struct framing_machine *machine, const struct framing_limits *limits,
                             struct bytes head)
{
    uint64_t length = 0;

    if (!judge_head(machine, limits, head, &length)) {
        machine->refused_in = FRAMING_HEAD;
        machine->state = FRAMING_REFUSED;
        return not_whole;
    }
    machine->heads++;
    machine->blank_lines = 0;
    machine->length = machine->left = length;
    machine->state = length == BODY_SIZE_UNKNOWN ? FRAMING_CHUNK_SIZE
                     : length > 0                ? FRAMING_LENGTH
                                                 : FRAMING_HEAD;
    return (struct piece){ head.size, head.size };
}

static struct piece take_head(struct framing_machine *machine, const struct framing_limits *limits,
                              const uint8_t *data, size_t size)
{
    const uint8_t *end;

    if (machine->scanned == 0)
        machine->line_begin = machine->first_line = 0;
    while ((end = memchr(data + machine->scanned, '\n', size - machine->scanned))) {
        const size_t at = (size_t)(end - data);
        if (at == 0 || data[at - 1] != '\r')
            return refuse(machine, "A line ends in LF without CR.");
        if (at == 1) {
            /* RFC 9112 2.2: an empty line ahead of a request is passed over. */
            if (++machine->blank_lines > BLANK_LINES_MOST)
                return refuse(machine, "There are empty lines ahead of the request.");
            return (struct piece){ 2, 0 };
        }
        if (machine->first_line > 0 && at == machine->line_begin + 1)
            return end_head(machine, limits, bytes_of(data, at + 1));
        if (machine->first_line == 0)
            machine->first_line = at + 1;
        machine->line_begin = machine->scanned = at + 1;
    }
    return wait_for_head(machine, limits, size);
}

/* ── bodies ── */

static struct piece take_bytes(struct framing_machine *machine, size_t size, enum framing_state next)
{
    const size_t took = size < machine->left ? size : (size_t)machine->left;

    machine->left -= took;
    machine->payload += took;
    if (machine->left == 0)
        machine->state = next;
    return (struct piece){ took, took };
}

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 1*HEX [ ; extension ] CRLF; the extension is cut out. */
static struct piece take_chunk_size(struct framing_machine *machine, uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    const size_t known = end ? (size_t)(end - data) : size;
    size_t digits = 0;
    uint64_t length = 0;

    for (; digits < known && hex_of(data[digits]) >= 0; digits++) {
        if (digits == CHUNK_DIGITS_MOST)
            return refuse(machine, "The size of a chunk has too many digits.");
        length = length * 16 + (uint64_t)hex_of(data[digits]);
    }
    if (digits < known && (digits == 0 || (data[digits] != '\r' && data[digits] != ';')))
        return refuse(machine, "The size of a chunk is not a hexadecimal number.");
    /* Up to the line's end: an extension without control characters. */
    for (size_t i = digits; i < known; i++)
        if (!token_is_field_byte(data[i]) && !(data[i] == '\r' && i + 1 == known))
            return refuse(machine, "The line of a chunk's size has control characters.");
    if (known > CHUNK_LINE_BYTES)
        return refuse(machine, "A chunk extension is too long.");
    if (!end)
        return not_whole;
    if (digits == 0 || data[known - 1] != '\r')
        return refuse(machine, "The size of a chunk does not end in CRLF.");
    data[digits] = '\r';
    data[digits + 1] = '\n';
    machine->length = machine->left = length;
    machine->trailer_bytes = 0;
    machine->state = length > 0 ? FRAMING_CHUNK_DATA : FRAMING_TRAILERS;
    return (struct piece){ known + 1, digits + 2 };
}

static struct piece take_chunk_end(struct framing_machine *machine, const uint8_t *data, size_t size)
{
    if (data[0] != '\r' || (size > 1 && data[1] != '\n'))
        return refuse(machine, "A chunk does not end in CRLF.");
    if (size < 2)
        return not_whole;
    machine->state = FRAMING_CHUNK_SIZE;
    return (struct piece){ 2, 2 };
}

/* Line by line; all but the empty one at the end are dropped. */
static struct piece take_trailer(struct framing_machine *machine, const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    const size_t known = end ? (size_t)(end - data) : size;

    for (size_t i = 0; i < known; i++)
        if (!token_is_field_byte(data[i]) && !(data[i] == '\r' && i + 1 == known))
            return refuse(machine, "A trailer has control characters.");
    if (machine->trailer_bytes + known > TRAILER_BYTES)
        return refuse(machine, "The trailer is too long.");
    if (!end)
        return not_whole;
    if (known == 0 || data[known - 1] != '\r')
        return refuse(machine, "A line of the trailer does not end in CRLF.");
    machine->trailer_bytes += known;
    if (known > 1)
        return (struct piece){ known + 1, 0 };
    machine->state = FRAMING_HEAD;
    return (struct piece){ 2, 2 };
}

size_t framing_machine_run(struct framing_machine *machine, const struct framing_limits *limits,
                           uint8_t *data, size_t size, size_t *ret_held)
{
    const bool bare = machine->payload_only;
    size_t in = 0, out = 0;

    while (in < size && machine->state != FRAMING_REFUSED) {
        const enum framing_state of = machine->state;
        struct piece piece = not_whole;
        switch (machine->state) {
        case FRAMING_HEAD:
            piece = take_head(machine, limits, data + in, size - in);
            break;
        case FRAMING_LENGTH:
            piece = take_bytes(machine, size - in, FRAMING_HEAD);
            break;
        case FRAMING_CHUNK_SIZE:
            piece = take_chunk_size(machine, data + in, size - in);
            break;
        case FRAMING_CHUNK_DATA:
            piece = take_bytes(machine, size - in, FRAMING_CHUNK_END);
            break;
        case FRAMING_CHUNK_END:
            piece = take_chunk_end(machine, data + in, size - in);
            break;
        case FRAMING_TRAILERS:
            piece = take_trailer(machine, data + in, size - in);
            break;
        case FRAMING_REFUSED:
            break;
        }
        if (piece.took == 0)
            break;
        machine->scanned = 0;
        if (bare && of != FRAMING_LENGTH && of != FRAMING_CHUNK_DATA)
            piece.kept = 0;
        if (out != in && piece.kept > 0)
            memmove(data + out, data + in, piece.kept);
        out += piece.kept;
        in += piece.took;
        if (bare && machine->state == FRAMING_HEAD)
            break;
    }
    if (out != in && in < size)
        memmove(data + out, data + in, size - in);
    *ret_held = size - in;
    return out;
}
