/* dicom/part10.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The head of a DICOM file.
 *
 *   | preamble, 128 | DICM | group 0002, explicit little endian | data set
 *   0               128    132                                  part10.data_set
 *
 * The group's length (0002,0000) is wrong in many files, so the elements are walked until another group
 * begins; the length counts only where an element of the group is longer than the head. Preamble and even the
 * whole group are missing in files of old devices (STO-25): then the data set's own first elements must make
 * plain what it is.
 */
#include "dicom/part10.h"

enum {
    PREAMBLE_BYTES = 128,
    META_GROUP = 0x0002,
    TAG_META_LENGTH = 0x00020000,
    TAG_META_SOP_CLASS = 0x00020002,
    TAG_META_SOP_INSTANCE = 0x00020003,
    TAG_META_SYNTAX = 0x00020010,
    PLAIN_ELEMENTS = 3 /* so many that follow one another make a data set plain */
};

static const uint32_t undefined_length = 0xFFFFFFFF;

enum form { FORM_IMPLICIT_LE, FORM_EXPLICIT_LE, FORM_EXPLICIT_BE };

struct element {
    uint32_t tag, length;
    uint64_t value; /* offset in the head */
};

static uint32_t number_16(const uint8_t *at, enum form form)
{
    return form == FORM_EXPLICIT_BE ? (uint32_t)at[0] << 8 | at[1] : (uint32_t)at[1] << 8 | at[0];
}

static uint32_t number_32(const uint8_t *at, enum form form)
{
    return form == FORM_EXPLICIT_BE ? number_16(at, form) << 16 | number_16(at + 2, form)
                                    : number_16(at + 2, form) << 16 | number_16(at, form);
}

static bool is_in(const char *vrs, const uint8_t *vr)
{
    for (; *vrs; vrs += 2)
        if ((uint8_t)vrs[0] == vr[0] && (uint8_t)vrs[1] == vr[1])
            return true;
    return false;
}

/* The element's header at `offset`; false when none is there as a whole. */
static bool read_header(struct bytes head, uint64_t offset, enum form form, struct element *ret)
{
    static const char short_vrs[] = "AEASATCSDADSDTFDFLISLOLTPNSHSLSSSTTMUIULUS",
                      long_vrs[] = "OBODOFOLOVOWSQSVUCUNURUTUV";

    if (offset > head.size || head.size - offset < 8)
        return false;
    const uint8_t *const at = head.data + offset;
    ret->tag = number_16(at, form) << 16 | number_16(at + 2, form);
    if (form == FORM_IMPLICIT_LE) {
        ret->length = number_32(at + 4, form);
        ret->value = offset + 8;
    } else if (is_in(short_vrs, at + 4)) {
        ret->length = number_16(at + 6, form);
        ret->value = offset + 8;
    } else {
        if (!is_in(long_vrs, at + 4) || head.size - offset < 12)
            return false;
        ret->length = number_32(at + 8, form);
        ret->value = offset + 12;
    }
    return true;
}

static bool is_whole(struct bytes head, const struct element *element)
{
    return element->length <= head.size - element->value;
}

static void keep_meta(struct bytes head, const struct element *element, struct part10 *part10,
                      uint64_t *group_end)
{
    const struct bytes value = bytes_of(head.data + element->value, element->length);
    struct error unread = { 0 };
    struct uid *into = NULL;

    if (element->tag == TAG_META_LENGTH && element->length == 4)
        *group_end = element->value + 4 + number_32(value.data, FORM_EXPLICIT_LE);
    else if (element->tag == TAG_META_SOP_CLASS)
        into = &part10->sop_class;
    else if (element->tag == TAG_META_SOP_INSTANCE)
        into = &part10->sop_instance;
    else if (element->tag == TAG_META_SYNTAX)
        into = &part10->syntax;
    if (into && !uid_parse_padded(value, into, &unread))
        *into = (struct uid){ { 0 } };
}

/* Some writers code even this group in implicit VR; its first element tells. */
static enum form form_of_meta(struct bytes head, uint64_t offset)
{
    struct element element;

    return read_header(head, offset, FORM_EXPLICIT_LE, &element) ? FORM_EXPLICIT_LE : FORM_IMPLICIT_LE;
}

