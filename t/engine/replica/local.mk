# Tests of engine/replica.
UNIT_TESTS += t/engine/replica/test_replica t/engine/replica/test_memory
check_PROGRAMS += t/engine/replica/test_replica t/engine/replica/test_memory
t_engine_replica_test_replica_SOURCES = t/engine/replica/test_replica.c t/support/dbkit.h
t_engine_replica_test_replica_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_replica_test_replica_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_replica_test_replica_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_replica_test_memory_SOURCES = t/engine/replica/test_memory.c
t_engine_replica_test_memory_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_replica_test_memory_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=malloc -Wl,--wrap=calloc \
	-Wl,--wrap=realloc -Wl,--wrap=strdup
t_engine_replica_test_memory_CPPFLAGS = $(LS_TEST_CPPFLAGS)
