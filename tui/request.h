/*
 * Everything that can be asked of the inspector, in one table: keys, the line of keys, help, the
 * command line behind ':', the manual page and what -readonly forbids come from it.
 */
#ifndef LS_TUI_REQUEST_H
#define LS_TUI_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/* view, name (as -once and ':' take it), title, what it shows */
#define VIEWS(X)                                                                                   \
    X(VIEW_LEVELS, "levels", "Levels",                                                             \
      "What each level of the replica holds: files, bytes, TXIDs, times, and whether there are "   \
      "gaps.")                                                                                     \
    X(VIEW_TIMELINE, "timeline", "Timeline",                                                       \
      "Files and restore points from left to right, a lane for each level. The cursor is a "       \
      "restore point; the files of its plan are drawn with #.")                                    \
    X(VIEW_FILES, "files", "Files", "Every LTX file; enter opens one.")                            \
    X(VIEW_POINTS, "points", "Restore points",                                                     \
      "To which moments can be restored, as windows of one granularity, and the gaps between "     \
      "them.")                                                                                     \
    X(VIEW_VERIFY, "verify", "Verify", "Whether everything can be restored, and what was found.")  \
    X(VIEW_DATABASES, "databases", "Databases",                                                    \
      "Every database of a running daemon: state, TXID, what its replica lacks, sizes, age of "    \
      "the "                                                                                       \
      "last sync, what was captured in the last minute. What is wrong comes first.")               \
    X(VIEW_ACTIVITY, "activity", "Activity",                                                       \
      "What happened since the daemon began, its jobs, and what was asked of it from here with "   \
      "the command line that does the same; the newest first.")                                    \
    X(VIEW_PAGES, "pages", "Pages",                                                                \
      "One LTX file: header, trailer, pages, and whether it verifies.")                            \
    X(VIEW_PAGE, "page", "Page",                                                                   \
      "One page: its bytes, what SQLite sees in them, and what changed since its version before.") \
    X(VIEW_RESTORE, "restore", "Restore",                                                          \
      "Restoring to a point: the choices, the plan, the command line that does the same, then "    \
      "how far it is.")                                                                            \
    X(VIEW_ACTION, "action", "Action",                                                             \
      "What is about to be done to a database: exactly what, what it costs, and the command line " \
      "that does the same.")                                                                       \
    X(VIEW_HELP, "help", "Help", "Every key.")

typedef enum view_id {
#define X(id, name, title, about) id,
    VIEWS(X)
#undef X
        VIEW_COUNT
} view_id;

/* The first views are tabs, opened by their number; the others are reached from there. Those of one
 * replica come first, then those of all databases. */
#define TABS (VIEW_ACTIVITY + 1)
#define REPLICA_TABS (VIEW_VERIFY + 1)

#define IN(view) (1u << VIEW_##view)
#define IN_ALL ((1u << VIEW_COUNT) - 1)
#define IN_LISTS                                                                                   \
    (IN(LEVELS) | IN(FILES) | IN(POINTS) | IN(VERIFY) | IN(DATABASES) | IN(ACTIVITY) | IN(PAGES) | \
     IN(HELP) | IN(PAGE))
#define IN_FORMS (IN(RESTORE) | IN(ACTION))
/* Of a database that a daemon has. */
#define IN_DATABASE (IN(DATABASES) | IN(LEVELS))

/* request, name, keys, on the line of keys, in which views, does it change anything, what it does.
 * The line of keys shows those of the view, in this order. */
