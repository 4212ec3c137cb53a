/* Records of SQLite: the header with a type for each value, then the values; and as text. */
#include "tui/btree.h"

#include "tui/btree_bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void btree_record_begin(btree_record *r, const btree_cell *c) {
    *r = (btree_record){.data = c->record, .local = c->local, .payload = c->payload, .cut = true};
    uint64_t header = 0;
    uint32_t n = c->has_record ? btree_varint(c->record, c->local, &header) : 0;
    if (n == 0 || header < n || header > c->payload) {
        return;
    }
    r->type_at = n;
    r->type_end = header < c->local ? (uint32_t)header : c->local;
    r->value_at = header;
    r->cut = header > c->local;
}

static uint64_t size_of_type(uint64_t type) {
    static const uint8_t sizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type < 12 ? sizes[type] : (type - 12) / 2;
}

static int64_t big_endian(const uint8_t *p, uint64_t size) {
    uint64_t v = size > 0 && p[0] >= 0x80 ? UINT64_MAX : 0;
    for (uint64_t i = 0; i < size; i++) {
        v = v << 8 | p[i];
    }
    return (int64_t)v;
}

/* Numbers are whole or cut; of text and blobs the part that is here is given. */
static bool take_value(btree_record *r, uint64_t type, btree_value *v) {
    *v = (btree_value){.size = size_of_type(type)};
    uint64_t left = r->value_at < r->local ? r->local - r->value_at : 0;
    bool whole = v->size <= left;
    if (type == 10 || type == 11 || v->size > r->payload - r->value_at || (type < 12 && !whole)) {
        return false;
    }
    const uint8_t *at = r->data + (left > 0 ? r->value_at : 0);
    if (type == 7) {
        uint64_t bits = (uint64_t)big_endian(at, 8);
        memcpy(&v->real, &bits, sizeof(bits));
        v->type = BTREE_REAL;
    } else if (type == 8 || type == 9) {
        v->type = BTREE_INT;
        v->integer = (int64_t)type - 8;
    } else if (type >= 12) {
        v->type = type % 2 == 0 ? BTREE_BLOB : BTREE_TEXT;
        v->bytes = at;
        v->here = whole ? (uint32_t)v->size : (uint32_t)left;
    } else if (type > 0) {
        v->type = BTREE_INT;
        v->integer = big_endian(at, v->size);
    }
    r->value_at += v->size;
    return true;
}

bool btree_record_next(btree_record *r, btree_value *v) {
    if (r->type_at >= r->type_end) {
        return false;
    }
    uint64_t type;
    uint32_t n = btree_varint(r->data + r->type_at, r->type_end - r->type_at, &type);
    if (n == 0 || !take_value(r, type, v)) {
        r->type_at = r->type_end;
        r->cut = true;
        return false;
    }
    r->type_at += n;
    return true;
}

/* Text that grows up to the end of a buffer; what does not fit is left out and remembered. */
typedef struct text {
    char *buf;
    size_t len, size;
    bool full;
    bool plain; /* quotes are not doubled */
} text;

static void add(text *t, const char *bytes, size_t len) {
    if (t->full || len >= t->size - t->len) {
        t->full = true;
        return;
    }
    memcpy(t->buf + t->len, bytes, len);
    t->len += len;
    t->buf[t->len] = '\0';
}

static void add_char(text *t, uint32_t ch) {
    char out[4];
    size_t n = 0;
    if (ch < 0x80) {
        out[n++] = (char)ch;
    } else if (ch < 0x800) {
        out[n++] = (char)(0xc0 | ch >> 6);
    } else if (ch < 0x10000) {
        out[n++] = (char)(0xe0 | ch >> 12);
        out[n++] = (char)(0x80 | (ch >> 6 & 0x3f));
    } else {
        out[n++] = (char)(0xf0 | ch >> 18);
        out[n++] = (char)(0x80 | (ch >> 12 & 0x3f));
        out[n++] = (char)(0x80 | (ch >> 6 & 0x3f));
    }
    if (ch >= 0x80) {
        out[n++] = (char)(0x80 | (ch & 0x3f));
    }
    add(t, out, n);
    if (ch == '\'' && !t->plain) {
        add(t, out, n);
    }
}

