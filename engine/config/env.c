/*
 * $NAME and ${NAME} in configuration text, by the rules of Go's os.Expand: the text is expanded
 * before anyone looks at it as YAML, comments included.
 */
#include "engine/base/buf.h"
#include "engine/config/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Shell parameters of one character: they name nothing here and expand to nothing. */
static bool is_special(char c) { return c != '\0' && strchr("*#$@!?-0123456789", c) != NULL; }

/* What stands behind a "$": sets the name and returns the bytes it takes up. Nothing taken: the "$"
 * is literal. "${" without an end, and "${}", take bytes and name nothing. */
static size_t variable_name(const char *p, const char *end, const char **name, size_t *name_len) {
    *name = p;
    *name_len = 0;
    if (p == end)
        return 0;
    if (*p == '{') {
        const char *close = memchr(p, '}', (size_t)(end - p));
        if (close == NULL)
            return 1;
        *name = p + 1;
        *name_len = (size_t)(close - p) - 1;
        return *name_len + 2;
    }
    if (is_special(*p)) {
        *name_len = 1;
        return 1;
    }
    while (p + *name_len < end && is_name_char(p[*name_len]))
        ++*name_len;
    return *name_len;
}

static ls_code add_value(ls_buf *out, const char *name, size_t len, ls_err *err) {
    char *key;
    const char *value;

    if (len == 3 && memcmp(name, "PID", 3) == 0)
        return ls_buf_addf(out, err, "%" PRIdMAX, (intmax_t)getpid());
    if (len == 0 || memchr(name, '\0', len) != NULL || (len == 1 && is_special(*name)))
        return LS_OK;
    key = strndup(name, len);
    if (key == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    value = getenv(key);
    free(key);
    return value == NULL ? LS_OK : ls_buf_add(out, value, strlen(value), err);
}

static ls_code expand(const char *text, size_t len, ls_buf *out, ls_err *err) {
    const char *end = text + len;
    ls_code rc = LS_OK;

    while (rc == LS_OK && text < end) {
        const char *dollar = memchr(text, '$', (size_t)(end - text));
        size_t plain = (size_t)((dollar == NULL ? end : dollar) - text);
        rc = ls_buf_add(out, text, plain, err);
        text += plain;
        if (rc != LS_OK || dollar == NULL)
            break;
        const char *name;
        size_t name_len;
        size_t taken = variable_name(text + 1, end, &name, &name_len);
        rc = taken == 0 ? ls_buf_add(out, "$", 1, err) : add_value(out, name, name_len, err);
        text += 1 + taken;
    }
    return rc;
}

ls_code ls_env_expand(const char *text, size_t len, char **out, size_t *out_len, ls_err *err) {
    ls_buf buf;

    ls_buf_init(&buf, LS_CONFIG_MAX_BYTES);
    ls_code rc = expand(text, len, &buf, err);
    if (rc == LS_OK) {
        *out_len = buf.len;
        *out = ls_buf_steal(&buf);
        if (*out == NULL)
            rc = ls_fail(err, LS_ENOMEM, "out of memory");
    }
    ls_buf_done(&buf);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "expand environment variables");
}
