/*
 * Reading on over connections that break. The store is a wrapper around one file in memory whose
 * connections break as a script says; pauses are measured, not slept (nanosleep is wrapped).
 */
#include "backends/resume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SIZE 10000

static int64_t slept_ms;

int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left) {
    (void)left;
    slept_ms += t->tv_sec * 1000 + t->tv_nsec / 1000000;
    return 0;
}

/* What a connection does after so many bytes. */
typedef enum fault { WORKS, FAILS, ENDS, FAILS_TO_OPEN, NOT_THERE } fault;
typedef struct connection {
    fault fault;
    size_t after;
} connection;

typedef struct store {
    ls_storage base;
    const connection *script;
    size_t n, opened;
    uint64_t offs[16]; /* where each connection began */
    ls_cancel *cancel; /* set when the script is at its end; may be NULL */
} store;

typedef struct conn_reader {
    ls_reader base;
    fault fault;
    size_t after; /* bytes left until it breaks */
    uint64_t off, end;
} conn_reader;

static uint8_t byte_at(uint64_t off) { return (uint8_t)(off * 31 + off / 256); }

static ls_code conn_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    conn_reader *c = (conn_reader *)r;
    size_t n = len < 700 ? len : 700;
    n = n < c->end - c->off ? n : (size_t)(c->end - c->off);
    *got = 0;
    if (c->fault != WORKS) {
        n = n < c->after ? n : c->after;
        if (n == 0 && c->fault == FAILS) {
            return ls_fail(err, LS_EIO, "connection reset");
        }
    }
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)buf)[i] = byte_at(c->off + i);
    }
    c->off += n;
    c->after -= n < c->after ? n : c->after;
    *got = n;
    return LS_OK;
}

static void conn_close(ls_reader *r) { free(r); }

static ls_code store_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                          ls_reader **r, ls_err *err) {
    (void)file;
    store *st = (store *)s;
    const connection works = {WORKS, 0};
    const connection *c = st->opened < st->n ? &st->script[st->opened] : &works;
    assert_true(st->opened < 16);
    st->offs[st->opened++] = off;
    if (st->cancel != NULL && st->opened >= st->n) {
        ls_cancel_set(st->cancel);
    }
    if (c->fault == FAILS_TO_OPEN) {
        return ls_fail(err, LS_EIO, "503 Slow Down");
    }
    if (c->fault == NOT_THERE) {
        return ls_fail(err, LS_ENOTFOUND, "404");
    }
    conn_reader *cr = malloc(sizeof *cr);
    assert_non_null(cr);
    uint64_t end = len == 0 || len > SIZE - off ? SIZE : off + len;
    *cr = (conn_reader){.base = {.read = conn_read, .close = conn_close},
                        .fault = c->fault,
                        .after = c->after,
                        .off = off,
                        .end = end};
    *r = &cr->base;
    return LS_OK;
}

static ls_code store_open_object(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                                 ls_reader **r, ls_err *err) {
    assert_string_equal(key, "generations/0/a.lz4");
    return store_open(s, NULL, off, len, r, err);
}

static const ls_storage_ops ops = {
    .type = "test", .open = store_open, .open_object = store_open_object};

static store store_of(const connection *script, size_t n) {
    slept_ms = 0;
    return (store){.base = {.ops = &ops}, .script = script, .n = n};
}

#define STORE(script) store_of(script, sizeof(script) / sizeof((script)[0]))

static const ls_ltx_info whole = {.level = 2, .min_txid = 3, .max_txid = 9, .size = SIZE};

static ls_reader *open_it(store *s, const ls_ltx_info *file, uint64_t off, uint64_t len) {
    ls_reader *r;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_resume_open(&s->base, file, off, len, s->cancel, &r, &err), LS_OK);
    return r;
}

/* Reads all and compares; returns how it went, *n how many bytes came. */
static ls_code drain(ls_reader *r, uint64_t off, size_t *n, ls_err *err) {
    uint8_t buf[900];
    *n = 0;
    for (;;) {
        size_t got;
        ls_code rc = r->read(r, buf, sizeof buf, &got, err);
        if (rc != LS_OK || got == 0) {
            assert_int_equal(got, 0);
            return rc;
        }
        for (size_t i = 0; i < got; i++) {
            assert_int_equal(buf[i], byte_at(off + *n + i));
        }
        *n += got;
    }
}

static void whole_file(void **state) {
    (void)state;
    static const connection script[] = {{WORKS, 0}};
    store s = STORE(script);
    ls_reader *r = open_it(&s, &whole, 0, 0);
    assert_int_equal(s.opened, 0); /* not before the first read */
    size_t n;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(drain(r, 0, &n, &err), LS_OK);
    assert_int_equal(n, SIZE);
    assert_int_equal(s.opened, 1);
    assert_int_equal(slept_ms, 0);
    assert_int_equal(drain(r, 0, &n, &err), LS_OK); /* the end stays the end */
    assert_int_equal(n, 0);
    ls_reader_close(r);
}

static void goes_on_behind_the_last_byte(void **state) {
    (void)state;
    static const connection script[] = {{FAILS, 1234}, {ENDS, 5000}, {FAILS, 0}, {WORKS, 0}};
    store s = STORE(script);
    ls_reader *r = open_it(&s, &whole, 0, 0);
    size_t n;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(drain(r, 0, &n, &err), LS_OK);
    assert_int_equal(n, SIZE);
    assert_int_equal(s.opened, 4);
    assert_int_equal(s.offs[1], 1234);
    assert_int_equal(s.offs[2], 6234);
    assert_int_equal(s.offs[3], 6234);
    assert_int_equal(slept_ms, 250 + 500 + 1000);
    ls_reader_close(r);
}

