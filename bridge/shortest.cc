/* bridge/shortest.cc
 * SPDX-License-Identifier: Apache-2.0
 *
 * See shortest.h.
 */
#include "bridge/shortest.h"

#include <charconv>

template <typename number> static size_t write_shortest(number value, char *into)
{
    const std::to_chars_result end = std::to_chars(into, into + SHORTEST_ROOM - 1, value);

    *end.ptr = '\0';
    return static_cast<size_t>(end.ptr - into);
}

extern "C" size_t shortest_double(double value, char into[SHORTEST_ROOM])
{
    return write_shortest(value, into);
}

extern "C" size_t shortest_float(float value, char into[SHORTEST_ROOM])
{
    return write_shortest(value, into);
}
