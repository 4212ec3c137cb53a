/* Which table pages belong to: see tables.h. */
#include "tui/tables.h"

#include "tui/btree_bytes.h"
#include "tui/grow.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 20      /* of a tree; SQLite's own bound */
#define SCHEMA_BYTES 4096 /* of a record of sqlite_schema: type, names and root are in front */
#define CLIMB_MAX 4096 /* steps up the pointer maps, which a long chain of overflow pages needs */
#define FEW 256        /* pages that are looked at first, to stop as soon as the trees are found */

typedef struct finder {
    moment *m;
    tables *t;
    const btree_db *db;
    size_t left;  /* pages asked for that this step may still find */
    size_t limit; /* of moment_reads() */
    uint32_t tree;
    int leaf_depth; /* of the tree that is walked; -1: not known yet */
    uint8_t *pages[DEPTH_MAX + 1];
} finder;

/* ---- the map ---- */

static table_page *find(const tables *t, uint32_t pgno) {
    size_t lo = 0, hi = t->n_pages;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->pages[mid].pgno == pgno) {
            return &t->pages[mid];
        }
        if (t->pages[mid].pgno < pgno) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return NULL;
}

const table_page *tables_find(const tables *t, uint32_t pgno) {
    return t != NULL ? find(t, pgno) : NULL;
}

/* The first who claims a page has it. */
static void mark(finder *f, uint32_t pgno, uint32_t tree, page_role role) {
    table_page *p = find(f->t, pgno);
    if (p != NULL && p->role == ROLE_UNKNOWN) {
        p->tree = tree;
        p->role = (uint8_t)role;
        f->left -= f->left > 0;
    }
}

const char *tables_name(const tables *t, uint32_t pgno) {
    static const char *const names[] = {[ROLE_UNKNOWN] = "?",
                                        [ROLE_TRUNK] = "free list",
                                        [ROLE_FREE] = "free list",
                                        [ROLE_MAP] = "pointer map",
                                        [ROLE_LOCK] = "lock page"};
    const table_page *p = tables_find(t, pgno);
    if (p == NULL) {
        return "";
    }
    return p->tree < t->n_trees ? t->trees[p->tree].name : names[p->role];
}

btree_kind tables_kind(const tables *t, uint32_t pgno, btree_kind looks) {
    const table_page *p = tables_find(t, pgno);
    switch (p != NULL ? p->role : ROLE_UNKNOWN) {
    case ROLE_OVERFLOW:
        return BTREE_OVERFLOW;
    case ROLE_TRUNK:
        return BTREE_FREE_TRUNK;
    case ROLE_FREE:
        return BTREE_FREE_LEAF;
    default:
        return looks;
    }
}

/* ---- reading pages ---- */

/* *ok is false where the page cannot be had: the map is partial then. */
static ls_code read_page(finder *f, uint32_t pgno, uint8_t *buf, btree_page *p, bool *ok,
                         ls_err *err) {
    *ok = false;
    if (moment_reads(f->m) >= f->limit) {
        f->t->partial = true;
        return LS_OK;
    }
    ls_code rc = moment_page(f->m, pgno, buf, NULL, err);
    if (rc == LS_ENOTFOUND || rc == LS_ECORRUPT) {
        ls_err_clear(err);
        f->t->partial = true;
        return LS_OK;
    }
    *ok = rc == LS_OK;
    if (*ok) {
        btree_page_read(buf, pgno, f->db, p);
    }
    return rc;
}

static uint8_t *buffer(finder *f, int depth) {
    if (f->pages[depth] == NULL) {
        f->pages[depth] = malloc(f->db->page_size);
    }
    return f->pages[depth];
}

/* ---- sqlite_schema ---- */

static ls_code add_tree(tables *t, const char *name, const char *table, bool index, uint32_t root,
                        ls_err *err) {
    ls_code rc = grow((void **)&t->trees, t->n_trees, &t->cap_trees, sizeof(*t->trees),
                      TABLES_MAX_TREES, err);
    if (rc != LS_OK) {
        return rc;
    }
    table_tree *tree = &t->trees[t->n_trees];
    *tree =
        (table_tree){.name = strdup(name), .table = strdup(table), .root = root, .index = index};
    t->n_trees++;
    return tree->name != NULL && tree->table != NULL ? LS_OK
                                                     : ls_fail(err, LS_ENOMEM, "list the tables");
}

