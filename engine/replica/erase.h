/*
 * Deleting all of a replica.
 *
 * Order: first the files that begin at TXID 1, from which every restore starts, one at a time, from
 * the one that ends first on; then all others. So at every moment, and after an erasure that was
 * cut short, each TXID and each moment either restores to what it was before or is refused: the
 * newest first would leave a replica that restores to an older state and says nothing. An erasure
 * that was cut short is gone on with by another one.
 *
 * Only LTX files of the levels are deleted. Other names, and what version 0.3 left, stay.
 */
#ifndef LS_REPLICA_ERASE_H
#define LS_REPLICA_ERASE_H

#include "backends/storage.h"
#include "engine/base/cancel.h"

typedef struct ls_erase ls_erase;

typedef struct ls_erase_summary {
    size_t files;
    uint64_t bytes;
    ls_txid first, last;          /* smallest MinTXID, greatest MaxTXID; 0: no files */
    int64_t oldest_ms, newest_ms; /* times of the oldest and the newest file */
    size_t others;                /* objects of other names that stay */
    size_t v3;                    /* and those of a replica of version 0.3 */
    bool others_known;            /* false: the store lists LTX files only */
} ls_erase_summary;

/* Lists the replica; nothing is changed. Memory for one listing entry a file. s must outlive it. */
LS_MUST ls_code ls_erase_new(ls_storage *s, ls_erase **e, ls_err *err);
void ls_erase_free(ls_erase *e); /* NULL allowed */

const ls_erase_summary *ls_erase_summary_of(const ls_erase *e);

/* Key, below the replica's path, of an object that stays; NULL from the last of those that are kept
 * in memory on, LS_ERASE_OTHERS_MAX at most. */
#define LS_ERASE_OTHERS_MAX 100
const char *ls_erase_other(const ls_erase *e, size_t i);

/* Gets each file that could not be deleted, and why. */
typedef void (*ls_erase_failed_fn)(void *arg, const ls_ltx_info *file, const ls_err *why);

/* After so many files that could not be deleted it ends. */
#define LS_ERASE_FAILED_MAX 100

typedef struct ls_erase_result {
    size_t deleted; /* files that are gone */
    uint64_t bytes;
    size_t failed;
} ls_erase_result;

/* Deletes what was listed, then lists again. A file that begins at TXID 1 and cannot be deleted
 * ends it at once. LS_EDIVERGED where files are there that were not, as of another process that
 * goes on writing. result is filled in either case. failed may be NULL, cancel too. */
LS_MUST ls_code ls_erase_run(ls_erase *e, const ls_cancel *cancel, ls_erase_failed_fn failed,
                             void *arg, ls_erase_result *result, ls_err *err);

#endif
