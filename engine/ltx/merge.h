/*
 * Merges LTX files of joining TXID ranges into one: for each page the newest version, compressed
 * bytes copied, every input verified. Constant memory and few descriptors for any number of inputs:
 * past LS_LTX_MERGE_FANIN they are merged in groups through temporary files.
 *
 * The output is not to be used unless LS_OK is returned: inputs are proved only at their end.
 */
#ifndef LS_LTX_MERGE_H
#define LS_LTX_MERGE_H

#include "engine/base/cancel.h"
#include "engine/base/io.h"
#include "engine/ltx/encoder.h"

#define LS_LTX_MERGE_FANIN 64

typedef struct ls_ltx_merge_opts {
    uint32_t flags;          /* of the output header */
    bool allow_gaps;         /* do not require joining TXID ranges */
    const char *spill_dir;   /* for temporary files; NULL: TMPDIR or /tmp */
    const ls_cancel *cancel; /* may be NULL */
    /* Opens input i (0 is the oldest); called when it is needed, closed by the merge. */
    ls_code (*open)(void *arg, size_t i, ls_reader **in, ls_err *err);
    /* The name of input i for errors; may be NULL. */
    const char *(*name)(void *arg, size_t i);
    void *arg;
} ls_ltx_merge_opts;

/* Rules and texts of Go's Compactor (v0.5.2): equal page sizes, joining ranges; Commit, timestamp
 * and post-apply of the last input, MinTXID and pre-apply of the first; pages past the last Commit
 * dropped. "at least one input reader required" for n == 0. header and trailer may be NULL. */
LS_MUST ls_code ls_ltx_merge(const ls_ltx_merge_opts *opts, size_t n, ls_writer *out,
                             ls_ltx_header *header, ls_ltx_trailer *trailer, ls_err *err);

#endif