/* type, name, tbl_name, rootpage, sql. Views and triggers have no root. */
static ls_code add_row(finder *f, const btree_cell *cell, ls_err *err) {
    uint8_t *bytes = malloc(SCHEMA_BYTES);
    size_t len = 0;
    ls_code rc = bytes == NULL ? ls_fail(err, LS_ENOMEM, "read sqlite_schema")
                               : moment_payload(f->m, cell, bytes, SCHEMA_BYTES, &len, err);
    if (rc != LS_OK) {
        free(bytes);
        return rc;
    }
    btree_cell whole = *cell;
    btree_record r;
    btree_value v[4];
    int n = 0;
    whole.record = bytes;
    whole.local = (uint32_t)len;
    btree_record_begin(&r, &whole);
    while (n < 4 && btree_record_next(&r, &v[n])) {
        n++;
    }
    char type[16], name[TABLES_NAME_MAX], table[TABLES_NAME_MAX];
    if (n == 4 && v[3].type == BTREE_INT && v[3].integer > 1 && v[3].integer <= UINT32_MAX) {
        (void)btree_name_text(&v[0], f->db->encoding, type, sizeof(type));
        (void)btree_name_text(&v[1], f->db->encoding, name, sizeof(name));
        (void)btree_name_text(&v[2], f->db->encoding, table, sizeof(table));
        rc = add_tree(f->t, name, table, strcmp(type, "index") == 0, (uint32_t)v[3].integer, err);
    }
    free(bytes);
    return rc;
}

static ls_code read_schema(finder *f, uint32_t pgno, int depth, ls_err *err) {
    btree_page p;
    bool ok;
    uint8_t *buf = depth <= DEPTH_MAX ? buffer(f, depth) : NULL;
    if (buf == NULL) {
        return depth > DEPTH_MAX ? LS_OK : ls_fail(err, LS_ENOMEM, "read sqlite_schema");
    }
    ls_code rc = read_page(f, pgno, buf, &p, &ok, err);
    if (rc != LS_OK || !ok) {
        return rc;
    }
    if (p.kind != BTREE_LEAF_TABLE && p.kind != BTREE_INTERIOR_TABLE) {
        f->t->partial = true;
        return LS_OK;
    }
    mark(f, pgno, 0, ROLE_TREE);
    for (uint32_t i = 0; rc == LS_OK && i < p.cells; i++) {
        btree_cell cell;
        if (!btree_cell_read(&p, i, &cell)) {
            f->t->partial = true;
        } else if (p.kind == BTREE_LEAF_TABLE) {
            rc = add_row(f, &cell, err);
        } else {
            rc = read_schema(f, cell.child, depth + 1, err);
        }
    }
    if (rc == LS_OK && p.kind == BTREE_INTERIOR_TABLE) {
        rc = read_schema(f, p.right_child, depth + 1, err);
    }
    return rc;
}

/* ---- what is no tree ---- */

static void mark_by_number(finder *f) {
    for (size_t i = 0; i < f->t->n_pages; i++) {
        uint32_t pgno = f->t->pages[i].pgno;
        btree_kind kind = btree_kind_of_number(pgno, f->db);
        if (kind != BTREE_UNKNOWN) {
            mark(f, pgno, UINT32_MAX, kind == BTREE_LOCK ? ROLE_LOCK : ROLE_MAP);
        }
    }
}

/* A ring ends with the pages that the header counts. */
static ls_code mark_free(finder *f, ls_err *err) {
    const uint8_t *buf = f->pages[0];
    uint32_t seen = 0, at = f->db->free_trunk, most = f->db->usable / 4 - 2;
    while (at != 0 && seen < f->db->free_pages) {
        btree_page p;
        bool ok;
        ls_code rc = read_page(f, at, f->pages[0], &p, &ok, err);
        if (rc != LS_OK || !ok) {
            return rc;
        }
        uint32_t n = btree_u32(buf + 4);
        n = n < most ? n : most;
        mark(f, at, UINT32_MAX, ROLE_TRUNK);
        for (uint32_t i = 0; i < n; i++) {
            mark(f, btree_u32(buf + 8 + 4 * (size_t)i), UINT32_MAX, ROLE_FREE);
        }
        seen += n + 1;
        at = btree_u32(buf);
    }
    return LS_OK;
}

/* How many there are to find in trees: of a few pages those that look like it. */
static ls_code count_left(finder *f, bool in_trees, ls_err *err) {
    f->left = 0;
    for (size_t i = 0; i < f->t->n_pages; i++) {
        const table_page *page = &f->t->pages[i];
        bool ok = true;
        if (page->role != ROLE_UNKNOWN) {
            continue;
        }
        if (in_trees && f->t->n_pages <= FEW) {
            btree_page p;
            ls_code rc = read_page(f, page->pgno, f->pages[0], &p, &ok, err);
            if (rc != LS_OK) {
                return rc;
            }
            ok = ok && btree_is_tree(&p);
        }
        f->left += ok;
    }
    return LS_OK;
}

/* ---- trees ---- */

