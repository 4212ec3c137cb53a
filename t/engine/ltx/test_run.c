/* Pages between two stages of a merge: what is read is what was written, or an error. */
#include "engine/ltx/run.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ltx/ltx.h"
#include "t/support/must.h"

#define FRAMES 500

static uint32_t size_of(uint32_t i) { return i % 50 == 7 ? LS_LTX_MAX_FRAME : 11 + i * 97 % 9000; }

static void fill(uint8_t *frame, uint32_t i) {
    for (uint32_t k = 0; k < size_of(i); k++) {
        frame[k] = (uint8_t)(i * 31 + k * 7 + k / 251);
    }
}

static ls_ltx_run *make(uint32_t frames) {
    static uint8_t frame[LS_LTX_MAX_FRAME];
    ls_err err = LS_ERR_INIT;
    ls_ltx_run *run;
    must(ls_ltx_run_new(NULL, &run, &err), &err);
    for (uint32_t i = 0; i < frames; i++) {
        fill(frame, i);
        must(ls_ltx_run_add(run, frame, size_of(i), UINT64_MAX - i, &err), &err);
    }
    must(ls_ltx_run_rewind(run, &err), &err);
    return run;
}

static void comes_back(void **state) {
    (void)state;
    static uint8_t expected[LS_LTX_MAX_FRAME];
    ls_err err = LS_ERR_INIT;
    for (uint32_t frames = 0; frames <= FRAMES; frames += frames < 4 ? 1 : 124) {
        ls_ltx_run *run = make(frames);
        const uint8_t *frame;
        uint32_t size;
        uint64_t crc;
        bool end = false;
        for (uint32_t i = 0; i < frames; i++) {
            must(ls_ltx_run_next(run, &frame, &size, &crc, &end, &err), &err);
            assert_false(end);
            fill(expected, i);
            assert_int_equal(size, size_of(i));
            assert_true(crc == UINT64_MAX - i);
            assert_memory_equal(frame, expected, size);
        }
        for (int i = 0; i < 2; i++) {
            must(ls_ltx_run_next(run, &frame, &size, &crc, &end, &err), &err);
            assert_true(end);
        }
        ls_ltx_run_free(run);
    }
    ls_ltx_run_free(NULL);
}

/* The temporary file of a run that is made now. */
static int next_descriptor(void) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    return fd;
}

static ls_code read_all(ls_ltx_run *run, ls_err *err) {
    const uint8_t *frame;
    uint32_t size;
    uint64_t crc;
    bool end = false;
    ls_code rc = LS_OK;
    while (rc == LS_OK && !end) {
        rc = ls_ltx_run_next(run, &frame, &size, &crc, &end, err);
    }
    return rc;
}

static void changes_are_noticed(void **state) {
    (void)state;
    for (off_t at = 16; at < 200000; at += 4999) { /* sizes of frames, and what is in them */
        ls_err err = LS_ERR_INIT;
        uint8_t byte;
        int fd = next_descriptor();
        ls_ltx_run *run = make(FRAMES);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_int_equal(read_all(run, &err), LS_EIO);
        assert_non_null(strstr(err.msg, "temporary file"));
        ls_ltx_run_free(run);
    }
}

static void an_end_is_noticed(void **state) {
    (void)state;
    for (off_t size = 0; size < 300000; size += 60001) {
        ls_err err = LS_ERR_INIT;
        int fd = next_descriptor();
        ls_ltx_run *run = make(FRAMES);
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(read_all(run, &err), LS_EIO);
        assert_non_null(strstr(err.msg, "temporary file got shorter"));
        ls_ltx_run_free(run);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(changes_are_noticed),
        cmocka_unit_test(an_end_is_noticed),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
