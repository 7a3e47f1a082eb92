/* base/buffer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A growing run of bytes with a ceiling. Sticky: after the first append that does not fit, all later ones
 * do nothing, so a writer checks once, at the end. One thread at a time.
 */
#ifndef GANTRY_BASE_BUFFER_H
#define GANTRY_BASE_BUFFER_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

GANTRY_C_BEGIN

struct buffer {
    uint8_t *data;
    size_t size, capacity, ceiling;
    bool overflowed;
};

/* Holds nothing until something is appended. */
void buffer_init(struct buffer *buffer, size_t ceiling_bytes);
void buffer_done(struct buffer *buffer); /* frees; usable again after buffer_init */
void buffer_drop(struct buffer *buffer); /* for SCOPED(buffer): the same */
void buffer_append(struct buffer *buffer, struct bytes data);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_byte(struct buffer *buffer, uint8_t byte);
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_append_number(struct buffer *buffer, int64_t number); /* in decimal digits */
/* Room for `size` more bytes at the end, to be written and then counted by buffer_grew; NULL: no room. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_grew(struct buffer *buffer, size_t size);
void buffer_cut(struct buffer *buffer, size_t size); /* back to `size` bytes */
/* `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void buffer_append_json_string(struct buffer *buffer, struct bytes text);
struct bytes buffer_bytes(const struct buffer *buffer);
/* TOO_LARGE once an append did not fit (`what` names the thing), else true. */
MUST_USE bool buffer_check(const struct buffer *buffer, const char *what, struct error *err);

GANTRY_C_END

#endif
