/* codec/kernels_plain.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The loops of kernels_loops.h for any processor that this is built for.
 */
extern const struct kernels kernels_table_plain;
#define KERNELS kernels_table_plain
#include "codec/kernels_loops.h"
