/* server/cert_command.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * `gantry cert init | csr`: certificates for a laboratory, and the request for a real one. Print what they
 * made to standard output; never write over a key.
 */
#ifndef GANTRY_SERVER_CERT_COMMAND_H
#define GANTRY_SERVER_CERT_COMMAND_H

#include <stddef.h>

/* Process exit statuses: 0; 1 with a sentence on standard error; 2 for words that are not understood. */
int cert_init(char *const *words, size_t count);
int cert_csr(char *const *words, size_t count);

#endif
