/*
 * Every database that the daemon or the configuration has: a line each, what is wrong first, and
 * below what is known of the selected one. Columns are those that fit.
 */
#include "tui/view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct databases_view {
    view base;
    list_rows rows;
    fleet *fleet;   /* that the rows are of */
    size_t *ranked; /* row: number in the fleet; owned */
} databases_view;

enum { BY_STATE = 1, BY_PATH, BY_TXID, BY_BEHIND, BY_WAL, BY_SIZE, BY_SYNC, BY_MINUTE };
#define COLUMNS BY_MINUTE

#define STRIP 6

static const struct {
    const char *mark, *word;
    meaning how;
} states[] = {[DB_ERROR] = {"✗", "error", ALERT},
              [DB_STALLED] = {"▲", "stalled", ALERT},
              [DB_BEHIND] = {"▲", "behind", CHANGED},
              [DB_OTHER] = {"?", "?", PLAIN},
              [DB_MISSING] = {"?", "no file", DIM},
              [DB_STOPPED] = {"○", "stopped", DIM},
              [DB_OFFLINE] = {"○", "offline", PLAIN},
              [DB_ONCE] = {"●", "once", PLAIN},
              [DB_OK] = {"●", "ok", PLAIN}};

static const fleet_db *db_of(const databases_view *d, size_t row) {
    return &d->fleet->dbs[d->ranked[row]];
}

/* ---- the columns ---- */

/* Where each begins, and how wide it is; 0: not shown. Numbers stand on the right. */
typedef struct layout {
    int path, path_width;
    int txid, behind, wal, size, sync, minute;
    int replica_txid, lag, url, url_width;
} layout;

/* Widths of the numbers, with a blank in front. */
enum { W_TXID = 7, W_REPLICA = 10, W_BEHIND = 8, W_LAG = 8, W_BYTES = 7, W_SYNC = 7 };

static layout lay_out(int cols) {
    layout l = {.path = 12};
    int end = cols - 1;
    if (cols >= 160) {
        l.url_width = (cols - 110) / 2;
        l.url = end -= l.url_width;
        end -= 2;
    }
    if (cols >= 76) {
        l.minute = end -= SPARK_STEPS;
        end -= 2;
    }
    l.sync = end -= W_SYNC;
    l.size = end -= W_BYTES;
    l.wal = end -= W_BYTES;
    if (cols >= 110) {
        l.lag = end -= W_LAG;
    }
    l.behind = end -= W_BEHIND;
    if (cols >= 110) {
        l.replica_txid = end -= W_REPLICA;
    }
    l.txid = end -= W_TXID;
    l.path_width = end - l.path;
    return l;
}

static void put_right(canvas *c, int row, int col, int width, meaning how, const char *text) {
    if (col > 0) {
        canvas_putf(c, row, col, width, how, "%*s", width, text);
    }
}

/* Its end counts most, as of a path; in front of it stays a blank. */
static const char *txid_text(ls_txid txid, int width, char *buf, size_t size) {
    (void)snprintf(buf, size, "%" PRIx64, txid);
    size_t len = strlen(buf);
    if (txid == 0) {
        return "-";
    }
    if (len >= (size_t)width) {
        memmove(buf + 1, buf + len - (size_t)width + 2, (size_t)width - 1);
        buf[0] = '~';
    }
    return buf;
}

static bool has_replica(const fleet_db *db) {
    return db->state != DB_OFFLINE && db->state != DB_MISSING;
}

static const char *behind_text(const fleet_db *db, char *buf, size_t size) {
    uint64_t behind = fleet_behind(db);
    if (!has_replica(db)) {
        return "-";
    }
    if (behind > 0) {
        bool many = behind >= 10000;
        (void)snprintf(buf, size, "%" PRIu64 "%s tx", many ? behind / 1000 : behind,
                       many ? "k" : "");
        return buf;
    }
    return db->lag_ms >= 1000 ? age_format(db->lag_ms, buf, size) : "0";
}

static const char *age_text(const app *a, int64_t ms, char *buf, size_t size) {
    int64_t age = live_now(a) - ms;
    return ms < 0 ? "-" : age_format(age > 0 ? age : 0, buf, size);
}

