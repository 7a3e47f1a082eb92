/* base/patience.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * May the callee wait: for a disk, for a lock held across one, for a decoder?
 * I/O threads say MUST_NOT_WAIT and may be told FAULT_WOULD_WAIT; workers say MAY_WAIT and never are.
 */
#ifndef GANTRY_BASE_PATIENCE_H
#define GANTRY_BASE_PATIENCE_H

enum patience { MUST_NOT_WAIT, MAY_WAIT };

#endif
