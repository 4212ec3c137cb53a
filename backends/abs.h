/*
 * Azure Blob Storage, shared by its files: abs.c is the store, abs_request.c signs and sends,
 * abs_upload.c stores blobs.
 */
#ifndef LS_BACKENDS_ABS_H
#define LS_BACKENDS_ABS_H

#include "backends/azure_credentials.h"
#include "backends/http.h"
#include "backends/settings.h"
#include "backends/storage.h"

#define LS_ABS_TIME_HEADER "x-ms-meta-litestreamtimestamp"
#define LS_ABS_VERSION "2021-12-02" /* x-ms-version */

typedef struct ls_abs {
    ls_storage base;
    ls_http *http;
    /* One of three ways to prove who asks. */
    ls_azure *azure;
    char *sas; /* query, without '?' */
    uint8_t *key;
    size_t key_len;
    char *account;
    char *endpoint;  /* "https://ACCOUNT.blob.core.windows.net" */
    char *container; /* encoded */
    char *root;      /* in front of all names: "" or "db/" */
} ls_abs;

/* One request as it goes on. */
typedef struct ls_abs_call {
    ls_abs *abs;
    ls_http_request r;
    ls_http_answer a;
    int tries;   /* made so far */
    int renewed; /* how often the token was, as it was refused */
} ls_abs_call;

/* To the container ("name" NULL) or a blob, with a query ("comp=list&..."; "" for none), whose
 * values are encoded. ls_abs_call_done in any case. */
LS_MUST ls_code ls_abs_call_init(ls_abs_call *c, ls_abs *abs, const char *method, const char *name,
                                 const char *query, ls_err *err);
void ls_abs_call_done(ls_abs_call *c);

/* Sends, with retries; ls_abs_open gives the body of a success as a stream. */
LS_MUST ls_code ls_abs_do(ls_abs_call *c, ls_err *err);
LS_MUST ls_code ls_abs_open(ls_abs_call *c, ls_reader **body, ls_err *err);

/* The service's name for what is wrong: "BlobNotFound"; "" where it gives none. */
void ls_abs_problem(const ls_http_answer *a, char *buf, size_t size);

/* LS_EREMOTE (or what fits better) for an answer that is no success. */
ls_code ls_abs_refused(const ls_abs_call *c, const char *what, const char *name, ls_err *err);

/* What a request signed with an account's key is signed for (malloc'd, NULL without memory). */
LS_MUST char *ls_abs_string_to_sign(const ls_http_request *r, const char *account);

/* The value of Authorization, into the request. */
LS_MUST ls_code ls_abs_sign_shared_key(ls_http_request *r, const char *account, const uint8_t *key,
                                       size_t key_len, ls_err *err);

/* Name of a file's blob (malloc'd, NULL without memory). */
LS_MUST char *ls_abs_name(const ls_abs *abs, const ls_ltx_info *file);

/* Size and time of a blob from the headers that describe it. */
LS_MUST bool ls_abs_describes(const ls_http_answer *a, ls_ltx_info *file);

/* The store's put. */
LS_MUST ls_code ls_abs_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                           ls_ltx_info *out, ls_err *err);

/* Bytes of the block with this number (from 0) of an upload: larger later, so that the most that a
 * blob may have are enough. */
size_t ls_abs_block_size(size_t number);
#define LS_ABS_BLOCKS_MAX 50000

#endif
