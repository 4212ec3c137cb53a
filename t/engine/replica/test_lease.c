/*
 * Leases (lease.c, lease_text.c, leased.c, keeper.c) in simulated time: two holders before one
 * store in memory, clocks that differ or jump, answers that get lost, stores that do not answer.
 */
#include "engine/replica/keeper.h"
#include "engine/replica/lease_text.h"

#include "engine/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/backends/conformance.h"
#include "t/support/memstore.h"
#include "t/support/must.h"

#define T0 1700000000000
#define TTL (30 * LS_SEC)

typedef struct fake_clock {
    ls_clock base;
    int64_t wall_ms, mono_ms;
} fake_clock;

static int64_t fake_wall(const ls_clock *c) { return ((const fake_clock *)c)->wall_ms; }
static int64_t fake_mono(const ls_clock *c) { return ((const fake_clock *)c)->mono_ms * LS_MS; }

/* A machine with a clock and a way to the store. */
typedef struct side {
    fake_clock clock;
    ls_storage *s; /* the lease's */
    ls_lease *lease;
    /* Of the next requests: */
    bool down;       /* none is answered */
    int lose_puts;   /* so many do what they are for, and the answer is lost */
    int twice;       /* so many puts are sent twice, as after a lost answer */
    int puts, gets;  /* so far */
    int64_t slow_ms; /* each takes so long */
} side;

typedef struct fixture {
    ls_storage *shared;
    side a, b;
} fixture;

static void pass(side *w, int64_t ms) {
    w->clock.wall_ms += ms;
    w->clock.mono_ms += ms;
}

static void both(fixture *f, int64_t ms) {
    pass(&f->a, ms);
    pass(&f->b, ms);
}

static ls_code on_mark(void *arg, bool put, bool before, ls_err *err) {
    side *s = arg;
    if (s->down) {
        return ls_fail(err, LS_EREMOTE, "no route to the store");
    }
    if (before) {
        pass(s, s->slow_ms);
        s->puts += put;
        s->gets += !put;
    } else if (put && s->lose_puts > 0) {
        s->lose_puts--;
        return ls_fail(err, LS_EREMOTE, "the answer got lost");
    } else if (put && s->twice > 0) {
        s->twice--;
        return ls_fail(err, LS_EEXISTS, "changed, by what was sent before");
    }
    return LS_OK;
}

static void open_side(fixture *f, side *w, const char *owner) {
    ls_err err = LS_ERR_INIT;
    w->clock = (fake_clock){
        .base = {.wall_ms = fake_wall, .mono_ns = fake_mono}, .wall_ms = T0, .mono_ms = 1000};
    w->s = memstore_new(true);
    memstore_share_mark(w->s, f->shared);
    memstore_hook_mark(w->s, on_mark, w);
    const ls_lease_opts opts = {.storage = w->s,
                                .ttl = TTL,
                                .path = "/srv/app.db",
                                .owner = owner,
                                .clock = &w->clock.base};
    must(ls_lease_new(&opts, &w->lease, &err), &err);
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->shared = memstore_new(true);
    open_side(f, &f->a, "web1:100");
    open_side(f, &f->b, "web2:200");
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_lease_free(f->a.lease);
    ls_lease_free(f->b.lease);
    ls_storage_free(f->shared);
    free(f);
    return 0;
}

static void take(side *w) {
    ls_err err = LS_ERR_INIT;
    must(ls_lease_take(w->lease, &err), &err);
    ls_lease_compared(w->lease);
}

static bool may_write(const side *w) {
    ls_err err = LS_ERR_INIT;
    ls_code rc = ls_lease_allows(w->lease, &err);
    assert_true(rc == LS_OK || rc == LS_EHELD);
    assert_true(rc == LS_OK || ls_err_hint(&err)[0] != '\0');
    return rc == LS_OK;
}

