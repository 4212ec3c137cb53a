/*
 * What a store holds, and to which TXIDs its files lead: an oracle for restores that knows nothing
 * of plans. A TXID is reached if a full file ends there, or a file that joins what is reached
 * before.
 */
#ifndef LS_T_LISTING_H
#define LS_T_LISTING_H

#include "backends/storage.h"

typedef struct listing {
    ls_ltx_info *files; /* by level, MinTXID, MaxTXID; owned */
    size_t n, cap;
    ls_txid *reached; /* ascending; owned */
    size_t reached_n;
} listing;

/* Lists all levels. l is overwritten, and to be freed whatever is returned. */
LS_MUST ls_code listing_read(listing *l, ls_storage *s, ls_err *err);
void listing_done(listing *l);

bool listing_has(const listing *l, const ls_ltx_info *file);
bool listing_reaches(const listing *l, ls_txid txid);

/* MaxTXID of the oldest and the newest snapshot, 0 without; of the newest file of all. */
ls_txid listing_oldest_snapshot(const listing *l);
ls_txid listing_newest_snapshot(const listing *l);
ls_txid listing_newest(const listing *l);

/* Files of a level. */
size_t listing_count(const listing *l, int level);

/* The first TXID that is promised and not reached: ends of files behind the oldest snapshot, and
 * the snapshots; 0: there is none. Without a snapshot every end counts. */
ls_txid listing_broken_promise(const listing *l);

#endif
