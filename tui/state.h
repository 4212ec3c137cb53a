/*
 * What the inspector looked like last, in $XDG_STATE_HOME/litestream-tui/state (by default in
 * ~/.local/state): lines of "name value". Written whole or not at all, for the user alone. One that
 * cannot be understood is ignored, and it is said why.
 */
#ifndef LS_TUI_STATE_H
#define LS_TUI_STATE_H

#include "tui/request.h"
#include "tui/theme.h"

#define STATE_MAX_BYTES 4096

typedef struct tui_state {
    view_id view;   /* the tab; VIEW_COUNT: not known */
    theme_id theme; /* THEME_COUNT: not known */
    bool by_time;   /* the timeline's axis */
    struct {
        int column; /* 0: as they come */
        bool reverse;
    } order[VIEW_COUNT]; /* of lists */
} tui_state;

/* Nothing known. */
tui_state state_new(void);

/* Where it is; NULL without a home. malloc'd. */
LS_MUST char *state_path(void);

/* LS_OK with nothing known where there is no file. A file that is damaged: LS_EFORMAT, nothing
 * known. */
LS_MUST ls_code state_read(const char *path, tui_state *s, ls_err *err);
LS_MUST ls_code state_write(const char *path, const tui_state *s, ls_err *err);

#endif
