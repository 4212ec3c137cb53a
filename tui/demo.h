/*
 * A live database to look at: litestream-tui -demo. In a temporary folder of its own a child writes
 * to a database as a small shop would, and litestream, the one beside this program, replicates it.
 *
 * Invariant: nothing outside of that folder is touched. The children end with this program, however
 * that ends, and the folder goes with them: demo_stop() removes it, and where this program was
 * killed the child that writes does.
 */
#ifndef LS_TUI_DEMO_H
#define LS_TUI_DEMO_H

#include "engine/base/error.h"

typedef struct demo demo;

/* Before any thread runs. Makes it the working folder, so that what is restored goes there too, and
 * waits until there is something to see. */
LS_MUST ls_code demo_start(demo **d, ls_err *err);
const char *demo_replica(const demo *d);
void demo_stop(demo *d); /* NULL allowed */

#endif
