/*
 * Google Cloud Storage, shared by its two files: gcs.c is the store, gcs_upload.c sends.
 */
#ifndef LS_BACKENDS_GCS_H
#define LS_BACKENDS_GCS_H

#include "backends/google_credentials.h"
#include "backends/http.h"
#include "backends/storage.h"

#include <jansson.h>

#define LS_GCS_TIME_KEY "litestream-timestamp"

typedef struct ls_gcs {
    ls_storage base;
    ls_http *http;
    ls_http *once;     /* the same without retries */
    ls_google *google; /* NULL: requests are not signed (emulators) */
    char *endpoint;    /* "https://storage.googleapis.com" */
    char *bucket;      /* encoded for URLs */
    char *root;        /* in front of all names: "" or "db/" */
} ls_gcs;

/* One request as it goes on. */
typedef struct ls_gcs_call {
    ls_gcs *gs;
    ls_http_request r;
    ls_http_answer a;
    int tries;   /* made so far */
    int renewed; /* how often the token was, as it was refused */
} ls_gcs_call;

/* ls_gcs_call_done in any case. Headers and body of c->r may be set in between. */
LS_MUST ls_code ls_gcs_call_init(ls_gcs_call *c, ls_gcs *gs, const char *method, const char *url,
                                 ls_err *err);
void ls_gcs_call_done(ls_gcs_call *c);

/* Sends with token, and with retries or without. */
LS_MUST ls_code ls_gcs_do(ls_gcs_call *c, ls_err *err);
LS_MUST ls_code ls_gcs_do_once(ls_gcs_call *c, ls_err *err);

/* LS_EREMOTE (or what fits better) for an answer that is no success, with what the service said. */
ls_code ls_gcs_refused(const ls_gcs_call *c, const char *what, const char *name, ls_err *err);

/* Name of a file's object, and that name encoded for a URL (malloc'd, NULL without memory). */
LS_MUST char *ls_gcs_name(const ls_gcs *gs, const ls_ltx_info *file);

/* The object's size, time and crc32c from the service's description of it; false if it has none. */
bool ls_gcs_describes(const json_t *object, ls_ltx_info *file);

/* The store's put. */
LS_MUST ls_code ls_gcs_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                           ls_ltx_info *out, ls_err *err);

#endif
