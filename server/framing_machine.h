/* server/framing_machine.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where each message of an HTTP/1.1 connection begins and ends, found from the client's bytes as they come,
 * ahead of the library that parses them: so that no two readers can cut them differently (RFC 9112; HTP-18,
 * HTP-30 to HTP-38). What is not plain to every reader is refused. What goes on is plain: no bare LF, no
 * folded line, no chunk extension, no trailer.
 *
 *        ┌──────────────────────────────────────────────────────────────┐
 *        ▼                                                              │
 *      HEAD ──► LENGTH ─────────────────────────────────────────────────┤
 *        │                                                              │
 *        └────► CHUNK_SIZE ──► CHUNK_DATA ──► CHUNK_END ──► CHUNK_SIZE  │
 *                    └ 0 ──► TRAILERS ──────────────────────────────────┘
 *
 * Of a body alone its bytes can go on, without the lines between (payload_only).
 */
#ifndef GANTRY_SERVER_FRAMING_MACHINE_H
#define GANTRY_SERVER_FRAMING_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { FRAMING_FIELDS_MOST = 256 };

/* Settings; see settings.def. */
struct framing_limits {
    unsigned target_bytes, header_bytes, header_fields; /* at most FRAMING_FIELDS_MOST */
};

enum framing_state {
    FRAMING_HEAD,
    FRAMING_LENGTH,
    FRAMING_CHUNK_SIZE,
    FRAMING_CHUNK_DATA,
    FRAMING_CHUNK_END,
    FRAMING_TRAILERS,
    FRAMING_REFUSED
};

/* All zero is the start of a connection. */
struct framing_machine {
    enum framing_state state;
    enum framing_state refused_in;          /* of which state the bytes were that were refused */
    bool payload_only;                      /* set by the caller while in a body; see below */
    bool speaks_1_1;                        /* the last head */
    uint64_t length, left;                  /* of the body or of the chunk */
    size_t scanned, line_begin, first_line; /* in the head that is not whole yet */
    unsigned blank_lines;                   /* ahead of a request line */
    size_t trailer_bytes;
    uint64_t heads;   /* that went on */
    uint64_t payload; /* bytes of bodies that did */
    struct error error;
};

/* Looks at `size` bytes, behind those of the calls before; what was held comes again at the front. In place:
 * returns how many bytes at `data` go on; *ret_held bytes behind them are the beginning of a line or of a
 * head that is not whole yet and have to be kept. REFUSED: `error` says why, and the held bytes, which begin
 * with what was refused, are not for anybody. Never waits.
 * payload_only: of chunks only what is in them goes on, and the machine stops behind the body, in HEAD: the
 * bytes held then are what follows it. */
size_t framing_machine_run(struct framing_machine *machine, const struct framing_limits *limits,
                           uint8_t *data, size_t size, size_t *ret_held);

#endif
