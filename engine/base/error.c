/*
 * Error text in fixed arrays: set, put in front, hint. See error.h.
 */
#include "engine/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Takes back the bytes of a UTF-8 character that the end of the array cut in two: a broken one at
 * the end would make a JSON log record or a terminal show rubbish. */
static void trim_partial_utf8(char *text) {
    size_t len = strlen(text);
    size_t back = 0;
    while (back < len && back < 3 && ((unsigned char)text[len - 1 - back] & 0xc0) == 0x80) {
        back++;
    }
    if (back == len) {
        return;
    }
    unsigned char lead = (unsigned char)text[len - 1 - back];
    size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (back < want) {
        text[len - 1 - back] = '\0';
    }
}

static void __attribute__((format(printf, 3, 0)))
format_into(char *out, size_t size, const char *fmt, va_list args) {
    int n = vsnprintf(out, size, fmt, args);
    if (n < 0) {
        out[0] = '\0';
    } else if ((size_t)n >= size) {
        trim_partial_utf8(out);
    }
}

/* Formats into a block of its own first: the arguments may point into err itself. */
static void __attribute__((format(printf, 3, 0)))
set_message(ls_err *err, ls_code code, const char *fmt, va_list args) {
    char text[LS_ERR_MSG_MAX];
    format_into(text, sizeof text, fmt, args);
    err->code = code;
    err->hint[0] = '\0';
    memcpy(err->msg, text, strlen(text) + 1);
}

ls_code ls_fail(ls_err *err, ls_code code, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    set_message(err, code, fmt, args);
    va_end(args);
    return code;
}

static ls_code code_of_errno(int errnum) {
    switch (errnum) {
    case ENOENT:
        return LS_ENOTFOUND;
    case ENOSPC:
    case EDQUOT:
        return LS_EFULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return LS_EPERM;
    case ENOMEM:
        return LS_ENOMEM;
    default:
        return LS_EIO;
    }
}

/* Thread-safe text of an errno value; scratch is used by systems that need it. */
static const char *errno_text(int errnum, char *scratch, size_t size) {
#ifdef __GLIBC__
    return strerror_r(errnum, scratch, size);
#else
    if (strerror_r(errnum, scratch, size) != 0) {
        (void)snprintf(scratch, size, "error %d", errnum);
    }
    return scratch;
#endif
}

ls_code ls_fail_errno(ls_err *err, int errnum, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    set_message(err, code_of_errno(errnum), fmt, args);
    va_end(args);
    char scratch[128];
    size_t len = strlen(err->msg);
    int n = snprintf(err->msg + len, sizeof err->msg - len, ": %s",
                     errno_text(errnum, scratch, sizeof scratch));
    if (n < 0 || (size_t)n >= sizeof err->msg - len) {
        trim_partial_utf8(err->msg);
    }
    if (errnum == EMFILE || errnum == ENFILE) {
        return ls_hint(err, "raise the limit of open files (ulimit -n, LimitNOFILE= of a service)");
    }
    return err->code;
}

ls_code ls_wrap(ls_err *err, const char *fmt, ...) {
    char text[LS_ERR_MSG_MAX];
    va_list args;
    va_start(args, fmt);
    format_into(text, sizeof text, fmt, args);
    va_end(args);
    size_t front = strlen(text);
    if (front + 3 > sizeof text) { /* no room for ": " and anything behind it */
        memcpy(err->msg, text, front + 1);
        return err->code;
    }
    text[front++] = ':';
    text[front++] = ' ';
    size_t old = strlen(err->msg);
    size_t keep = sizeof err->msg - 1 - front;
    bool cut = old > keep;
    memmove(err->msg + front, err->msg, cut ? keep : old);
    memcpy(err->msg, text, front);
    err->msg[front + (cut ? keep : old)] = '\0';
    if (cut) {
        trim_partial_utf8(err->msg);
    }
    return err->code;
}

ls_code ls_hint(ls_err *err, const char *fmt, ...) {
    if (err->hint[0] != '\0') {
        return err->code;
    }
    char text[LS_ERR_HINT_MAX];
    va_list args;
    va_start(args, fmt);
    format_into(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(err->hint, text, strlen(text) + 1);
    return err->code;
}

static const struct {
    const char *name;
    const char *hint;
} codes[] = {
#define LS_X(code, name, hint) [code] = {name, hint},
    LS_CODES(LS_X)
#undef LS_X
};

static bool known(ls_code code) { return (unsigned)code < sizeof codes / sizeof codes[0]; }

const char *ls_err_hint(const ls_err *err) {
    if (err->hint[0] != '\0') {
        return err->hint;
    }
    return known(err->code) ? codes[err->code].hint : "";
}

const char *ls_code_name(ls_code code) { return known(code) ? codes[code].name : "unknown"; }

void ls_err_clear(ls_err *err) {
    err->code = LS_OK;
    err->msg[0] = '\0';
    err->hint[0] = '\0';
}
