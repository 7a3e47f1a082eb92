/* codec/kernels_avx2.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The loops of kernels_loops.h for processors with AVX2 (compiled with -mavx2, see CMakeLists.txt); entered
 * only where kernels.c has seen that there is one.
 */
extern const struct kernels kernels_table_avx2;
#define KERNELS kernels_table_avx2
#include "codec/kernels_loops.h"
