/* handlers/document_node.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A small document that is said in XML and in JSON alike, as PS3.18 Annex G has it: attributes become
 * "@name", elements that can be repeated arrays, the others objects, text becomes "value". Lives in an arena.
 */
#ifndef GANTRY_HANDLERS_DOCUMENT_NODE_H
#define GANTRY_HANDLERS_DOCUMENT_NODE_H

#include "base/arena.h"
#include "base/buffer.h"

struct document_node;

/* Names and texts are borrowed and must be XML names where they name. A parent's children of one name stand
 * together. `repeatable`: an array in JSON, even when it is alone. */
struct document_node *document_node_new(struct arena *arena, const char *name);
struct document_node *document_node_child(struct arena *arena, struct document_node *parent, const char *name,
                                          bool repeatable);
void document_node_attribute(struct arena *arena, struct document_node *node, const char *name,
                             const char *value);
void document_node_text(struct document_node *node, const char *text);

void document_node_write_xml(const struct document_node *root, struct buffer *into);
/* {"name":{...}} */
void document_node_write_json(const struct document_node *root, struct buffer *into);

#endif
