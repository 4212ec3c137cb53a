/* Exact times of stores that list others (timed.c): which files are asked for, and what comes of
 * it. */
#include "backends/storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define FILES 1000

#define STEP 100000 /* ms */

/* Level 0: file i has the time i * STEP and was uploaded lag later. */
typedef struct fake {
    ls_storage base;
    ls_storage_ops ops;
    int64_t lag;
    atomic_int asked;
    int gone;    /* TXID of a file that is not there any more */
    int failing; /* and of one that cannot be asked for */
} fake;

typedef struct fake_iter {
    ls_storage_iter base;
    fake *f;
    int next;
} fake_iter;

static ls_code fake_next(ls_storage_iter *it, ls_ltx_info *file, bool *end, ls_err *err) {
    fake_iter *fi = (fake_iter *)it;
    (void)err;
    *end = fi->next > FILES;
    if (!*end) {
        *file = (ls_ltx_info){.min_txid = (ls_txid)fi->next,
                              .max_txid = (ls_txid)fi->next,
                              .created_ms = (int64_t)fi->next * STEP + fi->f->lag};
        fi->next++;
    }
    return LS_OK;
}

static void fake_iter_free(ls_storage_iter *it) { free(it); }

static ls_code fake_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                         ls_err *err) {
    fake_iter *fi = calloc(1, sizeof *fi);
    (void)level;
    (void)err;
    assert_non_null(fi);
    *fi = (fake_iter){.base = {.next = fake_next, .free = fake_iter_free},
                      .f = (fake *)s,
                      .next = seek > 0 ? (int)seek : 1};
    *it = &fi->base;
    return LS_OK;
}

static ls_code fake_exact(ls_storage *s, ls_ltx_info *file, ls_err *err) {
    fake *f = (fake *)s;
    (void)atomic_fetch_add(&f->asked, 1);
    if ((int)file->min_txid == f->gone) {
        return ls_fail(err, LS_ENOTFOUND, "gone");
    }
    if ((int)file->min_txid == f->failing) {
        return ls_fail(err, LS_EREMOTE, "broken");
    }
    file->created_ms = (int64_t)file->min_txid * STEP;
    return LS_OK;
}

static void fake_init(fake *f, int64_t lag) {
    *f = (fake){.ops = {.type = "fake", .list = fake_list, .exact = fake_exact}, .lag = lag};
    f->base.ops = &f->ops;
}

/* How many files are older than the moment, by a listing that is read to its end. */
static int older(fake *f, int64_t until_ms) {
    ls_storage_iter *it;
    ls_err err = LS_ERR_INIT;
    int n = 0;
    ls_txid next = 1;
    assert_int_equal(ls_storage_list_timed(&f->base, 0, 0, until_ms, &it, &err), LS_OK);
    for (;;) {
        ls_ltx_info file;
        bool end;
        assert_int_equal(ls_storage_iter_next(it, &file, &end, &err), LS_OK);
        if (end) {
            break;
        }
        assert_int_equal(file.min_txid, next++);
        n += file.created_ms < until_ms;
    }
    assert_int_equal(next, FILES + 1);
    ls_storage_iter_free(it);
    return n;
}

static void prompt_uploads_need_few_questions(void **state) {
    (void)state;
    static const int moments[] = {0, 1, 2, 17, 500, 999, 1000, 1001, 5000};
    static const int64_t lags[] = {7, -999, -30000}; /* cut to seconds; another clock */
    for (size_t i = 0; i < 3 * sizeof moments / sizeof moments[0]; i++) {
        fake f;
        fake_init(&f, lags[i % 3]);
        int moment = moments[i / 3];
        int expected = moment - 1 < 0 ? 0 : moment - 1 > FILES ? FILES : moment - 1;
        assert_int_equal(older(&f, (int64_t)moment * STEP), expected);
        assert_true(f.asked <= 3);
    }
}

/* All were uploaded long after: what is older has to be asked for, and little else. */
static void late_uploads(void **state) {
    (void)state;
    static const int moments[] = {1, 2, 17, 500, 1000, 1001};
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        fake f;
        fake_init(&f, 10000LL * STEP);
        assert_int_equal(older(&f, (int64_t)moments[i] * STEP), moments[i] - 1);
        assert_true(f.asked >= moments[i] - 1);
        assert_true(f.asked <= 2 * moments[i] + 64);
    }
}

/* A file that was deleted keeps the time it has; the listing goes on. */
static void what_is_gone(void **state) {
    (void)state;
    fake f;
    fake_init(&f, 5 * STEP / 2);
    f.gone = 498; /* asked for with 499 */
    assert_int_equal(older(&f, 500LL * STEP), 498);
    fake_init(&f, 5 * STEP / 2);
    f.gone = 499;
    assert_int_equal(older(&f, 500LL * STEP), 498);
    fake_init(&f, 7 * STEP / 2);
    f.gone = 496; /* the first that is asked for; its listed time is that of 499 */
    assert_int_equal(older(&f, 499LL * STEP), 497);
    fake_init(&f, 5 * STEP / 2);
    f.gone = 300;
    assert_int_equal(older(&f, 500LL * STEP), 499);
}

static void failures(void **state) {
    (void)state;
    fake f;
    ls_storage_iter *it;
    ls_err err = LS_ERR_INIT;
    ls_ltx_info file;
    bool end = false;
    ls_code code = LS_OK;
    fake_init(&f, 5 * STEP / 2);
    f.failing = 499;
    assert_int_equal(ls_storage_list_timed(&f.base, 0, 0, 500LL * STEP, &it, &err), LS_OK);
    while (code == LS_OK && !end) {
        code = ls_storage_iter_next(it, &file, &end, &err);
    }
    assert_int_equal(code, LS_EREMOTE);
    assert_string_equal(err.msg, "ask for the time of a file: broken");
    ls_storage_iter_free(it);
}

static void all_of_them(void **state) {
    (void)state;
    fake f;
    ls_err err = LS_ERR_INIT;
    ls_ltx_info files[100];
    fake_init(&f, 0);
    for (size_t i = 0; i < 100; i++) {
        files[i] = (ls_ltx_info){.min_txid = i + 1, .created_ms = -1};
    }
    assert_int_equal(ls_storage_exact(&f.base, files, 100, &err), LS_OK);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(files[i].created_ms, (int64_t)(i + 1) * STEP);
    }
    assert_int_equal(f.asked, 100);
    /* A store whose listings are exact is asked nothing. */
    f.ops.exact = NULL;
    files[0].created_ms = -1;
    assert_int_equal(ls_storage_exact(&f.base, files, 100, &err), LS_OK);
    assert_int_equal(files[0].created_ms, -1);
    assert_int_equal(older(&f, 500LL * STEP), 499);
    assert_int_equal(f.asked, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompt_uploads_need_few_questions),
        cmocka_unit_test(late_uploads),
        cmocka_unit_test(what_is_gone),
        cmocka_unit_test(failures),
        cmocka_unit_test(all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
