/*
 * What tests of compaction and retention share: the files of a level as text, and restores compared
 * with an image. Include it after cmocka.h.
 */
#ifndef LS_T_REPLICA_LEVELS_H
#define LS_T_REPLICA_LEVELS_H

#include "engine/replica/compact.h"
#include "t/engine/restore/replica.h"
#include "t/support/tempdir.h"

#include <inttypes.h>

/* "min-max min-max ..." in hexadecimal. */
static inline char *level_text(ls_storage *s, int level) {
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    ls_buf text;
    ls_buf_init(&text, 1u << 20);
    must(ls_storage_list(s, level, 0, &it, &err), &err);
    for (;;) {
        ls_ltx_info f;
        bool end;
        must(ls_storage_iter_next(it, &f, &end, &err), &err);
        if (end) {
            break;
        }
        must(ls_buf_addf(&text, &err, "%s%" PRIx64 "-%" PRIx64, text.len > 0 ? " " : "", f.min_txid,
                         f.max_txid),
             &err);
    }
    ls_storage_iter_free(it);
    char *copy = strdup(ls_buf_str(&text));
    ls_buf_done(&text);
    return copy;
}

static inline void assert_level(ls_storage *s, int level, const char *expected) {
    char *text = level_text(s, level);
    assert_string_equal(text, expected);
    free(text);
}

/* Restores a TXID (0: the latest) and compares. */
static inline void assert_restores(ls_storage *s, ls_txid txid, const uint8_t *image, size_t size) {
    ls_err err = LS_ERR_INIT;
    ls_plan plan;
    ls_restore_result res;
    size_t len = 0;
    must(ls_plan_make(s, txid, LS_NO_TIMESTAMP, &plan, &err), &err);
    uint8_t *data = rebuild_in_memory(s, &plan, 1, &len, &res, &err);
    if (data == NULL) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(len, size);
    assert_memory_equal(data, image, size);
    free(data);
    ls_plan_done(&plan);
}

static inline void assert_restores_chain(const chain *c) {
    assert_restores(c->s, c->txid, c->image, (size_t)c->commit * c->page_size);
}

/* Steps that grow, shrink and change pages. */
static inline void chain_steps(chain *c, int n) {
    for (int i = 0; i < n; i++) {
        chain_step(c, (uint32_t)(20 + next_random(&c->seed) % 20), 4);
    }
}

/* The folder <meta>/ltx with level 0 in it; the caller frees it. */
static inline char *make_local_root(void **state) {
    char *root = tempdir_path(state, "meta/ltx");
    char *dir = ls_path_join(root, "0");
    ls_err err = LS_ERR_INIT;
    must(ls_mkdirs(dir, &LS_PERM_PRIVATE, &err), &err);
    free(dir);
    return root;
}

/* Removes a file from the store. */
static inline void lose(ls_storage *s, int level, ls_txid min, ls_txid max) {
    const ls_ltx_info f = {.level = level, .min_txid = min, .max_txid = max};
    ls_err err = LS_ERR_INIT;
    must(ls_storage_remove(s, &f, 1, &err), &err);
}

static inline ls_compact_result compact_to(ls_storage *s, int level) {
    const ls_compact_opts opts = {.level = level, .verify = true};
    ls_compact_result res;
    ls_err err = LS_ERR_INIT;
    must(ls_compact(s, &opts, &res, &err), &err);
    return res;
}

#endif
