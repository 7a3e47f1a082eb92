/* tests/fuzz/replay.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target over the files named as arguments, so that what once crashed is tried in every test run.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            return 1;
        }
        fseek(file, 0, SEEK_END);
        const long end = ftell(file);
        rewind(file);
        const size_t size = end > 0 ? (size_t)end : 0;
        uint8_t *data = malloc(size ? size : 1);
        if (!data || fread(data, 1, size, file) != size) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    printf("%d files replayed\n", argc - 1);
    return 0;
}
