/* The options of litestream-tui. */
#include "tui/tui.h"

#include <stddef.h>

static const ls_option options[] = {
    {.name = "socket",
     .type = LS_OPT_STRING,
     .field = offsetof(tui_args, socket),
     .arg = "PATH",
     .help = "Control socket of the daemon. Without it, that of the configuration, else "
             "/var/run/litestream.sock."},
    {.name = "config",
     .type = LS_OPT_STRING,
     .field = offsetof(tui_args, config.config),
     .arg = "PATH",
     .help =
         "Configuration file, which says where the socket is and how replicas are opened, and "
         "whose databases are shown where no daemon answers. With a path it says how often each "
         "level gets a file, and how long it is kept.",
     .shown = ls_default_config},
    {.name = "no-expand-env",
     .type = LS_OPT_BOOL,
     .field = offsetof(tui_args, config.no_expand_env),
     .help = "Leaves $NAME and ${NAME} in the configuration as they are."},
    {.name = "ascii",
     .type = LS_OPT_BOOL,
     .field = offsetof(tui_args, ascii),
     .help = "Draw with ASCII characters alone. So it is anyway where the locale is not UTF-8, and "
             "on a terminal whose type begins with vt."},
    {.name = "readonly",
     .type = LS_OPT_BOOL,
     .field = offsetof(tui_args, readonly),
     .help = "Refuse everything that changes something: what is asked of the daemon, restoring, "
             "and saving what is shown."},
    {.name = "once",
     .type = LS_OPT_STRING,
     .field = offsetof(tui_args, once),
     .arg = "VIEW",
     .help = "Print one screen as text and exit. VIEW is databases, activity, levels, timeline, "
             "files, points, verify, pages (of the first file), page (its first page), restore or "
             "help. With a daemon, views of one replica are those of the first database."},
    {.name = "size",
     .type = LS_OPT_STRING,
     .field = offsetof(tui_args, size),
     .arg = "COLSxROWS",
     .def = "80x24",
     .help = "Size of that screen."},
    {.name = "keys",
     .type = LS_OPT_STRING,
     .field = offsetof(tui_args, keys),
     .arg = "KEYS",
     .help = "Keys to press before it is printed: words of the help view, separated by blanks; "
             "other words, and those behind ', are typed. What runs in the background is waited "
             "for after each."},
    {.name = "theme",
     .type = LS_OPT_STRING,
     .field = offsetof(tui_args, theme),
     .arg = "NAME",
     .help = "dark, light or mono. Else mono where NO_COLOR is set, else the one that was used "
             "last, else by COLORFGBG. Colours are taken from 8, 16 or 256, as the terminal has."},
    {.name = "color",
     .type = LS_OPT_BOOL,
     .field = offsetof(tui_args, colour),
     .help = "Print the screen of -once with its colours, as sequences for a terminal."},
    {.name = "refresh",
     .type = LS_OPT_DURATION,
     .field = offsetof(tui_args, refresh),
     .arg = "DURATION",
     .help = "Read the listing again as often; each time costs a request for each level. Without "
             "it, R does."},
    {.name = "demo",
     .type = LS_OPT_BOOL,
     .field = offsetof(tui_args, demo),
     .help = "Look at a live database that is made for it, in a temporary folder that is removed "
             "at the end. Nothing else is touched."},
    {.name = NULL}};

static const char *const usage[] = {"[arguments]", "[arguments] PATH", "[arguments] REPLICA_URL",
                                    "-demo [arguments]", NULL};

static const char *const examples[] = {
    "litestream-tui",
    "litestream-tui -socket /run/litestream.sock -readonly",
    "litestream-tui /backups/app",
    "litestream-tui -once timeline -size 120x24 file:///backups/app",
    "litestream-tui /tmp/0000000000000001-0000000000000001.ltx",
    NULL};

const ls_command tui_command = {
    .name = "",
    .summary = "shows a running daemon and its databases, looks into replicas and LTX files",
    .usage = usage,
    .about =
        "Without a path: shows every database of a running daemon, live, with what happens and "
        "its jobs; syncs, snapshots, restores, verifies, stops, starts, registers, "
        "unregisters and resets them; and opens the replica of each. Where no daemon answers, "
        "the configuration's databases are shown.\n\n"
        "With a path or URL: shows what a replica (its folder or URL) holds: its levels, a "
        "timeline of files and "
        "restore points, every file with its pages, each page decoded and compared with its "
        "version before; verifies all of it, and restores to any restore point. Of an LTX "
        "file, or a folder of them, it shows files and pages.\n\n"
        "The bottom line shows the keys that work; ? shows all of them. Nothing of a replica "
        "is changed but by the daemon, and by nothing that was not asked for; what cannot be "
        "undone wants the database's name typed.",
    .options = options,
    .examples = examples,
    .args_size = sizeof(tui_args),
};

static const ls_command *const commands[] = {&tui_command, NULL};

const ls_program tui_program = {.name = "litestream-tui",
                                .about =
                                    "shows a running daemon, looks into replicas and LTX files",
                                .commands = commands};
