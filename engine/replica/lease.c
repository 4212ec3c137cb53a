/*
 * A lease on a replica: see lease.h.
 *
 * Invariant: lease->until is never later than the moment at which anyone else may take the lease.
 * It counts from before the request that wrote it, by a clock that does not jump. An answer that
 * got lost is made up for by reading: the id tells whether it was ours.
 */
#include "engine/replica/lease.h"

#include "engine/base/text.h"
#include "engine/replica/lease_text.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A mark that is being written may be read half; then it is read again. */
#define READ_TRIES 3
#define READ_PAUSE_NS (20 * LS_MS)

struct ls_lease {
    ls_storage *storage;
    int64_t ttl;
    const ls_clock *clock;
    const ls_log *log;
    char *path;

    pthread_mutex_t busy; /* guards what follows, through requests */
    ls_lease_text text;   /* as it was written last */
    ls_mark mark;         /* the same, and its tag */
    bool held, proved;    /* proved: the store minds conditions */
    bool failing, lapsed; /* renewals fail; since longer than the lease lasts */
    int64_t next;         /* renewal */

    _Atomic(int64_t) until; /* monotonic ns; 0: not held */
    atomic_bool changed;

    pthread_mutex_t told; /* guards why */
    ls_err why;           /* another one holds it */
};

static int64_t now_of(const ls_lease *l) { return ls_mono_ns(l->clock); }
int64_t ls_lease_interval(const ls_lease *l) { return l->ttl / 3; }
bool ls_lease_changed(const ls_lease *l) { return atomic_load(&l->changed); }
void ls_lease_compared(ls_lease *l) { atomic_store(&l->changed, false); }

#define LEASE_ATTRS(l, ...)                                                                        \
    LS_ATTRS(LS_STR("system", "lease"), LS_STR("path", (l)->path),                                 \
             LS_STR("replica", ls_storage_url((l)->storage)), __VA_ARGS__)

/* ---- What is known of others ---- */

static void set_why(ls_lease *l, const ls_err *why) {
    (void)pthread_mutex_lock(&l->told);
    l->why = *why;
    (void)pthread_mutex_unlock(&l->told);
}

bool ls_lease_refused(ls_lease *l, ls_err *why) {
    (void)pthread_mutex_lock(&l->told);
    bool refused = l->why.code != LS_OK;
    if (refused) {
        *why = l->why;
    }
    (void)pthread_mutex_unlock(&l->told);
    return refused;
}

ls_code ls_lease_allows(ls_lease *l, ls_err *err) {
    if (ls_lease_refused(l, err)) {
        return err->code;
    }
    if (now_of(l) >= atomic_load(&l->until)) {
        (void)ls_fail(err, LS_EHELD, "the lease of %s is not held", ls_storage_url(l->storage));
        return ls_hint(err, "it is taken as soon as the store answers, if nobody else has it");
    }
    if (ls_lease_changed(l)) {
        (void)ls_fail(err, LS_EHELD, "replica %s was not compared since its lease was taken",
                      ls_storage_url(l->storage));
        return ls_hint(err, "that comes by itself");
    }
    return LS_OK;
}

/* Nothing may be written any more. */
static void let_go(ls_lease *l) {
    atomic_store(&l->until, 0);
    atomic_store(&l->changed, true);
    l->held = false;
}

static ls_code held_by(ls_lease *l, const ls_lease_text *other, const ls_mark *mark, ls_err *err) {
    char expires[64];
    (void)ls_fail(err, LS_EHELD,
                  "another writer holds the lease of %s: %s (generation %" PRId64 ", %s %s)",
                  ls_storage_url(l->storage), other->owner[0] != '\0' ? other->owner : "unnamed",
                  other->generation, mark->writer == LS_MARK_ALIVE ? "alive, renews by" : "until",
                  ls_time_format(other->expires_ms, false, expires, sizeof expires));
    (void)ls_hint(err, "uploads of this database stop while that process writes there: stop it, or "
                       "give each database its own replica path; they go on by themselves when it "
                       "lets go, or its lease has run out");
    set_why(l, err);
    return LS_EHELD;
}

