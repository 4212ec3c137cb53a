/* Words that views share: see words.h. */
#include "tui/words.h"

#include "engine/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

char *age_format(int64_t ms, char *buf, size_t size) {
    int64_t s = ms / 1000;
    if (s < 1) {
        (void)snprintf(buf, size, "now");
    } else if (s < 60) {
        (void)snprintf(buf, size, "%" PRId64 " s", s);
    } else if (s < 3600) {
        (void)snprintf(buf, size, "%" PRId64 " min", s / 60);
    } else if (s < 86400) {
        (void)snprintf(buf, size, "%" PRId64 " h", s / 3600);
    } else {
        (void)snprintf(buf, size, "%" PRId64 " d", s / 86400);
    }
    return buf;
}

bool short_txid(const char *text, ls_txid *txid) {
    char whole[17] = "0000000000000000";
    size_t len = strlen(text);
    if (len < 1 || len > 16) {
        return false;
    }
    memcpy(whole + 16 - len, text, len);
    return ls_hex64_parse(whole, 16, txid) && *txid != 0;
}

const char *level_name(int level) {
    static const char *const names[] = {"L0", "L1", "L2", "L3", "L4",
                                        "L5", "L6", "L7", "L8", "snap"};
    return level >= 0 && level <= LS_LTX_LEVEL_MAX ? names[level] : "?";
}

char *plan_format(const ls_plan *plan, char *buf, size_t size) {
    size_t len = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < plan->n; i++) {
        const ls_ltx_info *f = &plan->files[i];
        if (len + 64 > size) {
            (void)snprintf(buf + len, size - len, " …");
            break;
        }
        len += (size_t)snprintf(buf + len, size - len, "%s%s %" PRIx64 "-%" PRIx64,
                                i > 0 ? " · " : "", level_name(f->level), f->min_txid, f->max_txid);
    }
    return buf;
}

char *shell_word(const char *text, char *buf, size_t size) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:@%+=,";
    size_t n = 0;
    if (*text != '\0' && text[strspn(text, plain)] == '\0') {
        (void)snprintf(buf, size, "%s", text);
        return buf;
    }
    buf[n++] = '\'';
    for (; *text != '\0' && n + 6 < size; text++) {
        if (*text == '\'') {
            memcpy(buf + n, "'\\'", 3);
            n += 3;
        }
        buf[n++] = *text;
    }
    buf[n++] = '\'';
    buf[n] = '\0';
    return buf;
}

char *base64(const char *text, char *buf, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)text;
    size_t left = strlen(text), n = 0;
    for (; left > 0 && n + 5 <= size; n += 4) {
        size_t here = left < 3 ? left : 3;
        uint32_t v = (uint32_t)p[0] << 16 | (here > 1 ? (uint32_t)p[1] << 8 : 0) |
                     (here > 2 ? (uint32_t)p[2] : 0);
        buf[n] = digits[v >> 18];
        buf[n + 1] = digits[v >> 12 & 63];
        buf[n + 2] = here > 1 ? digits[v >> 6 & 63] : '=';
        buf[n + 3] = here > 2 ? digits[v & 63] : '=';
        p += here;
        left -= here;
    }
    buf[n] = '\0';
    return buf;
}