static void assert_refused(side *w, const char *by) {
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_lease_take(w->lease, &err), LS_EHELD);
    if (strstr(err.msg, by) == NULL) {
        fail_msg("%s: not by %s", err.msg, by);
    }
    assert_true(ls_lease_refused(w->lease, &err));
    assert_non_null(strstr(err.msg, by));
    assert_false(may_write(w));
}

static ls_lease_text stored(const fixture *f) {
    ls_mark mark;
    ls_lease_text text;
    ls_err err = LS_ERR_INIT;
    must(ls_storage_get_mark(f->shared, LS_LEASE_KEY, &mark, &err), &err);
    must(ls_lease_text_read(&mark, &text, &err), &err);
    return text;
}

/* ---- Two writers ---- */

static void a_second_writer_is_refused(void **state) {
    fixture *f = *state;
    assert_false(may_write(&f->a));
    take(&f->a);
    assert_true(may_write(&f->a));
    assert_refused(&f->b, "web1:100");
    assert_int_equal(stored(f).generation, 1);
    assert_string_equal(stored(f).owner, "web1:100");
    assert_int_equal(stored(f).expires_ms, T0 + 30000);
    assert_true(may_write(&f->a));
}

static void a_lease_that_is_let_go_is_free(void **state) {
    fixture *f = *state;
    take(&f->a);
    assert_refused(&f->b, "web1:100");
    ls_lease_release(f->a.lease);
    assert_false(may_write(&f->a));
    assert_true(ls_lease_changed(f->a.lease));
    take(&f->b);
    assert_true(may_write(&f->b));
    assert_int_equal(stored(f).generation, 2);
    assert_refused(&f->a, "web2:200");
}

/* Never two at a time, whoever dies or comes when. */
static void a_dead_holder_s_lease_runs_out(void **state) {
    fixture *f = *state;
    take(&f->a);
    f->a.down = true;
    for (int64_t ms = 0; ms < 35000; ms += 500) {
        assert_refused(&f->b, "web1:100");
        assert_true(!may_write(&f->a) || ms < 30000);
        both(f, 500);
    }
    assert_false(may_write(&f->a));
    take(&f->b);
    assert_true(may_write(&f->b));
    f->a.down = false;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_lease_renew(f->a.lease, &err), LS_EHELD);
    assert_non_null(strstr(err.msg, "web2:200"));
    assert_false(may_write(&f->a));
    assert_true(may_write(&f->b));
}

static void a_renewed_lease_does_not_run_out(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    take(&f->a);
    for (int i = 0; i < 30; i++) {
        both(f, 10000);
        assert_refused(&f->b, "web1:100");
        must(ls_lease_renew(f->a.lease, &err), &err);
        assert_true(may_write(&f->a));
        assert_false(ls_lease_changed(f->a.lease));
    }
    assert_int_equal(stored(f).generation, 1);
}

static void taking_renews_when_that_is_due(void **state) {
    fixture *f = *state;
    take(&f->a);
    int puts = f->a.puts;
    pass(&f->a, 9000);
    take(&f->a);
    assert_int_equal(f->a.puts, puts);
    pass(&f->a, 2000);
    take(&f->a);
    assert_int_equal(f->a.puts, puts + 1);
    pass(&f->a, 29000);
    assert_true(may_write(&f->a));
}

/* ---- Clocks ---- */

static void our_own_time_ends_by_a_clock_that_does_not_jump(void **state) {
    fixture *f = *state;
    take(&f->a);
    f->a.clock.wall_ms -= 3600000;
    assert_true(may_write(&f->a));
    f->a.clock.mono_ms += 30000;
    assert_false(may_write(&f->a));
    f->a.clock.wall_ms += 2 * 3600000;
    assert_false(may_write(&f->a));
}

/* The time that a request takes counts as if its answer had come at once. */
static void a_slow_request_makes_no_lease_longer(void **state) {
    fixture *f = *state;
    f->a.slow_ms = 8000;
    take(&f->a); /* read, written, and tried twice whether conditions count */
    f->a.slow_ms = 0;
    pass(&f->a, 30000 - 24000 - 1);
    assert_true(may_write(&f->a));
    pass(&f->a, 1);
    assert_false(may_write(&f->a));
}