/* ---- The mark ---- */

/* LS_ENOTFOUND: none. One that cannot be read belongs to somebody unknown. */
static ls_code read_lease(ls_lease *l, ls_lease_text *text, ls_mark *mark, ls_err *err) {
    ls_code rc = LS_ECORRUPT;
    for (int i = 0; rc == LS_ECORRUPT && i < READ_TRIES; i++) {
        if (i > 0) {
            (void)ls_pause(READ_PAUSE_NS, NULL);
        }
        ls_err_clear(err);
        rc = ls_storage_get_mark(l->storage, LS_LEASE_KEY, mark, err);
        if (rc == LS_OK) {
            rc = ls_lease_text_read(mark, text, err);
        }
    }
    if (rc == LS_ECORRUPT) {
        *text = (ls_lease_text){.ttl_ms = LS_LEASE_TTL_DEFAULT_MS, .owner = "cannot be read"};
        rc = LS_OK;
    }
    return rc == LS_OK || rc == LS_ENOTFOUND ? rc : ls_wrap(err, "read lease");
}

static bool is_ours(const ls_lease *l, const ls_lease_text *text) {
    return text->id[0] != '\0' && strcmp(text->id, l->text.id) == 0;
}

/* It is ours for ttl from begin. */
static void hold(ls_lease *l, int64_t begin) {
    const ls_err none = LS_ERR_INIT;
    l->held = true;
    l->next = begin + ls_lease_interval(l);
    atomic_store(&l->until, begin + l->ttl);
    set_why(l, &none);
}

static ls_code put(ls_lease *l, bool keep, ls_err *err) {
    int64_t ttl_ms = keep ? l->ttl / LS_MS : 0;
    l->text.ttl_ms = ttl_ms;
    l->text.expires_ms = ls_wall_ms(l->clock) + ttl_ms;
    ls_code rc = ls_lease_text_write(&l->text, &l->mark, err);
    if (rc == LS_OK) {
        rc = ls_storage_put_mark(l->storage, LS_LEASE_KEY, &l->mark, keep, err);
    }
    return rc == LS_OK || rc == LS_EEXISTS ? rc : ls_wrap(err, "write lease");
}

/* Writes it. Where another mark is there by now, that may be what this request wrote, whose first
 * answer got lost. */
static ls_code write_lease(ls_lease *l, ls_err *err) {
    ls_lease_text other;
    ls_mark mark;
    int64_t begin = now_of(l);
    ls_code rc = put(l, true, err);
    if (rc == LS_EEXISTS) {
        ls_err_clear(err);
        rc = read_lease(l, &other, &mark, err);
        if (rc == LS_ENOTFOUND) {
            rc = ls_fail(err, LS_EBUSY, "the lease of %s was removed", ls_storage_url(l->storage));
        } else if (rc == LS_OK &&
                   (mark.len != l->mark.len || memcmp(mark.text, l->mark.text, mark.len) != 0)) {
            rc = held_by(l, &other, &mark, err);
        } else if (rc == LS_OK) {
            l->mark = mark;
        }
    }
    if (rc == LS_OK) {
        hold(l, begin);
    }
    return rc;
}

/* A store that pays no heed to conditions would let two writers hold it. Both kinds are tried with
 * what must not be done; if it is, the text is still ours. */
static ls_code prove(ls_lease *l, ls_err *err) {
    static const char *const wrong[] = {"", "\"00000000000000000000000000000000\""};
    for (size_t i = 0; !l->proved && i < sizeof wrong / sizeof wrong[0]; i++) {
        ls_mark mark = l->mark;
        (void)snprintf(mark.tag, sizeof mark.tag, "%s", wrong[i]);
        ls_code rc = ls_storage_put_mark(l->storage, LS_LEASE_KEY, &mark, true, err);
        if (rc == LS_OK) {
            let_go(l);
            (void)ls_fail(err, LS_EUNSUPPORTED, "the server of %s pays no heed to conditions",
                          ls_storage_url(l->storage));
            return ls_hint(err, "it cannot keep a lease: take out lease: true, or use a store with "
                                "conditional writes");
        }
        if (rc != LS_EEXISTS) {
            return rc;
        }
        ls_err_clear(err);
    }
    l->proved = true;
    return LS_OK;
}

