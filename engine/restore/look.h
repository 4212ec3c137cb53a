/*
 * What a replica holds in LTX files, by its listings alone. Used to choose between formats.
 */
#ifndef LS_RESTORE_LOOK_H
#define LS_RESTORE_LOOK_H

#include "engine/restore/restore.h"

typedef struct ls_ltx_look {
    bool any;
    int64_t oldest_ms, newest_ms; /* of all files */
    bool has_base;                /* a file that starts at TXID 1, older than the wanted time */
    int64_t base_ms;              /* newest such */
} ls_ltx_look;

LS_MUST ls_code ls_ltx_look_at(ls_storage *s, int64_t timestamp_ms, ls_ltx_look *look, ls_err *err);

#endif
