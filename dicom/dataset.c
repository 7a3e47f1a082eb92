/* dicom/dataset.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The tree behind dataset.h: nodes in chunks, linked as they are nested, put together while the scan passes
 * them. DCMTK's parser did this before; it takes some 250 bytes and four allocations for an element and looks
 * each tag up in its dictionary, which was half of what storing a small instance cost (docs/decisions/0020).
 * What it makes of a file, this makes of it: tests/unit/dicom/dataset_judge_test.c compares the two.
 *
 *   data set ─ first ─► element ─ next ─► sequence ─ next ─► element ─► NULL        ascending by tag
 *                                            └ first ─► item ─ next ─► item         in their order
 *                                                         └ first ─► element ...
 */
#include "dicom/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bridge/dictionary_table.h"
#include "dicom/tag.h"
#include "dicom/vr.h"

enum { NODES_PER_CHUNK = 250, STACK = 2 * ELEMENT_SCAN_DEPTH + 1, CREATOR_BYTES_MOST = 64 };
#define UNDEFINED_LENGTH UINT32_MAX

enum node_kind { NODE_VALUE, NODE_SEQUENCE, NODE_ITEM, NODE_FRAGMENTS };

struct node {
    struct node *next, *first, *last; /* last: the child behind which most go */
    struct node *creators; /* an item's private creators, highest tag first; of one of these: the next */
    const struct dataset *of;
    uint64_t value;
    uint32_t tag, size;
    char vr[2];
    uint8_t kind;
    bool big_endian;
};

struct chunk {
    struct chunk *next;
    struct node nodes[NODES_PER_CHUNK];
};

struct dataset {
    struct element_source source;
    struct node root;
    struct chunk *chunks; /* newest first */
    size_t used;          /* of the newest */
};

/* The tree under way. */
struct builder {
    struct element_visitor visitor; /* first: the two are one */
    struct dataset *dataset;
    bool big_endian;
    size_t depth; /* of the stack: the item or sequence that what comes belongs to */
    struct node *stack[STACK + 1];
};

/* ---- putting together ---- */

static struct node *new_node(struct dataset *dataset, struct error *err)
{
    if (!dataset->chunks || dataset->used == NODES_PER_CHUNK) {
        struct chunk *chunk = malloc(sizeof *chunk);
        if (!chunk) {
            (void)error_set(err, FAULT_BUSY, "no memory for the elements of a data set");
            return NULL;
        }
        chunk->next = dataset->chunks;
        dataset->chunks = chunk;
        dataset->used = 0;
    }
    return &dataset->chunks->nodes[dataset->used++];
}

static bool is_creator(uint32_t tag)
{
    return (tag >> 16 & 1) && (tag & 0xFFFF) >= 0x10 && (tag & 0xFFFF) <= 0xFF;
}

/* Items and fragments behind each other, elements by their tags; of two with one tag the second stays out.
 * Elements in disorder take time: element_scan.c counts that and ends it. */
static bool link_node(struct node *parent, struct node *node)
{
    struct node *last = parent->last;

    if (!last || parent->kind != NODE_ITEM || node->tag > last->tag) {
        *(last ? &last->next : &parent->first) = node;
        parent->last = node;
        return true;
    }
    struct node **at = &parent->first;
    while ((*at)->tag < node->tag)
        at = &(*at)->next;
    if ((*at)->tag == node->tag)
        return false;
    node->next = *at;
    *at = node;
    return true;
}

/* Descending by tag: who asks is mostly of the newest group, and need not pass those of all others. */
static void link_creator(struct node *item, struct node *node)
{
    struct node **at = &item->creators;

    while (*at && (*at)->tag > node->tag)
        at = &(*at)->creators;
    node->creators = *at;
    *at = node;
}

static const struct node *find_node(const struct node *item, uint32_t tag)
{
    const struct node *at = item->first;

    if (item->last && item->last->tag < tag)
        return NULL;
    while (at && at->tag < tag)
        at = at->next;
    return at && at->tag == tag ? at : NULL;
}

/* The name that says whose a private element is (PS3.5 7.8.1), without padding; false: there is none. */
static bool find_creator(const struct node *item, uint32_t tag, char ret[CREATOR_BYTES_MOST + 1])
{
    const uint32_t creator_tag = (tag & 0xFFFF0000) | (tag >> 8 & 0xFF);
    const struct node *creator = (tag & 0xFFFF) < 0x1000 ? NULL : item->creators;
    struct error ignored = { 0 };

    while (creator && creator->tag > creator_tag)
        creator = creator->creators;

    if (!creator || creator->tag != creator_tag || creator->kind != NODE_VALUE ||
        creator->size > CREATOR_BYTES_MOST ||
        !element_source_read(&creator->of->source, creator->value, ret, creator->size, &ignored))
        return false;
    const struct bytes name = vr_trim(vr_info("LO"), bytes_of(ret, creator->size));
    memmove(ret, name.data, name.size);
    ret[name.size] = '\0';
    return true;
}