static uint32_t unit_of(const uint8_t *p, int encoding) {
    return encoding == 2 ? (uint32_t)p[1] << 8 | p[0] : btree_u16(p);
}

static void add_utf16(text *t, const btree_value *v, int encoding) {
    for (uint32_t i = 0; i + 2 <= v->here && !t->full; i += 2) {
        uint32_t ch = unit_of(v->bytes + i, encoding);
        bool first = ch >= 0xd800 && ch < 0xdc00;
        if (first && i + 4 > v->here && v->here < v->size) {
            return; /* its second half is elsewhere */
        }
        if (first && i + 4 <= v->here) {
            uint32_t low = unit_of(v->bytes + i + 2, encoding);
            ch = 0x10000 + ((ch & 0x3ff) << 10 | (low & 0x3ff));
            i += 2;
        } else if (ch >= 0xd800 && ch < 0xe000) {
            ch = 0xfffd;
        }
        add_char(t, ch == 0 ? 0xfffd : ch);
    }
}

/* Whole characters, so that neither the page's end nor the buffer's cuts one in two. */
static void add_utf8(text *t, const btree_value *v) {
    for (uint32_t i = 0; i < v->here && !t->full;) {
        const char *at = (const char *)v->bytes + i;
        uint8_t lead = v->bytes[i];
        uint32_t n = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        if (n > v->here - i) {
            return;
        }
        add(t, lead == 0 ? "\xef\xbf\xbd" : at, lead == 0 ? 3 : n);
        if (lead == '\'' && !t->plain) {
            add(t, at, 1);
        }
        i += n;
    }
}

static void add_blob(text *t, const btree_value *v) {
    add(t, "x'", 2);
    for (uint32_t i = 0; i < v->here && !t->full; i++) {
        char hex[3];
        (void)snprintf(hex, sizeof(hex), "%02x", v->bytes[i]);
        add(t, hex, 2);
    }
}

static void add_text(text *t, const btree_value *v, int encoding) {
    if (encoding == 1) {
        add_utf8(t, v);
    } else {
        add_utf16(t, v, encoding);
    }
}

static void add_value(text *t, const btree_value *v, int encoding) {
    char number[32];
    switch (v->type) {
    case BTREE_NULL:
        add(t, "NULL", 4);
        return;
    case BTREE_INT:
        (void)snprintf(number, sizeof(number), "%" PRId64, v->integer);
        add(t, number, strlen(number));
        return;
    case BTREE_REAL:
        (void)snprintf(number, sizeof(number), "%.15g", v->real);
        add(t, number, strlen(number));
        return;
    case BTREE_BLOB:
        add_blob(t, v);
        break;
    case BTREE_TEXT:
        add(t, "'", 1);
        add_text(t, v, encoding);
        break;
    }
    add(t, v->here < v->size ? "…" : "'", v->here < v->size ? 3 : 1);
}

char *btree_name_text(const btree_value *v, int encoding, char *buf, size_t size) {
    text t = {.buf = buf, .size = size, .plain = true};
    buf[0] = '\0';
    if (v->type == BTREE_TEXT) {
        add_text(&t, v, encoding);
    }
    return buf;
}

char *btree_record_text(const btree_cell *cell, int encoding, char *buf, size_t size) {
    text t = {.buf = buf, .size = size > 8 ? size - 4 : 1};
    buf[0] = '\0';
    btree_record r;
    btree_value v;
    btree_record_begin(&r, cell);
    for (bool first = true; !t.full && btree_record_next(&r, &v); first = false) {
        add(&t, first ? "(" : ",", 1);
        add_value(&t, &v, encoding);
    }
    if (t.full) {
        t = (text){.buf = buf, .len = t.len, .size = size};
        add(&t, "…", 3);
    } else {
        if (t.len == 0) {
            add(&t, "(", 1);
        }
        add(&t, r.cut ? ",…" : "", r.cut ? 4 : 0);
        add(&t, ")", 1);
    }
    return buf;
}
