/* The heartbeat's thread: see heartbeat.h. It sleeps in curl_multi_poll(), which a stop wakes. */
#include "engine/control/heartbeat.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/litestream.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define REDIRECTS_MAX 10L
#define SYSTEM LS_STR("system", "store")

struct ls_heartbeat {
    ls_store *store;
    ls_heartbeat_opts opts;
    char *url;
    CURL *curl;
    CURLM *multi;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    char reason[CURL_ERROR_SIZE];
    int64_t begun, last; /* monotonic ns; last: of the last try, 0: none yet */
    bool held;           /* and that was logged */
};

/* ---- Is all well? ---- */

const char *ls_heartbeat_reason(const ls_db_state *s, int64_t interval_ms, bool *counts) {
    if (s->status == LS_DB_STOPPED)
        return NULL;
    *counts = true;
    if (s->status != LS_DB_REPLICATING && s->status != LS_DB_OPEN)
        return ls_db_status_name(s->status);
    if (s->last_sync_ms < 0)
        return "never synced";
    return s->lag_ms > interval_ms ? "behind" : NULL;
}

/* A record when it begins, not for each check; a start is given the time for the first syncs. */
static void say_held(ls_heartbeat *h, const char *path, const char *reason) {
    if (h->held || (h->last == 0 && ls_mono_ns(&ls_clock_system) - h->begun < h->opts.interval))
        return;
    h->held = true;
    ls_log_write(h->opts.log, LS_WARN, "heartbeat is held back",
                 LS_ATTRS(SYSTEM, LS_STR("path", path), LS_STR("reason", reason)));
}

static bool all_well(ls_heartbeat *h) {
    ls_db_state *states = NULL;
    const char *reason = NULL;
    size_t n = 0, i = 0;
    bool counts = false;
    ls_err err = LS_ERR_INIT;

    if (ls_store_states(h->store, &states, &n, &err) != LS_OK)
        return false; /* it begins, or ends */
    for (; i < n && reason == NULL; i++)
        reason = ls_heartbeat_reason(&states[i], h->opts.interval / LS_MS, &counts);
    if (reason != NULL)
        say_held(h, states[i - 1].path, reason);
    ls_store_states_free(states, n);
    return counts && reason == NULL;
}

/* ---- One request ---- */

static size_t ignore_body(char *data, size_t size, size_t n, void *arg) {
    (void)data;
    (void)arg;
    return size * n;
}

static ls_code prepare(ls_heartbeat *h) {
    char agent[64];
    long timeout_ms = (long)(h->opts.timeout / LS_MS);

    (void)snprintf(agent, sizeof agent, "litestream/%s", ls_version());
    bool good = curl_easy_setopt(h->curl, CURLOPT_URL, h->url) == CURLE_OK &&
                curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                curl_easy_setopt(h->curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                curl_easy_setopt(h->curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
                curl_easy_setopt(h->curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX) == CURLE_OK &&
                curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
                curl_easy_setopt(h->curl, CURLOPT_USERAGENT, agent) == CURLE_OK &&
                curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                /* A name that is being looked up does not hold up a stop. */
                curl_easy_setopt(h->curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
                curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->reason) == CURLE_OK &&
                curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, ignore_body) == CURLE_OK;
    return good ? LS_OK : LS_ENOMEM;
}

/* Until the transfer has ended, or is told to. */
static CURLcode await_transfer(ls_heartbeat *h) {
    for (int running = 1; running > 0;) {
        if (atomic_load(&h->stop))
            return CURLE_ABORTED_BY_CALLBACK;
        if (curl_multi_perform(h->multi, &running) != CURLM_OK ||
            curl_multi_poll(h->multi, NULL, 0, running > 0 ? 1000 : 0, NULL) != CURLM_OK)
            return CURLE_FAILED_INIT;
    }
    int left;
    const CURLMsg *msg = curl_multi_info_read(h->multi, &left);
    return msg == NULL ? CURLE_FAILED_INIT : msg->data.result;
}

static ls_code request(ls_heartbeat *h, ls_err *err) {
    CURLcode code = CURLE_FAILED_INIT;
    long status = 0;

    h->reason[0] = '\0';
    if (curl_multi_add_handle(h->multi, h->curl) == CURLM_OK) {
        code = await_transfer(h);
        (void)curl_multi_remove_handle(h->multi, h->curl);
    }
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return ls_fail(err, LS_ECANCELED, "stopped");
    if (code != CURLE_OK) {
        (void)ls_fail(err, LS_EREMOTE, "http request: %s",
                      h->reason[0] != '\0' ? h->reason : curl_easy_strerror(code));
        return ls_hint(err, "replication goes on; check heartbeat-url and the way to its host");
    }
    (void)curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300)
        return LS_OK;
    (void)ls_fail(err, LS_EREMOTE, "unexpected status code: %ld", status);
    return ls_hint(err, "replication goes on; check heartbeat-url");
}

