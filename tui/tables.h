/*
 * To which table or index pages belong, at one moment of a database: found by sqlite_schema and the
 * trees that it names, the free list, and the chains of overflow pages.
 *
 * Only the pages that are asked for are remembered (12 bytes each), interior pages are read, leaves
 * only where their rows may go on in a page that was asked for. Reading ends at a limit, at damage
 * (what does not fit is passed over) and by the moment's cancel; what is not known then has the
 * role ROLE_UNKNOWN, and the map is partial. Never changed once it is made, freed with its last
 * reference.
 */
#ifndef LS_TUI_TABLES_H
#define LS_TUI_TABLES_H

#include "tui/moment.h"

#define TABLES_MAX_TREES 65536u
#define TABLES_MAX_READS 20000u
#define TABLES_NAME_MAX 128

typedef enum page_role {
    ROLE_UNKNOWN,
    ROLE_TREE,
    ROLE_OVERFLOW,
    ROLE_TRUNK,
    ROLE_FREE,
    ROLE_MAP,
    ROLE_LOCK
} page_role;

typedef struct table_tree {
    char *name;  /* owned; "sqlite_schema" for root 1 */
    char *table; /* of an index, the table it is of; owned */
    uint32_t root;
    bool index; /* an index; a table otherwise, which may be WITHOUT ROWID */
} table_tree;

typedef struct table_page {
    uint32_t pgno;
    uint32_t tree; /* of trees; not below n_trees: none */
    uint8_t role;
} table_page;

typedef struct tables {
    atomic_int refs;
    table_tree *trees; /* owned */
    size_t n_trees, cap_trees;
    table_page *pages; /* those asked for, in order; owned */
    size_t n_pages;
    bool partial; /* something could not be read, or there was too much to read */
} tables;

/* pgnos: n page numbers in ascending order. At most max_reads pages are read (0: TABLES_MAX_READS).
 */
LS_MUST ls_code tables_read(moment *m, const uint32_t *pgnos, size_t n, size_t max_reads,
                            tables **out, ls_err *err);
tables *tables_ref(tables *t);
void tables_unref(tables *t); /* NULL allowed */

/* NULL if it was not asked for; t may be NULL. */
const table_page *tables_find(const tables *t, uint32_t pgno);

/* "orders", "free list", "pointer map", "?"; "" if it was not asked for. */
const char *tables_name(const tables *t, uint32_t pgno);

/* "orders (3 pages), orders_by_customer (1 page)", most pages first, cut where buf ends. */
char *tables_summary(const tables *t, char *buf, size_t size);

/* What the page is, given what it looks like. */
btree_kind tables_kind(const tables *t, uint32_t pgno, btree_kind looks);

#endif
