/*
 * Fuzz target: bytes as a page of SQLite. The first byte chooses page size, page number, reserved
 * bytes and pointer maps, the others are the page, filled up with zeros. All that is read lies
 * within the page (a block of its exact size), cells and values within their bounds.
 */
#include "t/fuzz/fuzz.h"

#include "tui/btree.h"

static void check_record(const btree_page *p, const btree_cell *c) {
    char text[300];
    btree_record r;
    btree_value v;
    const uint8_t *end = p->data + p->db->usable;
    EXPECT(c->record >= p->data && c->local <= (size_t)(end - c->record));
    EXPECT(c->local <= c->payload && (c->overflow == 0 || c->local < c->payload));
    btree_record_begin(&r, c);
    while (btree_record_next(&r, &v)) {
        EXPECT(v.here <= v.size && r.value_at <= c->payload);
        EXPECT(v.here == 0 || (v.bytes >= c->record && v.here <= (size_t)(end - v.bytes)));
    }
    for (size_t size = 1; size <= sizeof(text); size += 23) {
        btree_record_text(c, p->db->encoding, text, size);
        EXPECT(strlen(text) < size);
    }
}

static void check_page(const btree_page *p) {
    EXPECT(p->kind <= BTREE_UNKNOWN && *btree_kind_name(p->kind) != '\0');
    for (uint32_t i = 0; i <= p->cells; i++) {
        btree_cell c;
        bool there = btree_cell_read(p, i, &c);
        EXPECT(!there || (btree_is_tree(p) && c.offset + c.size <= p->db->usable));
        EXPECT(there || i == p->cells || p->flaw[0] != '\0' || !btree_is_tree(p));
        if (there && c.has_record)
            check_record(p, &c);
        (void)btree_trunk_read(p, i);
        EXPECT(*btree_pointer_name(btree_pointer_read(p, i).type) != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    uint32_t page_size = 512u << (data[0] & 7);
    uint8_t *page = calloc(1, page_size);
    EXPECT(page != NULL);
    memcpy(page, data + 1, size - 1 < page_size ? size - 1 : page_size);
    btree_db db;
    bool known = btree_db_read(page, page_size, &db);
    if (!known) {
        db.usable -= (data[0] & 8) != 0 ? 32 : 0;
        db.encoding = 1 + (data[0] >> 4 & 1) + (data[0] >> 5 & 1);
        db.auto_vacuum = (data[0] & 0x40) != 0;
    }
    EXPECT(db.usable >= 480 && db.usable <= page_size && db.encoding >= 1 && db.encoding <= 3);
    btree_page p;
    btree_page_read(page, (data[0] & 0x80) != 0 || known ? 1 : 2, &db, &p);
    check_page(&p);
    free(page);
    return 0;
}
