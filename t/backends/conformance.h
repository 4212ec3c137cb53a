/*
 * What every store must do, as tests that run against any of them.
 */
#ifndef LS_T_BACKENDS_CONFORMANCE_H
#define LS_T_BACKENDS_CONFORMANCE_H

#include "backends/storage.h"

/* What each test is given: *state points to one, with a store that holds nothing yet. */
typedef struct conformance {
    ls_storage *s;
    bool keeps_time;   /* listings give the header's timestamp to the millisecond */
    int64_t time_step; /* ms to which they cut it, if they do; 0: not at all */
    bool exact;        /* ... and to the millisecond by ls_storage_exact */
    bool copies;       /* files can be copied inside of the store */
    bool copies_over;  /* ... and replace others even if that is forbidden: a fault of the server */
    size_t many;       /* files of a long listing: several pages */
    size_t big;        /* bytes of a file that is sent in several parts */
} conformance;

struct CMUnitTest;
typedef int (*conformance_fixture)(void **state);

/* Fills tests (room for CONFORMANCE_MAX) with the suite; setup makes the conformance, teardown
 * frees it. Returns how many. */
#define CONFORMANCE_MAX 32
size_t conformance_tests(struct CMUnitTest *tests, conformance_fixture setup,
                         conformance_fixture teardown);

/* The same with what takes long: long listings, big files, deletions of thousands, for stores
 * behind a network (conformance_large.c). */
#define CONFORMANCE_LARGE_MAX 8
size_t conformance_large_tests(struct CMUnitTest *tests, conformance_fixture setup,
                               conformance_fixture teardown);

/* Helpers for tests of one store. */

/* Asserts success; else the test fails with the error's text. */
void conformance_ok(ls_code code, const ls_err *err);

/* Compares a listing with "min-max min-max ..." in hexadecimal. */
void conformance_list(ls_storage *s, int level, ls_txid seek, const char *expected);

/* n bytes, n >= 100, that begin with an LTX header of these values and go on with a pattern made
 * from min; malloc'd. */
uint8_t *conformance_bytes(ls_txid min, ls_txid max, int64_t timestamp_ms, size_t n);

/* Stores such bytes; asserts success. */
void conformance_put(ls_storage *s, int level, ls_txid min, ls_txid max, int64_t timestamp_ms,
                     size_t n);

/* Reads a range to its end; asserts success; *len gets the bytes read; malloc'd. */
uint8_t *conformance_read(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                          size_t *got);

#endif
