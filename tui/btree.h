/*
 * One page of an SQLite database, decoded as far as a page alone tells. Nothing in it is believed:
 * offsets, lengths and counts are held against the page, and what does not fit is a flaw with
 * words, never a read outside of it. Pure: no file, no memory, no library call but for text.
 *
 * B-tree pages say what they are, the lock page and pointer maps are known by their numbers. Pages
 * of the free list and overflow pages carry no mark: where the page is none of the others, which of
 * the two it looks like is a guess (sure is false then).
 */
#ifndef LS_TUI_BTREE_H
#define LS_TUI_BTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* kind, as shown */
#define BTREE_KINDS(X)                                                                             \
    X(BTREE_LEAF_TABLE, "leaf table")                                                              \
    X(BTREE_INTERIOR_TABLE, "interior table")                                                      \
    X(BTREE_LEAF_INDEX, "leaf index")                                                              \
    X(BTREE_INTERIOR_INDEX, "interior index")                                                      \
    X(BTREE_OVERFLOW, "overflow")                                                                  \
    X(BTREE_FREE_TRUNK, "free-list trunk")                                                         \
    X(BTREE_FREE_LEAF, "free-list leaf or empty")                                                  \
    X(BTREE_POINTER_MAP, "pointer map")                                                            \
    X(BTREE_LOCK, "lock page")                                                                     \
    X(BTREE_UNKNOWN, "no page of SQLite")

typedef enum btree_kind {
#define BTREE_X(id, name) id,
    BTREE_KINDS(BTREE_X)
#undef BTREE_X
} btree_kind;

const char *btree_kind_name(btree_kind kind);

/* What page 1 says of all pages. */
typedef struct btree_db {
    uint32_t page_size; /* 512..65536 */
    uint32_t usable;    /* page size less the reserved bytes at the end */
    uint32_t pages;     /* 0: not known */
    int encoding;       /* 1 UTF-8, 2 UTF-16le, 3 UTF-16be */
    bool auto_vacuum;   /* there are pointer maps */
    uint32_t free_trunk, free_pages;
} btree_db;

/* Of a database of which only the page size is known: UTF-8, nothing reserved, no pointer maps. */
btree_db btree_db_plain(uint32_t page_size);

/* Reads the first 100 bytes of page 1; false, with *db as btree_db_plain(page_size), where they are
 * no header of a database with this page size. */
bool btree_db_read(const uint8_t *page1, uint32_t page_size, btree_db *db);

#define BTREE_FLAW_SIZE 96

typedef struct btree_page {
    const uint8_t *data; /* the caller's, db->page_size bytes */
    const btree_db *db;  /* the caller's */
    uint32_t pgno;
    btree_kind kind;
    bool sure;                  /* the page itself or its number says so */
    uint32_t header;            /* where the B-tree header begins: 100 on page 1, else 0 */
    uint32_t cells;             /* cells, or entries of a trunk or a pointer map */
    uint32_t free_bytes;        /* of a B-tree page */
    uint32_t right_child;       /* of an interior page */
    uint32_t next;              /* of an overflow page or a trunk; 0: the last */
    char flaw[BTREE_FLAW_SIZE]; /* first thing that is not as it must be; "": none */
} btree_page;

void btree_page_read(const uint8_t *data, uint32_t pgno, const btree_db *db, btree_page *page);

/* What its number alone makes a page: BTREE_LOCK or BTREE_POINTER_MAP, else BTREE_UNKNOWN. */
btree_kind btree_kind_of_number(uint32_t pgno, const btree_db *db);

/* The pointer map with the entry of a page, and the entry's number. */
uint32_t btree_map_of(uint32_t pgno, const btree_db *db, uint32_t *entry);

bool btree_is_tree(const btree_page *page);

typedef struct btree_cell {
    uint32_t offset, size; /* on the page */
    uint32_t child;        /* left child; 0 on leaves */
    bool has_rowid;
    int64_t rowid;
    bool has_record;
    const uint8_t *record; /* in the page */
    uint32_t local;        /* bytes of the record on the page */
    uint64_t payload;      /* bytes of the record in all */
    uint32_t overflow;     /* page that it goes on in; 0: all is here */
} btree_cell;

/* Cell i of a B-tree page; false where it does not lie within the page. */
bool btree_cell_read(const btree_page *page, uint32_t i, btree_cell *cell);

typedef enum btree_type { BTREE_NULL, BTREE_INT, BTREE_REAL, BTREE_TEXT, BTREE_BLOB } btree_type;

typedef struct btree_value {
    btree_type type;
    int64_t integer;
    double real;
    const uint8_t *bytes; /* of text and blobs, in the page */
    uint32_t here;        /* bytes of it on the page */
    uint64_t size;        /* bytes in all */
} btree_value;

/* A record, value by value; stops in front of what lies on overflow pages. */
typedef struct btree_record {
    const uint8_t *data;
    uint32_t local;    /* bytes on the page */
    uint64_t payload;  /* bytes in all */
    uint32_t type_at;  /* of the next type in the header */
    uint32_t type_end; /* of the header, as far as it is here */
    uint64_t value_at; /* of the next value */
    bool cut;          /* more values are on overflow pages, or the record is damaged */
} btree_record;

void btree_record_begin(btree_record *r, const btree_cell *cell);
bool btree_record_next(btree_record *r, btree_value *v);

/* "(88120,'ann',19.9,NULL,x'00ff')" into buf, cut with "…" where buf ends or the record goes on
 * elsewhere. Control characters are left as they are. Returns buf. */
char *btree_record_text(const btree_cell *cell, int encoding, char *buf, size_t size);

/* A value that is text, as it is, cut where buf or what is here of it ends; "" of others. */
char *btree_name_text(const btree_value *v, int encoding, char *buf, size_t size);

/* Entry i of a trunk: a free page. */
uint32_t btree_trunk_read(const btree_page *page, uint32_t i);

/* Entry i of a pointer map: of which page, its type (1..5, as SQLite numbers them) and parent. */
typedef struct btree_pointer {
    uint32_t pgno, parent;
    int type;
} btree_pointer;
btree_pointer btree_pointer_read(const btree_page *page, uint32_t i);
const char *btree_pointer_name(int type);

#endif
