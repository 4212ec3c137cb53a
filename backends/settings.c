/* Settings of a store as checked pairs; see settings.h. */
#include "backends/settings.h"

#include "backends/schemes.h"
#include "engine/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAIRS_MAX 256
#define VALUE_MAX 65536 /* a token or a key in PEM */
#define SHOWN_MAX 40
#define NAMES_MAX 64

typedef struct pair {
    const ls_setting_key *key;
    char *text;
    int64_t number; /* BOOL, INT, SIZE, DURATION */
} pair;

struct ls_settings {
    const ls_store_scheme *scheme;
    pair *pairs;
    size_t n;
};

ls_settings *ls_settings_new(const char *type) {
    ls_settings *s = calloc(1, sizeof *s);
    if (s != NULL) {
        s->scheme = ls_store_scheme_of(type);
    }
    if (s != NULL && s->scheme == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

static void pair_done(pair *p) {
    if (p->text != NULL) {
        explicit_bzero(p->text, strlen(p->text));
    }
    free(p->text);
}

void ls_settings_free(ls_settings *s) {
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        pair_done(&s->pairs[i]);
    }
    free(s->pairs);
    free(s);
}

const char *ls_settings_type(const ls_settings *s) { return s->scheme->type; }

const ls_store_scheme *ls_settings_scheme(const ls_settings *s) { return s->scheme; }

/* ---- values ---- */

static bool parse_bool(const char *text, int64_t *value) {
    static const char *const words[] = {"true",  "1", "t", "yes", "y", "on",
                                        "false", "0", "f", "no",  "n", "off"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *value = i < sizeof words / sizeof *words / 2;
            return true;
        }
    }
    return false;
}

static bool parse_int(const char *text, int64_t *value) {
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static const char *wanted(ls_setting_type type) {
    switch (type) {
    case LS_SETTING_BOOL:
        return "true or false";
    case LS_SETTING_INT:
        return "a whole number";
    case LS_SETTING_SIZE:
        return "a size such as 5MB";
    case LS_SETTING_DURATION:
        return "a duration such as 10s";
    default:
        return "a text";
    }
}

static bool parse_value(ls_setting_type type, const char *text, int64_t *value) {
    ls_err ignored = LS_ERR_INIT;
    switch (type) {
    case LS_SETTING_BOOL:
        return parse_bool(text, value);
    case LS_SETTING_INT:
        return parse_int(text, value);
    case LS_SETTING_SIZE:
        return ls_bytes_parse(text, value, &ignored) == LS_OK && *value >= 0;
    case LS_SETTING_DURATION:
        return ls_duration_parse(text, value, &ignored) == LS_OK;
    default:
        *value = 0;
        return true;
    }
}

static ls_code check_value(const ls_settings *s, const ls_setting_key *key, const char *text,
                           int64_t *number, ls_err *err) {
    const char *type = s->scheme->type;
    if (strnlen(text, VALUE_MAX + 1) > VALUE_MAX) {
        return ls_fail(err, LS_ECONFIG, "%s replica: %s is longer than %d bytes", type, key->name,
                       VALUE_MAX);
    }
    if (parse_value(key->type, text, number)) {
        return LS_OK;
    }
    if (key->secret) {
        return ls_fail(err, LS_ECONFIG, "%s replica: %s must be %s", type, key->name,
                       wanted(key->type));
    }
    return ls_fail(err, LS_ECONFIG, "%s replica: %s must be %s, not \"%.*s\"", type, key->name,
                   wanted(key->type), SHOWN_MAX, text);
}

/* ---- keys ---- */

static const ls_setting_key *find_key(const ls_settings *s, const char *name) {
    for (const ls_setting_key *k = s->scheme->keys; k->name != NULL; k++) {
        if (strcmp(k->name, name) == 0) {
            return k;
        }
    }
    return NULL;
}

static const ls_setting_key *find_query_key(const ls_settings *s, const char *name) {
    for (const ls_setting_key *k = s->scheme->keys; k->name != NULL; k++) {
        if (k->query != NULL && ls_word_in(k->query, name, strlen(name))) {
            return k;
        }
    }
    return NULL;
}

/* "did you mean", by the names of the configuration or, in_query, those of a URL's query. */
static ls_code hint_keys(const ls_settings *s, const char *name, bool in_query, ls_err *err) {
    const char *names[NAMES_MAX];
    size_t n = 0;
    for (const ls_setting_key *k = s->scheme->keys; k->name != NULL && n < NAMES_MAX - 1; k++) {
        if (!in_query || k->query != NULL) {
            names[n++] = k->name;
        }
    }
    names[n] = NULL;
    const char *near = ls_nearest(name, names);
    if (near != NULL) {
        return ls_hint(err, "did you mean \"%s\"?", near);
    }
    return ls_hint(err, in_query && n == 0 ? "URLs of this store have no query"
                                           : "litestream.yml(5) lists the keys");
}

static pair *find_pair(const ls_settings *s, const char *key) {
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->pairs[i].key->name, key) == 0) {
            return &s->pairs[i];
        }
    }
    return NULL;
}