static bool read_meta(struct bytes head, uint64_t offset, struct part10 *part10, struct error *err)
{
    const enum form form = form_of_meta(head, offset);
    uint64_t group_end = 0;
    struct element element;

    part10->data_set = offset;
    while (read_header(head, part10->data_set, form, &element) && element.tag >> 16 == META_GROUP) {
        if (element.length == undefined_length)
            return error_tell(err, FAULT_NOT_DICOM, "File meta information: an element of undefined length.");
        part10->meta = true;
        if (!is_whole(head, &element)) {
            /* Private information may be longer than the head; the group's length leads behind it. */
            if (head.size < PART10_HEAD_BYTES || group_end < element.value + element.length)
                return error_tell(err, FAULT_NOT_DICOM, "File meta information: the file ends within it.");
            part10->data_set = group_end;
            return true;
        }
        keep_meta(head, &element, part10, &group_end);
        part10->data_set = element.value + element.length;
    }
    return true;
}

/* Do the elements from `offset` on follow one another as a data set of this form? */
static bool is_data_set(struct bytes head, uint64_t offset, enum form form, bool preamble)
{
    struct element element;
    uint32_t before = 0;

    for (unsigned count = 0; count < PLAIN_ELEMENTS; count++) {
        if (offset == head.size)
            return count > 0;
        if (!read_header(head, offset, form, &element))
            return false;
        const uint32_t group = element.tag >> 16;
        /* Without the letters DICM only the usual beginning is plain enough. */
        if (count == 0 && (group < 8 || group >= 0x7FE0 || (!preamble && group != 8)))
            return false;
        if (count > 0 && element.tag <= before)
            return false;
        if (element.length == undefined_length)
            return count > 0;
        if (!is_whole(head, &element)) /* only a long one that the head does not hold */
            return count > 0 && head.size == PART10_HEAD_BYTES;
        before = element.tag;
        offset = element.value + element.length;
    }
    return true;
}

static bool guess_syntax(struct bytes head, uint64_t offset, bool preamble, enum transfer_syntax *ret)
{
    static const struct {
        enum form form;
        enum transfer_syntax syntax;
    } guesses[] = {
        { FORM_EXPLICIT_LE, SYNTAX_EXPLICIT_LE },
        { FORM_IMPLICIT_LE, SYNTAX_IMPLICIT_LE },
        { FORM_EXPLICIT_BE, SYNTAX_EXPLICIT_BE },
    };

    for (size_t i = 0; i < COUNT_OF(guesses); i++)
        if (is_data_set(head, offset, guesses[i].form, preamble)) {
            *ret = guesses[i].syntax;
            return true;
        }
    return false;
}

/* The letters could also stand there by chance, in a bare data set: then no file meta information follows
 * them. */
static bool has_preamble(struct bytes head)
{
    enum transfer_syntax bare;

    if (head.size < PREAMBLE_BYTES + 4 || memcmp(head.data + PREAMBLE_BYTES, "DICM", 4) != 0)
        return false;
    const struct bytes behind = bytes_from(head, PREAMBLE_BYTES + 4);
    return (behind.size >= 2 && number_16(behind.data, FORM_EXPLICIT_LE) == META_GROUP) ||
           !guess_syntax(head, 0, false, &bare);
}

/* Some writers label implicit VR as explicit, or the other way round: three elements that make sense in one
 * form make none in another, so the label is left aside only where the data set cannot be what it says. */
static bool is_wrong_label(struct bytes head, const struct part10 *part10, enum transfer_syntax *ret)
{
    enum form form;

    if (part10->transfer_syntax == SYNTAX_EXPLICIT_LE)
        form = FORM_EXPLICIT_LE;
    else if (part10->transfer_syntax == SYNTAX_IMPLICIT_LE)
        form = FORM_IMPLICIT_LE;
    else if (part10->transfer_syntax == SYNTAX_EXPLICIT_BE)
        form = FORM_EXPLICIT_BE;
    else
        return false;
    return !is_data_set(head, part10->data_set, form, true) &&
           guess_syntax(head, part10->data_set, true, ret);
}

bool part10_read(struct bytes head, struct part10 *ret, struct error *err)
{
    struct part10 part10 = { 0 };

    part10.preamble = has_preamble(head);
    if (!read_meta(head, part10.preamble ? PREAMBLE_BYTES + 4 : 0, &part10, err))
        return false;
    if (part10.syntax.text[0]) {
        part10.transfer_syntax = transfer_syntax_of_uid(uid_bytes(&part10.syntax));
        if (is_wrong_label(head, &part10, &part10.transfer_syntax)) {
            part10.syntax = (struct uid){ { 0 } };
            part10.wrong_label = true;
        }
    } else if (!guess_syntax(head, part10.data_set, part10.preamble || part10.meta,
                             &part10.transfer_syntax)) {
        return error_tell(err, FAULT_NOT_DICOM,
                          "No transfer syntax, and the data set does not tell (%s, %s).",
                          part10.preamble ? "preamble" : "no preamble", part10.meta ? "meta" : "no meta");
    }
    *ret = part10;
    return true;
}
