/* litestream-tui(1), from the inspector's tables of options and requests. */
#include "cmd/mkdoc.h"

#include "tui/request.h"
#include "tui/tui.h"

#include <string.h>

static void print_views(void) {
    fputs(".Sh WHAT IT SHOWS\n.Bl -tag -width Ds\n", stdout);
    for (view_id v = 0; v < VIEW_COUNT; v++) {
        printf(".It Cm %s\n", view_table[v].name);
        if (v < TABS)
            printf("Key %d.\n", v + 1);
        ls_mdoc_text(view_table[v].about);
    }
    fputs(".El\n", stdout);
}

/* "in files, pages", "in all views". */
static void print_where(const request_info *r) {
    char where[256] = "In";
    size_t len = 2;

    if ((r->in | IN(HELP)) == IN_ALL)
        return;
    for (view_id v = 0; v < VIEW_COUNT; v++) {
        if ((r->in >> v & 1) != 0)
            len += (size_t)snprintf(where + len, sizeof where - len, " %s%s", view_table[v].name,
                                    (r->in >> (v + 1)) != 0 ? "," : ".");
    }
    ls_mdoc_text(where);
}

/* A sentence of a help text. */
static void print_sentence(const char *text) {
    char sentence[256];

    (void)snprintf(sentence, sizeof sentence, "%s.", text);
    if (sentence[0] >= 'a' && sentence[0] <= 'z')
        sentence[0] = (char)(sentence[0] - 'a' + 'A');
    ls_mdoc_text(sentence);
}

static void print_keys(void) {
    fputs(".Sh KEYS\n", stdout);
    ls_mdoc_text("Behind the keys stands the name that the command line of : takes.");
    fputs(".Bl -tag -width Ds\n", stdout);
    for (request r = REQ_NONE + 1; r < REQ_COUNT; r++) {
        const request_info *info = &request_table[r];
        fputs(".It Ic ", stdout);
        for (const char *p = info->keys; *p != '\0'; p++) {
            bool macro = strchr("/-+=[]0:?", *p) != NULL;
            printf(macro ? "\\&%s" : "%s", *p == '-' ? "\\-" : (const char[]){*p, '\0'});
        }
        printf(" Pq %s\n", info->name);
        print_sentence(info->help);
        print_where(info);
        if (info->changes)
            ls_mdoc_text("Not with -readonly.");
    }
    fputs(".El\n", stdout);
}

void ls_man_tui(void) {
    ls_mdoc_begin("LITESTREAM-TUI", "1", tui_program.name,
                  "look into replicas of SQLite databases");
    fputs(".Sh SYNOPSIS\n.Nm\n.Op Ar options\n.Op Ar PATH | REPLICA_URL\n.Sh DESCRIPTION\n",
          stdout);
    ls_mdoc_text(tui_command.about);
    fputs(".Bl -tag -width Ds\n", stdout);
    for (const ls_option *o = tui_command.options; o->name != NULL; o++)
        ls_mdoc_option(o);
    fputs(".El\n", stdout);
    print_views();
    print_keys();
    ls_mdoc_text("A click selects a row, a double click opens it, the wheel moves by three.");
    fputs(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev NO_COLOR\n", stdout);
    ls_mdoc_text("If set and not empty, no colours. What they say is said by text as well.");
    fputs(".It Ev TERM\n", stdout);
    ls_mdoc_text("The terminal's type. One that cannot move its cursor is refused.");
    fputs(".It Ev COLORFGBG\n", stdout);
    ls_mdoc_text("Where a terminal sets it: its colours, by which a theme is chosen.");
    fputs(".It Ev XDG_STATE_HOME\n", stdout);
    ls_mdoc_text("The folder of litestream-tui/state, which keeps view, order and theme for the "
                 "next time; by default ~/.local/state.");
    fputs(".El\n.Sh EXIT STATUS\n", stdout);
    ls_mdoc_text("0, and 1 after an error, which is told on standard error with a hint.");
    fputs(".Sh EXAMPLES\n", stdout);
    ls_mdoc_example(tui_command.examples);
    fputs(".Sh SEE ALSO\n.Xr litestream 1 ,\n.Xr ltx 1\n", stdout);
}
