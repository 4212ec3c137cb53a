/* SFTP packets: what is sent, and what is made of answers that come in another order, are cut, or
 * make no sense. The stream below is a script. */
#include "backends/sftp_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What the server will have said, and what was sent to it. */
typedef struct script {
    ls_sftp_stream base;
    ls_buf in, out;
    size_t pos;
    size_t packet; /* where the packet that is being added begins */
    bool closed;
} script;

static ls_code script_send(ls_sftp_stream *s, const void *data, size_t len, ls_err *err) {
    return ls_buf_add(&((script *)(void *)s)->out, data, len, err);
}

static ls_code script_recv(ls_sftp_stream *s, void *data, size_t len, ls_err *err) {
    script *sc = (script *)(void *)s;
    if (len > sc->in.len - sc->pos) {
        return ls_fail(err, LS_EREMOTE, "the script ended");
    }
    memcpy(data, sc->in.data + sc->pos, len);
    sc->pos += len;
    return LS_OK;
}

static void script_close(ls_sftp_stream *s) { ((script *)(void *)s)->closed = true; }

/* ---- making packets ---- */

static void add(script *sc, const void *data, size_t len) {
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_buf_add(&sc->in, data, len, &err), LS_OK);
}

static void u8(script *sc, int v) {
    const uint8_t b = (uint8_t)v;
    add(sc, &b, 1);
}

static void u32(script *sc, uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        u8(sc, (int)(v >> shift & 255));
    }
}

static void text(script *sc, const char *t) {
    u32(sc, (uint32_t)strlen(t));
    add(sc, t, strlen(t));
}

static void packet(script *sc, int type) {
    sc->packet = sc->in.len;
    u32(sc, 0);
    u8(sc, type);
}

static void end(script *sc) {
    uint32_t len = (uint32_t)(sc->in.len - sc->packet - 4);
    for (int i = 0; i < 4; i++) {
        sc->in.data[sc->packet + (size_t)i] = (char)(len >> (24 - 8 * i) & 255);
    }
}

static void status(script *sc, uint32_t id, uint32_t number) {
    packet(sc, 101);
    u32(sc, id);
    u32(sc, number);
    text(sc, "Failure");
    text(sc, "en");
    end(sc);
}

static void handle(script *sc, uint32_t id) {
    packet(sc, 102);
    u32(sc, id);
    text(sc, "h1");
    end(sc);
}

static void data_packet(script *sc, uint32_t id, char fill, size_t n) {
    char *data = malloc(n);
    assert_non_null(data);
    memset(data, fill, n);
    packet(sc, 103);
    u32(sc, id);
    u32(sc, (uint32_t)n);
    add(sc, data, n);
    end(sc);
    free(data);
}

static void greeting(script *sc, uint32_t version) {
    packet(sc, 2);
    u32(sc, version);
    text(sc, "posix-rename@openssh.com");
    text(sc, "1");
    text(sc, "fsync@openssh.com");
    text(sc, "9");
    end(sc);
}

/* ---- a session for each test ---- */

typedef struct fixture {
    script sc;
    ls_sftp s;
    ls_sftp_handle h;
    ls_err err;
} fixture;

static void script_init(script *sc) {
    *sc = (script){.base = {.send = script_send, .recv = script_recv, .close = script_close}};
    ls_buf_init(&sc->in, 8u << 20);
    ls_buf_init(&sc->out, 8u << 20);
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    script_init(&f->sc);
    greeting(&f->sc, 3);
    assert_int_equal(ls_sftp_init(&f->s, &f->sc.base, &f->err), LS_OK);
    f->h = (ls_sftp_handle){.data = "h1", .len = 2};
    ls_buf_clear(&f->sc.out);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_sftp_done(&f->s);
    assert_true(f->sc.closed);
    ls_buf_done(&f->sc.in);
    ls_buf_done(&f->sc.out);
    free(f);
    return 0;
}

/* ---- the greeting ---- */

static void what_a_server_can_do(void **state) {
    const fixture *f = *state;
    assert_true(f->s.posix_rename);
    assert_false(f->s.fsync); /* of a version that is not known */
    assert_false(f->s.copy_data);
}

static void other_greetings(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        script sc;
        ls_sftp s;
        ls_err err = LS_ERR_INIT;
        script_init(&sc);
        if (i == 0) {
            greeting(&sc, 2);
        } else if (i == 1) {
            u32(&sc, 0);
        } else if (i == 2) {
            add(&sc, "SSH: no such subsystem", 22); /* its first bytes are a length of a gigabyte */
        }
        assert_int_equal(ls_sftp_init(&s, &sc.base, &err), LS_EREMOTE);
        assert_true(sc.closed);
        ls_buf_done(&sc.in);
        ls_buf_done(&sc.out);
    }
}

