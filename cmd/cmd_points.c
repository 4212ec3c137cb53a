/* litestream restore-points: to which TXIDs and times a replica can be restored. */
#include "cmd/litestream.h"
#include "cmd/table.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct points_args {
    ls_config_args config;
    bool all;
    bool json;
} points_args;

/* What is printed, collected. */
typedef struct outcome {
    ls_table windows, gaps;
    size_t n_gaps;
    ls_v3_bounds v3;
} outcome;

/* ---- windows ---- */

static ls_code add_window(const ls_window *w, ls_table *table, ls_err *err) {
    char from[32], to[32], first[LS_TXID_SIZE], last[LS_TXID_SIZE], points[24], widest[32],
        level[16];

    snprintf(points, sizeof points, "%zu", w->points);
    snprintf(level, sizeof level, "%d", w->level);
    ls_duration_format(w->widest_ms * LS_MS, widest, sizeof widest);
    return LS_TABLE_ROW(table, err, ls_time_format(w->first_ms, true, from, sizeof from),
                        ls_time_format(w->last_ms, true, to, sizeof to),
                        ls_txid_format(w->first, first), ls_txid_format(w->last, last), points,
                        w->points > 1 ? widest : "-", level);
}

static ls_code add_gap(const ls_points_gap *g, ls_table *table, ls_err *err) {
    char from[LS_TXID_SIZE], to[LS_TXID_SIZE], usable[LS_TXID_SIZE];

    return LS_TABLE_ROW(table, err, ls_txid_format(g->from, from), ls_txid_format(g->to, to),
                        g->usable != 0 ? ls_txid_format(g->usable, usable) : "-");
}

static ls_code collect(ls_storage *storage, outcome *o, ls_err *err) {
    ls_points points;

    ls_code rc = ls_points_list(storage, &points, err);
    if (rc != LS_OK)
        return rc;
    rc = LS_TABLE_ROW(&o->windows, err, "from", "to", "first_txid", "last_txid", "points",
                      "granularity", "level");
    for (size_t i = 0; i < points.n_windows && rc == LS_OK; i++)
        rc = add_window(&points.windows[i], &o->windows, err);
    if (rc == LS_OK)
        rc = LS_TABLE_ROW(&o->gaps, err, "gap_from", "gap_to", "newest_before");
    for (size_t i = 0; i < points.n_gaps && rc == LS_OK; i++)
        rc = add_gap(&points.gaps[i], &o->gaps, err);
    if (rc == LS_OK)
        rc = ls_v3_find_bounds(storage, &o->v3, err);
    o->n_gaps = points.n_gaps;
    ls_points_done(&points);
    return rc;
}

static void print_text(const outcome *o) {
    char from[32], to[32];

    ls_table_write(&o->windows, stdout);
    if (o->n_gaps > 0) {
        putchar('\n');
        ls_table_write(&o->gaps, stdout);
    }
    if (o->v3.any)
        printf("\nversion 0.3: %s to %s\n",
               ls_time_format(o->v3.oldest_ms, true, from, sizeof from),
               ls_time_format(o->v3.newest_ms, true, to, sizeof to));
}

static void print_json(const outcome *o) {
    static const char *const windows[] = {"from",   "to",          "first_txid", "last_txid",
                                          "points", "granularity", "level"};
    static const char *const gaps[] = {"from", "to", "newest_before"};
    char time[32];
    ls_json j;

    ls_json_init(&j, stdout);
    ls_json_object(&j, NULL);
    ls_table_json(&o->windows, &j, "windows", windows, 1u << 4 | 1u << 6);
    ls_table_json(&o->gaps, &j, "gaps", gaps, 0);
    if (o->v3.any) {
        ls_json_object(&j, "v0.3");
        ls_json_str(&j, "from", ls_time_format(o->v3.oldest_ms, true, time, sizeof time));
        ls_json_str(&j, "to", ls_time_format(o->v3.newest_ms, true, time, sizeof time));
        ls_json_object_end(&j);
    }
    ls_json_object_end(&j);
    ls_json_end(&j);
}

static ls_code show_windows(ls_storage *storage, bool json, ls_err *err) {
    outcome o = {0};

    ls_table_init(&o.windows, 7);
    ls_table_init(&o.gaps, 3);
    ls_code rc = collect(storage, &o, err);
    if (rc == LS_OK && json)
        print_json(&o);
    else if (rc == LS_OK)
        print_text(&o);
    ls_table_done(&o.windows);
    ls_table_done(&o.gaps);
    return rc;
}

/* ---- every point ---- */

static ls_code add_point(void *table, const ls_point *p, ls_err *err) {
    char txid[LS_TXID_SIZE], time[32], level[16];

    snprintf(level, sizeof level, "%d", p->level);
    return LS_TABLE_ROW(table, err, ls_txid_format(p->txid, txid),
                        ls_time_format(p->created_ms, true, time, sizeof time), level);
}

static ls_code show_all(ls_storage *storage, bool json, ls_err *err) {
    static const char *const keys[] = {"txid", "timestamp", "level"};
    ls_table table;

    ls_table_init(&table, 3);
    ls_code rc = LS_TABLE_ROW(&table, err, "txid", "created", "level");
    if (rc == LS_OK)
        rc = ls_points_each(storage, add_point, &table, err);
    if (rc == LS_OK)
        ls_table_print(&table, json, keys, 1u << 2);
    ls_table_done(&table);
    return rc;
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    const points_args *args = in->args;
    ls_cmd_source source;

    ls_code rc = ls_one_positional(in, "database path or replica URL", err);
    if (rc != LS_OK)
        return rc;
    rc = ls_cmd_source_open(in, &args->config, &source, err);
    if (rc == LS_OK)
        rc = args->all ? show_all(source.storage, args->json, err)
                       : show_windows(source.storage, args->json, err);
    ls_cmd_source_done(&source);
    return rc;
}

static const ls_option options[] = {
    LS_CONFIG_OPTIONS(points_args, config),
    {.name = "all",
     .type = LS_OPT_BOOL,
     .field = offsetof(points_args, all),
     .help = "Lists every restore point: TXID, time, and the lowest level with a file that ends "
             "there."},
    {.name = "json",
     .type = LS_OPT_BOOL,
     .field = offsetof(points_args, json),
     .help = "Prints JSON: {windows: [{from, to, first_txid, last_txid, points, granularity, "
             "level}], gaps: [{from, to, newest_before}]}; with -all an array of {txid, timestamp, "
             "level}."},
    {0},
};

const ls_command ls_cmd_restore_points = {
    .name = "restore-points",
    .summary = "list the moments to which a replica can be restored",
    .usage = (const char *const[]){"[options] DB_PATH", "[options] REPLICA_URL", NULL},
    .about =
        "The restore-points command shows to which transactions and times a database can be "
        "restored, by the names of the files on its replica: windows, each with its first and last "
        "restore point, how many there are, the longest time between two (granularity), and the "
        "level whose files they are the ends of. At level 0 every TXID is one.\n\n"
        "Every TXID shown can be given to restore -txid. With -timestamp, give a time after the "
        "wanted point's: it restores what was there before that moment.\n\n"
        "TXIDs that files hold but no chain of files leads to are shown as gaps. That the files "
        "are sound is what litestream verify checks.",
    .options = options,
    .examples =
        (const char *const[]){"litestream restore-points /path/to/db",
                              "litestream restore-points -all -json file:///backup/db", NULL},
    .args_size = sizeof(points_args),
    .run = run,
};
