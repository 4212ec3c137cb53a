/*
 * The choice of files for a restore.
 *
 * The newest snapshot that fits comes first. Then one cursor a level walks its listing, and of all
 * files that join what is there so far the one that leads furthest is taken, until the target is
 * reached or nothing joins. Each listing is read once and nothing of it is kept but a candidate a
 * level, so the memory does not depend on how many files there are.
 *
 * A file "fits" if it ends at or before the wanted TXID and is older than the wanted time. What
 * joins but does not fit is no gap: the restore point before it is the answer (by time), or the
 * wanted TXID lies inside of a compacted file (by TXID).
 */
#include "engine/restore/choose.h"

#include "engine/base/text.h"

#include <stdlib.h>

#define LEVELS LS_LTX_LEVEL_SNAPSHOT /* 0..8 have a cursor each */
#define FILES_MAX (1u << 22)

typedef struct cursor {
    ls_ltx_info item; /* next of the listing, not looked at yet */
    bool has_item, end;
    ls_ltx_info best; /* leads furthest of those that join */
    bool has_best;
} cursor;

typedef struct chooser {
    ls_plan_source *src;
    ls_plan *plan;
    ls_txid txid;         /* 0: any */
    int64_t timestamp_ms; /* LS_NO_TIMESTAMP: any */
    ls_txid cur;          /* the plan reaches so far, which was at: */
    int64_t cur_ms;
    cursor cursors[LEVELS];
    /* What joins but does not fit: */
    ls_txid blocked_max;   /* furthest MaxTXID at levels 0..8 */
    bool snapshot_blocked; /* a snapshot is there */
    ls_txid next_point;    /* smallest MaxTXID above the wanted TXID; 0: none */
    int64_t earliest_ms;   /* oldest start of a chain that is too new; LS_NO_TIMESTAMP: none */
} chooser;

/* ---- which files fit ---- */

static bool too_new(const chooser *c, const ls_ltx_info *f) {
    return c->timestamp_ms != LS_NO_TIMESTAMP && f->created_ms >= c->timestamp_ms;
}

static bool too_far(const chooser *c, const ls_ltx_info *f) {
    return c->txid != 0 && f->max_txid > c->txid;
}

/* Names of files that cannot exist are passed over, as other names are. */
static bool sane(const ls_ltx_info *f) { return f->min_txid > 0 && f->min_txid <= f->max_txid; }

static void note_blocked(chooser *c, const ls_ltx_info *f) {
    if (f->level == LS_LTX_LEVEL_SNAPSHOT) {
        c->snapshot_blocked = true;
    } else if (f->max_txid > c->blocked_max) {
        c->blocked_max = f->max_txid;
    }
    if (too_far(c, f) && (c->next_point == 0 || f->max_txid < c->next_point)) {
        c->next_point = f->max_txid;
    }
    if (too_new(c, f) && f->min_txid == 1 &&
        (c->earliest_ms == LS_NO_TIMESTAMP || f->created_ms < c->earliest_ms)) {
        c->earliest_ms = f->created_ms;
    }
}

/* Larger MaxTXID, then smaller MinTXID, then higher level, then older. */
static bool better(const ls_ltx_info *a, const ls_ltx_info *b) {
    if (a->max_txid != b->max_txid) {
        return a->max_txid > b->max_txid;
    }
    if (a->min_txid != b->min_txid) {
        return a->min_txid < b->min_txid;
    }
    return a->level != b->level ? a->level > b->level : a->created_ms < b->created_ms;
}

/* ---- the plan ---- */

static ls_code append(chooser *c, const ls_ltx_info *f, ls_err *err) {
    ls_plan *plan = c->plan;
    if (plan->n == FILES_MAX) {
        return ls_fail(err, LS_ELIMIT, "more than %u files are needed", FILES_MAX);
    }
    if (plan->n == plan->cap) {
        size_t cap = plan->cap == 0 ? 16 : 2 * plan->cap;
        ls_ltx_info *files = realloc(plan->files, cap * sizeof *files);
        if (files == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for a plan of %zu files", plan->n);
        }
        plan->files = files;
        plan->cap = cap;
    }
    if (f->min_txid == 1) { /* a base: what came before it adds nothing */
        plan->n = 0;
        plan->bytes = 0;
    }
    plan->files[plan->n++] = *f;
    plan->bytes += f->size;
    c->cur = f->max_txid;
    c->cur_ms = f->created_ms;
    return LS_OK;
}

