# litestream-tui: everything but main() is linked into its tests too.
LS_TUI = \
	cmd/common.c \
	cmd/litestream.h \
	tui/action.c \
	tui/action.h \
	tui/app.c \
	tui/axis.c \
	tui/axis.h \
	tui/btree.c \
	tui/btree.h \
	tui/btree_bytes.h \
	tui/btree_record.c \
	tui/canvas.c \
	tui/canvas.h \
	tui/changes.c \
	tui/changes.h \
	tui/demo.c \
	tui/demo.h \
	tui/demo_shop.c \
	tui/demo_shop.h \
	tui/errands.c \
	tui/feed.c \
	tui/feed.h \
	tui/file.c \
	tui/fleet.c \
	tui/fleet.h \
	tui/fleet_read.c \
	tui/frame.c \
	tui/grow.h \
	tui/job.c \
	tui/job.h \
	tui/level_rules.c \
	tui/level_rules.h \
	tui/list.c \
	tui/list.h \
	tui/live.c \
	tui/moment.c \
	tui/moment.h \
	tui/page_data.c \
	tui/page_data.h \
	tui/page_diff.c \
	tui/page_diff.h \
	tui/page_screen.c \
	tui/page_view.h \
	tui/place.c \
	tui/prompt.c \
	tui/request.c \
	tui/request.h \
	tui/restore_job.c \
	tui/restore_job.h \
	tui/restore_screen.c \
	tui/restore_view.h \
	tui/snapshot.c \
	tui/snapshot.h \
	tui/source.c \
	tui/source.h \
	tui/source_config.c \
	tui/source_daemon.c \
	tui/state.c \
	tui/state.h \
	tui/tables.c \
	tui/tables.h \
	tui/theme.c \
	tui/theme.h \
	tui/tui.c \
	tui/tui.h \
	tui/view.h \
	tui/view_action.c \
	tui/view_activity.c \
	tui/view_databases.c \
	tui/view_files.c \
	tui/view_help.c \
	tui/view_levels.c \
	tui/view_page.c \
	tui/view_pages.c \
	tui/view_points.c \
	tui/view_restore.c \
	tui/view_timeline.c \
	tui/view_verify.c \
	tui/words.c \
	tui/words.h
bin_PROGRAMS += litestream-tui
litestream_tui_SOURCES = tui/main.c tui/term.c tui/term.h $(LS_TUI) $(LS_CMD_COMMON)
litestream_tui_CPPFLAGS = $(AM_CPPFLAGS) $(NCURSES_CFLAGS)
litestream_tui_LDADD = $(LS_LIBS) $(NCURSES_LIBS)
litestream_tui_LDFLAGS = $(AM_LDFLAGS) -static
