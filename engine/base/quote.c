/*
 * UTF-8, and the escapes of Go strings and of JSON.
 */
#include "engine/base/quote.h"

#include <inttypes.h>
#include <string.h>

#define NO_RUNE 0xFFFDU

size_t ls_utf8_decode(const char *text, size_t len, uint32_t *rune) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text;
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    *rune = NO_RUNE;
    if (size == 0 || size > len || p[0] > 0xf4) {
        return 1;
    }
    uint32_t r = size == 1 ? p[0] : p[0] & (0xffU >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 1;
        }
        r = r << 6 | (p[i] & 0x3fU);
    }
    if (r < least[size] || r > 0x10ffff || (r >= 0xd800 && r <= 0xdfff)) {
        return 1;
    }
    *rune = r;
    return size;
}

/* Characters from 0x80 on that show nothing of their own: blanks, formats, private use, and the
 * planes that hold none. Sorted. What is unassigned within a script passes: its list would change
 * with each version of Unicode. */
static const struct {
    uint32_t first;
    uint32_t last;
} unprintable[] = {
    {0x80, 0xa0},       {0xad, 0xad},       {0x600, 0x605},      {0x61c, 0x61c},
    {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x8e2, 0x8e2},      {0x1680, 0x1680},
    {0x180e, 0x180e},   {0x2000, 0x200f},   {0x2028, 0x202f},    {0x205f, 0x206f},
    {0x3000, 0x3000},   {0xd800, 0xf8ff},   {0xfdd0, 0xfdef},    {0xfeff, 0xfeff},
    {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd},  {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0x40000, 0xe00ff}, {0xe01f0, 0x10ffff},
};

bool ls_rune_printable(uint32_t rune) {
    if (rune < 0x80) {
        return rune >= 0x20 && rune != 0x7f;
    }
    if ((rune & 0xfffe) == 0xfffe || rune > 0x10ffff) {
        return false;
    }
    for (size_t i = 0; i < sizeof unprintable / sizeof unprintable[0]; i++) {
        if (rune <= unprintable[i].last) {
            return rune < unprintable[i].first;
        }
    }
    return true;
}

bool ls_quote_needed(const char *text, size_t len) {
    if (len == 0) {
        return true;
    }
    for (size_t i = 0; i < len;) {
        uint32_t rune;
        i += ls_utf8_decode(text + i, len - i, &rune);
        /* 0x7f alone stays bare in Go's records; kept, so that ours compare equal. */
        if (rune == ' ' || rune == '=' || rune == '"' || rune == NO_RUNE ||
            (rune != 0x7f && !ls_rune_printable(rune))) {
            return true;
        }
    }
    return false;
}

static ls_code add_escaped_go(ls_buf *buf, uint32_t rune, ls_err *err) {
    static const char letters[] = "abtnvfr"; /* 0x07 to 0x0d */
    if (rune >= 0x07 && rune <= 0x0d) {
        return ls_buf_addf(buf, err, "\\%c", letters[rune - 0x07]);
    }
    if (rune < 0x80) {
        return ls_buf_addf(buf, err, "\\x%02" PRIx32, rune);
    }
    return rune < 0x10000 ? ls_buf_addf(buf, err, "\\u%04" PRIx32, rune)
                          : ls_buf_addf(buf, err, "\\U%08" PRIx32, rune);
}

static ls_code add_rune_go(ls_buf *buf, const char *text, size_t size, uint32_t rune, ls_err *err) {
    if (rune == '"' || rune == '\\') {
        return ls_buf_addf(buf, err, "\\%c", (char)rune);
    }
    if (rune == NO_RUNE && size == 1) {
        return ls_buf_addf(buf, err, "\\x%02x", (unsigned)(unsigned char)*text);
    }
    if (ls_rune_printable(rune)) {
        return ls_buf_add(buf, text, size, err);
    }
    return add_escaped_go(buf, rune, err);
}

static ls_code add_rune_json(ls_buf *buf, const char *text, size_t size, uint32_t rune,
                             ls_err *err) {
    static const char controls[] = "\n\r\t";
    static const char letters[] = "nrt";
    if (rune == '"' || rune == '\\') {
        return ls_buf_addf(buf, err, "\\%c", (char)rune);
    }
    const char *control = rune > 0 && rune < 0x20 ? strchr(controls, (int)rune) : NULL;
    if (control != NULL) {
        return ls_buf_addf(buf, err, "\\%c", letters[control - controls]);
    }
    if (rune < 0x20 || rune == 0x2028 || rune == 0x2029 || (rune == NO_RUNE && size == 1)) {
        return ls_buf_addf(buf, err, "\\u%04" PRIx32, rune);
    }
    return ls_buf_add(buf, text, size, err);
}

typedef ls_code add_rune(ls_buf *buf, const char *text, size_t size, uint32_t rune, ls_err *err);

static ls_code quote(ls_buf *buf, const char *text, size_t len, add_rune *add, ls_err *err) {
    ls_code code = ls_buf_add(buf, "\"", 1, err);
    for (size_t i = 0; i < len && code == LS_OK;) {
        uint32_t rune;
        size_t size = ls_utf8_decode(text + i, len - i, &rune);
        code = add(buf, text + i, size, rune, err);
        i += size;
    }
    return code != LS_OK ? code : ls_buf_add(buf, "\"", 1, err);
}

ls_code ls_quote_go(ls_buf *buf, const char *text, size_t len, ls_err *err) {
    return quote(buf, text, len, add_rune_go, err);
}

ls_code ls_quote_json(ls_buf *buf, const char *text, size_t len, ls_err *err) {
    return quote(buf, text, len, add_rune_json, err);
}
