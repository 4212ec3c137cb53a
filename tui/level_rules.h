/* What a configuration says of the levels of a replica, as text. */
#ifndef LS_TUI_LEVEL_RULES_H
#define LS_TUI_LEVEL_RULES_H

#include "engine/config/config.h"

/* Does the configuration want the level? Level 0 and snapshots always. */
bool level_wanted(const ls_config *c, int level);

/* How often a file of the level is made: "5m0s"; "commit" of level 0, "-" of one that is not
 * wanted. */
const char *level_every(const ls_config *c, int level, char *buf, size_t size);

/* How long it is kept: "24h0m0s", "snapshots" as long as those that follow, "all". */
const char *level_kept(const ls_config *c, int level, char *buf, size_t size);

/* When the next file is due, ms since 1970; 0 where that is with each commit, or never. */
int64_t level_next(const ls_config *c, int level, int64_t now_ms);

#endif
