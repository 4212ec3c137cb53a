/*
 * GET /events: server-sent events. Each has its number as id, so that a client that comes back asks
 * for what it missed, with after or with Last-Event-ID. Between events a comment goes out now and
 * then, by which both sides notice that the other is gone.
 */
#include "engine/control/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 16
/* How long one look at the store waits: a stop of the server ends the stream after it. */
#define WAIT_NS (LS_SEC / 2)
#define KEEPALIVE_NS (5 * LS_SEC)
#define BLOCK_SIZE ((size_t)16 * 1024)

typedef struct stream {
    ls_control *control;
    uint64_t after;
    ls_buf text; /* not sent yet, from sent on */
    size_t sent;
} stream;

static json_t *event_json(const ls_event *e) {
    json_t *o = json_object();

    ls_json_set(o, "number", json_integer((json_int_t)e->number));
    ls_json_set(o, "kind", json_string(ls_event_name(e->kind)));
    ls_json_set_time(o, "at", e->at_ms);
    ls_json_set(o, "path", ls_json_text(e->path));
    if (e->level >= 0)
        ls_json_set(o, "level", json_integer(e->level));
    if (e->max_txid > 0) {
        ls_json_set_txid(o, "min_txid", e->min_txid);
        ls_json_set_txid(o, "max_txid", e->max_txid);
    }
    ls_json_set(o, "bytes", json_integer((json_int_t)e->bytes));
    ls_json_set(o, "text", ls_json_text(e->text));
    return o;
}

static ls_code add_event(stream *s, const ls_event *e, ls_err *err) {
    json_t *o = event_json(e);
    char *data = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);

    ls_code rc = data == NULL
                     ? ls_fail(err, LS_ENOMEM, "out of memory")
                     : ls_buf_addf(&s->text, err, "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n",
                                   e->number, ls_event_name(e->kind), data);
    free(data);
    json_decref(o);
    s->after = e->number;
    return rc;
}

/* Waits for events, at most until it is time for a comment; anything but LS_OK ends the stream. */
static ls_code more(stream *s, ls_err *err) {
    int64_t until = ls_mono_ns(&ls_clock_system) + KEEPALIVE_NS;
    ls_event events[BATCH];
    ls_code rc = LS_OK;
    size_t n = 0;

    ls_buf_clear(&s->text);
    s->sent = 0;
    while (rc == LS_OK && n == 0 && ls_mono_ns(&ls_clock_system) < until) {
        if (atomic_load(&s->control->stopping))
            return ls_fail(err, LS_ENOTREADY, "the daemon is shutting down");
        rc = ls_store_events(s->control->store, s->after, events, BATCH, WAIT_NS, &n, err);
    }
    for (size_t i = 0; i < n && rc == LS_OK; i++)
        rc = add_event(s, &events[i], err);
    if (rc == LS_OK && n == 0)
        rc = ls_buf_addf(&s->text, err, ":\n\n");
    return rc;
}

static ssize_t read_stream(void *arg, uint64_t pos, char *buf, size_t max) {
    stream *s = arg;
    ls_err err = LS_ERR_INIT;

    (void)pos;
    if (s->sent == s->text.len && more(s, &err) != LS_OK)
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t n = s->text.len - s->sent;
    if (n > max)
        n = max;
    memcpy(buf, s->text.data + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

static void free_stream(void *arg) {
    stream *s = arg;

    atomic_fetch_sub(&s->control->streams, 1);
    ls_buf_done(&s->text);
    free(s);
}

/* Where the client goes on, by the query or by what browsers send. */
static uint64_t start_after(const ls_request *r) {
    const ls_value *after = ls_value_of(r, "after");
    const char *last = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Last-Event-ID");

    if (after->set || last == NULL)
        return after->num > 0 ? (uint64_t)after->num : 0;
    return strtoull(last, NULL, 10);
}

static void open_stream(ls_request *r) {
    stream *s = calloc(1, sizeof *s);

    if (s == NULL) {
        atomic_fetch_sub(&r->control->streams, 1);
        return;
    }
    s->control = r->control;
    s->after = start_after(r);
    ls_buf_init(&s->text, LS_CONTROL_ANSWER_BYTES);
    r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_stream, s,
                                                    free_stream);
    if (r->response == NULL) {
        free_stream(s);
        return;
    }
    (void)MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    (void)MHD_add_response_header(r->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    r->status = MHD_HTTP_OK;
}

/* An error while the stream is on its way cannot be told by status: the first look is made now. */
void ls_handle_events(ls_request *r) {
    ls_err err = LS_ERR_INIT;
    ls_event event;
    size_t n;

    if (ls_store_events(r->control->store, UINT64_MAX, &event, 1, 0, &n, &err) != LS_OK) {
        ls_answer_err(r, 0, &err);
    } else if (atomic_fetch_add(&r->control->streams, 1) >= LS_CONTROL_STREAMS) {
        atomic_fetch_sub(&r->control->streams, 1);
        ls_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too many streams of events", NULL);
    } else {
        open_stream(r);
    }
}
