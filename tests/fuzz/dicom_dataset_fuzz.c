/* tests/fuzz/dicom_dataset_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a file: the tree that we make of it is the one that DCMTK makes of it, or DCMTK makes none.
 * Where two small letters stand together it is not asked: it takes its own inner names of VRs ("ox", "up",
 * "xs") from files too, and reads on by them.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "bridge/start.h"
#include "tests/support/dataset_judge.h"
#include "tests/support/nameless_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_small_letter(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool may_be_judged(const uint8_t *data, size_t size)
{
    for (size_t i = 1; i < size; i++)
        if (is_small_letter(data[i - 1]) && is_small_letter(data[i]))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_set state = { .fd = -1 };
    SCOPED(data_set) struct data_set *data_set = &state;
    struct error err = { 0 };
    char told[160];

    const bool started = bridge_start(&err);
    assert(started);
    const struct nameless_file file = nameless_file_open(data, size);
    if (data_set_open(file.path, data_set, &err) && may_be_judged(data, size) &&
        judge(data_set, told) == JUDGED_UNEQUAL) {
        fprintf(stderr, "%s\n", told);
        abort();
    }
    nameless_file_close(&file);
    return 0;
}
