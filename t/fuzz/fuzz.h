/*
 * What fuzz targets share. A target is a function of some bytes that must neither crash nor hang,
 * and that aborts where a property does not hold.
 *
 * With --enable-fuzzing libFuzzer calls it; else replay.c does, with each file of given folders.
 */
#ifndef T_FUZZ_FUZZ_H
#define T_FUZZ_FUZZ_H

#include "engine/base/io.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stops the target: what was found is a defect. */
#define EXPECT(what)                                                                               \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Gives at most step bytes at a time. */
typedef struct fuzz_reader {
    ls_reader base;
    const uint8_t *data;
    size_t left;
    size_t step;
} fuzz_reader;

static inline ls_code fuzz_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    (void)err;
    fuzz_reader *f = (fuzz_reader *)r;
    *got = len < f->step ? len : f->step;
    if (*got > f->left)
        *got = f->left;
    if (*got > 0)
        memcpy(buf, f->data, *got);
    f->data += *got;
    f->left -= *got;
    return LS_OK;
}

static inline fuzz_reader fuzz_reader_of(const uint8_t *data, size_t size, size_t step) {
    return (fuzz_reader){.base = {.read = fuzz_read}, .data = data, .left = size, .step = step};
}

#endif
