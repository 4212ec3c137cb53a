/*
 * What a follower applies next: the files that lead on from a TXID. Used by follow.c.
 *
 * Level 0 is looked at first, by one listing from there on. Where it has a hole, or so many files
 * that fewer of a higher level do the same, all levels are; where those have the hole too, the
 * newest snapshot leads over it, as a whole image.
 */
#ifndef LS_RESTORE_NEXT_H
#define LS_RESTORE_NEXT_H

#include "engine/restore/restore.h"

/* Level-0 files in a plan; with more of them, higher levels are asked. */
#define LS_NEXT_L0_MAX 64

/* plan: in order, each joins the one before; empty where there is nothing new. deep: look at all
 * levels also where level 0 is empty from there on, as when it was pruned while nothing new came.
 * LS_EGAP where nothing leads on, naming the TXIDs; LS_EDIVERGED where the replica ends before
 * from. plan is to be freed whatever is returned. */
LS_MUST ls_code ls_plan_next(ls_storage *s, ls_txid from, bool deep, ls_plan *plan, ls_err *err);

#endif
