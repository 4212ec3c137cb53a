/* Deleting all of a replica, so that whatever remains on the way restores right or not at all. */
#include "engine/replica/erase.h"

#include "engine/base/text.h"
#include "engine/restore/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Files of one request. */
#define BATCH 1000
#define V3_FOLDER "generations"

struct ls_erase {
    ls_storage *s; /* not owned */
    ls_listing listing;
    const ls_ltx_info **starts; /* files that begin at TXID 1, in the order of their deletion */
    size_t n_starts;
    ls_erase_summary summary;
    char *others[LS_ERASE_OTHERS_MAX];
    size_t n_others;
};

/* ---- what there is ---- */

static bool is_start(const ls_ltx_info *f) { return f->min_txid <= 1; }

static int by_end(const void *a, const void *b) {
    const ls_ltx_info *x = *(const ls_ltx_info *const *)a, *y = *(const ls_ltx_info *const *)b;
    if (x->max_txid != y->max_txid) {
        return x->max_txid < y->max_txid ? -1 : 1;
    }
    return x->level - y->level;
}

static ls_code find_starts(ls_erase *e, ls_err *err) {
    size_t n = 0;
    for (int level = 0; level < LS_LISTING_LEVELS; level++) {
        for (size_t i = 0; i < e->listing.counts[level]; i++) {
            n += is_start(&e->listing.levels[level][i]) ? 1 : 0;
        }
    }
    e->starts = malloc((n + 1) * sizeof *e->starts);
    if (e->starts == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for %zu files", n);
    }
    for (int level = 0; level < LS_LISTING_LEVELS; level++) {
        for (size_t i = 0; i < e->listing.counts[level]; i++) {
            if (is_start(&e->listing.levels[level][i])) {
                e->starts[e->n_starts++] = &e->listing.levels[level][i];
            }
        }
    }
    qsort(e->starts, n, sizeof *e->starts, by_end);
    return LS_OK;
}

static void add_time(ls_erase_summary *sum, bool first, int64_t ms) {
    sum->oldest_ms = first || ms < sum->oldest_ms ? ms : sum->oldest_ms;
    sum->newest_ms = first || ms > sum->newest_ms ? ms : sum->newest_ms;
}

/* Files of a level are as old as their order: the first and the last one tell its times. */
static ls_code add_times(ls_erase *e, int level, bool *first, ls_err *err) {
    size_t n = e->listing.counts[level];
    if (n == 0) {
        return LS_OK;
    }
    ls_ltx_info ends[2] = {e->listing.levels[level][0], e->listing.levels[level][n - 1]};
    ls_code code = ls_storage_exact(e->s, ends, 2, err);
    for (int i = 0; i < 2 && code == LS_OK; i++) {
        add_time(&e->summary, *first, ends[i].created_ms);
        *first = false;
    }
    return code;
}

static ls_code summarize(ls_erase *e, ls_err *err) {
    ls_erase_summary *sum = &e->summary;
    bool first = true;
    ls_code code = LS_OK;
    for (int level = 0; level < LS_LISTING_LEVELS && code == LS_OK; level++) {
        for (size_t i = 0; i < e->listing.counts[level]; i++) {
            const ls_ltx_info *f = &e->listing.levels[level][i];
            sum->first = sum->files == 0 || f->min_txid < sum->first ? f->min_txid : sum->first;
            sum->last = f->max_txid > sum->last ? f->max_txid : sum->last;
            sum->bytes += f->size;
            sum->files++;
        }
        code = add_times(e, level, &first, err);
    }
    return code;
}

/* ---- what stays ---- */

/* "ltx/3/NAME", or "0003/NAME" as some stores have it. */
static bool is_file(const char *key) {
    const char *name = strrchr(key, '/');
    ls_txid min, max;
    if (name == NULL || !ls_ltx_name_parse(name + 1, &min, &max)) {
        return false;
    }
    size_t len = (size_t)(name - key);
    return ls_has_prefix(key, "ltx/") ? len == 5 && key[4] >= '0' && key[4] <= '9' : len == 4;
}

static ls_code take_other(void *arg, const ls_object *object, ls_err *err) {
    ls_erase *e = arg;
    if (is_file(object->key)) {
        return LS_OK;
    }
    e->summary.others++;
    if (e->n_others == LS_ERASE_OTHERS_MAX) {
        return LS_OK;
    }
    char *key = strdup(object->key);
    if (key == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a name");
    }
    e->others[e->n_others++] = key;
    return LS_OK;
}

static ls_code count_v3(void *arg, const ls_object *object, ls_err *err) {
    ls_erase *e = arg;
    (void)object;
    (void)err;
    e->summary.v3++;
    return LS_OK;
}

/* Both ways in which stores name the folders of levels are looked at. */
static ls_code find_others(ls_erase *e, ls_err *err) {
    ls_code code = ls_storage_each_object(e->s, "ltx", take_other, e, err);
    for (unsigned level = 0; level < LS_LISTING_LEVELS && code == LS_OK; level++) {
        char folder[16];
        (void)snprintf(folder, sizeof folder, "%04x", level);
        code = ls_storage_each_object(e->s, folder, take_other, e, err);
    }
    if (code == LS_OK) {
        code = ls_storage_each_object(e->s, V3_FOLDER, count_v3, e, err);
    }
    e->summary.others_known = code == LS_OK;
    if (code == LS_EUNSUPPORTED) {
        ls_err_clear(err);
        return LS_OK;
    }
    return code;
}