/* What the dictionary says, for levels without VRs. */
static void look_up_vr(const struct node *item, uint32_t tag, char ret[3])
{
    const struct dictionary_entry *entry;
    char creator[CREATOR_BYTES_MOST + 1];

    memcpy(ret, "UN", 3);
    if ((tag & 0xFFFF) == 0) {
        memcpy(ret, "UL", 3);
    } else if (tag >> 16 & 1) {
        if (is_creator(tag))
            memcpy(ret, "LO", 3);
        else if (find_creator(item, tag, creator))
            (void)dictionary_vr_of_private(creator, tag, ret);
    } else if ((entry = dictionary_table_of_tag(tag))) {
        memcpy(ret, entry->vr, 3);
    }
    if (strcmp(ret, "up") == 0)
        memcpy(ret, "UL", 3);
    else if (strcmp(ret, "px") == 0)
        memcpy(ret, "ox", 3);
    else if (strcmp(ret, "ox") != 0 && strcmp(ret, "xs") != 0 && strcmp(ret, "lt") != 0)
        memcpy(ret, vr_info(ret)->name, 3);
}

static struct node *add(struct builder *builder, const struct element_event *event, enum node_kind kind,
                        struct error *err)
{
    struct node *parent = builder->stack[builder->depth], *node = new_node(builder->dataset, err);
    char vr[3] = "SQ";

    if (!node)
        return NULL;
    if (kind == NODE_VALUE && parent->kind == NODE_ITEM) {
        if (event->implicit)
            look_up_vr(parent, event->tag, vr);
        else
            memcpy(vr, vr_info(event->vr)->name, 3);
        /* Bytes that are no items, whatever somebody calls them. */
        if (memcmp(vr, "SQ", 2) == 0)
            memcpy(vr, "UN", 3);
    }
    *node = (struct node){ .of = builder->dataset,
                           .value = event->value,
                           .tag = event->tag,
                           .size = event->length == UNDEFINED_LENGTH ? 0 : event->length,
                           .kind = (uint8_t)kind,
                           .big_endian = builder->big_endian && !event->implicit };
    memcpy(node->vr, vr, sizeof node->vr);
    if (link_node(parent, node) && parent->kind == NODE_ITEM && is_creator(node->tag))
        link_creator(parent, node);
    return node;
}

static bool pass_element(struct element_visitor *visitor, const struct element_event *event,
                         struct error *err)
{
    return add((struct builder *)visitor, event, NODE_VALUE, err) != NULL;
}

static bool pass_begin(struct element_visitor *visitor, const struct element_event *event, bool fragments,
                       struct error *err)
{
    struct builder *builder = (struct builder *)visitor;
    const bool in_sequence = builder->stack[builder->depth]->kind == NODE_SEQUENCE;
    struct node *node = add(builder, event,
                            fragments     ? NODE_FRAGMENTS
                            : in_sequence ? NODE_ITEM
                                          : NODE_SEQUENCE,
                            err);

    if (!node)
        return false;
    builder->stack[++builder->depth] = node;
    return true;
}

static bool pass_end(struct element_visitor *visitor, uint32_t depth, struct error *err)
{
    (void)depth, (void)err;
    ((struct builder *)visitor)->depth--;
    return true;
}

static bool is_private_sequence(struct element_visitor *visitor, uint32_t tag)
{
    struct builder *builder = (struct builder *)visitor;
    char creator[CREATOR_BYTES_MOST + 1], vr[3];

    return find_creator(builder->stack[builder->depth], tag, creator) &&
           dictionary_vr_of_private(creator, tag, vr) && strcmp(vr, "SQ") == 0;
}

static bool build(const struct element_source *source, uint64_t from, enum dataset_encoding encoding,
                  struct element_skeleton *ret_skeleton_or_null, struct dataset **ret, struct error *err)
{
    SCOPED(dataset) struct dataset *dataset = calloc(1, sizeof *dataset);
    struct builder builder;

    if (!dataset)
        return error_set(err, FAULT_BUSY, "no memory for a data set");
    dataset->source = *source;
    dataset->root.kind = NODE_ITEM;
    builder.visitor = (struct element_visitor){ pass_element, pass_begin, pass_end, is_private_sequence };
    builder.dataset = dataset;
    builder.big_endian = encoding == DATASET_EXPLICIT_BE;
    builder.depth = 0;
    builder.stack[0] = &dataset->root;
    if (ret_skeleton_or_null
            ? !element_walk_to_pixels(source, from, encoding, &builder.visitor, ret_skeleton_or_null, err)
            : !element_walk(source, from, encoding, &builder.visitor, err))
        return false;
    *ret = TAKE(dataset);
    return true;
}

