/* tests/support/elements.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Data elements one by one, for tests that need odd ones; whole ordinary files: make_dicom.h.
 */
#ifndef GANTRY_TESTS_ELEMENTS_H
#define GANTRY_TESTS_ELEMENTS_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"

enum elements_form { ELEMENTS_EXPLICIT, ELEMENTS_IMPLICIT, ELEMENTS_BIG };

struct elements {
    struct buffer bytes;
    enum elements_form form;
};

static inline void elements_number(struct elements *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        buffer_append_byte(&to->bytes, (uint8_t)(value >> 8 * (to->form == ELEMENTS_BIG ? size - 1 - i : i)));
}

/* `length` UINT32_MAX: undefined. */
static inline void elements_header(struct elements *to, uint32_t tag, const char *vr, uint32_t length)
{
    elements_number(to, tag >> 16, 2);
    elements_number(to, tag & 0xFFFF, 2);
    if (tag >> 16 == 0xFFFE || to->form == ELEMENTS_IMPLICIT) {
        elements_number(to, length, 4);
        return;
    }
    buffer_append_text(&to->bytes, vr);
    if (strstr("OB OD OF OL OV OW SQ SV UC UN UR UT UV", vr)) {
        elements_number(to, 0, 2);
        elements_number(to, length, 4);
    } else {
        elements_number(to, length, 2);
    }
}

static inline void elements_bytes(struct elements *to, uint32_t tag, const char *vr, const void *value,
                                  size_t size)
{
    elements_header(to, tag, vr, (uint32_t)size);
    buffer_append(&to->bytes, bytes_of(value, size));
}

/* Text, padded to even length as its VR has it. */
static inline void elements_text(struct elements *to, uint32_t tag, const char *vr, const char *text)
{
    const size_t size = strlen(text);

    elements_header(to, tag, vr, (uint32_t)(size + size % 2));
    buffer_append_text(&to->bytes, text);
    if (size % 2)
        buffer_append_byte(&to->bytes, strcmp(vr, "UI") == 0 ? 0 : ' ');
}

static inline void elements_short(struct elements *to, uint32_t tag, const char *vr, uint16_t value)
{
    elements_header(to, tag, vr, 2);
    elements_number(to, value, 2);
}

/* Preamble and meta of transfer syntax `uid`; the caller sets `form` to what follows. */
static inline void elements_file(struct elements *to, const char *uid)
{
    static const uint8_t preamble[128];

    *to = (struct elements){ .form = ELEMENTS_EXPLICIT };
    buffer_init(&to->bytes, 64 << 20);
    buffer_append(&to->bytes, bytes_of(preamble, sizeof preamble));
    buffer_append_text(&to->bytes, "DICM");
    elements_text(to, 0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.7");
    elements_text(to, 0x00020003, "UI", "1.2.3.4");
    elements_text(to, 0x00020010, "UI", uid);
}

/* What every instance needs, and at group 0020 the rest of it. */
static inline void elements_class(struct elements *to)
{
    elements_text(to, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7");
    elements_text(to, 0x00080018, "UI", "1.2.3.4");
}
static inline void elements_study(struct elements *to)
{
    elements_text(to, 0x0020000D, "UI", "1.2");
    elements_text(to, 0x0020000E, "UI", "1.2.3");
}

/* The bytes as a file without a name; the path lives until the next call. */
static inline const char *elements_path(struct bytes bytes)
{
    static char path[64];
    static int fd = -1;

    if (fd >= 0)
        close(fd);
    fd = memfd_create("elements", MFD_CLOEXEC);
    assert(fd >= 0);
    for (size_t at = 0; at < bytes.size;) {
        const ssize_t wrote = write(fd, bytes.data + at, bytes.size - at);
        assert(wrote > 0);
        at += (size_t)wrote;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

#endif
