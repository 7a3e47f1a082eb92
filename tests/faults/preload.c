/* tests/faults/preload.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * For LD_PRELOAD: the failing calls in the real server. The file that FAILING_CALLS_FILE names is a struct
 * failing_state, which the test maps too (tests/web/test_faults.py).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/faults/failing_calls.h"

__attribute__((constructor)) static void share(void)
{
    const char *path = getenv("FAILING_CALLS_FILE");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    void *shared = mmap(NULL, sizeof(struct failing_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        abort();
    close(fd);
    failing_calls_share(shared);
}