static void objects_go_on_too(void **state) {
    (void)state;
    static const connection script[] = {
        {FAILS, 1234}, {FAILS_TO_OPEN, 0}, {ENDS, 5000}, {WORKS, 0}};
    const ls_object object = {.key = "generations/0/a.lz4", .size = SIZE};
    store s = STORE(script);
    ls_reader *r;
    size_t n;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_resume_open_object(&s.base, &object, NULL, &r, &err), LS_OK);
    assert_int_equal(drain(r, 0, &n, &err), LS_OK);
    assert_int_equal(n, SIZE);
    assert_int_equal(s.offs[2], 1234);
    assert_int_equal(s.offs[3], 6234);
    ls_reader_close(r);
}

static void opening_counts_too(void **state) {
    (void)state;
    static const connection script[] = {{FAILS_TO_OPEN, 0}, {FAILS_TO_OPEN, 0}, {WORKS, 0}};
    store s = STORE(script);
    ls_reader *r = open_it(&s, &whole, 100, 0);
    size_t n;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(drain(r, 100, &n, &err), LS_OK);
    assert_int_equal(n, SIZE - 100);
    assert_int_equal(s.opened, 3);
    ls_reader_close(r);
}

/* The tries are those of the file, not of a call; the last error stays. */
static void gives_up_for_good(void **state) {
    (void)state;
    static const connection script[] = {
        {FAILS, 100}, {FAILS, 100}, {FAILS, 100}, {ENDS, 100}, {WORKS, 0}};
    store s = STORE(script);
    ls_reader *r = open_it(&s, &whole, 0, 0);
    for (int i = 0; i < 2; i++) {
        size_t n;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(drain(r, 0, &n, &err), LS_EIO);
        assert_int_equal(n, i == 0 ? 400 : 0);
        assert_non_null(
            strstr(err.msg, "0000000000000003-0000000000000009.ltx: ends after 400 of"));
        assert_int_equal(s.opened, 1 + LS_RESUME_TRIES);
    }
    ls_reader_close(r);
}

static void not_there_is_final(void **state) {
    (void)state;
    static const connection script[] = {{FAILS, 100}, {NOT_THERE, 0}, {WORKS, 0}};
    store s = STORE(script);
    ls_reader *r = open_it(&s, &whole, 0, 0);
    size_t n;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(drain(r, 0, &n, &err), LS_ENOTFOUND);
    assert_int_equal(s.opened, 2);
    ls_reader_close(r);
}

static void cancel_ends_it(void **state) {
    (void)state;
    static const connection script[] = {{FAILS, 100}, {FAILS, 0}};
    ls_cancel cancel = {0};
    store s = STORE(script);
    s.cancel = &cancel;
    ls_reader *r = open_it(&s, &whole, 0, 0);
    size_t n;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(drain(r, 0, &n, &err), LS_ECANCELED);
    assert_int_equal(s.opened, 2);
    assert_int_equal(slept_ms, 250); /* the second pause was cut */
    ls_reader_close(r);
}

static void ranges(void **state) {
    (void)state;
    static const connection script[] = {{ENDS, 50}, {WORKS, 0}};
    static const struct {
        uint64_t off, len, want;
    } cases[] = {{200, 300, 300},       {SIZE - 60, 0, 60},
                 {SIZE - 60, 1000, 60}, {SIZE - 60, UINT64_MAX, 60},
                 {SIZE, 0, 0},          {SIZE + 5, 10, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        store s = STORE(script);
        ls_reader *r = open_it(&s, &whole, cases[i].off, cases[i].len);
        size_t n;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(drain(r, cases[i].off, &n, &err), LS_OK);
        assert_int_equal(n, cases[i].want);
        assert_int_equal(s.opened, cases[i].want > 0 ? 2 : 0);
        ls_reader_close(r);
    }
}

/* Without a size an end cannot be told from a break. */
static void unknown_size_believes_the_end(void **state) {
    (void)state;
    static const connection script[] = {{FAILS, 50}, {ENDS, 500}};
    ls_ltx_info file = whole;
    file.size = 0;
    store s = STORE(script);
    ls_reader *r = open_it(&s, &file, 0, 0);
    size_t n;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(drain(r, 0, &n, &err), LS_OK);
    assert_int_equal(n, 550);
    ls_reader_close(r);
}

/* Damage is believed that is met twice in the same place. */
static void damage_of_the_network(void **state) {
    ls_err before = LS_ERR_INIT;
    ls_err err = LS_ERR_INIT;
    (void)state;
    (void)ls_fail(&err, LS_EREMOTE, "the store is away");
    assert_false(ls_resume_spoilt(&err, &before));
    (void)ls_fail(&err, LS_ECHECKSUM, "page 1");
    assert_true(ls_resume_spoilt(&err, &before));
    (void)ls_fail(&err, LS_ECORRUPT, "page 2");
    assert_true(ls_resume_spoilt(&err, &before));
    (void)ls_fail(&err, LS_EFORMAT, "page 2");
    assert_false(ls_resume_spoilt(&err, &before));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_file),
        cmocka_unit_test(goes_on_behind_the_last_byte),
        cmocka_unit_test(objects_go_on_too),
        cmocka_unit_test(opening_counts_too),
        cmocka_unit_test(gives_up_for_good),
        cmocka_unit_test(not_there_is_final),
        cmocka_unit_test(cancel_ends_it),
        cmocka_unit_test(ranges),
        cmocka_unit_test(unknown_size_believes_the_end),
        cmocka_unit_test(damage_of_the_network),
    };
    return cmocka_run_group_tests_name("backends/resume", tests, NULL, NULL);
}
