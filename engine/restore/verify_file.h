/*
 * One file of a replica read whole: is it sound, and which pages does it need others for? Used by
 * verify.c.
 */
#ifndef LS_RESTORE_VERIFY_FILE_H
#define LS_RESTORE_VERIFY_FILE_H

#include "backends/storage.h"
#include "engine/base/cancel.h"

typedef enum ls_fact_state {
    LS_FACT_UNREAD,
    LS_FACT_GOOD,
    LS_FACT_BAD, /* header facts may be 0 */
    LS_FACT_GONE /* no longer there */
} ls_fact_state;

typedef struct ls_fact {
    ls_fact_state state;
    uint32_t page_size, commit;
    uint32_t lacks; /* highest page up to Commit that the file does not hold, the lock page aside;
                       0: none */
    bool checksums;
    int64_t timestamp; /* of the header, ms since 1970 */
    uint64_t pre_apply, post_apply;
} ls_fact;

/* Called as bytes of the file are read. */
typedef void (*ls_verify_read_fn)(void *arg, uint64_t bytes);

/* Fills in fact. LS_OK for a file that is good or gone; for a bad one the error says how.
 * LS_ENOMEM, LS_ECANCELED and what a store says that cannot even be listed are failures of another
 * kind, with fact->state LS_FACT_UNREAD. read may be NULL. */
LS_MUST ls_code ls_verify_file(ls_storage *s, const ls_ltx_info *file, const ls_cancel *cancel,
                               ls_verify_read_fn read, void *arg, ls_fact *fact, ls_err *err);

#endif