/* A block for each step, as high as the most of the row. */
static void put_minute(canvas *c, int row, int col, meaning how, const fleet_db *db) {
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    uint64_t most = 0;
    for (int i = 0; i < SPARK_STEPS; i++) {
        most = db->spark[i] > most ? db->spark[i] : most;
    }
    for (int i = 0; i < SPARK_STEPS && col > 0; i++) {
        double part = most > 0 ? (double)db->spark[i] / (double)most : 0;
        int height = db->spark[i] == 0 ? 0 : 1 + (int)(part * 6);
        canvas_put(c, row, col + i, 1, how, blocks[height]);
    }
}

static void draw_numbers(const app *a, canvas *c, int row, const layout *l, meaning how,
                         const fleet_db *db) {
    char text[32];
    put_right(c, row, l->txid, W_TXID, how, txid_text(db->txid, W_TXID, text, sizeof(text)));
    put_right(c, row, l->replica_txid, W_REPLICA, how,
              txid_text(db->replica_txid, W_REPLICA, text, sizeof(text)));
    put_right(c, row, l->behind, W_BEHIND, how, behind_text(db, text, sizeof(text)));
    put_right(c, row, l->lag, W_LAG, how,
              has_replica(db) ? age_format(db->lag_ms, text, sizeof(text)) : "-");
    put_right(c, row, l->wal, W_BYTES, how, ls_bytes_format(db->wal_size, text, sizeof(text)));
    put_right(c, row, l->size, W_BYTES, how, ls_bytes_format(db->db_size, text, sizeof(text)));
    put_right(c, row, l->sync, W_SYNC, how, age_text(a, db->last_sync_ms, text, sizeof(text)));
}

static void draw_row(view *v, canvas *c, int row, size_t number, meaning how) {
    const fleet_db *db = db_of((const databases_view *)v, number);
    layout l = lay_out(c->cols);
    meaning marked = how == PLAIN ? states[db->state].how : how;
    const char *word = db->state == DB_OTHER ? db->status : states[db->state].word;
    canvas_put(c, row, 0, c->cols, how, "");
    canvas_putf(c, row, 1, 10, marked, " %s %s", states[db->state].mark, word);
    canvas_put_end(c, row, l.path, l.path_width, how, db->path);
    draw_numbers(v->app, c, row, &l, how, db);
    put_minute(c, row, l.minute, how, db);
    if (l.url > 0) {
        canvas_put_end(c, row, l.url, l.url_width, how, db->replica_url);
    }
}

static void draw_head(const view *v, canvas *c, int row) {
    layout l = lay_out(c->cols);
    const struct {
        int col, width, column;
        const char *name;
    } heads[] = {{3, 8, BY_STATE, "STATE"},
                 {l.path, -l.path_width, BY_PATH, "DATABASE"},
                 {l.txid, W_TXID, BY_TXID, "TXID"},
                 {l.replica_txid, W_REPLICA, 0, "REPLICA"},
                 {l.behind, W_BEHIND, BY_BEHIND, "BEHIND"},
                 {l.lag, W_LAG, 0, "LAG"},
                 {l.wal, W_BYTES, BY_WAL, "WAL"},
                 {l.size, W_BYTES, BY_SIZE, "SIZE"},
                 {l.sync, W_SYNC, BY_SYNC, "SYNC"},
                 {l.minute, -SPARK_STEPS, BY_MINUTE, "LAST MINUTE"},
                 {l.url, -l.url_width, 0, "REPLICA"}};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        bool ordered = heads[i].column != 0 && v->list.order == heads[i].column;
        const char *mark = !ordered ? "" : v->list.reverse ? "▼" : "▲";
        int width = heads[i].width < 0 ? -heads[i].width : heads[i].width;
        int blanks = heads[i].width < 0 || heads[i].column == BY_STATE
                         ? 0
                         : width - (int)strlen(heads[i].name) - (ordered ? 1 : 0);
        if (heads[i].col > 0) {
            canvas_putf(c, row, heads[i].col, width, DIM, "%*s%s%s", blanks > 0 ? blanks : 0, "",
                        heads[i].name, mark);
        }
    }
}

/* ---- the strip ---- */

static void draw_levels(canvas *c, int row, const fleet_db *db) {
    char text[400] = "";
    size_t len = 0;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        if (db->level_files[level] > 0) {
            len +=
                (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %zu", len > 0 ? " · " : "",
                                 level_name(level), db->level_files[level]);
        }
    }
    canvas_putf(c, row, 0, c->cols, DIM, " %s%s%s", len > 0 ? "files: " : "", text,
                db->levels_ms < 0 ? "the replica was not listed yet" : "");
}

