/*
 * Replica URLs taken apart, by the rules and with the errors of Go's net/url as far as they decide
 * where data lies. No error shows a password or a query, which may hold keys.
 */
#include "backends/schemes.h"
#include "backends/settings.h"
#include "backends/url.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define URL_MAX 8192
#define PORT_DIGITS 5

char *ls_url_shown(const char *text) {
    size_t len = strcspn(text, "?#");
    const char *authority = strstr(text, "://");
    if (authority == NULL || (size_t)(authority - text) > len) {
        return strndup(text, len);
    }
    authority += 3;
    size_t n = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', n);
    const char *colon = at != NULL ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    if (colon == NULL) {
        return strndup(text, len);
    }
    return ls_asprintf("%.*s:xxxxx%.*s", (int)(colon - text), text,
                       (int)(len - (size_t)(at - text)), at);
}

/* Fails with the URL as people may see it. */
static ls_code bad_url(const char *text, const char *why, ls_err *err) {
    char *shown = ls_url_shown(text);
    ls_code code = ls_fail(err, LS_EINVALID, "parse \"%s\": %s", shown != NULL ? shown : "", why);
    free(shown);
    return code;
}

static ls_code no_memory(ls_err *err) { return ls_fail(err, LS_ENOMEM, "no memory for a URL"); }

/* ---- decoding ---- */

static int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    int lower = tolower((unsigned char)c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte that %XX at s stands for; -1 if there is none among the len bytes left, or it is 0. */
static int escaped_byte(const char *s, size_t len) {
    int high = len >= 3 ? hex_value(s[1]) : -1;
    int low = len >= 3 ? hex_value(s[2]) : -1;
    int byte = high < 0 || low < 0 ? -1 : high << 4 | low;
    return byte > 0 ? byte : -1;
}

ls_code ls_url_decode(const char *text, size_t len, bool plus, char **out, ls_err *err) {
    char *to = malloc(len + 1);
    *out = to;
    if (to == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            *to++ = plus && text[i] == '+' ? ' ' : text[i];
            continue;
        }
        int byte = escaped_byte(text + i, len - i);
        if (byte < 0) {
            free(*out);
            *out = NULL;
            return ls_fail(err, LS_EINVALID, "invalid URL escape \"%.*s\"",
                           (int)(len - i < 3 ? len - i : 3), text + i);
        }
        *to++ = (char)byte;
        i += 2;
    }
    *to = '\0';
    return LS_OK;
}

/* Decodes a part of text into *out; a wrong escape is told as one of the whole URL. */
static ls_code take_part(const char *text, const char *part, size_t len, char **out, ls_err *err) {
    ls_code code = ls_url_decode(part, len, false, out, err);
    if (code != LS_EINVALID) {
        return code;
    }
    char why[64];
    (void)snprintf(why, sizeof why, "%.60s", err->msg);
    return bad_url(text, why, err);
}

/* ---- parts ---- */

static ls_code take_user(const char *text, const char *from, size_t len, ls_url *url, ls_err *err) {
    const char *colon = memchr(from, ':', len);
    size_t user = colon != NULL ? (size_t)(colon - from) : len;
    ls_code code = take_part(text, from, user, &url->user, err);
    if (code == LS_OK && colon != NULL) {
        code = take_part(text, colon + 1, len - user - 1, &url->password, err);
    }
    return code;
}

static ls_code take_port(const char *text, const char *digits, size_t len, ls_url *url,
                         ls_err *err) {
    bool good = len <= PORT_DIGITS;
    for (size_t i = 0; i < len && good; i++) {
        good = isdigit((unsigned char)digits[i]);
        url->port = good ? url->port * 10 + (digits[i] - '0') : 0;
    }
    return good && url->port <= 65535 ? LS_OK : bad_url(text, "invalid port after host", err);
}

/* Where the host of an authority without userinfo ends. */
static size_t host_end(const char *host, size_t len) {
    const char *bracket = host[0] == '[' ? memchr(host, ']', len) : NULL;
    if (bracket != NULL) {
        return (size_t)(bracket - host) + 1;
    }
    const char *colon = memrchr(host, ':', len);
    return colon != NULL ? (size_t)(colon - host) : len;
}

static ls_code take_host(const char *text, const char *host, size_t len, ls_url *url, ls_err *err) {
    size_t n = host_end(host, len);
    for (size_t i = 0; i < n; i++) {
        if (!isgraph((unsigned char)host[i]) || strchr("\"%<>\\^`{|}", host[i]) != NULL) {
            return bad_url(text, "invalid character in host name", err);
        }
    }
    if (n < len && host[n] != ':') {
        return bad_url(text, "invalid port after host", err);
    }
    bool brackets = n >= 2 && host[0] == '[';
    url->host = brackets ? strndup(host + 1, n - 2) : strndup(host, n);
    if (url->host == NULL) {
        return no_memory(err);
    }
    return n < len ? take_port(text, host + n + 1, len - n - 1, url, err) : LS_OK;
}

/* [user[:password]@]host[:port] */
static ls_code take_authority(const char *text, const char *from, size_t len, ls_url *url,
                              ls_err *err) {
    const char *at = memrchr(from, '@', len);
    ls_code code = LS_OK;
    if (at != NULL) {
        code = take_user(text, from, (size_t)(at - from), url, err);
        len -= (size_t)(at + 1 - from);
        from = at + 1;
    }
    return code == LS_OK ? take_host(text, from, len, url, err) : code;
}

