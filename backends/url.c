/*
 * The path of file: URLs.
 *
 *   file:///a/b   /a/b          file:a/b   a/b in the working folder
 *   file://a/b    /a/b          path       the file store at that path
 *
 * File URLs are read as the reference reads them, since data lies where it put it: a URL is parsed,
 * loses scheme and query and is written again. That keeps "%20" as these three characters, turns a
 * blank into them, and makes what stands for a host the first folder.
 */
#include "backends/url.h"

#include "backends/storage.h"
#include "engine/base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool ls_is_url(const char *text) {
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_') {
        n++;
    }
    return n > 0 && ls_has_prefix(text + n, "://");
}

/* ---- file: URLs ---- */

/* Characters that a path may hold besides %XX; those that Go writes unescaped are fewer. */
#define PLAIN "-_.~$&+,/:;=@"
#define TOLERATED "!'()*[]"

static bool one_of(char c, const char *set) {
    return isalnum((unsigned char)c) || (c != '\0' && strchr(set, c) != NULL);
}

static int hex_value(char c) {
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

static bool escaped_at(const char *s) {
    return s[0] == '%' && hex_value(s[1]) >= 0 && hex_value(s[2]) >= 0;
}

static ls_code check_url(const char *url, const char *rest, ls_err *err) {
    for (const char *p = url; *p != '\0'; p++) {
        if (iscntrl((unsigned char)*p)) {
            return ls_fail(err, LS_EINVALID, "parse replica url: invalid control character in URL");
        }
    }
    for (const char *p = rest; *p != '\0' && *p != '?' && *p != '#'; p++) {
        if (*p == '%' && !escaped_at(p)) {
            return ls_fail(err, LS_EINVALID, "parse \"%s\": invalid URL escape \"%.3s\"", url, p);
        }
    }
    return LS_OK;
}

static bool needs_escapes(const char *s, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!one_of(s[i], PLAIN TOLERATED "%")) {
            return true;
        }
    }
    return false;
}

/* Writes byte c of a path as Go's EscapedPath does. */
static size_t escape_byte(char *out, char c) {
    const char *digits = "0123456789ABCDEF";
    if (one_of(c, PLAIN)) {
        out[0] = c;
        return 1;
    }
    out[0] = '%';
    out[1] = digits[(unsigned char)c >> 4];
    out[2] = digits[(unsigned char)c & 15];
    return 3;
}

/* One character that a URL may not hold makes Go write the whole path anew: decoded, encoded. */
static size_t escape_again(char *out, const char *s, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (escaped_at(s + i)) {
            c = (char)(hex_value(s[i + 1]) << 4 | hex_value(s[i + 2]));
            i += 2;
        }
        n += escape_byte(out + n, c);
    }
    return n;
}

ls_code ls_url_file_path(const char *url, char **path, ls_err *err) {
    *path = NULL;
    const char *rest = strchr(url, ':');
    if (rest == NULL || rest - url != 4 || strncasecmp(url, "file", 4) != 0) {
        return ls_fail(err, LS_EINVALID, "not a file url: %s", url);
    }
    rest++;
    ls_code code = check_url(url, rest, err);
    if (code != LS_OK) {
        return code;
    }
    if (ls_has_prefix(rest, "//") && strchr("/?#", rest[2]) != NULL) {
        rest += 2; /* no host, so nothing of it becomes a folder; also where the text ends */
    }
    const char *fragment = strchr(rest, '#');
    size_t len = strcspn(rest, "?#");
    size_t fragment_len = fragment != NULL && fragment[1] != '\0' ? strlen(fragment) : 0;
    char *text = malloc(3 * len + fragment_len + 1);
    if (text == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for the path of %s", url);
    }
    size_t n = len;
    if (rest[0] == '/' && needs_escapes(rest, len)) {
        n = escape_again(text, rest, len);
    } else {
        memcpy(text, rest, len);
    }
    if (fragment_len > 0) {
        memcpy(text + n, fragment, fragment_len);
    }
    text[n + fragment_len] = '\0';
    *path = ls_path_clean(text);
    free(text);
    return *path != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for the path of %s", url);
}