/* ---- Taking ---- */

static void say_taken(const ls_lease *l, const ls_lease_text *before) {
    ls_log_write(l->log, LS_INFO, "lease acquired",
                 LEASE_ATTRS(l, LS_STR("owner", l->text.owner),
                             LS_INT("generation", l->text.generation),
                             LS_STR("previous", before->owner), LS_DUR("ttl", l->ttl)));
}

static ls_code acquire(ls_lease *l, ls_err *err) {
    ls_lease_text before = {0};
    ls_mark mark;
    ls_code rc = read_lease(l, &before, &mark, err);
    if (rc == LS_ENOTFOUND) {
        ls_err_clear(err);
        before = (ls_lease_text){0};
        mark = (ls_mark){0};
        rc = LS_OK;
    } else if (rc == LS_OK && !is_ours(l, &before) &&
               !ls_lease_text_over(&before, &mark, l->text.owner, ls_wall_ms(l->clock))) {
        rc = held_by(l, &before, &mark, err);
    }
    if (rc != LS_OK) {
        return rc;
    }
    bool ours = is_ours(l, &before);
    memcpy(l->mark.tag, mark.tag, sizeof l->mark.tag);
    l->text.generation = ours ? before.generation : before.generation + 1;
    if (!ours) {
        atomic_store(&l->changed, true);
    }
    rc = write_lease(l, err);
    if (rc == LS_OK) {
        rc = prove(l, err);
    }
    if (rc == LS_OK) {
        l->failing = l->lapsed = false;
        say_taken(l, &before);
    }
    return rc;
}

/* ---- Renewing ---- */

static void say_failure(ls_lease *l, const ls_err *err) {
    bool lapsed = now_of(l) >= atomic_load(&l->until);
    if (lapsed && !l->lapsed) {
        ls_log_err(l->log, LS_ERROR, "lease has run out, uploads wait", err,
                   LEASE_ATTRS(l, LS_STR("owner", l->text.owner)));
    } else if (!l->failing) {
        ls_log_err(l->log, LS_WARN, "lease could not be renewed yet", err,
                   LEASE_ATTRS(l, LS_DUR("left", atomic_load(&l->until) - now_of(l))));
    }
    l->failing = true;
    l->lapsed = lapsed;
}

/* What is not ours any more is lost; what is not there any more is taken anew. */
static ls_code renew(ls_lease *l, ls_err *err) {
    ls_code rc = write_lease(l, err);
    if (rc == LS_EHELD || rc == LS_EUNSUPPORTED) {
        let_go(l);
        ls_log_err(l->log, LS_ERROR, "lease lost, uploads stop", err,
                   LEASE_ATTRS(l, LS_STR("owner", l->text.owner)));
    } else if (rc == LS_EBUSY) {
        ls_err_clear(err);
        let_go(l);
        rc = acquire(l, err);
    } else if (rc != LS_OK) {
        say_failure(l, err);
    } else if (l->failing) {
        l->failing = l->lapsed = false;
        ls_log_write(l->log, LS_INFO, "lease renewed again",
                     LEASE_ATTRS(l, LS_STR("owner", l->text.owner)));
    }
    return rc;
}

/* While it is being renewed, by a store that may be slow, it is still held. */
ls_code ls_lease_take(ls_lease *l, ls_err *err) {
    if (pthread_mutex_trylock(&l->busy) != 0) {
        if (now_of(l) < atomic_load(&l->until)) {
            return LS_OK;
        }
        (void)pthread_mutex_lock(&l->busy);
    }
    ls_code rc = !l->held ? acquire(l, err) : now_of(l) >= l->next ? renew(l, err) : LS_OK;
    (void)pthread_mutex_unlock(&l->busy);
    return rc;
}

