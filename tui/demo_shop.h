/* What the demo's child writes: a small shop. */
#ifndef LS_TUI_DEMO_SHOP_H
#define LS_TUI_DEMO_SHOP_H

#include "engine/base/error.h"

#include <signal.h>
#include <stdint.h>

/* Makes the database; it is written to by shop_run(). */
LS_MUST ls_code shop_make(const char *path, ls_err *err);

/* Commits a few times a second, until *stop, or until the process has another parent. */
LS_MUST ls_code shop_run(const char *path, const volatile sig_atomic_t *stop, ls_err *err);

#endif