static void the_store_s_clock_goes_before_ours(void **state) {
    (void)state;
    ls_lease_text text = {.generation = 1, .ttl_ms = 30000, .expires_ms = T0, .id = "1"};
    (void)snprintf(text.owner, sizeof text.owner, "web1:1");
    ls_mark mark = {.age_ms = 5000};
    assert_false(ls_lease_text_over(&text, &mark, "web2:1", T0 + 3600000));
    mark.age_ms = 31999;
    assert_false(ls_lease_text_over(&text, &mark, "web2:1", T0 + 3600000));
    mark.age_ms = 32000;
    assert_true(ls_lease_text_over(&text, &mark, "web2:1", T0 - 3600000));
    mark.age_ms = -1; /* without it ours must do */
    assert_false(ls_lease_text_over(&text, &mark, "web2:1", T0 + 4999));
    assert_true(ls_lease_text_over(&text, &mark, "web2:1", T0 + 5000));
}

/* A folder knows whether the holder lives, if that is on this host. */
static void a_process_that_is_gone_need_not_be_waited_for(void **state) {
    (void)state;
    ls_lease_text text = {.generation = 1, .ttl_ms = 30000, .expires_ms = T0, .id = "1"};
    (void)snprintf(text.owner, sizeof text.owner, "web1:1");
    ls_mark mark = {.age_ms = 0, .writer = LS_MARK_GONE};
    assert_true(ls_lease_text_over(&text, &mark, "web1:22", T0 - 30000));
    assert_false(ls_lease_text_over(&text, &mark, "web11:1", T0 - 30000));
    assert_false(ls_lease_text_over(&text, &mark, "web:1", T0 - 30000));
    mark.writer = LS_MARK_ALIVE;
    mark.age_ms = 3600000;
    assert_false(ls_lease_text_over(&text, &mark, "web1:22", T0 + 3600000));
    text.ttl_ms = 0;
    assert_true(ls_lease_text_over(&text, &mark, "web1:22", T0));
}

/* ---- Answers that get lost ---- */

static void an_acquisition_whose_answer_is_lost(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->a.lose_puts = 1;
    assert_int_equal(ls_lease_take(f->a.lease, &err), LS_EREMOTE);
    assert_false(may_write(&f->a));
    assert_refused(&f->b, "web1:100"); /* it took effect */
    both(f, 1000);
    take(&f->a);
    assert_true(may_write(&f->a));
    assert_int_equal(stored(f).generation, 1);
}

static void a_request_that_is_sent_twice(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->a.twice = 1;
    take(&f->a);
    assert_true(may_write(&f->a));
    both(f, 10000);
    f->a.twice = 1;
    must(ls_lease_renew(f->a.lease, &err), &err);
    both(f, 29000);
    assert_true(may_write(&f->a));
    must(ls_lease_renew(f->a.lease, &err), &err);
    assert_int_equal(stored(f).generation, 1);
}

static void a_renewal_whose_answer_is_lost(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    take(&f->a);
    both(f, 10000);
    f->a.lose_puts = 1;
    assert_int_equal(ls_lease_renew(f->a.lease, &err), LS_EREMOTE);
    both(f, 3000);
    must(ls_lease_renew(f->a.lease, &err), &err);
    both(f, 29000);
    assert_true(may_write(&f->a));
    assert_int_equal(stored(f).generation, 1);
    assert_false(ls_lease_changed(f->a.lease));
}

/* ---- A store that does not answer ---- */

static void a_lease_that_lapsed_is_renewed_if_nobody_had_it(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    take(&f->a);
    f->a.down = true;
    both(f, 29999);
    assert_int_equal(ls_lease_renew(f->a.lease, &err), LS_EREMOTE);
    assert_true(may_write(&f->a));
    both(f, 1);
    assert_false(may_write(&f->a));
    both(f, 60000);
    assert_int_equal(ls_lease_renew(f->a.lease, &err), LS_EREMOTE);
    f->a.down = false;
    must(ls_lease_renew(f->a.lease, &err), &err);
    assert_true(may_write(&f->a)); /* nobody wrote meanwhile: nothing is compared */
}