ls_code ls_lease_renew(ls_lease *l, ls_err *err) {
    (void)pthread_mutex_lock(&l->busy);
    ls_code rc = l->held ? renew(l, err) : LS_OK;
    (void)pthread_mutex_unlock(&l->busy);
    return rc;
}

void ls_lease_release(ls_lease *l) {
    ls_err err = LS_ERR_INIT;
    (void)pthread_mutex_lock(&l->busy);
    bool held = l->held;
    let_go(l);
    /* A store that does not answer would hold up the end; the lease runs out by itself. */
    if (held && !l->failing && put(l, false, &err) != LS_OK) {
        ls_log_err(l->log, LS_WARN, "lease was not released, it runs out by itself", &err,
                   LEASE_ATTRS(l, LS_DUR("ttl", l->ttl)));
    } else if (held && !l->failing) {
        ls_log_write(l->log, LS_INFO, "lease released",
                     LEASE_ATTRS(l, LS_STR("owner", l->text.owner)));
    }
    (void)pthread_mutex_unlock(&l->busy);
}

/* ---- Looking ---- */

ls_code ls_lease_holder(ls_storage *storage, char *owner, size_t size, ls_err *err) {
    ls_lease_text text;
    ls_mark mark;
    char self[LS_LEASE_OWNER_SIZE];
    owner[0] = '\0';
    ls_code rc = ls_storage_get_mark(storage, LS_LEASE_KEY, &mark, err);
    if (rc == LS_ENOTFOUND) {
        ls_err_clear(err);
        return LS_OK;
    }
    if (rc == LS_OK) {
        rc = ls_lease_text_read(&mark, &text, err);
    }
    ls_lease_owner(self, sizeof self);
    if (rc == LS_OK && !ls_lease_text_over(&text, &mark, self, ls_wall_ms(&ls_clock_system))) {
        (void)snprintf(owner, size, "%s", text.owner[0] != '\0' ? text.owner : "unnamed");
    }
    return rc;
}

/* ---- Life ---- */

static ls_code fill_in(ls_lease *l, const ls_lease_opts *opts, ls_err *err) {
    uint64_t id = 0;
    if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id) {
        return ls_fail(err, LS_EIO, "no random number for a lease");
    }
    (void)snprintf(l->text.id, sizeof l->text.id, "%016" PRIx64, id);
    if (opts->owner != NULL) {
        (void)snprintf(l->text.owner, sizeof l->text.owner, "%s", opts->owner);
    } else {
        ls_lease_owner(l->text.owner, sizeof l->text.owner);
    }
    l->path = strdup(opts->path);
    return l->path != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for a lease");
}

ls_code ls_lease_new(const ls_lease_opts *opts, ls_lease **out, ls_err *err) {
    ls_lease *l = calloc(1, sizeof *l);
    *out = NULL;
    if (l == NULL) {
        ls_storage_free(opts->storage);
        return ls_fail(err, LS_ENOMEM, "no memory for a lease");
    }
    l->storage = opts->storage;
    l->ttl = opts->ttl;
    l->clock = opts->clock != NULL ? opts->clock : &ls_clock_system;
    l->log = opts->log;
    atomic_init(&l->changed, true);
    (void)pthread_mutex_init(&l->busy, NULL);
    (void)pthread_mutex_init(&l->told, NULL);
    ls_code rc = fill_in(l, opts, err);
    if (rc == LS_OK && !ls_storage_has_marks(l->storage)) {
        (void)ls_fail(err, LS_EUNSUPPORTED, "%s stores cannot keep a lease",
                      ls_storage_type(l->storage));
        rc = ls_hint(err, "take out lease: true; file and s3 replicas can");
    }
    if (rc != LS_OK) {
        ls_lease_free(l);
        return rc;
    }
    *out = l;
    return LS_OK;
}

void ls_lease_free(ls_lease *l) {
    if (l != NULL) {
        ls_storage_free(l->storage);
        (void)pthread_mutex_destroy(&l->busy);
        (void)pthread_mutex_destroy(&l->told);
        free(l->path);
        free(l);
    }
}
