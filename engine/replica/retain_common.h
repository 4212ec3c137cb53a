/*
 * What both kinds of retention share: lists with a bound, and deleting in batches. For retain.c and
 * retain_l0.c.
 */
#ifndef LS_REPLICA_RETAIN_COMMON_H
#define LS_REPLICA_RETAIN_COMMON_H

#include "engine/replica/retain.h"

typedef struct ls_files {
    ls_ltx_info *at; /* owned */
    size_t n, cap;
} ls_files;

LS_MUST ls_code ls_files_add(ls_files *list, const ls_ltx_info *f, ls_err *err);
void ls_files_done(ls_files *list);

/* Files that are collected for deletion; most stores delete this many in one request. */
#define LS_RETAIN_BATCH 1000
typedef struct ls_doomed {
    ls_storage *s;
    const ls_retain_policy *policy;
    ls_retain_result *result; /* counts what is deleted */
    ls_files files;
} ls_doomed;

/* Deletes the batch once it is full; LS_ECANCELED between batches. */
LS_MUST ls_code ls_doomed_add(ls_doomed *d, const ls_ltx_info *f, ls_err *err);

/* Deletes what is left. */
LS_MUST ls_code ls_doomed_flush(ls_doomed *d, ls_err *err);

#endif
