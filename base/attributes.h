/* base/attributes.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The compiler's help, under names that read as words.
 */
#ifndef GANTRY_BASE_ATTRIBUTES_H
#define GANTRY_BASE_ATTRIBUTES_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* SCOPED(draft) struct draft *d = NULL; calls draft_drop(&d) when d leaves scope. */
#define SCOPED(noun) __attribute__((cleanup(noun##_drop)))
/* Hands the pointer on and forgets it: return TAKE(d); */
#define TAKE(pointer) \
    ({ \
        __auto_type taken_ = (pointer); \
        (pointer) = NULL; \
        taken_; \
    })

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#ifdef __cplusplus
#define GANTRY_C_BEGIN extern "C" {
#define GANTRY_C_END }
#else
#define GANTRY_C_BEGIN
#define GANTRY_C_END
#endif

#endif
