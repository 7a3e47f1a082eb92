/* handlers/document_node.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One tree, two ways to write it down; see document_node.h. Trees are as deep as our own URLs, so they are
 * written by recursion.
 */
#include "handlers/document_node.h"

#include <string.h>

struct attribute {
    const char *name, *value;
    struct attribute *next;
};

struct document_node {
    const char *name, *text;
    bool repeatable;
    struct attribute *attributes, **last_attribute;
    struct document_node *children, **last_child, *next;
};

struct document_node *document_node_new(struct arena *arena, const char *name)
{
    struct document_node *node = arena_alloc(arena, sizeof *node);

    node->name = name;
    node->last_attribute = &node->attributes;
    node->last_child = &node->children;
    return node;
}

struct document_node *document_node_child(struct arena *arena, struct document_node *parent, const char *name,
                                          bool repeatable)
{
    struct document_node *child = document_node_new(arena, name);

    child->repeatable = repeatable;
    *parent->last_child = child;
    parent->last_child = &child->next;
    return child;
}

void document_node_attribute(struct arena *arena, struct document_node *node, const char *name,
                             const char *value)
{
    struct attribute *attribute = arena_alloc(arena, sizeof *attribute);

    *attribute = (struct attribute){ name, value, NULL };
    *node->last_attribute = attribute;
    node->last_attribute = &attribute->next;
}

void document_node_text(struct document_node *node, const char *text)
{
    node->text = text;
}

static void append_xml_text(struct buffer *into, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            buffer_append_text(into, "&amp;");
            break;
        case '<':
            buffer_append_text(into, "&lt;");
            break;
        case '"':
            buffer_append_text(into, "&quot;");
            break;
        default:
            buffer_append_byte(into, (uint8_t)*text);
        }
}

static void write_xml(const struct document_node *node, struct buffer *into)
{
    buffer_printf(into, "<%s", node->name);
    for (const struct attribute *at = node->attributes; at; at = at->next) {
        buffer_printf(into, " %s=\"", at->name);
        append_xml_text(into, at->value);
        buffer_append_byte(into, '"');
    }
    if (!node->children && !node->text) {
        buffer_append_text(into, "/>\n");
        return;
    }
    buffer_append_text(into, node->children ? ">\n" : ">");
    if (node->text)
        append_xml_text(into, node->text);
    for (const struct document_node *child = node->children; child; child = child->next)
        write_xml(child, into);
    buffer_printf(into, "</%s>\n", node->name);
}

void document_node_write_xml(const struct document_node *root, struct buffer *into)
{
    buffer_append_text(into, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    write_xml(root, into);
}

static void begin_member(struct buffer *into, bool *begun, const char *before_name, const char *name)
{
    buffer_printf(into, "%s\"%s%s\":", *begun ? "," : "", before_name, name);
    *begun = true;
}

static void write_json(const struct document_node *node, struct buffer *into)
{
    const struct document_node *before = NULL;
    bool begun = false;

    buffer_append_byte(into, '{');
    for (const struct attribute *at = node->attributes; at; at = at->next) {
        begin_member(into, &begun, "@", at->name);
        buffer_append_json_string(into, bytes_of_text(at->value));
    }
    if (node->text) {
        begin_member(into, &begun, "", "value");
        buffer_append_json_string(into, bytes_of_text(node->text));
    }
    for (const struct document_node *child = node->children; child; before = child, child = child->next) {
        const bool more_of_it = before && strcmp(before->name, child->name) == 0;

        if (more_of_it)
            buffer_append_byte(into, ',');
        else
            begin_member(into, &begun, "", child->name);
        if (child->repeatable && !more_of_it)
            buffer_append_byte(into, '[');
        write_json(child, into);
        if (child->repeatable && (!child->next || strcmp(child->next->name, child->name) != 0))
            buffer_append_byte(into, ']');
    }
    buffer_append_byte(into, '}');
}

void document_node_write_json(const struct document_node *root, struct buffer *into)
{
    buffer_printf(into, "{\"%s\":", root->name);
    write_json(root, into);
    buffer_append_text(into, "}\n");
}
