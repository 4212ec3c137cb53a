/* YAML text to a tree: see yaml.h. */
#include "engine/config/yaml.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define BLOCK_SIZE ((size_t)64 << 10)
#define STR_TAG "tag:yaml.org,2002:str"

/* Memory of the tree: blocks that are freed together. */
struct ls_yaml_block {
    struct ls_yaml_block *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

typedef struct open_node {
    ls_yaml_node *node;
    ls_yaml_item *last;
    const ls_yaml_node *key; /* of a map: read, its value not yet */
} open_node;

typedef struct anchor {
    const char *name;
    const ls_yaml_node *node;
} anchor;

typedef struct builder {
    ls_yaml *tree;
    const char *name; /* of the text, for errors */
    ls_err *err;
    open_node open[LS_YAML_MAX_DEPTH];
    size_t depth;
    anchor anchors[LS_YAML_MAX_ANCHORS];
    size_t n_anchors;
} builder;

static ls_code fail_at(builder *b, const yaml_mark_t *mark, ls_code code, const char *what) {
    return ls_fail(b->err, code, "%s:%zu:%zu: %s", b->name, mark->line + 1, mark->column + 1, what);
}

static void *tree_alloc(builder *b, size_t size) {
    ls_yaml *y = b->tree;
    size_t step = alignof(max_align_t);

    size = (size + step - 1) / step * step;
    if (y->blocks == NULL || y->blocks->size - y->blocks->used < size) {
        size_t want = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        if (want > LS_YAML_MAX_BYTES - y->bytes) {
            (void)ls_fail(b->err, LS_ELIMIT, "%s: more than %zu bytes of memory needed", b->name,
                          LS_YAML_MAX_BYTES);
            return NULL;
        }
        struct ls_yaml_block *block = malloc(sizeof *block + want);
        if (block == NULL) {
            (void)ls_fail(b->err, LS_ENOMEM, "%s: out of memory", b->name);
            return NULL;
        }
        *block = (struct ls_yaml_block){.next = y->blocks, .size = want};
        y->blocks = block;
        y->bytes += want;
    }
    void *p = y->blocks->data + y->blocks->used;
    y->blocks->used += size;
    return p;
}

static const char *tree_text(builder *b, const char *text, size_t len) {
    char *copy = tree_alloc(b, len + 1);

    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

/* Puts a finished or just opened node where the parser stands: root, list item, key or value. */
static ls_code attach(builder *b, const ls_yaml_node *node, const yaml_mark_t *mark) {
    if (b->depth == 0) {
        b->tree->root = node;
        return LS_OK;
    }
    open_node *o = &b->open[b->depth - 1];
    if (o->node->kind == LS_YAML_MAP && o->key == NULL) {
        if (node->kind != LS_YAML_SCALAR)
            return fail_at(b, mark, LS_ECONFIG, "a key must be a word");
        o->key = node;
        return LS_OK;
    }
    ls_yaml_item *item = tree_alloc(b, sizeof *item);
    if (item == NULL)
        return b->err->code;
    *item = (ls_yaml_item){.key = o->key, .value = node};
    if (o->last == NULL)
        o->node->items = item;
    else
        o->last->next = item;
    o->last = item;
    o->key = NULL;
    o->node->n_items++;
    return LS_OK;
}

static ls_code remember_anchor(builder *b, const yaml_char_t *name, const ls_yaml_node *node,
                               const yaml_mark_t *mark) {
    const char *text = (const char *)name;

    if (text == NULL)
        return LS_OK;
    if (b->n_anchors == LS_YAML_MAX_ANCHORS)
        return fail_at(b, mark, LS_ELIMIT, "too many anchors");
    text = tree_text(b, text, strlen(text));
    if (text == NULL)
        return b->err->code;
    b->anchors[b->n_anchors++] = (anchor){text, node};
    return LS_OK;
}

static ls_code add_node(builder *b, const yaml_event_t *e, ls_yaml_kind kind,
                        const yaml_char_t *anchor_name, ls_yaml_node **out) {
    ls_yaml_node *node = tree_alloc(b, sizeof *node);

    if (node == NULL)
        return b->err->code;
    *node = (ls_yaml_node){.kind = kind,
                           .line = (uint32_t)e->start_mark.line + 1,
                           .col = (uint32_t)e->start_mark.column + 1};
    *out = node;
    return remember_anchor(b, anchor_name, node, &e->start_mark);
}

static ls_code add_scalar(builder *b, const yaml_event_t *e) {
    const char *text = (const char *)e->data.scalar.value;
    const char *tag = (const char *)e->data.scalar.tag;
    size_t len = e->data.scalar.length;
    ls_yaml_node *node;

    if (memchr(text, '\0', len) != NULL)
        return fail_at(b, &e->start_mark, LS_ECONFIG, "text with a NUL byte");
    ls_code rc = add_node(b, e, LS_YAML_SCALAR, e->data.scalar.anchor, &node);
    if (rc != LS_OK)
        return rc;
    node->text = tree_text(b, text, len);
    if (node->text == NULL)
        return b->err->code;
    node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                  (tag == NULL || strcmp(tag, STR_TAG) != 0);
    return attach(b, node, &e->start_mark);
}

static ls_code open_container(builder *b, const yaml_event_t *e, ls_yaml_kind kind,
                              const yaml_char_t *anchor_name) {
    ls_yaml_node *node;
    ls_code rc;

    if (b->depth == LS_YAML_MAX_DEPTH)
        return fail_at(b, &e->start_mark, LS_ELIMIT, "nested too deeply");
    rc = add_node(b, e, kind, anchor_name, &node);
    if (rc == LS_OK)
        rc = attach(b, node, &e->start_mark);
    if (rc == LS_OK)
        b->open[b->depth++] = (open_node){.node = node};
    return rc;
}

static bool is_open(const builder *b, const ls_yaml_node *node) {
    for (size_t i = 0; i < b->depth; i++) {
        if (b->open[i].node == node)
            return true;
    }
    return false;
}

static ls_code add_alias(builder *b, const yaml_event_t *e) {
    const char *name = (const char *)e->data.alias.anchor;

    for (size_t i = b->n_anchors; i-- > 0;) {
        if (strcmp(b->anchors[i].name, name) != 0)
            continue;
        if (is_open(b, b->anchors[i].node))
            return fail_at(b, &e->start_mark, LS_ECONFIG, "an anchor contains itself");
        return attach(b, b->anchors[i].node, &e->start_mark);
    }
    return fail_at(b, &e->start_mark, LS_ECONFIG, "an alias to an anchor that is not there");
}

static ls_code handle(builder *b, const yaml_event_t *e) {
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return add_scalar(b, e);
    case YAML_ALIAS_EVENT:
        return add_alias(b, e);
    case YAML_SEQUENCE_START_EVENT:
        return open_container(b, e, LS_YAML_LIST, e->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        return open_container(b, e, LS_YAML_MAP, e->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return LS_OK;
    default:
        return LS_OK;
    }
}

static ls_code syntax_error(builder *b, const yaml_parser_t *p) {
    const char *problem = p->problem == NULL ? "cannot be read" : p->problem;

    if (p->error == YAML_MEMORY_ERROR)
        return ls_fail(b->err, LS_ENOMEM, "%s: out of memory", b->name);
    if (p->error == YAML_READER_ERROR)
        (void)ls_fail(b->err, LS_ECONFIG, "%s: %s (byte %zu)", b->name, problem, p->problem_offset);
    else
        (void)fail_at(b, &p->problem_mark, LS_ECONFIG, problem);
    return ls_hint(b->err, "the file is no valid YAML%s%s", p->context == NULL ? "" : ": ",
                   p->context == NULL ? "" : p->context);
}

static ls_code read_events(builder *b, yaml_parser_t *p) {
    for (bool end = false; !end;) {
        yaml_event_t e;
        if (!yaml_parser_parse(p, &e))
            return syntax_error(b, p);
        ls_code rc = handle(b, &e);
        end = e.type == YAML_DOCUMENT_END_EVENT || e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
        if (rc != LS_OK)
            return rc;
    }
    return LS_OK;
}

ls_code ls_yaml_parse(ls_yaml *y, const char *text, size_t len, const char *name, ls_err *err) {
    yaml_parser_t parser;

    *y = (ls_yaml){0};
    builder *b = malloc(sizeof *b);
    if (b == NULL)
        return ls_fail(err, LS_ENOMEM, "%s: out of memory", name);
    *b = (builder){.tree = y, .name = name, .err = err};
    if (!yaml_parser_initialize(&parser)) {
        free(b);
        return ls_fail(err, LS_ENOMEM, "%s: out of memory", name);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    ls_code rc = read_events(b, &parser);
    yaml_parser_delete(&parser);
    free(b);
    return rc;
}

void ls_yaml_done(ls_yaml *y) {
    while (y->blocks != NULL) {
        struct ls_yaml_block *next = y->blocks->next;
        free(y->blocks);
        y->blocks = next;
    }
    *y = (ls_yaml){0};
}

/* FNV-1a. */
static uint64_t hash_bytes(const void *data, size_t len, uint64_t h) {
    for (const unsigned char *p = data, *end = p + len; p < end; p++)
        h = (h ^ *p) * UINT64_C(0x100000001b3);
    return h;
}

uint64_t ls_yaml_hash(const ls_yaml_node *node, uint64_t seed) {
    const unsigned char kind[] = {(unsigned char)node->kind, node->plain};
    uint64_t h = hash_bytes(kind, sizeof kind, seed ^ UINT64_C(0xcbf29ce484222325));

    if (node->kind == LS_YAML_SCALAR)
        return hash_bytes(node->text, strlen(node->text) + 1, h);
    for (const ls_yaml_item *i = node->items; i != NULL; i = i->next) {
        if (i->key != NULL)
            h = ls_yaml_hash(i->key, h);
        h = ls_yaml_hash(i->value, h);
    }
    return hash_bytes("", 1, h);
}

bool ls_yaml_is_null(const ls_yaml_node *node) {
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};

    if (node->kind != LS_YAML_SCALAR || !node->plain)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(node->text, words[i]) == 0)
            return true;
    }
    return false;
}
