/*
 * HTTP for the stores that speak it: one pool of connections a process (libcurl), retries with a
 * budget, and bodies that are pulled as ls_readers.
 *
 * A request is made anew for each try by the store's sign callback, so that dates and tokens are
 * fresh. Retried are: lost connections, 429, 500, 502, 503, 504, 408, and what the store's again
 * callback calls temporary, as long as the store's budget lasts: 500 tokens, of which a retry takes
 * 5 and an answer gives back 1, so that a store that is down is not hammered. Every body can be
 * sent again. Retry-After is honoured up to LS_HTTP_RETRY_AFTER_MAX. The pause is random up to 100
 * ms * 2^n, at most 20 s. Paths are sent as they are (CURLOPT_PATH_AS_IS); proxies by HTTP_PROXY,
 * HTTPS_PROXY, NO_PROXY in both cases of letters; roots by SSL_CERT_FILE, SSL_CERT_DIR,
 * AWS_CA_BUNDLE, else the system's. No deadline for a whole transfer: a transfer ends when less
 * than 1 byte/s came for 60 s.
 */
#ifndef LS_BACKENDS_HTTP_H
#define LS_BACKENDS_HTTP_H

#include "backends/storage.h"
#include "engine/base/log.h"

#define LS_HTTP_HEADERS_MAX 32
#define LS_HTTP_BODY_MAX (16u << 20) /* of answers that are kept whole */
#define LS_HTTP_RETRY_AFTER_MAX (60 * LS_SEC)
#define LS_HTTP_TRIES 5

typedef struct ls_http ls_http; /* options of one store; connections are shared by the process */

typedef struct ls_http_options {
    bool skip_verify;
    bool no_proxy;               /* never use one (OSS, metadata servers) */
    const char *ca_file;         /* NULL: as above; copied */
    const char *user, *password; /* NULL: none; Basic or Digest, as the server asks; copied */
    int64_t connect_timeout;     /* ns; 0: 10 s */
    int tries;                   /* 0: LS_HTTP_TRIES */
    const ls_cancel *cancel;     /* ends transfers and pauses; NULL: none */
    const ls_log *const *debug;  /* requests and answers at DEBUG go to the log that is found
                                    there, without secrets; NULL: none */
} ls_http_options;

LS_MUST ls_code ls_http_new(const ls_http_options *options, ls_http **http, ls_err *err);
void ls_http_free(ls_http *http); /* NULL allowed; no request or reader of it may be left */

typedef struct ls_http_header {
    char *name, *value; /* owned by the request or answer */
} ls_http_header;

/* What is sent. ls_http_request_init clears; _done frees what was set. */
typedef struct ls_http_request {
    const char *method; /* "GET", "PROPFIND", ...; static */
    char *url;          /* complete, encoded; owned */
    ls_http_header headers[LS_HTTP_HEADERS_MAX];
    size_t n_headers;
    const void *body; /* or body_fd; neither: no body. Owned by the caller. */
    size_t body_len;
    int body_fd; /* -1: none. Sent from body_off, body_len bytes, by pread: so it can be repeated.
                  */
    uint64_t body_off;
} ls_http_request;
void ls_http_request_init(ls_http_request *r, const char *method);
void ls_http_request_done(ls_http_request *r);
LS_MUST ls_code ls_http_set_url(ls_http_request *r, ls_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Replaces one of that name, whatever its case. A value with a line break is LS_EINVALID. */
LS_MUST ls_code ls_http_set_header(ls_http_request *r, const char *name, ls_err *err,
                                   const char *format, ...) __attribute__((format(printf, 4, 5)));
const char *ls_http_header_of(const ls_http_header *headers, size_t n, const char *name); /* NULL */

/* What came back. */
typedef struct ls_http_answer {
    int status;
    ls_http_header headers[64];
    size_t n_headers;
    char *body; /* of what was not streamed; ends with a NUL that is not counted; owned */
    size_t body_len;
} ls_http_answer;
void ls_http_answer_done(ls_http_answer *a);

typedef struct ls_http_hooks {
    /* Before each try: sets date and authorization. NULL: nothing. */
    ls_code (*sign)(void *arg, ls_http_request *r, ls_err *err);
    /* After each answer of 300 and up: true: try again (for example after the clock was corrected,
     * a token renewed, another region learned). NULL: by status alone. */
    bool (*again)(void *arg, const ls_http_request *r, const ls_http_answer *a);
    void *arg;
} ls_http_hooks;

/* Sends, with retries; an answer of any status is LS_OK. LS_EREMOTE (or LS_ECANCELED) otherwise,
 * naming host and cause. */
LS_MUST ls_code ls_http_do(ls_http *http, ls_http_request *r, const ls_http_hooks *hooks,
                           ls_http_answer *a, ls_err *err);

/* As ls_http_do for an answer of 200, 206 or 207, whose body is then read through *body (closed by
 * the caller; at most a window of it is in memory; the connection is dropped if it is closed
 * early). Other answers are kept whole in a and *body is NULL. */
LS_MUST ls_code ls_http_open(ls_http *http, ls_http_request *r, const ls_http_hooks *hooks,
                             ls_http_answer *a, ls_reader **body, ls_err *err);

/* Percent-encoding but for A-Z a-z 0-9 - . _ ~ and, if keep_slash, '/'. malloc'd; NULL: no memory.
 */
LS_MUST char *ls_http_encode(const char *text, bool keep_slash);

#endif
