/*
 * Walks a database file with the inspector's page decoder, from the roots of its schema, and prints
 * what it found, for btree.t to hold against SQLite's own word:
 *
 *   tree ROOT PAGE KIND CELLS FREE     overflow PAGE GUESS     trunk PAGE GUESS     free PAGE
 *   map PAGE                           lock PAGE               row ROOT ROWID TEXT
 */
#include "tui/btree.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *file;
static uint32_t pages;
static btree_db db;
static char text[1 << 20];

static const uint8_t *page_at(uint32_t pgno) {
    if (pgno < 1 || pgno > pages) {
        errx(1, "page %u is not in the file", pgno);
    }
    return file + (size_t)(pgno - 1) * db.page_size;
}

static void walk_overflow(const btree_cell *c) {
    uint64_t left = c->payload - c->local;
    for (uint32_t at = c->overflow; at != 0;) {
        btree_page p;
        btree_page_read(page_at(at), at, &db, &p);
        printf("overflow %u %s\n", at, btree_kind_name(p.kind));
        uint32_t here = db.usable - 4;
        left = left > here ? left - here : 0;
        at = left > 0 ? p.next : 0;
    }
}

static void walk_tree(uint32_t root, uint32_t pgno, int depth, bool schema);

static void walk_cell(uint32_t root, const btree_cell *c, int depth, bool schema) {
    if (c->child != 0) {
        walk_tree(root, c->child, depth + 1, schema);
    }
    if (!c->has_record) {
        return;
    }
    walk_overflow(c);
    btree_record_text(c, db.encoding, text, sizeof(text));
    printf("row %u %" PRId64 " %s\n", root, c->rowid, text);
    btree_record r;
    btree_value v[5];
    int n = 0;
    btree_record_begin(&r, c);
    while (n < 5 && btree_record_next(&r, &v[n])) {
        n++;
    }
    if (schema && n > 3 && v[3].type == BTREE_INT && v[3].integer > 0) {
        walk_tree((uint32_t)v[3].integer, (uint32_t)v[3].integer, 0, false);
    }
}

static void walk_tree(uint32_t root, uint32_t pgno, int depth, bool schema) {
    btree_page p;
    btree_page_read(page_at(pgno), pgno, &db, &p);
    if (depth > 40 || !btree_is_tree(&p) || p.flaw[0] != '\0') {
        errx(1, "page %u of tree %u: %s, %s", pgno, root, btree_kind_name(p.kind), p.flaw);
    }
    printf("tree %u %u %s %u %u\n", root, pgno, p.right_child != 0 ? "internal" : "leaf", p.cells,
           p.free_bytes);
    for (uint32_t i = 0; i < p.cells; i++) {
        btree_cell c;
        if (!btree_cell_read(&p, i, &c)) {
            errx(1, "page %u cell %u", pgno, i);
        }
        walk_cell(root, &c, depth, schema);
    }
    if (p.right_child != 0) {
        walk_tree(root, p.right_child, depth + 1, schema);
    }
}

static void walk_free(void) {
    for (uint32_t at = db.free_trunk; at != 0;) {
        btree_page p;
        btree_page_read(page_at(at), at, &db, &p);
        printf("trunk %u %s\n", at, btree_kind_name(p.kind));
        for (uint32_t i = 0; i < p.cells; i++) {
            printf("free %u\n", btree_trunk_read(&p, i));
        }
        at = p.next;
    }
}

static void walk_maps(void) {
    for (uint32_t pgno = 1; pgno <= pages; pgno++) {
        btree_page p;
        btree_page_read(page_at(pgno), pgno, &db, &p);
        if (p.kind == BTREE_LOCK) {
            printf("lock %u\n", pgno);
        }
        if (p.kind != BTREE_POINTER_MAP) {
            continue;
        }
        printf("map %u\n", pgno);
        for (uint32_t i = 0; i < p.cells; i++) {
            btree_pointer to = btree_pointer_read(&p, i);
            printf("pointer %u %d %u\n", to.pgno, to.type, to.parent);
        }
    }
}

int main(int argc, char **argv) {
    FILE *in = argc == 2 ? fopen(argv[1], "rbe") : NULL;
    if (in == NULL || fseek(in, 0, SEEK_END) != 0) {
        err(1, "usage: btree_walk DB");
    }
    long size = ftell(in);
    rewind(in);
    file = malloc((size_t)size);
    if (file == NULL || size < 512 || fread(file, 1, (size_t)size, in) != (size_t)size) {
        errx(1, "cannot read %s", argv[1]);
    }
    uint32_t page_size = (uint32_t)file[16] << 8 | file[17];
    page_size = page_size == 1 ? 65536 : page_size;
    if (!btree_db_read(file, page_size, &db)) {
        errx(1, "no header");
    }
    pages = (uint32_t)((size_t)size / page_size);
    walk_tree(1, 1, 0, true);
    walk_free();
    walk_maps();
    free(file);
    return fclose(in) == 0 ? 0 : 1;
}
