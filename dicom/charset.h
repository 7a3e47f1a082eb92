/* dicom/charset.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Text of a data set to UTF-8: all terms of PS3.3 C.12.1.1.2, with code extensions (ISO 2022, PS3.5 6.1.2.5).
 */
#ifndef GANTRY_DICOM_CHARSET_H
#define GANTRY_DICOM_CHARSET_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/bytes.h"

/* What a (0008,0005) means. All zero is the default repertoire (ISO_IR 6). One thread at a time; charset_done
 * frees what a conversion may have opened. */
struct charset {
    uint8_t kind;    /* private to charset.c */
    uint8_t g0, g1;  /* sets in force where a value begins */
    bool unknown;    /* a term that nobody knows: read as ISO_IR 100 */
    void *converter; /* for GB18030 and GBK */
};

/* `terms`: the value of (0008,0005), padding and all. Any text is accepted. */
void charset_parse(struct bytes terms, struct charset *ret);
void charset_done(struct charset *charset);

enum charset_text {
    CHARSET_TEXT,   /* LT, ST, UT, UR: backslash is a character like others */
    CHARSET_VALUES, /* LO, SH, UC, ...: a 05/12 byte that is a character of its own separates values, always
                       as '\' */
    CHARSET_NAMES   /* PN: so does it, and '^' and '=' also end the reach of an escape sequence */
};

/* Appends `text` as UTF-8. Bytes that mean nothing become U+FFFD. True when anything but ASCII came out. */
bool charset_append(struct charset *charset, struct bytes text, enum charset_text what, struct buffer *into);

#endif
