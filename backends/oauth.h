/*
 * Access tokens as the services of OAuth 2 give them: asked for by a form, kept until shortly
 * before they end. For the credentials of stores alone.
 */
#ifndef LS_BACKENDS_OAUTH_H
#define LS_BACKENDS_OAUTH_H

#include "backends/http.h"
#include "engine/base/buf.h"

#include <jansson.h>
#include <pthread.h>

#define LS_TOKEN_MAX 65536 /* bytes */

/* A token that several threads use. */
typedef struct ls_bearer {
    pthread_mutex_t lock;
    char *token;   /* NULL: none yet */
    int64_t until; /* monotonic ns: then a new one is asked for */
} ls_bearer;

void ls_bearer_init(ls_bearer *b);
void ls_bearer_done(ls_bearer *b);

/* A copy of the token (malloc'd), from fetch where there is none that is still good. fetch gives it
 * malloc'd with the seconds for which it is good; one thread at a time. */
LS_MUST ls_code ls_bearer_get(ls_bearer *b,
                              ls_code (*fetch)(void *arg, char **token, int64_t *seconds,
                                               ls_err *err),
                              void *arg, char **token, ls_err *err);

/* This token was refused: the next call asks for another, unless one came meanwhile. */
void ls_bearer_drop(ls_bearer *b, const char *token);

/* Clears and frees a text that is secret; NULL allowed. */
void ls_secret_free(char *text);

/* Adds "name=value", encoded, and '&' in front where there is something. */
LS_MUST ls_code ls_form_add(ls_buf *form, const char *name, const char *value, ls_err *err);

/* Sends the request and reads its answer, which must be JSON; LS_EREMOTE with what the service said
 * for a status of 300 and up. what: "get a token from Google". */
LS_MUST ls_code ls_oauth_do(ls_http *http, ls_http_request *r, const char *what, json_t **answer,
                            ls_err *err);
/* The same for a form to a URL. */
LS_MUST ls_code ls_oauth_post(ls_http *http, const char *url, const ls_buf *form, const char *what,
                              json_t **answer, ls_err *err);

/* The token of such an answer: access_token, and expires_in or expires_on. */
LS_MUST ls_code ls_oauth_token(const json_t *answer, const char *what, char **token,
                               int64_t *seconds, ls_err *err);

/* A text of a JSON object, NULL where there is none. */
const char *ls_oauth_text(const json_t *object, const char *key);

/* A small file as text (malloc'd, NUL behind it); LS_ELIMIT if it is larger than LS_TOKEN_MAX. */
LS_MUST ls_code ls_small_file(const char *path, char **text, ls_err *err);

#endif