static void what_others_had_is_compared_first(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    take(&f->a);
    both(f, 60000);
    take(&f->b);
    ls_lease_release(f->b.lease);
    assert_int_equal(ls_lease_renew(f->a.lease, &err), LS_EHELD);
    must(ls_lease_take(f->a.lease, &err), &err);
    assert_true(ls_lease_changed(f->a.lease));
    assert_false(may_write(&f->a));
    ls_lease_compared(f->a.lease);
    assert_true(may_write(&f->a));
    assert_int_equal(stored(f).generation, 3);
}

static void a_release_does_not_wait_for_a_store_that_is_down(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    take(&f->a);
    f->a.down = true;
    assert_int_equal(ls_lease_renew(f->a.lease, &err), LS_EREMOTE);
    f->a.down = false;
    int puts = f->a.puts;
    ls_lease_release(f->a.lease);
    assert_int_equal(f->a.puts, puts);
    assert_false(may_write(&f->a));
}

/* From a request of a renewal, as another thread would. */
static ls_code take_meanwhile(void *arg, bool put, bool before, ls_err *err) {
    side *w = arg;
    w->gets += put && before && ls_lease_take(w->lease, err) == LS_OK;
    return LS_OK;
}

static void a_renewal_that_hangs_keeps_no_upload_waiting(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    take(&f->a);
    f->a.gets = 0;
    memstore_hook_mark(f->a.s, take_meanwhile, &f->a);
    must(ls_lease_renew(f->a.lease, &err), &err);
    assert_int_equal(f->a.gets, 1);
}

/* ---- What stands there ---- */

static void a_lease_that_is_removed_is_taken_again(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    take(&f->a);
    memstore_set_mark(f->shared, "");
    must(ls_lease_renew(f->a.lease, &err), &err);
    assert_false(may_write(&f->a)); /* another one may have been in between */
    take(&f->a);
    assert_true(may_write(&f->a));
}

static void the_reference_s_lease(void **state) {
    fixture *f = *state;
    memstore_set_mark(f->shared, "{\"generation\":7,\"expires_at\":\"2023-11-14T22:13:50.5Z\","
                                 "\"owner\":\"db1:9\"}\n");
    assert_refused(&f->a, "db1:9");
    both(f, 35499); /* T0 is 22:13:20 */
    assert_refused(&f->a, "db1:9 (generation 7, until 2023-11-14T22:13:50Z)");
    both(f, 1);
    take(&f->a);
    assert_int_equal(stored(f).generation, 8);
    memstore_set_mark(f->shared,
                      "{\"generation\":9,\"expires_at\":\"2033-11-14T22:13:50.5+01:00\"}");
    assert_refused(&f->b, "unnamed");
}

static void texts_that_are_no_lease(void **state) {
    fixture *f = *state;
    static const char *const texts[] = {
        "x",
        "{}",
        "[]",
        "{\"generation\":1}",
        "{\"generation\":1,\"expires_at\":\"soon\"}",
        "{\"generation\":-1,\"expires_at\":\"2023-11-14T22:13:50Z\"}",
        "{\"generation\":9223372036854775807,\"expires_at\":\"2023-11-14T22:13:50Z\"}",
        "{\"generation\":1.5,\"expires_at\":\"2023-11-14T22:13:50Z\"}",
        "{\"generation\":1,\"expires_at\":\"2023-11-14T22:13:50Z\",\"ttl_ms\":-1}",
        "{\"generation\":1,\"expires_at\":\"2023-11-14T22:13:50Z\",\"ttl_ms\":99999999999}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ls_mark mark = {.len = strlen(texts[i])};
        ls_lease_text text;
        ls_err err = LS_ERR_INIT;
        memcpy(mark.text, texts[i], mark.len + 1);
        assert_int_equal(ls_lease_text_read(&mark, &text, &err), LS_ECORRUPT);
    }
    /* It is somebody's; without a time of its own it lasts as long as the store says. */
    memstore_set_mark(f->shared, "x");
    f->a.clock.wall_ms = 1000;
    assert_refused(&f->a, "cannot be read");
}

