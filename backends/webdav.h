/*
 * What the files of the WebDAV store share. Used by backends/webdav*.c alone.
 */
#ifndef LS_BACKENDS_WEBDAV_H
#define LS_BACKENDS_WEBDAV_H

#include "backends/http.h"
#include "backends/storage.h"
#include "backends/window.h"

#include <stdatomic.h>

/* How to log in: learned from the first answer that asks for it. */
typedef enum ls_dav_auth { LS_DAV_NONE, LS_DAV_BASIC, LS_DAV_DIGEST } ls_dav_auth;

typedef struct ls_dav {
    ls_storage base;
    char *root;          /* URL of the replica's folder, encoded, without a slash behind */
    char *user;          /* NULL: no login */
    char *basic;         /* "Basic ..."; NULL: no login */
    ls_http *plain;      /* without login, or with the header above */
    ls_http *digest;     /* with login as the server asks; NULL: no login */
    atomic_int auth;     /* ls_dav_auth */
    atomic_bool no_move; /* the server cannot rename: files are put under their names */
    atomic_bool no_copy;
} ls_dav;

/* One exchange: what is sent and what came back. */
typedef struct ls_dav_call {
    ls_http_request r;
    ls_http_answer a;
} ls_dav_call;

/* A call for a URL, which stays the caller's. ls_dav_done in any case. */
LS_MUST ls_code ls_dav_init(ls_dav_call *c, const char *method, const char *url, ls_err *err);
void ls_dav_done(ls_dav_call *c);

/* Sends, logging in where the server asks. An answer of any status is LS_OK. body (may be NULL): as
 * of ls_http_open. */
LS_MUST ls_code ls_dav_send(ls_dav *dav, ls_dav_call *c, ls_reader **body, ls_err *err);

/* The error of an answer: LS_ENOTFOUND, LS_EPERM, LS_EEXISTS, else LS_EREMOTE. what: "write". */
ls_code ls_dav_fail(const ls_dav *dav, const ls_dav_call *c, const char *what, ls_err *err);

/* URLs of a level's folder (with a slash behind) and of a file; malloc'd. */
LS_MUST ls_code ls_dav_level_url(const ls_dav *dav, int level, char **url, ls_err *err);
LS_MUST ls_code ls_dav_file_url(const ls_dav *dav, const ls_ltx_info *file, char **url,
                                ls_err *err);

/* The parser of a listing: gives w the files of a folder. */
LS_MUST ls_code ls_dav_read_listing(ls_reader *body, ls_window *w, ls_err *err);

/* Operations of the store, see storage.h. */
LS_MUST ls_code ls_dav_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                           ls_ltx_info *out, ls_err *err);
LS_MUST ls_code ls_dav_put_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                                bool exclusive, ls_ltx_info *out, ls_err *err);
LS_MUST ls_code ls_dav_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                            bool exclusive, ls_ltx_info *out, ls_err *err);

#endif