bool dataset_read(const struct element_source *source, uint64_t from, enum dataset_encoding encoding,
                  struct element_skeleton *ret_skeleton, struct dataset **ret, struct error *err)
{
    return build(source, from, encoding, ret_skeleton, ret, err);
}

bool dataset_read_all(const struct element_source *source, uint64_t from, enum dataset_encoding encoding,
                      struct dataset **ret, struct error *err)
{
    return build(source, from, encoding, NULL, ret, err);
}

void dataset_free(struct dataset *dataset)
{
    if (!dataset)
        return;
    for (struct chunk *chunk = dataset->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(dataset);
}

void dataset_drop(struct dataset **dataset)
{
    dataset_free(*dataset);
}

/* ---- walking ---- */

static const struct node *node_of(const struct dataset_item *item)
{
    return (const struct node *)(const void *)item;
}

const struct dataset_item *dataset_root(const struct dataset *dataset)
{
    return (const struct dataset_item *)(const void *)&dataset->root;
}

static bool tell(const struct node *node, struct dataset_element *ret)
{
    if (!node)
        return false;
    *ret = (struct dataset_element){ .tag = node->tag,
                                     .vr = { node->vr[0], node->vr[1], '\0' },
                                     .is_sequence = node->kind == NODE_SEQUENCE,
                                     .handle = node };
    if (node->kind == NODE_VALUE)
        ret->size = node->size;
    if (node->kind == NODE_FRAGMENTS) {
        ret->is_encapsulated = true;
        memcpy(ret->vr, "OB", 3);
        /* The first one is the table of offsets. */
        for (const struct node *at = node->first ? node->first->next : NULL; at; at = at->next)
            ret->size += at->size;
    }
    return true;
}

bool dataset_next_element(const struct dataset_item *item, struct dataset_element *at)
{
    const struct node *before = at->handle;

    return tell(before ? before->next : node_of(item)->first, at);
}

bool dataset_find(const struct dataset_item *item, uint32_t tag, struct dataset_element *ret)
{
    return tell(find_node(node_of(item), tag), ret);
}

const struct dataset_item *dataset_next_item(const struct dataset_element *sequence,
                                             const struct dataset_item *previous_or_null)
{
    const struct node *of = sequence->handle;

    if (!sequence->is_sequence)
        return NULL;
    return (const struct dataset_item *)(const void *)(previous_or_null ? node_of(previous_or_null)->next
                                                                        : of->first);
}

/* ---- values ---- */

/* Bytes of one number, by which it is turned round; 1: not at all. */
static size_t width_of(const struct node *node)
{
    static const char *const words[] = { "ox", "xs", "lt" };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (memcmp(node->vr, words[i], 2) == 0)
            return 2;
    const char vr[3] = { node->vr[0], node->vr[1], '\0' };
    return strcmp(vr, "AT") == 0 ? 2 : vr_info(vr)->width;
}

static void turn_round(uint8_t *value, size_t size, size_t width)
{
    for (size_t at = 0; width > 1 && at + width <= size; at += width)
        for (size_t i = 0; i < width / 2; i++) {
            const uint8_t kept = value[at + i];
            value[at + i] = value[at + width - 1 - i];
            value[at + width - 1 - i] = kept;
        }
}

bool dataset_value(const struct dataset_element *element, uint8_t *into, struct error *err)
{
    const struct node *node = element->handle;
    const struct element_source *source = &node->of->source;

    if (node->kind == NODE_VALUE) {
        if (!element_source_read(source, node->value, into, node->size, err))
            return error_while(err, "reading a value");
        if (node->big_endian)
            turn_round(into, node->size, width_of(node));
        return true;
    }
    if (node->kind != NODE_FRAGMENTS || !node->first)
        return true;
    for (const struct node *at = node->first->next; at; at = at->next) {
        if (!element_source_read(source, at->value, into, at->size, err))
            return error_while(err, "reading a fragment");
        into += at->size;
    }
    return true;
}

bool dataset_value_in_place(const struct dataset_element *element, const uint8_t **ret)
{
    const struct node *node = element->handle;
    const struct element_source *source = &node->of->source;

    *ret = NULL;
    if (node->kind != NODE_VALUE || node->value + node->size > source->memory_size ||
        (node->big_endian && width_of(node) > 1))
        return false;
    *ret = source->memory + node->value;
    return true;
}
