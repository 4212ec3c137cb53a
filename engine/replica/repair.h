/*
 * Files at the store that are damaged, taken out of the way of compaction (auto-recover).
 */
#ifndef LS_REPLICA_REPAIR_H
#define LS_REPLICA_REPAIR_H

#include "backends/storage.h"
#include "engine/base/cancel.h"
#include "engine/base/log.h"

/* Reads every file of a level that begins at TXID from or behind it and that a snapshot of the
 * store, listed here, covers; those that do not verify are removed, each with a warning. *removed
 * counts them. What only they held is lost already: states between two snapshots. */
LS_MUST ls_code ls_repair_level(ls_storage *s, int level, ls_txid from, const ls_cancel *cancel,
                                const ls_log *log, size_t *removed, ls_err *err);

#endif
