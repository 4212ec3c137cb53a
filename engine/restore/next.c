/* The files that lead on from a TXID; see next.h. */
#include "engine/restore/next.h"

#include "engine/restore/choose.h"

#include <stdlib.h>

/* What a listing of level 0 from a TXID on says. */
typedef struct level0 {
    bool none; /* nothing is there, not even the file that ends at the TXID */
    bool hole; /* the next one does not join */
    bool many; /* more than LS_NEXT_L0_MAX join */
} level0;

static void add(ls_plan *plan, const ls_ltx_info *file) {
    plan->files[plan->n++] = *file;
    plan->bytes += file->size;
}

static ls_code look_at_level0(ls_storage *s, ls_txid from, level0 *l, ls_plan *plan, ls_err *err) {
    *l = (level0){.none = true};
    *plan = (ls_plan){.files = calloc(LS_NEXT_L0_MAX, sizeof *plan->files), .cap = LS_NEXT_L0_MAX};
    if (plan->files == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a plan");
    }
    ls_storage_iter *it = NULL;
    ls_code code = ls_storage_list(s, 0, from, &it, err);
    for (ls_txid cur = from; code == LS_OK;) {
        ls_ltx_info file;
        bool end = false;
        code = ls_storage_iter_next(it, &file, &end, err);
        if (code != LS_OK || end) {
            break;
        }
        l->none = false;
        l->many = file.max_txid > cur && plan->n == plan->cap;
        l->hole = file.min_txid > cur + 1 && plan->n == 0;
        if (l->many || l->hole || file.min_txid > cur + 1) {
            break;
        }
        if (file.max_txid > cur) {
            add(plan, &file);
            cur = file.max_txid;
        }
    }
    ls_storage_iter_free(it);
    return code == LS_OK ? LS_OK : ls_wrap(err, "list level 0");
}

/* What a look at all levels finds where nothing joins. */
typedef struct overview {
    ls_ltx_info snapshot; /* newest one that leads on; size 0: none */
    ls_txid newest;
    ls_txid start; /* smallest MinTXID behind the TXID */
} overview;

static void note(overview *o, ls_txid from, const ls_ltx_info *file) {
    if (file->level == LS_LTX_LEVEL_SNAPSHOT && file->min_txid == 1 && file->max_txid > from &&
        file->max_txid > o->snapshot.max_txid) {
        o->snapshot = *file;
    }
    o->newest = file->max_txid > o->newest ? file->max_txid : o->newest;
    if (file->min_txid > from && (o->start == 0 || file->min_txid < o->start)) {
        o->start = file->min_txid;
    }
}

static ls_code look_at_all(ls_storage *s, ls_txid from, overview *o, ls_err *err) {
    *o = (overview){0};
    ls_code code = LS_OK;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX && code == LS_OK; level++) {
        ls_storage_iter *it = NULL;
        code = ls_storage_list(s, level, 0, &it, err);
        for (bool end = false; code == LS_OK && !end;) {
            ls_ltx_info file;
            code = ls_storage_iter_next(it, &file, &end, err);
            if (code == LS_OK && !end) {
                note(o, from, &file);
            }
        }
        ls_storage_iter_free(it);
        if (code != LS_OK) {
            (void)ls_wrap(err, "list level %d", level);
        }
    }
    return code;
}

static ls_code nothing_joins(const overview *o, ls_txid from, ls_err *err) {
    char have[LS_TXID_SIZE];
    char other[LS_TXID_SIZE];
    ls_txid_format(from, have);
    if (o->newest < from) {
        ls_fail(err, LS_EDIVERGED, "the replica ends at TXID %s, before the database's %s",
                ls_txid_format(o->newest, other), have);
        return ls_hint(err, "the replica was replaced or emptied; delete database and -txid file "
                            "and start again to follow the new one");
    }
    ls_fail(err, LS_EGAP,
            "nothing leads on from TXID %s: replica history has been pruned, the next "
            "file starts at TXID %s",
            have, ls_txid_format(o->start, other));
    return ls_hint(err, "the next snapshot leads over the gap, until then the database stays as it "
                        "is; delete database and -txid file to restore it again");
}

static ls_code bridge(ls_storage *s, ls_txid from, ls_plan *plan, ls_err *err) {
    overview o;
    ls_code code = look_at_all(s, from, &o, err);
    if (code != LS_OK || o.newest == from) {
        return code;
    }
    if (o.snapshot.max_txid == 0) {
        return nothing_joins(&o, from, err);
    }
    plan->files = calloc(1, sizeof *plan->files);
    if (plan->files == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a plan");
    }
    plan->cap = 1;
    add(plan, &o.snapshot);
    return LS_OK;
}

ls_code ls_plan_next(ls_storage *s, ls_txid from, bool deep, ls_plan *plan, ls_err *err) {
    level0 l;
    ls_code code = look_at_level0(s, from, &l, plan, err);
    bool enough = (plan->n > 0 && !l.many) || (!l.hole && !l.many && !(l.none && deep));
    if (code != LS_OK || enough) {
        return code;
    }
    ls_plan_done(plan);
    code = ls_plan_onward(s, from, plan, err);
    if (code != LS_OK || plan->n > 0) {
        return code;
    }
    ls_plan_done(plan);
    return bridge(s, from, plan, err);
}
