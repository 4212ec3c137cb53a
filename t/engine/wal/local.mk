# Tests of engine/wal.
UNIT_TESTS += t/engine/wal/test_reader
check_PROGRAMS += t/engine/wal/test_reader
t_engine_wal_test_reader_SOURCES = t/engine/wal/test_reader.c t/engine/wal/walkit.c \
	t/engine/wal/walkit.h
t_engine_wal_test_reader_LDADD = $(LS_TEST_LIBS)
t_engine_wal_test_reader_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_wal_test_reader_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/wal/test_range
check_PROGRAMS += t/engine/wal/test_range
t_engine_wal_test_range_SOURCES = t/engine/wal/test_range.c t/engine/wal/walkit.c \
	t/engine/wal/walkit.h
t_engine_wal_test_range_LDADD = $(LS_TEST_LIBS)
t_engine_wal_test_range_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_wal_test_range_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/wal/test_live
check_PROGRAMS += t/engine/wal/test_live
t_engine_wal_test_live_SOURCES = t/engine/wal/test_live.c t/engine/wal/walkit.c \
	t/engine/wal/walkit.h
t_engine_wal_test_live_LDADD = $(LS_TEST_LIBS)
t_engine_wal_test_live_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_wal_test_live_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/wal/test_faults
check_PROGRAMS += t/engine/wal/test_faults
t_engine_wal_test_faults_SOURCES = t/engine/wal/test_faults.c $(FAULTS) t/engine/wal/walkit.c \
	t/engine/wal/walkit.h
t_engine_wal_test_faults_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_wal_test_faults_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTS_LD) \
	-Wl,--wrap=ls_pread_full
t_engine_wal_test_faults_CPPFLAGS = $(LS_TEST_CPPFLAGS)

UNIT_TESTS += t/engine/wal/test_index
check_PROGRAMS += t/engine/wal/test_index
t_engine_wal_test_index_SOURCES = t/engine/wal/test_index.c t/engine/wal/walkit.c \
	t/engine/wal/walkit.h
t_engine_wal_test_index_LDADD = $(LS_TEST_LIBS)
t_engine_wal_test_index_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_wal_test_index_CPPFLAGS = $(LS_TEST_CPPFLAGS)
