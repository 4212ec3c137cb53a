/* Pages of SQLite: headers, cells, free lists, pointer maps. Every offset is checked against the
 * usable size before it is used; records are in btree_record.c. */
#include "tui/btree.h"

#include "tui/btree_bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOCK_BYTE 0x40000000u
#define DB_HEADER 100u

const char *btree_kind_name(btree_kind kind) {
    static const char *const names[] = {
#define BTREE_X(id, name) [id] = name,
        BTREE_KINDS(BTREE_X)
#undef BTREE_X
    };
    return kind >= 0 && kind <= BTREE_UNKNOWN ? names[kind] : "";
}

btree_db btree_db_plain(uint32_t page_size) {
    return (btree_db){.page_size = page_size, .usable = page_size, .encoding = 1};
}

bool btree_db_read(const uint8_t *page1, uint32_t page_size, btree_db *db) {
    *db = btree_db_plain(page_size);
    uint32_t size = btree_u16(page1 + 16);
    uint32_t reserved = page1[20];
    uint32_t encoding = btree_u32(page1 + 56);
    size = size == 1 ? 65536 : size;
    if (memcmp(page1, "SQLite format 3", 16) != 0 || size != page_size ||
        page_size - reserved < 480 || encoding > 3) {
        return false;
    }
    db->usable = page_size - reserved;
    db->pages = btree_u32(page1 + 28);
    db->encoding = encoding == 0 ? 1 : (int)encoding;
    db->auto_vacuum = btree_u32(page1 + 52) != 0;
    db->free_trunk = btree_u32(page1 + 32);
    db->free_pages = btree_u32(page1 + 36);
    return true;
}

