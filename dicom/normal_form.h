/* dicom/normal_form.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Unicode normal form C: one spelling for an accented letter, so that texts compare byte by byte.
 */
#ifndef GANTRY_DICOM_NORMAL_FORM_H
#define GANTRY_DICOM_NORMAL_FORM_H

#include "base/arena.h"
#include "base/bytes.h"

/* `text` with each letter and the combining marks behind it composed as far as Unicode has such a letter
 * (marks in canonical order, as NFC and NFD texts have them; Hangul too). `text` itself where nothing is to
 * be done; never longer than it. Bytes that are not UTF-8 stay. Any thread, never waits. */
struct bytes normal_form(struct bytes text, struct arena *arena);

#endif
