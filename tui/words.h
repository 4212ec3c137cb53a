/* Words that views share: ages, TXIDs as they are typed, plans, words for the shell, base64. */
#ifndef LS_TUI_WORDS_H
#define LS_TUI_WORDS_H

#include "engine/restore/restore.h"

/* "now", "5 s", "3 min", "2 h", "4 d". Returns buf. */
char *age_format(int64_t ms, char *buf, size_t size);

/* One to sixteen hexadecimal digits, not all of them 0. */
bool short_txid(const char *text, ls_txid *txid);

/* "snap", "L0" to "L8". */
const char *level_name(int level);

/* "snap 1-58 · L1 59-5c", cut where buf ends. Returns buf. */
char *plan_format(const ls_plan *plan, char *buf, size_t size);

/* As one word for the shell, quoted where it must be; cut where buf (8 bytes or more) ends. */
char *shell_word(const char *text, char *buf, size_t size);

/* For OSC 52; cut where buf ends. */
char *base64(const char *text, char *buf, size_t size);

#endif