__attribute__((format(printf, 2, 3))) static void flaw(btree_page *p, const char *fmt, ...) {
    if (p->flaw[0] != '\0') {
        return;
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(p->flaw, sizeof(p->flaw), fmt, args);
    va_end(args);
}

static uint32_t entries_of_map(const btree_db *db) { return db->usable / 5; }

static uint32_t lock_page(const btree_db *db) { return LOCK_BYTE / db->page_size + 1; }

/* Maps stand at equal distances, each in front of its pages; one that would be the lock page stands
 * behind it. */
uint32_t btree_map_of(uint32_t pgno, const btree_db *db, uint32_t *entry) {
    uint32_t each = entries_of_map(db) + 1;
    uint32_t map = pgno < 2 ? 2 : (pgno - 2) / each * each + 2;
    map = map == lock_page(db) ? map + 1 : map;
    *entry = pgno > map ? pgno - map - 1 : 0;
    return map;
}

btree_kind btree_kind_of_number(uint32_t pgno, const btree_db *db) {
    uint32_t entry;
    if (pgno == lock_page(db)) {
        return BTREE_LOCK;
    }
    bool map = db->auto_vacuum && pgno >= 2 && btree_map_of(pgno, db, &entry) == pgno;
    return map ? BTREE_POINTER_MAP : BTREE_UNKNOWN;
}

static bool kind_of_flag(uint8_t flag, btree_kind *kind) {
    switch (flag) {
    case 2:
        *kind = BTREE_INTERIOR_INDEX;
        return true;
    case 5:
        *kind = BTREE_INTERIOR_TABLE;
        return true;
    case 10:
        *kind = BTREE_LEAF_INDEX;
        return true;
    case 13:
        *kind = BTREE_LEAF_TABLE;
        return true;
    default:
        return false;
    }
}

static bool is_interior(btree_kind kind) {
    return kind == BTREE_INTERIOR_TABLE || kind == BTREE_INTERIOR_INDEX;
}

bool btree_is_tree(const btree_page *p) { return p->kind <= BTREE_INTERIOR_INDEX; }

static uint32_t first_pointer(const btree_page *p) {
    return p->header + (is_interior(p->kind) ? 12 : 8);
}

/* The chain of free blocks: ascending, each at least 4 bytes, none touching the next. */
static uint32_t free_blocks(btree_page *p, uint32_t content) {
    uint32_t usable = p->db->usable, sum = 0;
    uint32_t at = btree_u16(p->data + p->header + 1);
    while (at != 0) {
        if (at < content || at > usable - 4) {
            flaw(p, "a free block at %u lies outside of the cell area", at);
            return sum;
        }
        uint32_t next = btree_u16(p->data + at), size = btree_u16(p->data + at + 2);
        if (size < 4 || size > usable - at || (next != 0 && next < at + size)) {
            flaw(p, "the free block at %u has %u bytes", at, size);
            return sum;
        }
        sum += size;
        at = next;
    }
    return sum;
}

static void read_tree(btree_page *p) {
    const uint8_t *h = p->data + p->header;
    uint32_t usable = p->db->usable;
    uint32_t content = btree_u16(h + 5);
    content = content == 0 ? 65536 : content;
    p->cells = btree_u16(h + 3);
    p->right_child = is_interior(p->kind) ? btree_u32(h + 8) : 0;
    uint32_t pointers = first_pointer(p);
    if (p->cells > (usable - pointers) / 2) {
        flaw(p, "%u cells do not fit on a page", p->cells);
        p->cells = 0;
    }
    uint32_t end = pointers + 2 * p->cells;
    if (content < end || content > usable) {
        flaw(p, "the cell area begins at %u", content);
        return;
    }
    p->free_bytes = content - end + h[7] + free_blocks(p, content);
    for (uint32_t i = 0; i < p->cells && p->flaw[0] == '\0'; i++) {
        btree_cell cell;
        if (!btree_cell_read(p, i, &cell)) {
            flaw(p, "cell %u lies outside of the page", i);
        } else if (cell.offset < content) {
            flaw(p, "cell %u lies in the unused space", i);
        }
    }
}

static bool is_page(const btree_page *p, uint32_t pgno) {
    return pgno >= 2 && (p->db->pages == 0 || pgno <= p->db->pages);
}

/* Neither of them has a mark: a trunk is a page whose entries are all page numbers. */
static void guess(btree_page *p) {
    uint32_t next = btree_u32(p->data), n = btree_u32(p->data + 4);
    bool chained = next == 0 || is_page(p, next);
    bool trunk = chained && n <= p->db->usable / 4 - 2 && (n > 0 || p->pgno == p->db->free_trunk);
    for (uint32_t i = 0; trunk && i < n; i++) {
        trunk = is_page(p, btree_u32(p->data + 8 + 4 * (size_t)i));
    }
    bool empty = true;
    for (uint32_t i = 0; empty && i < p->db->page_size; i++) {
        empty = p->data[i] == 0;
    }
    p->next = chained ? next : 0;
    if (trunk) {
        p->kind = BTREE_FREE_TRUNK;
        p->sure = p->pgno == p->db->free_trunk;
        p->cells = n;
    } else if (empty) {
        p->kind = BTREE_FREE_LEAF;
    } else if (chained) {
        p->kind = BTREE_OVERFLOW;
    } else {
        p->kind = BTREE_UNKNOWN;
    }
}

static void read_map(btree_page *p) {
    p->kind = BTREE_POINTER_MAP;
    p->sure = true;
    uint32_t n = entries_of_map(p->db);
    if (p->db->pages != 0) {
        uint32_t behind = p->db->pages > p->pgno ? p->db->pages - p->pgno : 0;
        n = n < behind ? n : behind;
    }
    p->cells = n;
}

void btree_page_read(const uint8_t *data, uint32_t pgno, const btree_db *db, btree_page *p) {
    *p = (btree_page){.data = data, .db = db, .pgno = pgno};
    p->header = pgno == 1 ? DB_HEADER : 0;
    btree_kind by_number = btree_kind_of_number(pgno, db);
    if (by_number == BTREE_LOCK) {
        p->kind = BTREE_LOCK;
        p->sure = true;
    } else if (by_number == BTREE_POINTER_MAP) {
        read_map(p);
    } else if (kind_of_flag(data[p->header], &p->kind)) {
        p->sure = true;
        read_tree(p);
    } else {
        guess(p);
    }
}

/* How many bytes of a payload stay on the page. */
static uint32_t local_payload(const btree_page *p, uint64_t payload) {
    uint32_t usable = p->db->usable;
    uint32_t min = (usable - 12) * 32 / 255 - 23;
    uint32_t max = p->kind == BTREE_LEAF_TABLE ? usable - 35 : (usable - 12) * 64 / 255 - 23;
    if (payload <= max) {
        return (uint32_t)payload;
    }
    uint32_t fit = min + (uint32_t)((payload - min) % (usable - 4));
    return fit <= max ? fit : min;
}

static bool read_payload(const btree_page *p, uint32_t at, uint64_t payload, btree_cell *c) {
    uint32_t usable = p->db->usable;
    c->payload = payload;
    c->local = local_payload(p, payload);
    bool spills = c->local < payload;
    if (at > usable || c->local > usable - at || (spills && usable - at - c->local < 4)) {
        return false;
    }
    c->has_record = true;
    c->record = p->data + at;
    c->overflow = spills ? btree_u32(p->data + at + c->local) : 0;
    c->size = at + c->local + (spills ? 4 : 0) - c->offset;
    return true;
}

bool btree_cell_read(const btree_page *p, uint32_t i, btree_cell *c) {
    *c = (btree_cell){0};
    if (!btree_is_tree(p) || i >= p->cells) {
        return false;
    }
    uint32_t usable = p->db->usable, at = btree_u16(p->data + first_pointer(p) + 2 * (size_t)i);
    c->offset = at;
    if (at < first_pointer(p) + 2 * p->cells || at > usable - 4) {
        return false;
    }
    if (is_interior(p->kind)) {
        c->child = btree_u32(p->data + at);
        at += 4;
    }
    uint64_t payload = 0, rowid = 0;
    if (p->kind != BTREE_INTERIOR_TABLE) {
        uint32_t n = btree_varint(p->data + at, usable - at, &payload);
        if (n == 0) {
            return false;
        }
        at += n;
    }
    if (p->kind == BTREE_LEAF_TABLE || p->kind == BTREE_INTERIOR_TABLE) {
        uint32_t n = btree_varint(p->data + at, usable - at, &rowid);
        if (n == 0) {
            return false;
        }
        at += n;
        c->has_rowid = true;
        c->rowid = (int64_t)rowid;
    }
    c->size = at - c->offset;
    return p->kind == BTREE_INTERIOR_TABLE || read_payload(p, at, payload, c);
}

uint32_t btree_trunk_read(const btree_page *p, uint32_t i) {
    return p->kind == BTREE_FREE_TRUNK && i < p->cells ? btree_u32(p->data + 8 + 4 * (size_t)i) : 0;
}

btree_pointer btree_pointer_read(const btree_page *p, uint32_t i) {
    if (p->kind != BTREE_POINTER_MAP || i >= p->cells) {
        return (btree_pointer){0};
    }
    const uint8_t *e = p->data + 5 * (size_t)i;
    return (btree_pointer){.pgno = p->pgno + 1 + i, .type = e[0], .parent = btree_u32(e + 1)};
}

const char *btree_pointer_name(int type) {
    static const char *const names[] = {"none",     "root of a tree", "free",
                                        "overflow", "more overflow",  "of a tree"};
    return type >= 1 && type <= 5 ? names[type] : names[0];
}