/* ---- single answers ---- */

static void statuses_are_errors(void **state) {
    fixture *f = *state;
    static const struct {
        uint32_t number;
        ls_code code;
    } cases[] = {{0, LS_OK},          {1, LS_EREMOTE}, {2, LS_ENOTFOUND},    {3, LS_EPERM},
                 {4, LS_EREMOTE},     {5, LS_EREMOTE}, {8, LS_EUNSUPPORTED}, {11, LS_EEXISTS},
                 {99999, LS_EREMOTE}, {0, LS_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status(&f->sc, (uint32_t)i, cases[i].number);
        assert_int_equal(ls_sftp_remove(&f->s, "some/file", &f->err), cases[i].code);
        if (cases[i].code != LS_OK) {
            assert_non_null(strstr(f->err.msg, "delete some/file: "));
        }
    }
    assert_false(f->s.broken);
}

static void answers_of_another_kind(void **state) {
    fixture *f = *state;
    status(&f->sc, 0, 0); /* all is well, but there is no handle */
    assert_int_equal(ls_sftp_open(&f->s, "a", LS_SFTP_READ, &f->h, &f->err), LS_EREMOTE);
    assert_true(f->s.broken);
    size_t sent = f->sc.out.len;
    assert_int_equal(ls_sftp_remove(&f->s, "a", &f->err), LS_EREMOTE);
    assert_int_equal(f->sc.out.len, sent); /* nothing is sent any more */
}

static void answers_to_no_request(void **state) {
    fixture *f = *state;
    handle(&f->sc, 17);
    assert_int_equal(ls_sftp_open(&f->s, "a", LS_SFTP_READ, &f->h, &f->err), LS_EREMOTE);
    assert_true(f->s.broken);
}

static void handles_that_are_too_long(void **state) {
    fixture *f = *state;
    char name[LS_SFTP_HANDLE_MAX + 2];
    memset(name, 'h', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    packet(&f->sc, 102);
    u32(&f->sc, 0);
    text(&f->sc, name);
    end(&f->sc);
    assert_int_equal(ls_sftp_open(&f->s, "a", LS_SFTP_READ, &f->h, &f->err), LS_EREMOTE);
    assert_true(f->s.broken);
}

static void attributes(void **state) {
    fixture *f = *state;
    packet(&f->sc, 105);
    u32(&f->sc, 0);
    u32(&f->sc, 1u | 2 | 4 | 8 | 1u << 31);
    u32(&f->sc, 1); /* size, in two halves */
    u32(&f->sc, 2);
    u32(&f->sc, 1000);
    u32(&f->sc, 1000);
    u32(&f->sc, 0100644);
    u32(&f->sc, 5);
    u32(&f->sc, 1700000000);
    u32(&f->sc, 1);
    text(&f->sc, "acl");
    text(&f->sc, "none");
    end(&f->sc);
    ls_sftp_attrs attrs;
    assert_int_equal(ls_sftp_stat(&f->s, "a", &attrs, &f->err), LS_OK);
    assert_int_equal(attrs.size, (1ull << 32) + 2);
    assert_int_equal(attrs.mtime, 1700000000);
    assert_true(attrs.is_file);
    packet(&f->sc, 105);
    u32(&f->sc, 1);
    u32(&f->sc, 1u | 4);
    u32(&f->sc, 1);
    end(&f->sc);
    assert_int_equal(ls_sftp_stat(&f->s, "a", &attrs, &f->err), LS_EREMOTE);
    assert_true(f->s.broken);
}

/* ---- reading ---- */

#define PIECE LS_SFTP_PIECE

static ls_code read_three(fixture *f, char *buf, size_t *got) {
    return ls_sftp_read(&f->s, &f->h, 1000, buf, 3 * PIECE, got, &f->err);
}

static void pieces_in_any_order(void **state) {
    fixture *f = *state;
    char *buf = malloc(3 * PIECE);
    assert_non_null(buf);
    size_t got;
    data_packet(&f->sc, 2, 'c', PIECE);
    data_packet(&f->sc, 0, 'a', PIECE);
    data_packet(&f->sc, 1, 'b', PIECE);
    assert_int_equal(read_three(f, buf, &got), LS_OK);
    assert_int_equal(got, 3 * PIECE);
    assert_true(buf[0] == 'a' && buf[PIECE] == 'b' && buf[3 * PIECE - 1] == 'c');
    free(buf);
}

static void a_gap_ends_what_was_read(void **state) {
    fixture *f = *state;
    char *buf = malloc(3 * PIECE);
    assert_non_null(buf);
    size_t got;
    data_packet(&f->sc, 0, 'a', PIECE);
    data_packet(&f->sc, 1, 'b', 10);
    data_packet(&f->sc, 2, 'c', PIECE);
    assert_int_equal(read_three(f, buf, &got), LS_OK);
    assert_int_equal(got, PIECE + 10);
    data_packet(&f->sc, 3, 'a', PIECE);
    status(&f->sc, 4, 4); /* an error: told when it comes first */
    status(&f->sc, 5, 1);
    assert_int_equal(read_three(f, buf, &got), LS_OK);
    assert_int_equal(got, PIECE);
    status(&f->sc, 6, 4);
    status(&f->sc, 7, 1);
    status(&f->sc, 8, 1);
    assert_int_equal(read_three(f, buf, &got), LS_EREMOTE);
    assert_false(f->s.broken);
    for (uint32_t id = 9; id < 12; id++) {
        status(&f->sc, id, 1);
    }
    assert_int_equal(read_three(f, buf, &got), LS_OK);
    assert_int_equal(got, 0);
    free(buf);
}

static void data_that_nobody_asked_for(void **state) {
    fixture *f = *state;
    char *buf = malloc(3 * PIECE);
    assert_non_null(buf);
    size_t got;
    data_packet(&f->sc, 0, 'a', PIECE + 1);
    assert_int_equal(read_three(f, buf, &got), LS_EREMOTE);
    assert_true(f->s.broken);
    free(buf);
}

static void a_piece_that_comes_twice(void **state) {
    fixture *f = *state;
    char *buf = malloc(3 * PIECE);
    assert_non_null(buf);
    size_t got;
    data_packet(&f->sc, 1, 'b', PIECE);
    data_packet(&f->sc, 1, 'b', PIECE);
    data_packet(&f->sc, 2, 'c', PIECE);
    assert_int_equal(read_three(f, buf, &got), LS_EREMOTE);
    assert_true(f->s.broken);
    free(buf);
}

/* ---- writing ---- */

static void the_first_failure_is_told(void **state) {
    fixture *f = *state;
    char *buf = calloc(3, PIECE);
    assert_non_null(buf);
    status(&f->sc, 2, 4);
    status(&f->sc, 0, 0);
    status(&f->sc, 1, 3);
    assert_int_equal(ls_sftp_write(&f->s, &f->h, 0, buf, 3 * PIECE, false, &f->err), LS_EPERM);
    assert_false(f->s.broken);
    assert_int_equal(f->sc.out.len, 3 * (4 + 1 + 4 + 6 + 8 + 4 + PIECE));
    status(&f->sc, 3, 4);
    assert_int_equal(ls_sftp_write(&f->s, &f->h, 0, buf, 3 * PIECE, true, &f->err), LS_EREMOTE);
    assert_int_equal(f->sc.in.len, f->sc.pos); /* the others were not sent */
    free(buf);
}

/* ---- listing ---- */

static ls_code count(void *arg, const char *name, const ls_sftp_attrs *attrs, ls_err *err) {
    (void)attrs, (void)err;
    assert_true(strlen(name) == 1);
    ++*(int *)arg;
    return LS_OK;
}

static void names(script *sc, uint32_t id, uint32_t told, uint32_t n) {
    packet(sc, 104);
    u32(sc, id);
    u32(sc, told);
    for (uint32_t i = 0; i < n; i++) {
        text(sc, "a");
        text(sc, "-rw-r--r-- a");
        u32(sc, 0);
    }
    end(sc);
}

static void folders(void **state) {
    fixture *f = *state;
    int n = 0;
    bool at_end;
    names(&f->sc, 0, 3, 3);
    names(&f->sc, 1, 2, 2);
    status(&f->sc, 2, 1);
    status(&f->sc, 3, 1);
    assert_int_equal(ls_sftp_readdir(&f->s, &f->h, count, &n, &at_end, &f->err), LS_OK);
    assert_int_equal(n, 5);
    assert_true(at_end);
    names(&f->sc, 4, 4000000000u, 2);
    status(&f->sc, 5, 1);
    status(&f->sc, 6, 1);
    status(&f->sc, 7, 1);
    assert_int_equal(ls_sftp_readdir(&f->s, &f->h, count, &n, &at_end, &f->err), LS_EREMOTE);
    assert_true(f->s.broken);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_a_server_can_do),
        cmocka_unit_test(other_greetings),
        TEST(statuses_are_errors),
        TEST(answers_of_another_kind),
        TEST(answers_to_no_request),
        TEST(handles_that_are_too_long),
        TEST(attributes),
        TEST(pieces_in_any_order),
        TEST(a_gap_ends_what_was_read),
        TEST(data_that_nobody_asked_for),
        TEST(a_piece_that_comes_twice),
        TEST(the_first_failure_is_told),
        TEST(folders),
    };
    return cmocka_run_group_tests_name("SFTP packets", tests, NULL, NULL);
}
