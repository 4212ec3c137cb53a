/* What a restore point changed: see changes.h. */
#include "tui/changes.h"

#include "tui/page_data.h"

#include <inttypes.h>
#include <stdlib.h>

size_t changes_file(const snapshot *snap, ls_txid txid) {
    size_t best = snap->n;
    for (size_t i = 0; i < snap->n; i++) {
        const ls_ltx_info *f = &snap->files[i];
        if (f->max_txid == txid && (best == snap->n || f->min_txid > snap->files[best].min_txid)) {
            best = i;
        }
    }
    return best;
}

static ls_code read_tables(source *s, const snapshot *snap, const file_detail *d,
                           const ls_cancel *cancel, changes *c, ls_err *err) {
    moment *m = NULL;
    uint32_t *pgnos = calloc(d->n + 1, sizeof(*pgnos));
    if (pgnos == NULL) {
        return ls_fail(err, LS_ENOMEM, "find what changed");
    }
    for (size_t i = 0; i < d->n; i++) {
        pgnos[i] = d->pages[i].pgno;
    }
    ls_code rc = moment_after(s, snap, c->file, true, cancel, &m, err);
    if (rc == LS_OK) {
        rc = tables_read(m, pgnos, d->n, 0, &c->tables, err);
    }
    moment_free(m);
    free(pgnos);
    return rc;
}

ls_code changes_read(source *s, const snapshot *snap, ls_txid txid, const ls_cancel *cancel,
                     changes *c, ls_err *err) {
    *c = (changes){.file = changes_file(snap, txid)};
    if (c->file == snap->n) {
        return LS_OK;
    }
    file_detail d;
    ls_code rc = source_index(s, snap, c->file, &d, err);
    if (rc == LS_OK && d.err.code != LS_OK) {
        *err = d.err;
        rc = d.err.code;
    }
    if (rc == LS_OK) {
        c->pages = d.n;
    }
    if (rc == LS_OK && d.n <= CHANGES_MAX_PAGES) {
        rc = read_tables(s, snap, &d, cancel, c, err);
    }
    detail_done(&d);
    return rc;
}

void changes_done(changes *c) {
    tables_unref(c->tables);
    *c = (changes){0};
}

char *changes_format(const changes *c, const snapshot *snap, char *buf, size_t size) {
    if (c->file == snap->n) {
        (void)snprintf(buf, size, "no file ends here");
        return buf;
    }
    const ls_ltx_info *f = &snap->files[c->file];
    char of[600] = "", in[64] = "here";
    if (f->min_txid != f->max_txid) {
        (void)snprintf(in, sizeof(in), "in %" PRIx64 " to %" PRIx64, f->min_txid, f->max_txid);
    }
    if (c->tables != NULL) {
        (void)tables_summary(c->tables, of, sizeof(of));
    } else {
        (void)snprintf(of, sizeof(of), "%zu pages", c->pages);
    }
    (void)snprintf(buf, size, "changed %s: %s", in, of);
    return buf;
}
