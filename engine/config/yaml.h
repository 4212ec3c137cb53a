/*
 * YAML text as a tree of nodes with positions, within bounds.
 *
 * libyaml's events, first document only. An alias is a second pointer to the anchor's node, so the
 * tree is a graph without cycles; who walks it must count steps, since aliases of aliases can make
 * the walk exponentially long.
 */
#ifndef LS_CONFIG_YAML_H
#define LS_CONFIG_YAML_H

#include "engine/base/error.h"

#include <stdint.h>

#define LS_YAML_MAX_DEPTH 64
#define LS_YAML_MAX_ANCHORS 1000
#define LS_YAML_MAX_BYTES ((size_t)64 << 20) /* of memory for the tree */

typedef enum ls_yaml_kind { LS_YAML_SCALAR, LS_YAML_LIST, LS_YAML_MAP } ls_yaml_kind;

typedef struct ls_yaml_node ls_yaml_node;

typedef struct ls_yaml_item {
    struct ls_yaml_item *next;
    const ls_yaml_node *key; /* a scalar; NULL in lists */
    const ls_yaml_node *value;
} ls_yaml_item;

struct ls_yaml_node {
    ls_yaml_kind kind;
    bool plain;         /* scalar without quotes and without a !!str tag */
    uint32_t line, col; /* from 1 */
    const char *text;   /* of a scalar: no NUL bytes inside */
    ls_yaml_item *items;
    uint32_t n_items;
};

typedef struct ls_yaml {
    const ls_yaml_node *root; /* NULL: empty text */
    struct ls_yaml_block *blocks;
    size_t bytes;
} ls_yaml;

/* Parses; name stands in errors, which are "name:line:column: ...". Nodes live until
 * ls_yaml_done, which must be called after failures too. */
LS_MUST ls_code ls_yaml_parse(ls_yaml *y, const char *text, size_t len, const char *name,
                              ls_err *err);
void ls_yaml_done(ls_yaml *y);

/* A number for what is written there, positions and comments aside: equal texts give equal numbers.
 * seed: of what was written before. Walks as many nodes as who decodes the node does. */
uint64_t ls_yaml_hash(const ls_yaml_node *node, uint64_t seed);

/* Plain and empty, ~, null, Null or NULL. */
bool ls_yaml_is_null(const ls_yaml_node *node);

#endif