static void long_names_are_cut(void **state) {
    (void)state;
    ls_lease_text text = {.generation = INT64_MAX - 1, .expires_ms = T0, .ttl_ms = 3000}, got;
    ls_mark mark;
    ls_err err = LS_ERR_INIT;
    memset(text.owner, '"', sizeof text.owner - 1); /* each takes two bytes there */
    memset(text.id, 'f', sizeof text.id - 1);
    must(ls_lease_text_write(&text, &mark, &err), &err);
    must(ls_lease_text_read(&mark, &got, &err), &err);
    assert_string_equal(got.owner, text.owner);
    assert_int_equal(got.generation, text.generation);
    memset(text.owner, 1, sizeof text.owner - 1); /* and six */
    assert_int_equal(ls_lease_text_write(&text, &mark, &err), LS_ELIMIT);
}

/* ---- Stores ---- */

static ls_code careless_put(ls_storage *s, const char *key, ls_mark *mark, bool keep, ls_err *err) {
    (void)s, (void)key, (void)keep, (void)err;
    (void)snprintf(mark->tag, sizeof mark->tag, "\"x\"");
    return LS_OK;
}

static void a_store_that_pays_no_heed_to_conditions(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    const ls_storage_ops *before = f->a.s->ops;
    ls_storage_ops ops = *before;
    ops.put_mark = careless_put;
    f->a.s->ops = &ops;
    assert_int_equal(ls_lease_take(f->a.lease, &err), LS_EUNSUPPORTED);
    assert_non_null(strstr(ls_err_hint(&err), "lease: true"));
    assert_false(may_write(&f->a));
    f->a.s->ops = before;
}

static void a_store_without_marks_is_refused(void **state) {
    (void)state;
    ls_storage *s = memstore_new(true);
    ls_storage_ops ops = *s->ops;
    ls_lease *lease;
    ls_err err = LS_ERR_INIT;
    ops.put_mark = NULL;
    s->ops = &ops;
    const ls_lease_opts opts = {.storage = s, .ttl = TTL, .path = "a.db"};
    assert_int_equal(ls_lease_new(&opts, &lease, &err), LS_EUNSUPPORTED);
    assert_null(lease);
    assert_non_null(strstr(err.hint, "file and s3"));
}

static void only_who_holds_it_writes(void **state) {
    fixture *f = *state;
    ls_storage *s;
    const ls_ltx_info one = {.level = 0, .min_txid = 1, .max_txid = 1};
    const ls_ltx_info up = {.level = 1, .min_txid = 1, .max_txid = 1};
    ls_err err = LS_ERR_INIT;
    must(ls_leased_new(memstore_new(true), f->a.lease, &s, &err), &err);
    uint8_t *data = conformance_bytes(1, 1, T0, 300);
    ls_reader *in = ls_mem_reader_new(data, 300);
    assert_int_equal(ls_storage_put(s, &one, in, true, NULL, &err), LS_EHELD);
    assert_int_equal(ls_storage_put_file(s, &one, "none", true, NULL, &err), LS_EHELD);
    assert_int_equal(ls_storage_take_file(s, &one, "none", true, NULL, &err), LS_EHELD);
    assert_int_equal(ls_storage_copy(s, &one, &up, true, NULL, &err), LS_EHELD);
    assert_int_equal(ls_storage_remove(s, &one, 1, &err), LS_EHELD);
    conformance_list(s, 0, 0, "");
    take(&f->a);
    must(ls_storage_put(s, &one, in, true, NULL, &err), &err);
    must(ls_storage_copy(s, &one, &up, true, NULL, &err), &err);
    conformance_list(s, 0, 0, "1-1");
    pass(&f->a, 30000);
    assert_int_equal(ls_storage_remove(s, &one, 1, &err), LS_EHELD);
    conformance_list(s, 0, 0, "1-1");
    conformance_list(s, 1, 0, "1-1");
    ls_reader_close(in);
    free(data);
    ls_storage_free(s);
}

