/* server/next_in_line.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * For functions of this program that stand before a library's of the same name.
 */
#ifndef GANTRY_SERVER_NEXT_IN_LINE_H
#define GANTRY_SERVER_NEXT_IN_LINE_H

/* The one behind ours, looked up once and kept in *kept (NULL at first). Without one the process ends:
 * nothing could go on. Any thread. */
void *next_in_line(const char *name, void **kept);

#endif