/* All leaves of a tree are as deep as its first: they are known without being read. */
static ls_code walk(finder *f, uint32_t pgno, int depth, ls_err *err) {
    mark(f, pgno, f->tree, ROLE_TREE);
    if (depth == f->leaf_depth || f->left == 0) {
        return LS_OK;
    }
    if (depth > DEPTH_MAX) {
        f->t->partial = true;
        return LS_OK;
    }
    btree_page p;
    bool ok;
    uint8_t *buf = buffer(f, depth);
    ls_code rc = buf != NULL ? read_page(f, pgno, buf, &p, &ok, err)
                             : ls_fail(err, LS_ENOMEM, "walk a tree");
    if (rc != LS_OK || !ok) {
        return rc;
    }
    if (p.kind == BTREE_LEAF_TABLE || p.kind == BTREE_LEAF_INDEX) {
        f->leaf_depth = f->leaf_depth < 0 ? depth : f->leaf_depth;
    }
    if (p.kind != BTREE_INTERIOR_TABLE && p.kind != BTREE_INTERIOR_INDEX) {
        return LS_OK;
    }
    for (uint32_t i = 0; rc == LS_OK && f->left > 0 && i < p.cells; i++) {
        btree_cell cell;
        if (btree_cell_read(&p, i, &cell)) {
            rc = walk(f, cell.child, depth + 1, err);
        } else {
            f->t->partial = true;
        }
    }
    return rc == LS_OK ? walk(f, p.right_child, depth + 1, err) : rc;
}

static ls_code walk_all(finder *f, ls_err *err) {
    for (size_t i = 0; i < f->t->n_trees; i++) {
        mark(f, f->t->trees[i].root, (uint32_t)i, ROLE_TREE);
    }
    ls_code rc = count_left(f, true, err);
    for (size_t i = 0; rc == LS_OK && f->left > 0 && i < f->t->n_trees; i++) {
        f->tree = (uint32_t)i;
        f->leaf_depth = -1;
        rc = walk(f, f->t->trees[i].root, 0, err);
    }
    return rc;
}

/* ---- overflow pages ---- */

static ls_code mark_chain(finder *f, const btree_cell *cell, uint32_t tree, ls_err *err) {
    uint64_t left = cell->payload - cell->local;
    uint32_t at = cell->overflow, here = f->db->usable - 4;
    ls_code rc = LS_OK;
    while (rc == LS_OK && at != 0 && left > 0 && f->left > 0) {
        btree_page p;
        bool ok = false;
        mark(f, at, tree, ROLE_OVERFLOW);
        left = left > here ? left - here : 0;
        if (left > 0) {
            rc = read_page(f, at, f->pages[1], &p, &ok, err);
        }
        at = ok ? p.next : 0;
    }
    return rc;
}

static ls_code mark_overflow_of(finder *f, const table_page *of, ls_err *err) {
    btree_page p;
    bool ok;
    ls_code rc = read_page(f, of->pgno, f->pages[0], &p, &ok, err);
    for (uint32_t i = 0; rc == LS_OK && ok && i < p.cells && f->left > 0; i++) {
        btree_cell cell;
        if (btree_cell_read(&p, i, &cell) && cell.overflow != 0) {
            rc = mark_chain(f, &cell, of->tree, err);
        }
    }
    return rc;
}

/* Rows that go on in pages asked for begin, nearly always, on pages asked for too. */
static ls_code mark_overflow(finder *f, ls_err *err) {
    ls_code rc = count_left(f, false, err);
    for (size_t i = 0; rc == LS_OK && f->left > 0 && i < f->t->n_pages; i++) {
        const table_page *p = &f->t->pages[i];
        rc = p->role == ROLE_TREE ? mark_overflow_of(f, p, err) : LS_OK;
    }
    return rc;
}

/* Up the pointer maps to a root. */
static ls_code climb(finder *f, uint32_t pgno, ls_err *err) {
    uint32_t at = pgno;
    bool overflow = false;
    for (uint32_t steps = 0; steps < CLIMB_MAX; steps++) {
        uint32_t entry, map = btree_map_of(at, f->db, &entry);
        btree_page p;
        bool ok;
        ls_code rc = read_page(f, map, f->pages[0], &p, &ok, err);
        if (rc != LS_OK || !ok) {
            return rc;
        }
        btree_pointer to = btree_pointer_read(&p, entry);
        if (to.type == 1) {
            break;
        }
        if (to.type < 3 || to.type > 5 || to.parent == 0) {
            return LS_OK;
        }
        overflow = overflow || to.type != 5;
        at = to.parent;
    }
    for (uint32_t i = 0; i < f->t->n_trees; i++) {
        if (f->t->trees[i].root == at) {
            mark(f, pgno, i, overflow ? ROLE_OVERFLOW : ROLE_TREE);
        }
    }
    return LS_OK;
}