/* The newest snapshot that fits. */
static ls_code choose_snapshot(chooser *c, ls_err *err) {
    ls_ltx_info last;
    bool found = false;
    for (;;) {
        ls_ltx_info f;
        bool end = false;
        ls_code code = c->src->next(c->src, LS_LTX_LEVEL_SNAPSHOT, &f, &end, err);
        if (code != LS_OK) {
            return code;
        }
        if (end) {
            break;
        }
        if (!sane(&f) || f.min_txid != 1) {
            continue;
        }
        if (too_new(c, &f) || too_far(c, &f)) {
            note_blocked(c, &f);
            continue;
        }
        last = f;
        found = true;
    }
    return found ? append(c, &last, err) : LS_OK;
}

/* ---- cursors ---- */

/* Has the cursor's next item at hand unless its listing is at the end. */
static ls_code peek(chooser *c, int level, ls_err *err) {
    cursor *cur = &c->cursors[level];
    while (!cur->has_item && !cur->end) {
        ls_code code = c->src->next(c->src, level, &cur->item, &cur->end, err);
        if (code != LS_OK) {
            return code;
        }
        cur->has_item = !cur->end && sane(&cur->item);
    }
    return LS_OK;
}

/* Looks at all items that join the plan and keeps the best. */
static ls_code advance(chooser *c, int level, ls_err *err) {
    cursor *cur = &c->cursors[level];
    cur->has_best = cur->has_best && cur->best.max_txid > c->cur;
    for (;;) {
        ls_code code = peek(c, level, err);
        if (code != LS_OK) {
            return code;
        }
        if (!cur->has_item || cur->item.min_txid > c->cur + 1) {
            return LS_OK;
        }
        cur->has_item = false;
        if (cur->item.max_txid <= c->cur) {
            continue;
        }
        if (too_new(c, &cur->item) || too_far(c, &cur->item)) {
            note_blocked(c, &cur->item);
        } else if (!cur->has_best || better(&cur->item, &cur->best)) {
            cur->best = cur->item;
            cur->has_best = true;
        }
    }
}

/* Takes the best file that joins; *found is false where none does. */
static ls_code take_best(chooser *c, bool *found, ls_err *err) {
    const ls_ltx_info *best = NULL;
    for (int level = LEVELS - 1; level >= 0; level--) {
        ls_code code = advance(c, level, err);
        if (code != LS_OK) {
            return code;
        }
        const cursor *cur = &c->cursors[level];
        if (cur->has_best && (best == NULL || better(&cur->best, best))) {
            best = &cur->best;
        }
    }
    *found = best != NULL;
    return best != NULL ? append(c, best, err) : LS_OK;
}

static bool reached(const chooser *c) {
    return c->cur == UINT64_MAX || (c->txid != 0 && c->cur >= c->txid);
}

/* ---- what is missing ---- */

/* The smallest MinTXID behind the plan's end of files that are old enough; 0: none. */
static ls_code next_start(chooser *c, ls_txid *start, ls_err *err) {
    *start = 0;
    for (int level = 0; level < LEVELS; level++) {
        cursor *cur = &c->cursors[level];
        ls_code code = peek(c, level, err);
        while (code == LS_OK && cur->has_item && too_new(c, &cur->item)) {
            cur->has_item = false;
            code = peek(c, level, err);
        }
        if (code != LS_OK) {
            return code;
        }
        if (cur->has_item && (*start == 0 || cur->item.min_txid < *start)) {
            *start = cur->item.min_txid;
        }
    }
    return LS_OK;
}