/* "40 s ago", "never". */
static const char *ago(const app *a, int64_t ms, char *buf, size_t size) {
    char age[16];
    if (ms < 0) {
        return "never";
    }
    (void)snprintf(buf, size, "%s ago", age_text(a, ms, age, sizeof(age)));
    return buf;
}

static void draw_times(const app *a, canvas *c, int row, const fleet_db *db) {
    char checkpoint[24], snap[24], next[16];
    int64_t to_next = db->next_snapshot_ms - live_now(a);
    const char *when = db->next_snapshot_ms < 0 ? "not planned"
                       : to_next <= 0           ? "due"
                                                : age_format(to_next, next, sizeof(next));
    canvas_putf(c, row, 0, c->cols, DIM, " checkpoint %s   snapshot %s, the next %s%s",
                ago(a, db->last_checkpoint_ms, checkpoint, sizeof(checkpoint)),
                ago(a, db->last_snapshot_ms, snap, sizeof(snap)),
                db->next_snapshot_ms >= 0 && to_next > 0 ? "in " : "", when);
}

static void draw_verified(const app *a, canvas *c, int row, const fleet_db *db) {
    const ls_last_verify *v = &db->verified;
    char when[24];
    if (!v->any) {
        canvas_put(c, row, 0, c->cols, DIM, " never verified; v does it");
    } else if (v->ok) {
        canvas_putf(c, row, 0, c->cols, DIM, " verified %s: everything can be restored",
                    ago(a, v->at_ms, when, sizeof(when)));
    } else {
        canvas_putf(c, row, 0, c->cols, ALERT, " ✗ verified %s: NOT everything can be restored",
                    ago(a, v->at_ms, when, sizeof(when)));
    }
}

static void draw_error(const app *a, canvas *c, int row, const fleet_db *db) {
    char age[16], text[1200];
    (void)snprintf(text, sizeof(text), "✗ %" PRIu64 " times, for %s: %.1000s", db->error_count,
                   age_text(a, db->error_since_ms, age, sizeof(age)), db->error);
    row += canvas_wrap(c, row, 1, c->cols - 2, 2, ALERT, text);
    if (db->hint != NULL && *db->hint != '\0') {
        canvas_putf(c, row, 1, c->cols - 2, PLAIN, "hint: %s", db->hint);
    }
}

static void draw_job(const app *a, canvas *c, int row, const fleet_job *j) {
    char done[32], all[32];
    canvas_putf(c, row, 0, c->cols, BRIGHT, " %s job %" PRIu64 ": %s %s, %s of %s (c cancels)",
                app_spinner(a), j->id, j->kind, j->status,
                ls_bytes_format(j->progress.bytes_done, done, sizeof(done)),
                ls_bytes_format(j->progress.bytes, all, sizeof(all)));
}

/* Where its replica is, what the replica lacks, and what runs. */
static void draw_first(const databases_view *d, canvas *c, int row, const fleet_db *db) {
    const app *a = d->base.app;
    char text[1200], age[16], behind[16];
    size_t len = (size_t)snprintf(text, sizeof(text), " %.200s → %.700s", ls_path_base(db->path),
                                  *db->replica_url != '\0' ? db->replica_url : "no replica");
    if (has_replica(db) && fleet_behind(db) > 0) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "   behind: %s, %s",
                                behind_text(db, behind, sizeof(behind)),
                                age_format(db->lag_ms, age, sizeof(age)));
    } else if (has_replica(db) && db->lag_ms >= 1000) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "   behind: %s",
                                age_format(db->lag_ms, age, sizeof(age)));
    }
    if (db->doing != NULL) {
        (void)snprintf(text + len, sizeof(text) - len, "   %.60s for %s", db->doing,
                       age_text(a, db->doing_since_ms, age, sizeof(age)));
    }
    canvas_put(c, row, 0, c->cols, PLAIN, text);
}

static void draw_strip(const databases_view *d, canvas *c) {
    const app *a = d->base.app;
    const list *l = &d->base.list;
    int row = c->rows - 1 - STRIP;
    for (int i = 0; i < c->cols; i++) {
        canvas_put(c, row, i, 1, DIM, "─");
    }
    canvas_putf(c, row + 5, 0, c->cols, DIM, " database %zu of %zu%s%s%s",
                l->n > 0 ? l->cursor + 1 : 0, l->n, l->n < l->total ? " shown" : "",
                l->filter[0] != '\0' ? "   filter: " : "", l->filter);
    if (l->n == 0) {
        return;
    }
    const fleet_db *db = db_of(d, list_row(l, l->cursor));
    const fleet_job *j = fleet_active_job(d->fleet, db->path);
    draw_first(d, c, row + 1, db);
    if (db->error != NULL) {
        draw_error(a, c, row + 2, db);
    } else if (!d->fleet->live) {
        canvas_put(c, row + 2, 0, c->cols, DIM,
                   " not replicated while no daemon runs; enter looks into its replica");
    } else {
        draw_levels(c, row + 2, db);
        draw_times(a, c, row + 3, db);
        draw_verified(a, c, row + 4, db);
    }
    if (j != NULL) {
        draw_job(a, c, row + 4, j);
    }
}

