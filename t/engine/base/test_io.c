/*
 * Readers and writers (engine/base/io.c).
 */
#include "engine/base/buf.h"
#include "engine/base/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/support/tempdir.h"

/* Gives its text three bytes at a time, then fails or ends. */
typedef struct slow_reader {
    ls_reader base;
    const char *text;
    bool fails;
    int closed;
} slow_reader;

static ls_code slow_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    slow_reader *s = (slow_reader *)r;
    *got = strnlen(s->text, len < 3 ? len : 3);
    memcpy(buf, s->text, *got);
    s->text += *got;
    return *got == 0 && s->fails ? ls_fail(err, LS_EIO, "cut off") : LS_OK;
}

static void slow_close(ls_reader *r) { ((slow_reader *)r)->closed++; }

static void read_full_goes_on_after_short_reads(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    char buf[32];
    size_t got;
    slow_reader r = {.base = {.read = slow_read, .close = slow_close}, .text = "0123456789"};
    assert_int_equal(ls_read_full(&r.base, buf, 7, &got, &err), LS_OK);
    assert_int_equal(got, 7);
    assert_memory_equal(buf, "0123456", 7);
    assert_int_equal(ls_read_full(&r.base, buf, 7, &got, &err), LS_OK);
    assert_int_equal(got, 3);
    assert_int_equal(ls_read_full(&r.base, buf, 7, &got, &err), LS_OK);
    assert_int_equal(got, 0);
    ls_reader_close(&r.base);
    assert_int_equal(r.closed, 1);
    r = (slow_reader){.base = {.read = slow_read}, .text = "0123", .fails = true};
    assert_int_equal(ls_read_full(&r.base, buf, 7, &got, &err), LS_EIO);
    assert_int_equal(got, 4);
    ls_reader_close(&r.base);
    ls_reader_close(NULL);
}

static void memory_reads(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    char buf[4];
    size_t got;
    ls_reader *r = ls_mem_reader_new("abcdef", 6);
    assert_int_equal(ls_read_full(r, buf, 4, &got, &err), LS_OK);
    assert_memory_equal(buf, "abcd", 4);
    assert_int_equal(ls_read_full(r, buf, 4, &got, &err), LS_OK);
    assert_int_equal(got, 2);
    assert_memory_equal(buf, "ef", 2);
    assert_int_equal(r->read(r, buf, 4, &got, &err), LS_OK);
    assert_int_equal(got, 0);
    ls_reader_close(r);
    r = ls_mem_reader_new(NULL, 0);
    assert_int_equal(ls_read_full(r, buf, 4, &got, &err), LS_OK);
    assert_int_equal(got, 0);
    ls_reader_close(r);
}

static void descriptors_write_and_read(void **state) {
    ls_err err = LS_ERR_INIT;
    char *path = tempdir_path(state, "f");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ls_fd_writer w;
    ls_fd_writer_init(&w, fd, path);
    assert_int_equal(w.base.write(&w.base, "hello ", 6, &err), LS_OK);
    assert_int_equal(w.base.write(&w.base, "world", 5, &err), LS_OK);
    assert_int_equal(w.written, 11);
    assert_int_equal(lseek(fd, 6, SEEK_SET), 6);
    ls_reader *r = ls_fd_reader_new(fd, false, path);
    char buf[32];
    size_t got;
    assert_int_equal(ls_read_full(r, buf, sizeof buf, &got, &err), LS_OK);
    assert_int_equal(got, 5);
    assert_memory_equal(buf, "world", 5);
    ls_reader_close(r);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    r = ls_fd_reader_new(fd, true, path);
    ls_reader_close(r);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    free(path);
}

static void failures_name_the_file(void **state) {
    ls_err err = LS_ERR_INIT;
    char buf[4];
    size_t got;
    int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ls_reader *r = ls_fd_reader_new(fd, true, "the/folder");
    assert_int_equal(ls_read_full(r, buf, 4, &got, &err), LS_EIO);
    assert_string_equal(err.msg, "read the/folder: Is a directory");
    ls_fd_writer w;
    ls_fd_writer_init(&w, fd, "the/folder");
    assert_int_equal(w.base.write(&w.base, "x", 1, &err), LS_EIO);
    assert_string_equal(err.msg, "write the/folder: Bad file descriptor");
    assert_int_equal(w.written, 0);
    ls_reader_close(r);
}

static void full_disk_is_told(void **state) {
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        skip();
    }
    ls_err err = LS_ERR_INIT;
    ls_fd_writer w;
    ls_fd_writer_init(&w, fd, "/dev/full");
    assert_int_equal(w.base.write(&w.base, "x", 1, &err), LS_EFULL);
    close(fd);
}

static void buffers_take_up_to_their_maximum(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_buf b;
    ls_buf_init(&b, 4);
    ls_buf_writer w;
    ls_buf_writer_init(&w, &b);
    assert_int_equal(w.base.write(&w.base, "abc", 3, &err), LS_OK);
    assert_int_equal(w.base.write(&w.base, "de", 2, &err), LS_ELIMIT);
    assert_string_equal(ls_buf_str(&b), "abc");
    ls_buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_full_goes_on_after_short_reads),
        cmocka_unit_test(memory_reads),
        unit_test_in_tempdir(descriptors_write_and_read),
        unit_test_in_tempdir(failures_name_the_file),
        cmocka_unit_test(full_disk_is_told),
        cmocka_unit_test(buffers_take_up_to_their_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
