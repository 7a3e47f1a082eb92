/* codec/kernels.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which processor is this?
 */
#include "codec/kernels.h"

#include <stdlib.h>

extern const struct kernels kernels_table_plain, kernels_table_avx2;

const struct kernels *kernels_plain(void)
{
    return &kernels_table_plain;
}

const struct kernels *kernels_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") ? &kernels_table_avx2 : NULL;
#else
    return NULL;
#endif
}

const struct kernels *kernels(void)
{
    const struct kernels *best = kernels_avx2();

    return best ? best : kernels_plain();
}
