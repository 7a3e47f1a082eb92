/* bridge/shortest.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The shortest decimal text that reads back to the same binary number; C++17 has it, C has not. Any thread.
 */
#ifndef GANTRY_BRIDGE_SHORTEST_H
#define GANTRY_BRIDGE_SHORTEST_H

#include <stddef.h>

#include "base/attributes.h"

GANTRY_C_BEGIN

enum { SHORTEST_ROOM = 32 };

/* Legal as a JSON number for every finite value; a NUL behind it. Returns its length. */
size_t shortest_double(double value, char into[SHORTEST_ROOM]);
size_t shortest_float(float value, char into[SHORTEST_ROOM]);

GANTRY_C_END

#endif
