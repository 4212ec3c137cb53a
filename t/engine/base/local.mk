# Tests of engine/base.
EXTRA_DIST += t/support/tempdir.h

UNIT_TESTS += t/engine/base/test_atomic
check_PROGRAMS += t/engine/base/test_atomic
t_engine_base_test_atomic_SOURCES = t/engine/base/test_atomic.c
t_engine_base_test_atomic_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_atomic_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_atomic_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_buf
check_PROGRAMS += t/engine/base/test_buf
t_engine_base_test_buf_SOURCES = t/engine/base/test_buf.c
t_engine_base_test_buf_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_buf_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_buf_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_clock
check_PROGRAMS += t/engine/base/test_clock
t_engine_base_test_clock_SOURCES = t/engine/base/test_clock.c
t_engine_base_test_clock_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_clock_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_clock_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_error
check_PROGRAMS += t/engine/base/test_error
t_engine_base_test_error_SOURCES = t/engine/base/test_error.c
t_engine_base_test_error_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_error_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_error_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_file
check_PROGRAMS += t/engine/base/test_file
t_engine_base_test_file_SOURCES = t/engine/base/test_file.c
t_engine_base_test_file_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_file_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_file_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_glob
check_PROGRAMS += t/engine/base/test_glob
t_engine_base_test_glob_SOURCES = t/engine/base/test_glob.c
t_engine_base_test_glob_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_glob_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_glob_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_io
check_PROGRAMS += t/engine/base/test_io
t_engine_base_test_io_SOURCES = t/engine/base/test_io.c
t_engine_base_test_io_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_io_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_io_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_log
check_PROGRAMS += t/engine/base/test_log
t_engine_base_test_log_SOURCES = t/engine/base/test_log.c
t_engine_base_test_log_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_log_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_log_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_path
check_PROGRAMS += t/engine/base/test_path
t_engine_base_test_path_SOURCES = t/engine/base/test_path.c
t_engine_base_test_path_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_path_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_path_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_perm
check_PROGRAMS += t/engine/base/test_perm
t_engine_base_test_perm_SOURCES = t/engine/base/test_perm.c
t_engine_base_test_perm_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_perm_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_perm_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_map
check_PROGRAMS += t/engine/base/test_map
t_engine_base_test_map_SOURCES = t/engine/base/test_map.c
t_engine_base_test_map_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_map_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_map_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_pool
check_PROGRAMS += t/engine/base/test_pool
t_engine_base_test_pool_SOURCES = t/engine/base/test_pool.c
t_engine_base_test_pool_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_pool_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_pool_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_quote
check_PROGRAMS += t/engine/base/test_quote
t_engine_base_test_quote_SOURCES = t/engine/base/test_quote.c
t_engine_base_test_quote_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_quote_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_quote_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/base/test_text
check_PROGRAMS += t/engine/base/test_text
t_engine_base_test_text_SOURCES = t/engine/base/test_text.c
t_engine_base_test_text_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_text_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_text_CPPFLAGS = $(LS_TEST_CPPFLAGS)
