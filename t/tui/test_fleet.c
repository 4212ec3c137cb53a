/* What is known of databases: reading of a daemon's answers, the last minute, what happened. Also
 * tui/fleet_read.c. */
#include "tui/fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static json_t *json(const char *text) {
    json_error_t wrong;
    json_t *j = json_loads(text, 0, &wrong);
    if (j == NULL) {
        fail_msg("%s: %s", text, wrong.text);
    }
    return j;
}

static fleet *read_databases(const char *text) {
    ls_err err = LS_ERR_INIT;
    fleet *f = fleet_new();
    json_t *answer = json(text);
    assert_non_null(f);
    if (fleet_read_databases(f, answer, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
    json_decref(answer);
    return f;
}

static void an_answer_is_read(void **state) {
    (void)state;
    fleet *f = read_databases(
        "{\"last_event\":7,\"databases\":[{\"path\":\"/a\",\"status\":\"error\",\"txid\":"
        "\"000000000000001f\",\"replica_txid\":\"000000000000001a\",\"lag_ms\":1500,\"wal_size\":9,"
        "\"levels\":[{\"level\":9,\"files\":3,\"bytes\":5}],\"capture_error\":null,"
        "\"upload_error\":{\"error\":\"no\",\"hint\":\"do\",\"count\":4,\"since\":"
        "\"1970-01-01T00:00:01.000Z\"},\"capture\":{\"what\":\"capture\",\"since\":"
        "\"1970-01-01T00:00:02.000Z\"}},{\"path\":\"/b\",\"status\":\"odd\"}]}");
    const fleet_db *a = &f->dbs[0], *b = &f->dbs[1];
    assert_int_equal(f->n, 2);
    assert_int_equal(f->last_event, 7);
    assert_int_equal(a->state, DB_ERROR);
    assert_int_equal(fleet_behind(a), 5);
    assert_int_equal(a->lag_ms, 1500);
    assert_int_equal(a->level_files[9], 3);
    assert_string_equal(a->error, "no");
    assert_string_equal(a->hint, "do");
    assert_int_equal(a->error_count, 4);
    assert_int_equal(a->error_since_ms, 1000);
    assert_string_equal(a->doing, "capture");
    assert_int_equal(b->state, DB_OTHER);
    assert_int_equal(b->last_sync_ms, -1);
    assert_null(b->error);
    assert_int_equal(fleet_find(f, "/b"), 1);
    assert_int_equal(fleet_find(f, "/c"), 2);
    fleet_unref(f);
}

static void what_is_of_another_type_is_absent(void **state) {
    (void)state;
    fleet *f = read_databases(
        "{\"last_event\":-1,\"databases\":[{\"path\":\"/a\",\"status\":7,\"txid\":\"1f\","
        "\"replica_txid\":[],\"db_size\":-1,\"lag_ms\":\"x\",\"levels\":{\"level\":1},"
        "\"last_sync_at\":\"soon\",\"upload_error\":\"no\",\"capture\":[]},"
        "{\"path\":\"/b\",\"levels\":[{\"level\":10,\"files\":1},{\"level\":-1},5]}]}");
    const fleet_db *a = &f->dbs[0];
    assert_string_equal(a->status, "");
    assert_int_equal(a->state, DB_OTHER);
    assert_int_equal(a->txid, 0);
    assert_int_equal(a->db_size, 0);
    assert_int_equal(a->lag_ms, 0);
    assert_int_equal(a->last_sync_ms, -1);
    assert_null(a->error);
    assert_null(a->doing);
    assert_int_equal(f->last_event, 0);
    fleet_unref(f);
}

typedef ls_code (*reader)(fleet *f, const json_t *answer, ls_err *err);

static void refused(reader read, const char *text) {
    ls_err err = LS_ERR_INIT;
    fleet *f = fleet_new();
    json_t *answer = json(text);
    assert_non_null(f);
    assert_int_equal(read(f, answer, &err), LS_EREMOTE);
    assert_non_null(strstr(err.msg, "not understood"));
    assert_true(*ls_err_hint(&err) != '\0');
    json_decref(answer);
    fleet_unref(f);
}

static void answers_of_another_shape_are_refused(void **state) {
    (void)state;
    refused(fleet_read_databases, "{}");
    refused(fleet_read_databases, "[]");
    refused(fleet_read_databases, "{\"databases\":{}}");
    refused(fleet_read_databases, "{\"databases\":[5]}");
    refused(fleet_read_databases, "{\"databases\":[{\"path\":\"\"}]}");
    refused(fleet_read_databases, "{\"databases\":[{\"path\":\"/a\"},{\"path\":null}]}");
    refused(fleet_read_jobs, "{\"jobs\":1}");
    refused(fleet_read_jobs, "{\"jobs\":[{\"id\":0}]}");
    refused(fleet_read_jobs, "{\"jobs\":[{\"id\":\"1\"}]}");
    refused(fleet_read_info, "{}");
    refused(fleet_read_info, "{\"started_at\":\"now\",\"uptime_seconds\":1}");
    refused(fleet_read_info,
            "{\"started_at\":\"1970-01-01T00:00:01Z\",\"uptime_seconds\":9223372036854775807}");
    ls_err err = LS_ERR_INIT;
    json_t *event = json("{\"kind\":\"upload\"}");
    assert_null(happening_read(event, &err));
    assert_int_equal(err.code, LS_EREMOTE);
    json_decref(event);
}

static void jobs_are_told_in_words(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    fleet *f = fleet_new();
    json_t *answer = json(
        "{\"jobs\":[{\"id\":1,\"kind\":\"verify\",\"path\":\"/a\",\"status\":\"done\",\"result\":{"
        "\"ok\":false,\"n_findings\":2,\"findings\":[{\"text\":\"a hole\"}]}},"
        "{\"id\":2,\"kind\":\"restore\",\"path\":\"/a\",\"status\":\"done\",\"result\":{\"txid\":"
        "\"0000000000000005\",\"pages\":2,\"bytes\":900}},"
        "{\"id\":3,\"kind\":\"restore\",\"path\":\"/a\",\"status\":\"queued\"},"
        "{\"id\":4,\"kind\":\"verify\",\"path\":\"/b\",\"status\":\"running\"}]}");
    assert_int_equal(fleet_read_jobs(f, answer, &err), LS_OK);
    assert_string_equal(f->jobs[0].result, "NOT everything can be restored: 2 findings: a hole");
    assert_false(f->jobs[0].good);
    assert_string_equal(f->jobs[1].result, "restored to TXID 5: 2 pages, 900 B read");
    assert_true(f->jobs[1].good);
    assert_int_equal(fleet_active_job(f, "/a")->id, 3);
    assert_int_equal(fleet_active_job(f, "/b")->id, 4);
    assert_null(fleet_active_job(f, "/c"));
    assert_int_equal(fleet_job_of(f, 2)->id, 2);
    assert_null(fleet_job_of(f, 5));
    json_decref(answer);
    fleet_unref(f);
}

/* ---- the last minute ---- */

static fleet *at(int64_t seconds, const char *path, uint64_t captured) {
    ls_err err = LS_ERR_INIT;
    fleet *f = fleet_new();
    assert_non_null(f);
    f->live = true;
    f->taken_ns = seconds * LS_SEC;
    fleet_db *db = fleet_add(f, path, &err);
    assert_non_null(db);
    db->captured = captured;
    return f;
}

static void what_was_captured_moves_through_the_minute(void **state) {
    (void)state;
    fleet *a = at(100, "/a", 1000), *b = at(101, "/a", 1300), *c = at(110, "/a", 1400);
    fleet_carry(a, NULL);
    assert_int_equal(a->dbs[0].spark[SPARK_STEPS - 1], 0);
    fleet_carry(b, a);
    assert_int_equal(b->dbs[0].spark[SPARK_STEPS - 1], 300);
    fleet_carry(c, b);
    assert_int_equal(c->dbs[0].spark[SPARK_STEPS - 1], 100);
    assert_int_equal(c->dbs[0].spark[SPARK_STEPS - 3], 300);
    fleet *again = at(115, "/a", 50), *later = at(1000, "/a", 60), *other = at(1001, "/b", 70);
    fleet_carry(again, c); /* a daemon that began anew counts from 0 */
    assert_int_equal(again->dbs[0].spark[SPARK_STEPS - 1], 0);
    assert_int_equal(again->dbs[0].spark[SPARK_STEPS - 2], 100);
    fleet_carry(later, again);
    assert_int_equal(later->dbs[0].spark[SPARK_STEPS - 1], 10);
    assert_int_equal(later->dbs[0].spark[SPARK_STEPS - 2], 0);
    fleet_carry(other, later);
    assert_int_equal(other->dbs[0].spark[SPARK_STEPS - 1], 0);
    fleet *all[] = {a, b, c, again, later, other};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        fleet_unref(all[i]);
    }
}

static void the_last_events_are_kept(void **state) {
    (void)state;
    happenings *h = NULL;
    for (int i = 1; i <= (int)FLEET_MAX_EVENTS + 5; i++) {
        char text[64];
        ls_err err = LS_ERR_INIT;
        (void)snprintf(text, sizeof(text), "{\"number\":%d,\"kind\":\"upload\"}", i);
        json_t *event = json(text);
        happening *one = happening_read(event, &err);
        assert_non_null(one);
        happenings *more = happenings_new(h, &one, 1);
        assert_non_null(more);
        happenings_unref(h);
        happening_unref(one);
        json_decref(event);
        h = more;
    }
    assert_int_equal(h->n, FLEET_MAX_EVENTS);
    assert_int_equal(h->all[0]->number, 6);
    assert_int_equal(h->all[h->n - 1]->number, FLEET_MAX_EVENTS + 5);
    happenings_unref(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(what_is_of_another_type_is_absent),
        cmocka_unit_test(answers_of_another_shape_are_refused),
        cmocka_unit_test(jobs_are_told_in_words),
        cmocka_unit_test(what_was_captured_moves_through_the_minute),
        cmocka_unit_test(the_last_events_are_kept),
    };
    return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}