#define REQUESTS(X)                                                                                \
    X(REQ_NONE, "", "", "", 0, false, "")                                                          \
    X(REQ_OPEN, "open", "enter l", "enter open",                                                   \
      IN(LEVELS) | IN(FILES) | IN(DATABASES) | IN(ACTIVITY) | IN(PAGES) | IN(PAGE), false,         \
      "open what is selected; of a page what goes on elsewhere: overflow, child, entry")           \
    X(REQ_OPEN_TIMELINE, "open-timeline", "t", "", IN(DATABASES), false,                           \
      "open the timeline of the database")                                                         \
    X(REQ_RESTORE, "restore", "enter r", "enter restore", IN(TIMELINE) | IN(POINTS), false,        \
      "plan a restore to what is selected; nothing starts yet")                                    \
    X(REQ_CHANGED, "what-changed", "d", "d changes", IN(TIMELINE), false,                          \
      "the pages that this restore point changed, and their tables")                               \
    X(REQ_SYNC, "sync", "s", "s sync", IN_DATABASE, true,                                          \
      "capture now what is committed to the database")                                             \
    X(REQ_SYNC_WAIT, "sync-wait", "S", "", IN_DATABASE, true,                                      \
      "capture now what is committed, and upload it")                                              \
    X(REQ_RESTORE_DATABASE, "restore-database", "r", "r restore", IN_DATABASE, true,               \
      "have the daemon restore the database into a new file; asks first")                          \
    X(REQ_SNAPSHOT, "snapshot", "n", "", IN_DATABASE, true,                                        \
      "write a snapshot of the database to its replica")                                           \
    X(REQ_START_DATABASE, "start-database", "u", "", IN_DATABASE, true,                            \
      "start (up) a database that was stopped")                                                    \
    X(REQ_STOP_DATABASE, "stop-database", "d", "", IN_DATABASE, true,                              \
      "stop (down) a database after a last sync; asks first")                                      \
    X(REQ_REGISTER, "register", "a", "", IN_DATABASE, true,                                        \
      "add a database to the daemon; asks first")                                                  \
    X(REQ_UNREGISTER, "unregister", "D", "", IN_DATABASE, true,                                    \
      "have the daemon forget the database; its name must be typed")                               \
    X(REQ_RESET, "reset", "X", "", IN_DATABASE, true,                                              \
      "throw away the database's local state; its name must be typed")                             \
    X(REQ_CHOOSE, "choose", "enter", "enter edit", IN_FORMS, false,                                \
      "change the line: type its value, or the next choice; on Start: see start")                  \
    X(REQ_START, "start", "S", "S start", IN(RESTORE), true, "start the restore that is planned")  \
    X(REQ_UP, "up", "up k", "", IN_LISTS | IN_FORMS, false, "select the row above")                \
    X(REQ_DOWN, "down", "down j", "", IN_LISTS | IN_FORMS, false, "select the row below")          \
    X(REQ_PAGE_UP, "page-up", "pgup ctrl-b", "", IN_LISTS, false, "one screen up")                 \
    X(REQ_PAGE_DOWN, "page-down", "pgdn ctrl-f space", "", IN_LISTS, false, "one screen down")     \
    X(REQ_FIRST, "first", "home g", "", IN_LISTS | IN_FORMS, false, "first row")                   \
    X(REQ_LAST, "last", "end G", "", IN_LISTS | IN_FORMS, false, "last row")                       \
    X(REQ_FILTER, "filter", "/", "/ filter",                                                       \
      IN(FILES) | IN(POINTS) | IN(DATABASES) | IN(ACTIVITY) | IN(PAGES) | IN(HELP), false,         \
      "show only rows with a text in them, as it is typed; !text: only those without")             \
    X(REQ_ORDER, "order", "o", "o order", IN(FILES) | IN(DATABASES) | IN(PAGES), false,            \
      "order the rows by the next column")                                                         \
    X(REQ_REVERSE, "reverse", "O", "", IN(FILES) | IN(DATABASES) | IN(PAGES), false,               \
      "turn the order round")                                                                      \
    X(REQ_LEFT, "left", "left h", "← point", IN(TIMELINE), false, "the restore point before")      \
    X(REQ_RIGHT, "right", "right l", "→", IN(TIMELINE), false, "the restore point behind")         \
    X(REQ_FAR_LEFT, "far-left", "sleft [ pgup", "", IN(TIMELINE), false,                           \
      "a quarter of the screen to the left")                                                       \
    X(REQ_FAR_RIGHT, "far-right", "sright ] pgdn", "", IN(TIMELINE), false,                        \
      "a quarter of the screen to the right")                                                      \
    X(REQ_OLDEST, "oldest", "home", "", IN(TIMELINE), false, "the oldest restore point")           \
    X(REQ_NEWEST, "newest", "end G", "", IN(TIMELINE), false, "the newest restore point")          \
    X(REQ_ZOOM_IN, "zoom-in", "+ =", "+ - zoom", IN(TIMELINE), false,                              \
      "half as much on the screen")                                                                \
    X(REQ_ZOOM_OUT, "zoom-out", "-", "", IN(TIMELINE), false, "twice as much on the screen")       \
    X(REQ_ZOOM_ALL, "zoom-all", "0", "0 all", IN(TIMELINE), false, "everything on the screen")     \
    X(REQ_AXIS, "axis", "t", "t txid/time", IN(TIMELINE), false,                                   \
      "count in TXIDs or in time from left to right")                                              \
    X(REQ_GOTO, "go-to", "g", "g go to", IN(TIMELINE), false,                                      \
      "go to a TXID (hexadecimal) or a time (2006-01-02T15:04:05Z)")                               \
    X(REQ_VERIFY, "verify", "v", "v verify", IN(VERIFY) | IN(DATABASES) | IN(PAGES), false,        \
      "read the file, or all of the replica, and check every page and checksum")                   \
    X(REQ_VERIFY_FULL, "verify-full", "V", "V with restore", IN(VERIFY) | IN(DATABASES), false,    \
      "verify, then restore the newest point to a scratch file and have SQLite check it")          \
    X(REQ_CHOICE_BACK, "previous-choice", "left h", "← → choose", IN_FORMS, false,                 \
      "the choice before")                                                                         \
    X(REQ_CHOICE, "next-choice", "right l", "", IN_FORMS, false, "the choice behind")              \
    X(REQ_NEXT_PAGE, "next-page", "n", "n p page", IN(PAGE), false, "the next page of the file")   \
    X(REQ_PREV_PAGE, "previous-page", "p", "", IN(PAGE), false, "the page before")                 \
    X(REQ_SIDE, "side", "b", "b bytes/cells", IN(PAGE), false,                                     \
      "move through the bytes or through the cells")                                               \
    X(REQ_BEFORE, "before", "d", "d before", IN(PAGE), false,                                      \
      "the page as it was before this file, and back")                                             \
    X(REQ_CANCEL, "cancel", "c", "c cancel", IN_ALL, false, "give up what runs in the background") \
    X(REQ_COPY, "copy", "y", "y copy", IN_ALL & ~IN(HELP), false,                                  \
      "copy TXID, key or command line to the clipboard, if the terminal takes OSC 52")             \
    X(REQ_COPY_TXID, "copy-txid", "Y", "", IN(DATABASES), false, "copy the database's TXID")       \
    X(REQ_WRITE_TEXT, "write-text", "w", "", IN_ALL, true, "write this screen to a file as text")  \
    X(REQ_WRITE_ROWS, "write-rows", "W", "",                                                       \
      IN(LEVELS) | IN(FILES) | IN(POINTS) | IN(VERIFY) | IN(DATABASES) | IN(ACTIVITY) | IN(PAGES), \
      true, "write the rows of this view to a file: JSON, CSV or text by the end of its name")     \
    X(REQ_TAB_LEVELS, "levels", "1", "", IN_ALL, false, "view: what each level holds")             \
    X(REQ_TAB_TIMELINE, "timeline", "2", "", IN_ALL, false,                                        \
      "view: files and restore points on an axis")                                                 \
    X(REQ_TAB_FILES, "files", "3", "", IN_ALL, false, "view: every LTX file")                      \
    X(REQ_TAB_POINTS, "points", "4", "", IN_ALL, false, "view: to which moments can be restored")  \
    X(REQ_TAB_VERIFY, "verify-view", "5", "", IN_ALL, false, "view: is everything restorable?")    \
    X(REQ_TAB_DATABASES, "databases", "6", "", IN_ALL, false, "view: every database")              \
    X(REQ_TAB_ACTIVITY, "activity", "7", "", IN_ALL, false, "view: what happened, and jobs")       \
    X(REQ_NEXT_TAB, "next-view", "tab", "tab view", IN_ALL, false, "the next view")                \
    X(REQ_PREV_TAB, "previous-view", "btab", "", IN_ALL, false, "the view before")                 \
    X(REQ_REFRESH, "refresh", "R F5", "R refresh", IN_ALL, false, "ask or read again")             \
    X(REQ_COMMAND, "command", ":", ": command", IN_ALL, false,                                     \
      "type a request by its name; tab completes it")                                              \
    X(REQ_HELP, "help", "? F1", "? help", IN_ALL & ~IN(HELP), false, "show all keys")              \
    X(REQ_BACK, "back", "q esc", "q back", IN_ALL, false,                                          \
      "back out one step; q also out of the first view: quit")                                     \
    X(REQ_REDRAW, "redraw", "ctrl-l", "", IN_ALL, false, "draw the whole screen again")            \
    X(REQ_SUSPEND, "suspend", "ctrl-z", "", IN_ALL, false, "back to the shell; fg returns")        \
    X(REQ_QUIT, "quit", "Q ctrl-c", "", IN_ALL, false, "quit at once")                             \
    X(REQ_COPY_PATH, "copy-path", "Y", "Y copy path", IN(RESTORE), false,                          \
      "copy the path of the file that is restored to")                                             \
    X(REQ_THEME, "theme", "T", "", IN_ALL, false, "the next theme: dark, light, mono")

typedef enum request {
#define X(id, name, keys, line, in, changes, help) id,
    REQUESTS(X)
#undef X
        REQ_COUNT
} request;

typedef struct request_info {
    const char *name, *keys, *line, *help;
    unsigned in; /* bit n: works in view n */
    bool changes;
} request_info;

extern const request_info request_table[REQ_COUNT];

typedef struct view_info {
    const char *name, *title, *about;
} view_info;

extern const view_info view_table[VIEW_COUNT];

bool request_works(request r, view_id view);

/* The request that a key is bound to in a view: a character, or the name of a special key as in the
 * table ("up", "enter", "F1"). REQ_NONE if there is none. */
request request_of_key(view_id view, const char *key);

/* The request of that name that works in the view, else any of that name, else REQ_NONE. */
request request_of_name(view_id view, const char *name);

/* The n-th name, in the order of the table, that works in the view and starts with prefix; NULL if
 * there are not that many. */
const char *request_complete(view_id view, const char *prefix, size_t n);

/* Is it the name of a key, as the table writes them? A single character is not. */
bool request_key_known(const char *word);

/* VIEW_COUNT if there is none. */
view_id view_of_name(const char *name);

#endif