static ls_code climb_all(finder *f, ls_err *err) {
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && f->db->auto_vacuum && i < f->t->n_pages; i++) {
        rc = f->t->pages[i].role == ROLE_UNKNOWN ? climb(f, f->t->pages[i].pgno, err) : LS_OK;
    }
    return rc;
}

/* ---- all of it ---- */

static ls_code find_all(finder *f, size_t max_reads, ls_err *err) {
    f->limit = moment_reads(f->m) + max_reads;
    ls_code rc = add_tree(f->t, "sqlite_schema", "sqlite_schema", false, 1, err);
    mark_by_number(f);
    if (rc == LS_OK) {
        rc = read_schema(f, 1, 0, err);
    }
    if (rc == LS_OK) {
        rc = mark_free(f, err);
    }
    if (rc == LS_OK) {
        rc = walk_all(f, err);
    }
    if (rc == LS_OK) {
        rc = mark_overflow(f, err);
    }
    return rc == LS_OK ? climb_all(f, err) : rc;
}

static tables *new_map(const uint32_t *pgnos, size_t n) {
    tables *t = calloc(1, sizeof(*t));
    table_page *pages = calloc(n + 1, sizeof(*pages));
    if (t == NULL || pages == NULL) {
        free(t);
        free(pages);
        return NULL;
    }
    atomic_init(&t->refs, 1);
    t->pages = pages;
    t->n_pages = n;
    for (size_t i = 0; i < n; i++) {
        pages[i] = (table_page){.pgno = pgnos[i], .tree = UINT32_MAX};
    }
    return t;
}

ls_code tables_read(moment *m, const uint32_t *pgnos, size_t n, size_t max_reads, tables **out,
                    ls_err *err) {
    finder f = {.m = m, .t = new_map(pgnos, n), .db = moment_db(m), .left = n};
    *out = NULL;
    bool room = f.t != NULL && buffer(&f, 0) != NULL && buffer(&f, 1) != NULL;
    ls_code rc = room ? find_all(&f, max_reads > 0 ? max_reads : TABLES_MAX_READS, err)
                      : ls_fail(err, LS_ENOMEM, "find the tables of %zu pages", n);
    for (int i = 0; i <= DEPTH_MAX; i++) {
        free(f.pages[i]);
    }
    if (rc != LS_OK) {
        tables_unref(f.t);
        return rc;
    }
    *out = f.t;
    return LS_OK;
}

tables *tables_ref(tables *t) {
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void tables_unref(tables *t) {
    if (t == NULL || atomic_fetch_sub(&t->refs, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < t->n_trees; i++) {
        free(t->trees[i].name);
        free(t->trees[i].table);
    }
    free(t->trees);
    free(t->pages);
    free(t);
}

/* ---- words ---- */

typedef struct count {
    const char *name;
    size_t pages;
} count;

static int by_pages(const void *a, const void *b) {
    const count *x = a, *y = b;
    return (x->pages < y->pages) - (x->pages > y->pages);
}

/* One line for each tree, and one for each of the roles without. */
static size_t count_pages(const tables *t, count *counts) {
    static const char *const others[] = {
        "of no table found", "", "", "free list", "free list", "pointer map", "lock page"};
    size_t roles = sizeof(others) / sizeof(others[0]), n = 0;
    for (size_t i = 0; i < t->n_trees; i++) {
        counts[i].name = t->trees[i].name;
    }
    for (size_t i = 0; i < roles; i++) {
        counts[t->n_trees + i].name = others[i];
    }
    for (size_t i = 0; i < t->n_pages; i++) {
        const table_page *p = &t->pages[i];
        size_t role = p->role == ROLE_TRUNK ? ROLE_FREE : p->role;
        counts[p->tree < t->n_trees ? p->tree : t->n_trees + role].pages++;
    }
    qsort(counts, t->n_trees + roles, sizeof(*counts), by_pages);
    while (n < t->n_trees + roles && counts[n].pages > 0) {
        n++;
    }
    return n;
}

char *tables_summary(const tables *t, char *buf, size_t size) {
    count *counts = calloc(t->n_trees + ROLE_LOCK + 1, sizeof(*counts));
    size_t len = 0, n = counts != NULL ? count_pages(t, counts) : 0;
    buf[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (len + strlen(counts[i].name) + 40 > size) {
            (void)snprintf(buf + len, size - len, ", …");
            break;
        }
        len += (size_t)snprintf(buf + len, size - len, "%s%s (%zu page%s)", i > 0 ? ", " : "",
                                counts[i].name, counts[i].pages, counts[i].pages == 1 ? "" : "s");
    }
    free(counts);
    return buf;
}