static void draw(view *v, canvas *c) {
    databases_view *d = (databases_view *)v;
    if (live_draw_missing(v, c)) {
        return;
    }
    int row = 1 + live_draw_link(v->app, c, 1);
    if (d->fleet == NULL || d->fleet->n == 0) {
        canvas_put(c, row + 1, 2, c->cols - 3, PLAIN,
                   d->fleet != NULL && d->fleet->live
                       ? "The daemon has no databases. a registers one."
                       : "The configuration has no databases.");
        return;
    }
    draw_head(v, c, row);
    view_draw_list(v, c, row + 1, STRIP, draw_row);
    draw_strip(d, c);
}

/* ---- the rows ---- */

/* What asks for attention first, the others as the configuration has them. */
static int rank_of(const fleet_db *db) { return db->state < DB_OTHER ? (int)db->state : DB_OTHER; }

static size_t *rank(const fleet *f) {
    size_t *ranked = calloc(f->n + 1, sizeof(*ranked)), n = 0;
    for (int r = 0; ranked != NULL && r <= DB_OTHER; r++) {
        for (size_t i = 0; i < f->n; i++) {
            if (rank_of(&f->dbs[i]) == r) {
                ranked[n++] = i;
            }
        }
    }
    return ranked;
}

/* The selection stays with its database. */
static void news(view *v) {
    databases_view *d = (databases_view *)v;
    fleet *now = v->app->news.fleet, *before = d->fleet;
    if (now == NULL || now == before) {
        return;
    }
    size_t *ranked = rank(now);
    if (ranked == NULL) {
        (void)ls_fail(&v->app->err, LS_ENOMEM, "list %zu databases", now->n);
        return;
    }
    const char *path =
        before != NULL && v->list.n > 0 ? db_of(d, list_row(&v->list, v->list.cursor))->path : NULL;
    bool first = v->list.cursor == 0;
    free(d->ranked);
    d->ranked = ranked;
    d->fleet = fleet_ref(now);
    (void)!list_rows_changed(&v->list, now->n, &d->rows, &v->app->err);
    size_t at = path != NULL ? fleet_find(now, path) : now->n;
    if (first && v->list.order == 0) {
        v->list.wanted = SIZE_MAX;
        list_first(&v->list);
        at = now->n;
    }
    for (size_t row = 0; at < now->n && row < now->n; row++) {
        if (ranked[row] == at && !list_select(&v->list, row)) {
            v->list.wanted = list_busy(&v->list) ? row : v->list.wanted;
        }
    }
    fleet_unref(before);
}

static bool has(const char *text, const char *part) {
    return text != NULL && strcasestr(text, part) != NULL;
}

static bool match(void *arg, size_t row, const char *text) {
    const fleet_db *db = db_of(arg, row);
    return has(db->path, text) || has(db->status, text) || has(states[db->state].word, text) ||
           has(db->replica_url, text) || has(db->error, text);
}

#define CMP(a, b) (((a) > (b)) - ((a) < (b)))

static uint64_t minute_of(const fleet_db *db) {
    uint64_t sum = 0;
    for (int i = 0; i < SPARK_STEPS; i++) {
        sum += db->spark[i];
    }
    return sum;
}

static int compare(void *arg, size_t x, size_t y, int column) {
    const fleet_db *a = db_of(arg, x), *b = db_of(arg, y);
    switch (column) {
    case BY_PATH:
        return strcmp(a->path, b->path);
    case BY_TXID:
        return CMP(a->txid, b->txid);
    case BY_BEHIND:
        return CMP(fleet_behind(a), fleet_behind(b)) != 0 ? CMP(fleet_behind(a), fleet_behind(b))
                                                          : CMP(a->lag_ms, b->lag_ms);
    case BY_WAL:
        return CMP(a->wal_size, b->wal_size);
    case BY_SIZE:
        return CMP(a->db_size, b->db_size);
    case BY_SYNC:
        return CMP(a->last_sync_ms, b->last_sync_ms);
    case BY_MINUTE:
        return CMP(minute_of(a), minute_of(b));
    default:
        return CMP(a->state, b->state);
    }
}