static ls_code store_pair(ls_settings *s, const ls_setting_key *key, const char *text,
                          int64_t number, ls_err *err) {
    pair new = {.key = key, .text = strdup(text), .number = number};
    if (new.text == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for settings of a replica");
    }
    pair *old = key->type == LS_SETTING_LIST ? NULL : find_pair(s, key->name);
    if (old != NULL) {
        pair_done(old);
        *old = new;
        return LS_OK;
    }
    if (s->n == PAIRS_MAX) {
        pair_done(&new);
        return ls_fail(err, LS_ECONFIG, "more than %d settings of one replica", PAIRS_MAX);
    }
    pair *pairs = reallocarray(s->pairs, s->n + 1, sizeof *pairs);
    if (pairs == NULL) {
        pair_done(&new);
        return ls_fail(err, LS_ENOMEM, "no memory for settings of a replica");
    }
    s->pairs = pairs;
    pairs[s->n++] = new;
    return LS_OK;
}

static ls_code set_key(ls_settings *s, const ls_setting_key *key, const char *value, ls_err *err) {
    int64_t number = 0;
    ls_code code = check_value(s, key, value, &number, err);
    return code == LS_OK ? store_pair(s, key, value, number, err) : code;
}

ls_code ls_settings_set(ls_settings *s, const char *name, const char *value, ls_err *err) {
    const ls_setting_key *key = find_key(s, name);
    if (key == NULL) {
        (void)ls_fail(err, LS_ECONFIG, "%s replicas have no key \"%.*s\"", s->scheme->type,
                      SHOWN_MAX, name);
        return hint_keys(s, name, false, err);
    }
    return set_key(s, key, value, err);
}

ls_code ls_settings_default(ls_settings *s, const char *key, const char *value, ls_err *err) {
    return value == NULL || value[0] == '\0' || ls_settings_has(s, key)
               ? LS_OK
               : ls_settings_set(s, key, value, err);
}

/* ---- URLs ---- */

static ls_code add_query_value(ls_settings *s, const char *name, const char *value, ls_err *err) {
    const ls_setting_key *key = find_query_key(s, name);
    if (key == NULL) {
        (void)ls_fail(err, LS_ECONFIG, "%s replica url: unknown query key \"%.*s\"",
                      s->scheme->type, SHOWN_MAX, name);
        return hint_keys(s, name, true, err);
    }
    return value[0] == '\0' || find_pair(s, key->name) != NULL ? LS_OK
                                                               : set_key(s, key, value, err);
}

/* name=value, encoded. */
static ls_code add_query_pair(ls_settings *s, const char *from, size_t len, ls_err *err) {
    const char *equals = memchr(from, '=', len);
    size_t name_len = equals != NULL ? (size_t)(equals - from) : len;
    char *name = NULL;
    char *value = NULL;
    ls_code code = ls_url_decode(from, name_len, true, &name, err);
    if (code == LS_OK) {
        code = ls_url_decode(equals != NULL ? equals + 1 : "",
                             equals != NULL ? len - name_len - 1 : 0, true, &value, err);
    }
    if (code != LS_OK) {
        code = ls_wrap(err, "%s replica url: query", s->scheme->type);
    } else {
        code = add_query_value(s, name, value, err);
    }
    if (value != NULL) {
        explicit_bzero(value, strlen(value));
    }
    free(value);
    free(name);
    return code;
}

