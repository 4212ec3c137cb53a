/* Reading one page and what is to be known of it: see page_data.h. */
#include "tui/page_data.h"

#include <inttypes.h>
#include <stdlib.h>

#define READS_FOR_ONE 2000 /* pages, to find the table of one */

void page_data_done(page_data *d) {
    free(d->now);
    free(d->before);
    tables_unref(d->tables);
    *d = (page_data){0};
}

ls_code moment_after(source *s, const snapshot *snap, size_t file, bool replica,
                     const ls_cancel *cancel, moment **m, ls_err *err) {
    if (replica && moment_open(s, snap, snap->files[file].max_txid, cancel, m, err) == LS_OK) {
        return LS_OK;
    }
    if (err->code == LS_ECANCELED) {
        return err->code;
    }
    ls_err_clear(err);
    return moment_of_file(s, snap, file, cancel, m, err);
}

static ls_code find_before(page_data *d, source *s, const snapshot *snap, const page_want *want,
                           const ls_cancel *cancel) {
    const ls_ltx_header *h = &d->place.header;
    page_place place;
    moment *m = NULL;
    if (!want->replica) {
        return ls_fail(&d->before_err, LS_ENOTFOUND, "versions before are only known of a replica");
    }
    if (h->min_txid <= 1) {
        return ls_fail(&d->before_err, LS_ENOTFOUND,
                       "the file is a snapshot: nothing is before it");
    }
    ls_code rc = moment_open(s, snap, h->min_txid - 1, cancel, &m, &d->before_err);
    if (rc == LS_OK && moment_db(m)->page_size != h->page_size) {
        rc = ls_fail(&d->before_err, LS_ENOTFOUND, "pages had %" PRIu32 " bytes before",
                     moment_db(m)->page_size);
    }
    if (rc == LS_OK) {
        rc = moment_page(m, want->row.pgno, d->before, &place, &d->before_err);
    }
    if (rc == LS_OK) {
        d->has_before = true;
        d->before_file = snap->files[place.file];
    }
    moment_free(m);
    return rc;
}

/* Not knowing the table is no failure. */
static void find_tables(page_data *d, moment *m, const page_want *want) {
    ls_err none = LS_ERR_INIT;
    if (tables_find(want->tables, want->row.pgno) != NULL) {
        d->tables = tables_ref(want->tables);
    } else {
        (void)!tables_read(m, &want->row.pgno, 1, READS_FOR_ONE, &d->tables, &none);
    }
}

static ls_code read_now(page_data *d, source *s, const snapshot *snap, const page_want *want,
                        moment *m, ls_err *err) {
    if (!want->in_file) {
        return moment_page(m, want->row.pgno, d->now, &d->place, err);
    }
    d->place = (page_place){.file = want->file, .row = want->row};
    uint32_t size = moment_db(m)->page_size;
    return source_page(s, snap, want->file, &want->row, size, d->now, err);
}

ls_code page_data_read(source *s, const snapshot *snap, const page_want *want,
                       const ls_cancel *cancel, page_data *d, ls_err *err) {
    moment *m = NULL;
    *d = (page_data){0};
    ls_code rc = moment_after(s, snap, want->file, want->replica, cancel, &m, err);
    if (rc != LS_OK) {
        return rc;
    }
    d->db = *moment_db(m);
    d->now = malloc(d->db.page_size);
    d->before = malloc(d->db.page_size);
    rc = d->now != NULL && d->before != NULL
             ? read_now(d, s, snap, want, m, err)
             : ls_fail(err, LS_ENOMEM, "page %" PRIu32, want->row.pgno);
    if (rc == LS_OK && want->in_file) {
        rc = source_header(s, snap, want->file, &d->place.header, err);
    }
    if (rc == LS_OK) {
        (void)!find_before(d, s, snap, want, cancel);
        find_tables(d, m, want);
    }
    moment_free(m);
    return rc;
}
