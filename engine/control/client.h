/*
 * A client of the control socket, for commands and the inspector: one request at a time, JSON in
 * and out, never longer than its timeout.
 */
#ifndef LS_CONTROL_CLIENT_H
#define LS_CONTROL_CLIENT_H

#include "engine/base/cancel.h"
#include "engine/base/error.h"

#include <jansson.h>

#define LS_CONTROL_ANSWER_MAX (64u << 20)

typedef struct ls_client ls_client;

LS_MUST ls_code ls_client_new(const char *socket_path, ls_client **client, ls_err *err);
void ls_client_free(ls_client *client); /* NULL allowed */

/* method "GET" or "POST"; body may be NULL and stays the caller's. *answer is a new reference, also
 * where the answer is an error of the daemon: its "error" becomes the message, LS_ENOTFOUND for
 * 404, LS_ENOTREADY for 409 and 503, else LS_EREMOTE. No daemon: LS_ENOTFOUND or LS_EPERM with a
 * hint; one that does not answer in time: LS_ETIMEDOUT. timeout_ns <= 0: 30 s. */
LS_MUST ls_code ls_client_call(ls_client *client, const char *method, const char *path,
                               const json_t *body, int64_t timeout_ns, json_t **answer,
                               ls_err *err);

/* Reads the event stream: each event's JSON goes to fn until it says false, or cancel is set, or
 * the daemon ends. */
LS_MUST ls_code ls_client_events(ls_client *client, uint64_t after,
                                 bool (*fn)(void *arg, const json_t *event), void *arg,
                                 const ls_cancel *cancel, ls_err *err);

#endif