static ls_code add_query(ls_settings *s, const char *query, ls_err *err) {
    ls_code code = LS_OK;
    while (code == LS_OK && query != NULL && *query != '\0') {
        size_t len = strcspn(query, "&");
        if (len > 0) {
            code = add_query_pair(s, query, len, err);
        }
        query += len + (query[len] == '&');
    }
    return code;
}

ls_code ls_settings_add_url(ls_settings *s, const char *text, ls_err *err) {
    ls_url url;
    ls_code code = ls_url_parse(text, &url, err);
    if (code == LS_OK) {
        code = s->scheme->from_url(&url, s, err);
    }
    if (code == LS_OK && s->scheme->keys[0].name != NULL) {
        code = add_query(s, url.query, err);
    }
    ls_url_done(&url);
    return code;
}

/* ---- reading ---- */

bool ls_settings_has(const ls_settings *s, const char *key) { return find_pair(s, key) != NULL; }

const char *ls_settings_text(const ls_settings *s, const char *key, const char *def) {
    const pair *p = find_pair(s, key);
    return p != NULL ? p->text : def;
}

bool ls_settings_bool(const ls_settings *s, const char *key, bool def) {
    const pair *p = find_pair(s, key);
    return p != NULL ? p->number != 0 : def;
}

int64_t ls_settings_number(const ls_settings *s, const char *key, int64_t def) {
    const pair *p = find_pair(s, key);
    return p != NULL ? p->number : def;
}

const char *ls_settings_item(const ls_settings *s, const char *key, size_t i) {
    for (size_t k = 0; k < s->n; k++) {
        if (strcmp(s->pairs[k].key->name, key) == 0 && i-- == 0) {
            return s->pairs[k].text;
        }
    }
    return NULL;
}

/* ---- opening ---- */

ls_code ls_storage_open(const ls_settings *settings, const ls_perm *perm, ls_storage **s,
                        ls_err *err) {
    *s = NULL;
    return settings->scheme->open(settings, perm, s, err);
}

/* The scheme of a URL, lower case, into buf. */
static const char *scheme_text(const char *url, char *buf, size_t size) {
    size_t n = 0;
    for (; n < size - 1 && url[n] != ':' && url[n] != '\0'; n++) {
        buf[n] = (char)(url[n] >= 'A' && url[n] <= 'Z' ? url[n] + 32 : url[n]);
    }
    buf[n] = '\0';
    return buf;
}

ls_code ls_settings_of_url(const char *url, ls_settings **settings, ls_err *err) {
    char text[32];
    const ls_store_scheme *scheme = ls_store_scheme_of_url(url);
    *settings = NULL;
    if (scheme == NULL) {
        return ls_store_missing(scheme_text(url, text, sizeof text), err);
    }
    *settings = ls_settings_new(scheme->type);
    if (*settings == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for settings of a replica");
    }
    return ls_settings_add_url(*settings, url, err);
}

ls_code ls_storage_open_url(const char *url, ls_storage **s, ls_err *err) {
    *s = NULL;
    bool is_file = strncasecmp(url, "file:", 5) == 0;
    if (!is_file && !ls_is_url(url) && url[0] != '\0' && url[0] != ':') {
        return ls_storage_open_file(url, NULL, s, err);
    }
    if (url[0] == '\0' || url[0] == ':') {
        return ls_fail(err, LS_EINVALID, "replica url scheme required: %s", url);
    }
    ls_settings *settings;
    ls_code code = ls_settings_of_url(url, &settings, err);
    if (code == LS_OK) {
        code = ls_storage_open(settings, NULL, s, err);
    }
    ls_settings_free(settings);
    return code;
}
