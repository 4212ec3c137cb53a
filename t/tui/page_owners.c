/*
 * Prints to which table each page of a replica's database belongs at a TXID, for tables.t to hold
 * against SQLite's own word:
 *
 *   page_owners REPLICA TXID all|changed [READS]      PGNO ROLE NAME
 */
#include "tui/changes.h"
#include "tui/words.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t *all_pages(const moment *m, size_t *n) {
    *n = moment_db(m)->pages;
    uint32_t *pgnos = calloc(*n + 1, sizeof(*pgnos));
    for (size_t i = 0; pgnos != NULL && i < *n; i++) {
        pgnos[i] = (uint32_t)i + 1;
    }
    return pgnos;
}

static void print(const tables *t) {
    static const char *const roles[] = {"unknown", "tree", "overflow", "trunk",
                                        "free",    "map",  "lock"};
    for (size_t i = 0; i < t->n_pages; i++) {
        const table_page *p = &t->pages[i];
        printf("%" PRIu32 " %s %s\n", p->pgno, roles[p->role], tables_name(t, p->pgno));
    }
}

static ls_code read_all(source *s, const snapshot *snap, ls_txid txid, size_t reads, tables **t,
                        ls_err *err) {
    moment *m = NULL;
    size_t n = 0;
    ls_code rc = moment_open(s, snap, txid, NULL, &m, err);
    uint32_t *pgnos = rc == LS_OK ? all_pages(m, &n) : NULL;
    if (rc == LS_OK) {
        rc = tables_read(m, pgnos, n, reads, t, err);
    }
    free(pgnos);
    moment_free(m);
    return rc;
}

int main(int argc, char **argv) {
    source s;
    snapshot *snap = NULL;
    ls_err err = LS_ERR_INIT;
    ls_txid txid = 0;
    tables *t = NULL;
    changes c = {0};
    if (argc < 4 || !short_txid(argv[2], &txid)) {
        errx(2, "usage: page_owners REPLICA TXID all|changed [READS]");
    }
    ls_code rc = source_open(&s, argv[1], &err);
    if (rc == LS_OK) {
        rc = source_list(&s, NULL, &snap, &err);
    }
    if (rc == LS_OK && strcmp(argv[3], "all") == 0) {
        size_t reads = argc > 4 ? (size_t)strtoul(argv[4], NULL, 10) : 0;
        rc = read_all(&s, snap, txid, reads, &t, &err);
    } else if (rc == LS_OK) {
        rc = changes_read(&s, snap, txid, NULL, &c, &err);
        t = c.tables != NULL ? tables_ref(c.tables) : NULL;
    }
    if (rc != LS_OK || t == NULL) {
        errx(1, "%s", err.msg);
    }
    print(t);
    tables_unref(t);
    changes_done(&c);
    snapshot_unref(snap);
    source_done(&s);
    return fflush(stdout) == 0 ? 0 : 1;
}