ls_code ls_erase_new(ls_storage *s, ls_erase **out, ls_err *err) {
    *out = NULL;
    ls_erase *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a listing");
    }
    e->s = s;
    ls_code code = ls_listing_names(s, &e->listing, err);
    if (code == LS_OK) {
        code = find_starts(e, err);
    }
    if (code == LS_OK) {
        code = summarize(e, err);
    }
    if (code == LS_OK) {
        code = find_others(e, err);
    }
    if (code != LS_OK) {
        ls_erase_free(e);
        return code;
    }
    *out = e;
    return LS_OK;
}

void ls_erase_free(ls_erase *e) {
    if (e == NULL) {
        return;
    }
    for (size_t i = 0; i < e->n_others; i++) {
        free(e->others[i]);
    }
    free(e->starts);
    ls_listing_done(&e->listing);
    free(e);
}

const ls_erase_summary *ls_erase_summary_of(const ls_erase *e) { return &e->summary; }

const char *ls_erase_other(const ls_erase *e, size_t i) {
    return i < e->n_others ? e->others[i] : NULL;
}

/* ---- deleting ---- */

typedef struct eraser {
    const ls_erase *e;
    const ls_cancel *cancel;
    ls_erase_failed_fn failed;
    void *arg;
    ls_erase_result *result;
} eraser;

static void count(eraser *x, const ls_ltx_info *files, size_t n) {
    x->result->deleted += n;
    for (size_t i = 0; i < n; i++) {
        x->result->bytes += files[i].size;
    }
}

/* One file; what goes wrong is told and counted. */
static ls_code erase_one(eraser *x, const ls_ltx_info *f, ls_err *err) {
    if (ls_canceled(x->cancel)) {
        return ls_fail(err, LS_ECANCELED, "interrupted");
    }
    ls_code code = ls_storage_remove(x->e->s, f, 1, err);
    if (code == LS_OK) {
        count(x, f, 1);
        return LS_OK;
    }
    x->result->failed++;
    if (x->failed != NULL) {
        x->failed(x->arg, f, err);
    }
    return code;
}

/* A batch that fails is gone through file by file, so that each that stays is named. */
static ls_code erase_batch(eraser *x, const ls_ltx_info *files, size_t n, ls_err *err) {
    if (ls_canceled(x->cancel)) {
        return ls_fail(err, LS_ECANCELED, "interrupted");
    }
    if (ls_storage_remove(x->e->s, files, n, err) == LS_OK) {
        count(x, files, n);
        return LS_OK;
    }
    for (size_t i = 0; i < n; i++) {
        ls_code code = erase_one(x, &files[i], err);
        if (code == LS_ECANCELED || (code != LS_OK && x->result->failed >= LS_ERASE_FAILED_MAX)) {
            return code;
        }
    }
    ls_err_clear(err);
    return LS_OK;
}

static ls_code erase_starts(eraser *x, ls_err *err) {
    ls_code code = LS_OK;
    for (size_t i = 0; i < x->e->n_starts && code == LS_OK; i++) {
        code = erase_one(x, x->e->starts[i], err);
    }
    return code;
}

/* The starts of a level are gone already and stand in front. */
static ls_code erase_level(eraser *x, int level, ls_err *err) {
    const ls_ltx_info *files = x->e->listing.levels[level];
    size_t n = x->e->listing.counts[level], i = 0;
    ls_code code = LS_OK;
    while (i < n && is_start(&files[i])) {
        i++;
    }
    for (; i < n && code == LS_OK; i += BATCH) {
        code = erase_batch(x, files + i, n - i < BATCH ? n - i : BATCH, err);
    }
    return code;
}

/* Nothing may be there now but what could not be deleted. */
static ls_code look_again(const eraser *x, ls_err *err) {
    ls_listing now;
    ls_code code = ls_listing_names(x->e->s, &now, err);
    if (code != LS_OK) {
        return code;
    }
    size_t n = now.n;
    ls_listing_done(&now);
    if (n <= x->result->failed) {
        return LS_OK;
    }
    (void)ls_fail(err, LS_EDIVERGED, "%zu files are there after all were deleted", n);
    return ls_hint(err, "another process may write to this replica: stop it, then run this again");
}

ls_code ls_erase_run(ls_erase *e, const ls_cancel *cancel, ls_erase_failed_fn failed, void *arg,
                     ls_erase_result *result, ls_err *err) {
    eraser x = {.e = e, .cancel = cancel, .failed = failed, .arg = arg, .result = result};
    *result = (ls_erase_result){0};
    ls_code code = erase_starts(&x, err);
    for (int level = LS_LISTING_LEVELS - 1; level >= 0 && code == LS_OK; level--) {
        code = erase_level(&x, level, err);
    }
    if (code == LS_OK) {
        code = look_again(&x, err);
    }
    if (code == LS_OK && result->failed > 0) {
        code = ls_fail(err, LS_EREMOTE, "%zu files could not be deleted", result->failed);
    }
    return code;
}
