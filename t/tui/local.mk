# Tests of the inspector.
UNIT_TESTS += t/tui/test_list
check_PROGRAMS += t/tui/test_list
t_tui_test_list_SOURCES = t/tui/test_list.c tui/list.c tui/canvas.c tui/request.c
t_tui_test_list_LDADD = $(LS_TEST_LIBS)
t_tui_test_list_LDFLAGS = $(AM_LDFLAGS) -static
t_tui_test_list_CPPFLAGS = $(LS_TEST_CPPFLAGS)

TAP_TESTS += t/tui/screens.t
EXTRA_DIST += t/tui/screens.t

# The page decoder against SQLite.
check_PROGRAMS += t/tui/btree_walk
t_tui_btree_walk_SOURCES = t/tui/btree_walk.c tui/btree.c tui/btree.h tui/btree_bytes.h \
	tui/btree_record.c
TAP_TESTS += t/tui/btree.t
EXTRA_DIST += t/tui/btree.t