static const list_rows *rows(view *v) { return &((databases_view *)v)->rows; }

static const fleet_db *selected(const databases_view *d) {
    const list *l = &d->base.list;
    return d->fleet != NULL && l->n > 0 ? db_of(d, list_row(l, l->cursor)) : NULL;
}

const char *view_databases_selected(const app *a) {
    const view *v = a->top[VIEW_DATABASES];
    while (v->below != NULL) {
        v = v->below;
    }
    const fleet_db *db = selected((const databases_view *)v);
    return db != NULL ? db->path : NULL;
}

/* ---- requests ---- */

static bool take(view *v, request r) {
    const databases_view *d = (const databases_view *)v;
    const fleet_db *db = selected(d);
    if (db == NULL) {
        return r == REQ_OPEN;
    }
    const fleet_job *j = fleet_active_job(d->fleet, db->path);
    char text[LS_TXID_SIZE];
    switch (r) {
    case REQ_OPEN:
        app_open_database(v->app, db->path, VIEW_LEVELS);
        return true;
    case REQ_OPEN_TIMELINE:
        app_open_database(v->app, db->path, VIEW_TIMELINE);
        return true;
    case REQ_TAB_LEVELS:
    case REQ_TAB_TIMELINE:
    case REQ_TAB_FILES:
    case REQ_TAB_POINTS:
    case REQ_TAB_VERIFY:
        app_open_database(v->app, db->path, (int)(r - REQ_TAB_LEVELS));
        return true;
    case REQ_COPY_TXID:
        app_copy_text(v->app, ls_txid_format(db->txid, text));
        return true;
    case REQ_CANCEL:
        if (j != NULL && !errands_run(v->app)) {
            errand_cancel_job(v->app, j);
            return true;
        }
        return false;
    default:
        return false;
    }
}

static bool copied(view *v, char *buf, size_t size) {
    const fleet_db *db = selected((const databases_view *)v);
    if (db != NULL) {
        (void)snprintf(buf, size, "%s", db->path);
    }
    return db != NULL;
}

static ls_code add_row(ls_table *t, const fleet_db *db, ls_err *err) {
    char n[4][24], txid[LS_TXID_SIZE], there[LS_TXID_SIZE], sync[32] = "";
    (void)snprintf(n[0], sizeof(n[0]), "%" PRIu64, fleet_behind(db));
    (void)snprintf(n[1], sizeof(n[1]), "%" PRId64, db->lag_ms);
    (void)snprintf(n[2], sizeof(n[2]), "%" PRIu64, db->wal_size);
    (void)snprintf(n[3], sizeof(n[3]), "%" PRIu64, db->db_size);
    if (db->last_sync_ms >= 0) {
        (void)ls_time_format(db->last_sync_ms, true, sync, sizeof(sync));
    }
    return LS_TABLE_ROW(t, err, db->path, db->status, ls_txid_format(db->txid, txid),
                        ls_txid_format(db->replica_txid, there), n[0], n[1], n[2], n[3], sync,
                        db->replica_url, db->error != NULL ? db->error : "");
}

static ls_code table(view *v, ls_table *t, ls_err *err) {
    const databases_view *d = (const databases_view *)v;
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < v->list.n; i++) {
        rc = add_row(t, db_of(d, list_row(&v->list, i)), err);
    }
    return rc;
}

static void done(view *v) {
    databases_view *d = (databases_view *)v;
    fleet_unref(d->fleet);
    free(d->ranked);
    free(d);
}

static const char *const keys[] = {"path",      "status",  "txid",      "replica_txid",
                                   "behind",    "lag_ms",  "wal_bytes", "db_bytes",
                                   "last_sync", "replica", "error",     NULL};

static const view_ops ops = {.id = VIEW_DATABASES,
                             .draw = draw,
                             .request = take,
                             .news = news,
                             .rows = rows,
                             .columns = COLUMNS,
                             .copied = copied,
                             .table = table,
                             .keys = keys,
                             .numbers = 0xf0,
                             .free = done};

view *view_databases_new(void) {
    databases_view *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return NULL;
    }
    d->base.ops = &ops;
    d->rows = (list_rows){.arg = d, .match = match, .compare = compare};
    return &d->base;
}
