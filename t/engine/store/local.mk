# Tests of engine/store.
UNIT_TESTS += t/engine/store/test_store t/engine/store/test_schedule t/engine/store/test_calls \
	t/engine/store/test_set t/engine/store/test_scan t/engine/store/test_dirs \
	t/engine/store/test_meter
check_PROGRAMS += t/engine/store/test_store t/engine/store/test_schedule t/engine/store/test_calls \
	t/engine/store/test_set t/engine/store/test_scan t/engine/store/test_dirs \
	t/engine/store/test_meter
t_engine_store_test_store_SOURCES = t/engine/store/test_store.c t/engine/store/kit.h t/support/dbkit.h
t_engine_store_test_store_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS) -lpthread
t_engine_store_test_store_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=uv_fs_event_start
t_engine_store_test_store_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_store_test_schedule_SOURCES = t/engine/store/test_schedule.c
t_engine_store_test_schedule_LDADD = $(LS_TEST_LIBS)
t_engine_store_test_schedule_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_store_test_schedule_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_store_test_calls_SOURCES = t/engine/store/test_calls.c t/engine/store/kit.h t/support/dbkit.h
t_engine_store_test_calls_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS) -lpthread
t_engine_store_test_calls_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_store_test_calls_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_store_test_set_SOURCES = t/engine/store/test_set.c t/engine/store/kit.h t/support/dbkit.h
t_engine_store_test_set_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS) -lpthread
t_engine_store_test_set_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_store_test_set_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_store_test_scan_SOURCES = t/engine/store/test_scan.c t/support/dbkit.h
t_engine_store_test_scan_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_store_test_scan_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_store_test_scan_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_store_test_dirs_SOURCES = t/engine/store/test_dirs.c t/engine/store/kit.h t/support/dbkit.h
t_engine_store_test_dirs_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS) -lpthread
t_engine_store_test_dirs_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=inotify_add_watch
t_engine_store_test_dirs_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_store_test_meter_SOURCES = t/engine/store/test_meter.c t/support/dbkit.h
t_engine_store_test_meter_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_store_test_meter_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_store_test_meter_CPPFLAGS = $(LS_TEST_CPPFLAGS)