static void who_holds_it(void **state) {
    fixture *f = *state;
    char owner[64];
    ls_err err = LS_ERR_INIT;
    must(ls_lease_holder(f->shared, owner, sizeof owner, &err), &err);
    assert_string_equal(owner, "");
    memstore_set_mark(f->shared, "{\"generation\":7,\"expires_at\":\"2999-11-14T22:13:50.5Z\","
                                 "\"owner\":\"db1:9\"}");
    must(ls_lease_holder(f->shared, owner, sizeof owner, &err), &err);
    assert_string_equal(owner, "db1:9");
    memstore_set_mark(f->shared, "{\"generation\":7,\"expires_at\":\"1999-11-14T22:13:50.5Z\"}");
    must(ls_lease_holder(f->shared, owner, sizeof owner, &err), &err);
    assert_string_equal(owner, "");
}

/* ---- The keeper, in real time ---- */

static void the_keeper_renews(void **state) {
    (void)state;
    ls_keeper *keeper;
    ls_lease *leases[8];
    ls_err err = LS_ERR_INIT;
    must(ls_keeper_new(&keeper, &err), &err);
    for (size_t i = 0; i < 8; i++) {
        ls_storage *s = memstore_new(true);
        const ls_lease_opts opts = {.storage = s, .ttl = 300 * LS_MS, .path = "a.db"};
        must(ls_lease_new(&opts, &leases[i], &err), &err);
        must(ls_keeper_add(keeper, leases[i], &err), &err);
        must(ls_lease_take(leases[i], &err), &err);
        ls_lease_compared(leases[i]);
    }
    int64_t end = ls_mono_ns(&ls_clock_system) + LS_SEC;
    while (ls_mono_ns(&ls_clock_system) < end) {
        assert_true(ls_pause(LS_MS, NULL));
    }
    /* Three times what they last has passed. On a machine that stood still one may just be late. */
    for (size_t i = 0; i < 8; i++) {
        must(ls_lease_take(leases[i], &err), &err);
        assert_false(ls_lease_changed(leases[i]));
        must(ls_lease_allows(leases[i], &err), &err);
        ls_keeper_drop(keeper, i % 2 == 0 ? leases[i] : NULL);
    }
    ls_keeper_free(keeper);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_second_writer_is_refused),
        TEST(a_lease_that_is_let_go_is_free),
        TEST(a_dead_holder_s_lease_runs_out),
        TEST(a_renewed_lease_does_not_run_out),
        TEST(taking_renews_when_that_is_due),
        TEST(our_own_time_ends_by_a_clock_that_does_not_jump),
        TEST(a_slow_request_makes_no_lease_longer),
        TEST(the_store_s_clock_goes_before_ours),
        TEST(a_process_that_is_gone_need_not_be_waited_for),
        TEST(an_acquisition_whose_answer_is_lost),
        TEST(a_request_that_is_sent_twice),
        TEST(a_renewal_whose_answer_is_lost),
        TEST(a_lease_that_lapsed_is_renewed_if_nobody_had_it),
        TEST(what_others_had_is_compared_first),
        TEST(a_release_does_not_wait_for_a_store_that_is_down),
        TEST(a_renewal_that_hangs_keeps_no_upload_waiting),
        TEST(a_lease_that_is_removed_is_taken_again),
        TEST(the_reference_s_lease),
        TEST(texts_that_are_no_lease),
        TEST(long_names_are_cut),
        TEST(a_store_that_pays_no_heed_to_conditions),
        TEST(a_store_without_marks_is_refused),
        TEST(only_who_holds_it_writes),
        TEST(who_holds_it),
        cmocka_unit_test(the_keeper_renews),
    };
    return cmocka_run_group_tests_name("engine/replica/lease", tests, NULL, NULL);
}
