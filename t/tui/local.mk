# Tests of the inspector.
UNIT_TESTS += t/tui/test_list t/tui/test_job t/tui/test_page_diff t/tui/test_fleet t/tui/test_state
check_PROGRAMS += t/tui/test_list t/tui/test_job t/tui/test_page_diff t/tui/test_fleet t/tui/test_state
t_tui_test_page_diff_SOURCES = t/tui/test_page_diff.c tui/page_diff.c tui/btree.c \
	tui/btree_record.c
t_tui_test_page_diff_LDADD = $(LS_TEST_LIBS)
t_tui_test_page_diff_LDFLAGS = $(AM_LDFLAGS) -static
t_tui_test_page_diff_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_tui_test_state_SOURCES = t/tui/test_state.c tui/state.c tui/theme.c tui/request.c tui/canvas.c
t_tui_test_state_LDADD = $(LS_TEST_LIBS)
t_tui_test_state_LDFLAGS = $(AM_LDFLAGS) -static
t_tui_test_state_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_tui_test_list_SOURCES = t/tui/test_list.c tui/list.c tui/canvas.c tui/request.c
t_tui_test_list_LDADD = $(LS_TEST_LIBS)
t_tui_test_list_LDFLAGS = $(AM_LDFLAGS) -static
t_tui_test_list_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_tui_test_job_SOURCES = t/tui/test_job.c tui/job.c tui/axis.c tui/words.c
t_tui_test_job_LDADD = $(LS_TEST_LIBS)
t_tui_test_job_LDFLAGS = $(AM_LDFLAGS) -static
t_tui_test_job_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_tui_test_fleet_SOURCES = t/tui/test_fleet.c tui/fleet.c tui/fleet_read.c
t_tui_test_fleet_LDADD = $(LS_TEST_LIBS) $(JANSSON_LIBS)
t_tui_test_fleet_LDFLAGS = $(AM_LDFLAGS) -static
t_tui_test_fleet_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/tui/test_action
check_PROGRAMS += t/tui/test_action
t_tui_test_action_SOURCES = t/tui/test_action.c tui/action.c tui/request.c tui/words.c
t_tui_test_action_LDADD = $(LS_TEST_LIBS) $(JANSSON_LIBS)
t_tui_test_action_LDFLAGS = $(AM_LDFLAGS) -static
t_tui_test_action_CPPFLAGS = $(LS_TEST_CPPFLAGS)

# The page decoder against SQLite.
check_PROGRAMS += t/tui/btree_walk
t_tui_btree_walk_SOURCES = t/tui/btree_walk.c tui/btree.c tui/btree.h tui/btree_bytes.h \
	tui/btree_record.c

# Tables of pages against SQLite.
check_PROGRAMS += t/tui/page_owners
t_tui_page_owners_SOURCES = t/tui/page_owners.c $(LS_TUI) $(LS_CMD_COMMON)
t_tui_page_owners_LDADD = $(LS_LIBS)
t_tui_page_owners_LDFLAGS = $(AM_LDFLAGS) -static

# Random keys and sizes.
check_PROGRAMS += t/tui/storm
t_tui_storm_SOURCES = t/tui/storm.c $(LS_TUI) $(LS_CMD_COMMON)
t_tui_storm_LDADD = $(LS_LIBS)
t_tui_storm_LDFLAGS = $(AM_LDFLAGS) -static

TAP_TESTS += t/tui/btree.t t/tui/demo.t t/tui/link.t t/tui/live.t t/tui/screens.t t/tui/storm.t t/tui/story.t \
	t/tui/tables.t t/tui/terminal.t t/tui/terminals.t t/tui/tour.t
EXTRA_DIST += t/tui/btree.t t/tui/demo.t t/tui/link.t t/tui/live.t t/tui/control.py t/tui/screens.t \
	t/tui/randomdb.py t/tui/screens \
	t/tui/storm.t t/tui/story.t t/tui/tables.t t/tui/terminal.t t/tui/terminals.t \
	t/tui/tmux.py t/tui/tour.t
