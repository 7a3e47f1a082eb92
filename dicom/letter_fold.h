/* dicom/letter_fold.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Letters without case and accents, for comparing names. Of our own, since the C library's depend on the
 * locale.
 */
#ifndef GANTRY_DICOM_LETTER_FOLD_H
#define GANTRY_DICOM_LETTER_FOLD_H

#include <stddef.h>
#include <stdint.h>

/* What `letter` (a Unicode code point) is compared by: one or two code points, or none (an accent of its
 * own). Latin, Greek, Cyrillic, Armenian; all else is itself. Folding twice changes nothing. */
size_t letter_fold(uint32_t letter, uint32_t ret[2]);

#endif
