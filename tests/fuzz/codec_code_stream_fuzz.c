/* tests/fuzz/codec_code_stream_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the head of a code stream.
 */
#include "dicom/code_stream.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct code_stream got;

    if (code_stream_read(bytes_of(data, size), &got) &&
        (got.shape.rows == 0 || got.shape.columns == 0 || got.syntax == SYNTAX_UNKNOWN || got.begin > size))
        abort();
    return 0;
}
