/*
 * What tests of LTX files share: readers that give little at a time, a writer into memory, pages
 * with something in them.
 */
#ifndef T_LTX_SUPPORT_H
#define T_LTX_SUPPORT_H

#include "engine/base/buf.h"
#include "engine/base/io.h"
#include "engine/ltx/decoder.h"
#include "engine/ltx/encoder.h"
#include "t/engine/ltx/vectors.h"
#include "t/support/must.h"

/* Gives at most step bytes at a time. */
typedef struct step_reader {
    ls_reader base;
    const uint8_t *data;
    size_t left;
    size_t step;
} step_reader;

step_reader step_reader_of(blob b, size_t step);

/* A file made in memory. */
typedef struct mem_file {
    ls_buf buf;
    ls_buf_writer out;
} mem_file;

void mem_file_init(mem_file *m);
void mem_file_done(mem_file *m);
blob mem_file_blob(const mem_file *m); /* not to be freed */

/* Fills a page with words of a small vocabulary, different for each seed; compresses about 1:2. */
void fill_page(uint8_t *page, uint32_t page_size, uint64_t seed);

/* Next of a fixed sequence of pseudo-random numbers. */
uint64_t next_random(uint64_t *state);

/* How many descriptors this process has open. */
size_t open_files(void);

/* ls_ltx_verify of bytes in memory. */
ls_code verify_blob(blob b, ls_ltx_summary *sum, ls_err *err);

#endif
