/* http/quality.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Quality values; see quality.h.
 */
#include "http/quality.h"

bool quality_read(struct bytes text, unsigned *ret_thousandths)
{
    unsigned q, step = 100;

    if (text.size == 0 || text.size > 5 || (text.data[0] != '0' && text.data[0] != '1'))
        return false;
    q = (unsigned)(text.data[0] - '0') * 1000;
    if (text.size > 1 && text.data[1] != '.')
        return false;
    for (size_t i = 2; i < text.size; i++, step /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        q += (unsigned)(text.data[i] - '0') * step;
    }
    if (q > 1000)
        return false;
    *ret_thousandths = q;
    return true;
}
