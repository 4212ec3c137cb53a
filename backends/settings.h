/*
 * What names a replica and says how to reach it, as pairs of key and value.
 *
 * The keys are those of litestream.yml ("bucket", "access-key-id", ...). A URL, a configuration, a
 * call of the control socket and the command line are all turned into one such list, and each store
 * reads its settings from there and from nowhere else, so that a query key of a URL and a key of
 * the configuration cannot mean different things. Each store has one table of its keys
 * (ls_setting_key), from which come the parser of values, the names allowed in a URL's query, the
 * errors with the nearest name, and what is secret.
 *
 * Order of precedence: configuration, then URL, then the store's environment, then its default.
 */
#ifndef LS_BACKENDS_SETTINGS_H
#define LS_BACKENDS_SETTINGS_H

#include "backends/storage.h"

typedef enum ls_setting_type {
    LS_SETTING_TEXT,
    LS_SETTING_BOOL,     /* true 1 t yes on, false 0 f no off; anything else is an error */
    LS_SETTING_INT,      /* decimal, may be negative; the store knows what makes sense */
    LS_SETTING_SIZE,     /* bytes, or 5MB, 5MiB */
    LS_SETTING_DURATION, /* ns; as in the configuration */
    LS_SETTING_LIST,     /* several texts, set one by one */
} ls_setting_type;

typedef struct ls_setting_key {
    const char *name;  /* as in litestream.yml */
    const char *query; /* names in a URL's query, by '|': "forcePathStyle|force-path-style"; NULL:
                          not allowed there */
    ls_setting_type type;
    bool secret; /* its value never appears in a log, an error or a URL that is shown */
} ls_setting_key;

typedef struct ls_settings ls_settings;

/* A URL in its parts, decoded. Owned by whoever parsed it. */
typedef struct ls_url {
    char *scheme;          /* lower case */
    char *user, *password; /* NULL: none; user may be empty */
    char *host;            /* without port and brackets; "" where there is none */
    int port;              /* 0: none */
    char *path;            /* cleaned, one leading '/' taken off; "." where the URL has none */
    char *path_raw;        /* as it is there, with its leading '/'; "" where the URL has none */
    char *query;           /* not decoded, without '?'; NULL: none */
} ls_url;

/* What a store's opener needs beside its settings. */
typedef struct ls_store_scheme {
    const char *type;           /* "s3" */
    const char *schemes;        /* URL schemes by '|': "webdav|webdavs" */
    const ls_setting_key *keys; /* ends with a NULL name */
    const char *in_url;         /* the key, beside path, whose place a URL takes: "bucket"; NULL */
    /* Fills in what a URL says (host, path, userinfo; the query is done by the caller) by
     * ls_settings_default. */
    ls_code (*from_url)(const ls_url *url, ls_settings *settings, ls_err *err);
    ls_code (*open)(const ls_settings *settings, const ls_perm *perm, ls_storage **s, ls_err *err);
} ls_store_scheme;

/* LS_EINVALID with the reference's texts ("replica url scheme required: ..."), without passwords
 * and query. The path of a file: URL is that of ls_url_file_path. s3://arn:... is taken apart
 * before the rest: host is the ARN with the access point's name. ls_url_done in any case. */
LS_MUST ls_code ls_url_parse(const char *text, ls_url *url, ls_err *err);
void ls_url_done(ls_url *url);

/* A value of the query by one of its names, which '|' sets apart; *value NULL: it is not there.
 * malloc'd. */
LS_MUST ls_code ls_url_query_get(const ls_url *url, const char *names, char **value, ls_err *err);
bool ls_url_query_has(const ls_url *url, const char *names);

/* The URL for people: no password, no query. malloc'd, NULL without memory. */
LS_MUST char *ls_url_shown(const char *text);

/* %XX decoded, and '+' as a blank where told; LS_EINVALID for what is no escape. malloc'd. */
LS_MUST ls_code ls_url_decode(const char *text, size_t len, bool plus, char **out, ls_err *err);

/* Types and URL schemes that there are, built or not; NULL-terminated, for ls_nearest. */
extern const char *const ls_store_types[];

/* NULL-terminated list of the stores in this build, "file" first; a store that was left out at
 * configure time is not there. */
extern const ls_store_scheme *const ls_store_schemes[];
const ls_store_scheme *ls_store_scheme_of(const char *type);    /* by type; NULL */
const ls_store_scheme *ls_store_scheme_of_url(const char *url); /* by scheme; NULL */

/* Why there is no such type or URL scheme: LS_EUNSUPPORTED if this build leaves it out, else
 * LS_EINVALID with the nearest. */
ls_code ls_store_missing(const char *type, ls_err *err);

/* ls_settings_new: LS_ENOMEM as NULL. ls_settings_free: NULL allowed; clears secrets first. */
LS_MUST ls_settings *ls_settings_new(const char *type);
void ls_settings_free(ls_settings *s);

/* Sets a value, checked by the store's table; a LIST gets one more. LS_ECONFIG for an unknown key
 * (with the nearest) or a wrong value, which is named unless it is secret. */
LS_MUST ls_code ls_settings_set(ls_settings *s, const char *key, const char *value, ls_err *err);

/* The same unless it is set; NULL or empty: does nothing. For what a URL says. */
LS_MUST ls_code ls_settings_default(ls_settings *s, const char *key, const char *value,
                                    ls_err *err);

/* Sets every value that the URL gives and that is not set yet; LS_ECONFIG for an unknown key of the
 * query. */
LS_MUST ls_code ls_settings_add_url(ls_settings *s, const char *url, ls_err *err);

/* New settings from a URL alone; ls_settings_free in any case. Errors as of ls_storage_open_url. */
LS_MUST ls_code ls_settings_of_url(const char *url, ls_settings **settings, ls_err *err);

const char *ls_settings_type(const ls_settings *s);
const ls_store_scheme *ls_settings_scheme(const ls_settings *s);
bool ls_settings_has(const ls_settings *s, const char *key);
/* def where it is not set. The text stays owned by s. */
const char *ls_settings_text(const ls_settings *s, const char *key, const char *def);
bool ls_settings_bool(const ls_settings *s, const char *key, bool def);
/* INT, SIZE (bytes), DURATION (ns). */
int64_t ls_settings_number(const ls_settings *s, const char *key, int64_t def);
/* The i-th text of a LIST, NULL behind the last. */
const char *ls_settings_item(const ls_settings *s, const char *key, size_t i);

/* Opens the store of these settings. perm: of files and folders that a file store makes; may be
 * NULL. Nothing is contacted. */
LS_MUST ls_code ls_storage_open(const ls_settings *settings, const ls_perm *perm, ls_storage **s,
                                ls_err *err);

#endif