static ls_code fail_gap(const chooser *c, ls_txid start, ls_err *err) {
    char have[LS_TXID_SIZE];
    char next[LS_TXID_SIZE];
    char first[LS_TXID_SIZE];
    char last[LS_TXID_SIZE];
    char name[LS_LTX_NAME_SIZE];
    ls_txid_format(c->cur, have);
    ls_fail(err, LS_EGAP,
            "non-contiguous ltx files: have up to %s but next file starts at %s: "
            "TXIDs %s to %s are missing, ltx/0/%s first",
            have, ls_txid_format(start, next), ls_txid_format(c->cur + 1, first),
            ls_txid_format(start - 1, last), ls_ltx_name_format(c->cur + 1, c->cur + 1, name));
    if (c->cur == 0) {
        return ls_hint(err, "there is neither a snapshot nor a file that starts at TXID 1; nothing "
                            "can be restored from this replica");
    }
    char time[32];
    return ls_hint(err, "what comes before can be restored with -txid %s, the state of %s", have,
                   ls_time_format(c->cur_ms, true, time, sizeof time));
}

static ls_code fail_unreachable(const chooser *c, ls_err *err) {
    ls_fail(err, LS_ENOBACKUP, "no matching backup files available");
    char before[LS_TXID_SIZE];
    char after[LS_TXID_SIZE];
    char time[32];
    ls_txid_format(c->cur, before);
    ls_time_format(c->cur_ms, true, time, sizeof time);
    ls_txid_format(c->next_point, after);
    if (c->txid != 0 && c->cur > 0 && c->next_point > 0) {
        return ls_hint(err, "restorable next to it: -txid %s and -txid %s, the first of %s", before,
                       after, time);
    }
    if (c->txid != 0 && c->cur > 0) {
        return ls_hint(err, "the newest TXID there is %s, of %s", before, time);
    }
    if (c->txid != 0 && c->next_point > 0) {
        return ls_hint(err, "the oldest restorable TXID is %s", after);
    }
    if (c->timestamp_ms != LS_NO_TIMESTAMP && c->earliest_ms != LS_NO_TIMESTAMP) {
        return ls_hint(err, "the oldest restore point is of %s; give a later time",
                       ls_time_format(c->earliest_ms, true, time, sizeof time));
    }
    return err->code;
}

/* Is the TXID behind the plan's end in a file that is there but does not fit? A snapshot says so of
 * the start only: it holds its TXIDs' pages, but never replaces a file in the middle of a chain. */
static bool blocked(const chooser *c) {
    return c->blocked_max > c->cur || (c->cur == 0 && c->snapshot_blocked);
}

/* Nothing more joins: was that the end, or is something missing? */
static ls_code judge(chooser *c, ls_err *err) {
    bool done = c->txid != 0 ? c->cur == c->txid : c->plan->n > 0;
    if (reached(c) && done) {
        return LS_OK;
    }
    ls_txid start;
    ls_code code = next_start(c, &start, err);
    if (code != LS_OK) {
        return code;
    }
    bool wanted = start != 0 && (c->txid == 0 || start <= c->txid);
    if (wanted && !blocked(c)) {
        return fail_gap(c, start, err);
    }
    return done ? LS_OK : fail_unreachable(c, err);
}

ls_code ls_choose(ls_plan_source *src, ls_txid txid, int64_t timestamp_ms, ls_plan *plan,
                  ls_err *err) {
    if (txid != 0 && timestamp_ms != LS_NO_TIMESTAMP) {
        ls_fail(err, LS_EINVALID, "cannot specify both TXID & timestamp to restore");
        return ls_hint(err, "give one of the two");
    }
    chooser *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a restore plan");
    }
    *c = (chooser){.src = src,
                   .plan = plan,
                   .txid = txid,
                   .timestamp_ms = timestamp_ms,
                   .earliest_ms = LS_NO_TIMESTAMP};
    ls_code code = choose_snapshot(c, err);
    bool found = true;
    while (code == LS_OK && found && !reached(c)) {
        code = take_best(c, &found, err);
    }
    if (code == LS_OK) {
        code = judge(c, err);
    }
    free(c);
    return code;
}

ls_code ls_choose_onward(ls_plan_source *src, ls_txid from, ls_plan *plan, ls_err *err) {
    chooser *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a plan");
    }
    *c = (chooser){.src = src,
                   .plan = plan,
                   .timestamp_ms = LS_NO_TIMESTAMP,
                   .cur = from,
                   .earliest_ms = LS_NO_TIMESTAMP};
    ls_code code = LS_OK;
    bool found = true;
    while (code == LS_OK && found && !reached(c)) {
        code = take_best(c, &found, err);
    }
    free(c);
    return code;
}
