# Tests of engine/db.
UNIT_TESTS += t/engine/db/test_db
check_PROGRAMS += t/engine/db/test_db
t_engine_db_test_db_SOURCES = t/engine/db/test_db.c t/support/dbkit.h
t_engine_db_test_db_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_db_test_db_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=sqlite3_open_v2
t_engine_db_test_db_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/db/chaos_capture
check_PROGRAMS += t/engine/db/chaos_capture
t_engine_db_chaos_capture_SOURCES = t/engine/db/chaos_capture.c t/engine/db/chaos_apps.c \
	t/engine/db/chaos_audit.c t/engine/db/chaos_image.c t/engine/db/chaos.h
t_engine_db_chaos_capture_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_db_chaos_capture_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_db_chaos_capture_CPPFLAGS = $(LS_TEST_CPPFLAGS)

TAP_TESTS += t/engine/db/chaos_variants.t
EXTRA_DIST += t/engine/db/chaos_variants.t

UNIT_TESTS += t/engine/db/test_snapshot
check_PROGRAMS += t/engine/db/test_snapshot
t_engine_db_test_snapshot_SOURCES = t/engine/db/test_snapshot.c t/support/dbkit.h
t_engine_db_test_snapshot_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS) -lpthread
t_engine_db_test_snapshot_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=malloc -Wl,--wrap=calloc \
	-Wl,--wrap=realloc
t_engine_db_test_snapshot_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/db/test_reset
check_PROGRAMS += t/engine/db/test_reset
t_engine_db_test_reset_SOURCES = t/engine/db/test_reset.c
t_engine_db_test_reset_LDADD = $(LS_TEST_LIBS)
t_engine_db_test_reset_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_db_test_reset_CPPFLAGS = $(LS_TEST_CPPFLAGS)
