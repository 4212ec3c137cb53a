/*
 * See support.h.
 */
#include "t/engine/ltx/support.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static ls_code step_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    (void)err;
    step_reader *s = (step_reader *)r;
    *got = len < s->step ? len : s->step;
    if (*got > s->left)
        *got = s->left;
    memcpy(buf, s->data, *got);
    s->data += *got;
    s->left -= *got;
    return LS_OK;
}

step_reader step_reader_of(blob b, size_t step) {
    return (step_reader){.base = {.read = step_read}, .data = b.data, .left = b.len, .step = step};
}

void mem_file_init(mem_file *m) {
    ls_buf_init(&m->buf, (size_t)1 << 30);
    ls_buf_writer_init(&m->out, &m->buf);
}

void mem_file_done(mem_file *m) { ls_buf_done(&m->buf); }

blob mem_file_blob(const mem_file *m) {
    return (blob){.data = (uint8_t *)m->buf.data, .len = m->buf.len};
}

uint64_t next_random(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

void fill_page(uint8_t *page, uint32_t page_size, uint64_t seed) {
    for (uint32_t i = 0; i < page_size; i += 8) {
        uint64_t word = next_random(&seed);
        if ((word & 3) != 0)
            word = (word >> 8 & 15) * 0x0101010101010101u;
        memcpy(page + i, &word, 8);
    }
}

ls_code verify_blob(blob b, ls_ltx_summary *sum, ls_err *err) {
    step_reader in = step_reader_of(b, SIZE_MAX);
    return ls_ltx_verify(&in.base, sum, err);
}

size_t open_files(void) {
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}