static void ping(ls_heartbeat *h) {
    ls_err err = LS_ERR_INIT;
    CURLU *parts = curl_url();
    char *host = NULL;

    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, h->url, 0) == CURLUE_OK)
        (void)curl_url_get(parts, CURLUPART_HOST, &host, 0);
    const ls_attr *where = LS_ATTRS(SYSTEM, LS_STR("host", host == NULL ? "" : host));
    ls_code rc = request(h, &err);
    if (rc == LS_OK)
        ls_log_write(h->opts.log, LS_DEBUG, "heartbeat ping sent", where);
    else if (rc != LS_ECANCELED)
        ls_log_err(h->opts.log, LS_ERROR, "heartbeat ping failed", &err, where);
    curl_free(host);
    curl_url_cleanup(parts);
}

/* ---- The thread ---- */

static void check(ls_heartbeat *h) {
    int64_t now = ls_mono_ns(&ls_clock_system);

    if ((h->last != 0 && now - h->last < h->opts.interval) || !all_well(h))
        return;
    if (h->held)
        ls_log_write(h->opts.log, LS_INFO, "heartbeat is sent again", LS_ATTRS(SYSTEM));
    h->held = false;
    h->last = now; /* of a try, whatever comes of it: no one is flooded */
    ping(h);
}

static void *beat(void *arg) {
    ls_heartbeat *h = arg;

    while (!atomic_load(&h->stop)) {
        int64_t pause = h->last == 0 ? h->opts.first : h->opts.check;
        (void)curl_multi_poll(h->multi, NULL, 0, (int)(pause / LS_MS), NULL);
        if (!atomic_load(&h->stop))
            check(h);
    }
    return NULL;
}

static ls_code start_thread(ls_heartbeat *h, ls_err *err) {
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&h->thread, NULL, beat, h);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    h->started = rc == 0;
    return rc == 0 ? LS_OK : ls_fail_errno(err, rc, "start the heartbeat");
}

static int64_t or_default(int64_t value, int64_t def) { return value > 0 ? value : def; }

static ls_heartbeat *new_heartbeat(ls_store *store, const ls_heartbeat_opts *opts) {
    ls_heartbeat *h = calloc(1, sizeof *h);

    if (h == NULL)
        return NULL;
    h->store = store;
    h->opts = *opts;
    h->opts.check = or_default(opts->check, LS_HEARTBEAT_CHECK_NS);
    h->opts.first = or_default(opts->first, LS_HEARTBEAT_FIRST_NS);
    h->opts.timeout = or_default(opts->timeout, LS_HEARTBEAT_TIMEOUT_NS);
    h->begun = ls_mono_ns(&ls_clock_system);
    h->url = strdup(opts->url);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        h->curl = curl_easy_init();
        h->multi = curl_multi_init();
    }
    return h;
}

ls_code ls_heartbeat_start(ls_store *store, const ls_heartbeat_opts *opts, ls_heartbeat **out,
                           ls_err *err) {
    ls_heartbeat *h = new_heartbeat(store, opts);

    *out = NULL;
    if (h == NULL || h->url == NULL || h->curl == NULL || h->multi == NULL || prepare(h) != LS_OK) {
        ls_heartbeat_stop(h);
        return ls_fail(err, LS_ENOMEM, "start the heartbeat");
    }
    ls_code rc = start_thread(h, err);
    if (rc != LS_OK) {
        ls_heartbeat_stop(h);
        return rc;
    }
    ls_log_write(h->opts.log, LS_INFO, "starting heartbeat monitor",
                 LS_ATTRS(SYSTEM, LS_DUR("interval", h->opts.check)));
    *out = h;
    return LS_OK;
}

void ls_heartbeat_stop(ls_heartbeat *h) {
    if (h == NULL)
        return;
    atomic_store(&h->stop, true);
    if (h->started) {
        (void)curl_multi_wakeup(h->multi);
        (void)pthread_join(h->thread, NULL);
    }
    curl_easy_cleanup(h->curl);
    (void)curl_multi_cleanup(h->multi);
    free(h->url);
    free(h);
}
