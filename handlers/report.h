/* handlers/report.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The content tree of a structured report (PS3.3 C.17.3) as text, from the metadata JSON of the instance: all
 * content items, how they relate, who is spoken of. Everything that comes from the file is escaped. Never
 * waits; any thread.
 */
#ifndef GANTRY_HANDLERS_REPORT_H
#define GANTRY_HANDLERS_REPORT_H

#include "base/buffer.h"

enum report_form { REPORT_HTML, REPORT_PLAIN, REPORT_XML };

/* `object`: a DICOM JSON object; anything else gives an empty report. UTF-8. */
void report_write(struct bytes object, enum report_form form, struct buffer *into);
/* Text with < > & and quotes as entities, control characters as U+FFFD. */
void report_escape(struct bytes text, struct buffer *into);

#endif
