/* Actions: the command line that does the same as each, and the targets of a restore. */
#include "tui/action.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char *mutable(const char *text) { return (char *)(uintptr_t)text; }

static void says(action_kind kind, const char *want) {
    char line[600];
    const action a = {.kind = kind,
                      .socket = mutable("/run/my.sock"),
                      .path = mutable("/srv/it's.db"),
                      .url = mutable("s3://b/it's"),
                      .output = mutable("/x y"),
                      .target = mutable("5c"),
                      .check = LS_INTEGRITY_FULL,
                      .force = true,
                      .job = 7};
    assert_string_equal(action_command(&a, line, sizeof(line)), want);
}

static void each_action_has_its_command_line(void **state) {
    (void)state;
    says(ACT_SYNC, "litestream sync -socket /run/my.sock '/srv/it'\\''s.db'");
    says(ACT_SYNC_WAIT, "litestream sync -wait -socket /run/my.sock '/srv/it'\\''s.db'");
    says(ACT_START, "litestream start -socket /run/my.sock '/srv/it'\\''s.db'");
    says(ACT_STOP, "litestream stop -socket /run/my.sock '/srv/it'\\''s.db'");
    says(ACT_UNREGISTER, "litestream unregister -socket /run/my.sock '/srv/it'\\''s.db'");
    says(ACT_REGISTER, "litestream register -replica 's3://b/it'\\''s' -socket /run/my.sock "
                       "'/srv/it'\\''s.db'");
    says(ACT_VERIFY, "litestream verify 's3://b/it'\\''s'");
    says(ACT_VERIFY_FULL, "litestream verify -full 's3://b/it'\\''s'");
    says(ACT_RESTORE, "litestream restore -txid 000000000000005c -integrity-check full -force -o "
                      "'/x y' 's3://b/it'\\''s'");
    says(ACT_RESET, "litestream stop -socket /run/my.sock '/srv/it'\\''s.db' && litestream reset "
                    "'/srv/it'\\''s.db' && litestream start -socket /run/my.sock "
                    "'/srv/it'\\''s.db'");
    says(ACT_SNAPSHOT, "curl --unix-socket /run/my.sock -d "
                       "'{\"path\":\"/srv/it'\\''s.db\"}' http://localhost/snapshot");
    says(ACT_CANCEL,
         "curl --unix-socket /run/my.sock -d '{\"id\":7}' http://localhost/jobs/cancel");
}

static void the_default_socket_is_not_said(void **state) {
    (void)state;
    char line[200], small[16];
    const action a = {
        .kind = ACT_SYNC, .socket = mutable(LS_SOCKET_DEFAULT_PATH), .path = mutable("/srv/a.db")};
    assert_string_equal(action_command(&a, line, sizeof(line)), "litestream sync /srv/a.db");
    assert_string_equal(action_command(&a, small, sizeof(small)), "litestream sync");
}

static void targets_are_txids_or_times(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_txid txid;
    int64_t ms;
    assert_int_equal(action_target("", &txid, &ms, &err), LS_OK);
    assert_true(txid == 0 && ms == LS_NO_TIMESTAMP);
    assert_int_equal(action_target("2A9", &txid, &ms, &err), LS_OK);
    assert_true(txid == 0x2a9 && ms == LS_NO_TIMESTAMP);
    assert_int_equal(action_target("1970-01-01T00:00:01Z", &txid, &ms, &err), LS_OK);
    assert_true(txid == 0 && ms == 1000);
    assert_int_equal(action_target("0", &txid, &ms, &err), LS_EINVALID);
    assert_int_equal(action_target("soon", &txid, &ms, &err), LS_EINVALID);
}

static void a_copy_is_whole(void **state) {
    (void)state;
    action copy;
    const action a = {.kind = ACT_RESTORE, .path = mutable("/a/b.db"), .force = true};
    assert_true(action_copy(&copy, &a));
    assert_string_equal(copy.path, "/a/b.db");
    assert_ptr_not_equal(copy.path, a.path);
    assert_null(copy.url);
    assert_true(copy.force);
    assert_string_equal(action_name(&copy), "b.db");
    action_done(&copy);
    assert_null(copy.path);
}

static void every_request_of_the_daemon_is_an_action(void **state) {
    (void)state;
    for (request r = REQ_SYNC; r <= REQ_RESET; r++) {
        assert_true(action_of_request(r) < ACTIONS);
        assert_true(request_table[r].changes);
    }
    assert_int_equal(action_of_request(REQ_NONE), ACTIONS);
    assert_int_equal(action_of_request(REQ_OPEN), ACTIONS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_action_has_its_command_line),
        cmocka_unit_test(the_default_socket_is_not_said),
        cmocka_unit_test(targets_are_txids_or_times),
        cmocka_unit_test(a_copy_is_whole),
        cmocka_unit_test(every_request_of_the_daemon_is_an_action),
    };
    return cmocka_run_group_tests_name("action", tests, NULL, NULL);
}
