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
    ls_txid newest[LS_LTX_LEVEL_MAX + 1]; /* MaxTXID of a level; 0: it is empty */
    ls_txid oldest_snapshot;
} listing;

/* Lists all levels. l is overwritten, and to be freed whatever is returned. */
LS_MUST ls_code listing_read(listing *l, ls_storage *s, ls_err *err);
void listing_done(listing *l);

bool listing_has(const listing *l, const ls_ltx_info *file);
bool listing_reaches(const listing *l, ls_txid txid);

/* MaxTXID of the newest file of all. */
ls_txid listing_newest(const listing *l);

/* Files of a level. */
size_t listing_count(const listing *l, int level);

/* The first MaxTXID of a level's files that is not reached; 0: there is none. */
ls_txid listing_unreached(const listing *l, int level);

/* The first TXID that is promised and not reached: the snapshots, and the ends of all files that
 * end behind the oldest of them; what ends before it snapshots that went led to. 0: there is none.
 */
ls_txid listing_broken_promise(const listing *l);

#endif