/* path_raw is there: path from it. */
static ls_code clean_path(ls_url *url, ls_err *err) {
    char *clean = ls_path_clean(url->path_raw);
    url->path = clean != NULL ? strdup(clean[0] == '/' ? clean + 1 : clean) : NULL;
    free(clean);
    return url->path != NULL ? LS_OK : no_memory(err);
}

static ls_code take_path(const char *text, const char *from, ls_url *url, ls_err *err) {
    size_t len = strcspn(from, "?#");
    ls_code code = take_part(text, from, len, &url->path_raw, err);
    if (code == LS_OK) {
        code = clean_path(url, err);
    }
    if (code == LS_OK && from[len] == '?') {
        url->query = strndup(from + len + 1, strcspn(from + len + 1, "#"));
        code = url->query != NULL ? LS_OK : no_memory(err);
    }
    return code;
}

/* ---- the query ---- */

/* The pair of one of these names, up to the next '&'; NULL if there is none. Names are plain. */
static const char *find_pair(const ls_url *url, const char *names) {
    const char *at = url->query;
    while (at != NULL && *at != '\0') {
        if (ls_word_in(names, at, strcspn(at, "=&"))) {
            return at;
        }
        at += strcspn(at, "&");
        at += *at == '&';
    }
    return NULL;
}

bool ls_url_query_has(const ls_url *url, const char *names) {
    return find_pair(url, names) != NULL;
}

ls_code ls_url_query_get(const ls_url *url, const char *names, char **value, ls_err *err) {
    const char *at = find_pair(url, names);
    *value = NULL;
    if (at == NULL) {
        return LS_OK;
    }
    at += strcspn(at, "=&");
    at += *at == '=';
    return ls_url_decode(at, strcspn(at, "&"), true, value, err);
}

/* ---- the whole ---- */

#define ARN "s3://arn:"

/* An access point's ARN holds colons and a slash, which no host may. */
static ls_code parse_arn(const char *text, ls_url *url, ls_err *err) {
    static const char part[] = ":accesspoint/";
    const char *arn = text + strlen("s3://");
    const char *name = strstr(arn, part);
    size_t len = name != NULL ? strcspn(name + strlen(part), "/?#") : 0;
    if (len == 0) {
        char *shown = ls_url_shown(arn);
        ls_code code = ls_fail(err, LS_EINVALID, "invalid s3 access point arn: %s",
                               shown != NULL ? shown : "");
        free(shown);
        return code;
    }
    const char *rest = name + strlen(part) + len;
    url->host = strndup(arn, (size_t)(rest - arn));
    return url->host != NULL ? take_path(text, rest, url, err) : no_memory(err);
}

static ls_code parse_file(const char *text, ls_url *url, ls_err *err) {
    url->host = strdup("");
    ls_code code = ls_url_file_path(text, &url->path, err);
    if (code == LS_OK) {
        url->path_raw = strdup(url->path);
    }
    return code == LS_OK && (url->host == NULL || url->path_raw == NULL) ? no_memory(err) : code;
}

static ls_code take_scheme(const char *text, ls_url *url, ls_err *err) {
    size_t len = strcspn(text, ":");
    if (text[len] == '\0' || len == 0) {
        char *shown = ls_url_shown(text);
        ls_code code = ls_fail(err, LS_EINVALID, "replica url scheme required: %s",
                               shown != NULL ? shown : "");
        free(shown);
        return code;
    }
    url->scheme = strndup(text, len);
    if (url->scheme == NULL) {
        return no_memory(err);
    }
    for (char *p = url->scheme; *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz", others[] = "0123456789+-.";
    const char *p = url->scheme;
    while (*p != '\0' && (strchr(letters, *p) != NULL || (p > url->scheme && strchr(others, *p)))) {
        p++;
    }
    return *p == '\0' ? LS_OK
                      : bad_url(text, "first path segment in URL cannot contain colon", err);
}

static ls_code check_text(const char *text, ls_err *err) {
    if (strnlen(text, URL_MAX + 1) > URL_MAX) {
        return ls_fail(err, LS_ELIMIT, "replica url of more than %d bytes", URL_MAX);
    }
    for (const char *p = text; *p != '\0'; p++) {
        if (iscntrl((unsigned char)*p)) {
            return ls_fail(err, LS_EINVALID, "parse replica url: invalid control character in URL");
        }
    }
    return LS_OK;
}

ls_code ls_url_parse(const char *text, ls_url *url, ls_err *err) {
    *url = (ls_url){0};
    ls_code code = check_text(text, err);
    if (code == LS_OK) {
        code = take_scheme(text, url, err);
    }
    if (code != LS_OK) {
        return code;
    }
    if (strcmp(url->scheme, "file") == 0) {
        return parse_file(text, url, err);
    }
    if (strncasecmp(text, ARN, strlen(ARN)) == 0) {
        return parse_arn(text, url, err);
    }
    const char *rest = text + strlen(url->scheme) + 1;
    if (!ls_has_prefix(rest, "//")) {
        return bad_url(text, "\"//\" is missing behind the scheme", err);
    }
    size_t len = strcspn(rest + 2, "/?#");
    code = take_authority(text, rest + 2, len, url, err);
    return code == LS_OK ? take_path(text, rest + 2 + len, url, err) : code;
}

void ls_url_done(ls_url *url) {
    if (url->password != NULL) {
        explicit_bzero(url->password, strlen(url->password));
    }
    if (url->query != NULL) {
        explicit_bzero(url->query, strlen(url->query));
    }
    free(url->scheme);
    free(url->user);
    free(url->password);
    free(url->host);
    free(url->path);
    free(url->path_raw);
    free(url->query);
    *url = (ls_url){0};
}
