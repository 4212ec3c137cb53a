/*
 * One exchange of request and answer over libcurl. A wire keeps its connections between exchanges;
 * wires that are not in use wait in a pool of the process. For http_send.c alone.
 */
#ifndef LS_BACKENDS_HTTP_WIRE_H
#define LS_BACKENDS_HTTP_WIRE_H

#include "backends/http.h"

/* Most bytes of a streamed body in memory. */
#define LS_HTTP_WINDOW ((size_t)256 * 1024)

typedef struct ls_http_wire ls_http_wire;

/* A wire, from the pool if there is one; LS_ENOMEM. */
LS_MUST ls_code ls_http_wire_get(ls_http_wire **w, ls_err *err);

/* Ends what is going on, and gives it back to the pool. NULL allowed. */
void ls_http_wire_put(ls_http_wire *w);

/* Sends r and goes on until its answer is there: whole, or with stream, for status 200 and 206,
 * until its first bytes came. options, r and a must outlive the exchange. LS_EREMOTE: *again says
 * whether it may go better another time. */
LS_MUST ls_code ls_http_wire_start(ls_http_wire *w, const ls_http_options *options,
                                   const ls_http_request *r, bool stream, ls_http_answer *a,
                                   bool *again, ls_err *err);

/* Seconds of the answer's Retry-After; 0: none. */
int64_t ls_http_wire_retry_after(const ls_http_wire *w);

/* Request and answer are now to be found there: what is streamed outlives those of the start. */
void ls_http_wire_move(ls_http_wire *w, const ls_http_request *r, ls_http_answer *a);

/* The next bytes of a streamed body; *got 0: its end. */
LS_MUST ls_code ls_http_wire_read(ls_http_wire *w, void *buf, size_t len, size_t *got, ls_err *err);

#endif
