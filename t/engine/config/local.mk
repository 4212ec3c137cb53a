# Tests of engine/config.
UNIT_TESTS += t/engine/config/test_config t/engine/config/test_memory
check_PROGRAMS += t/engine/config/test_config t/engine/config/test_memory
t_engine_config_test_config_SOURCES = t/engine/config/test_config.c
t_engine_config_test_config_LDADD = $(LS_TEST_LIBS)
t_engine_config_test_config_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_config_test_config_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_config_test_memory_SOURCES = t/engine/config/test_memory.c $(FAULTS)
t_engine_config_test_memory_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_config_test_memory_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTS_LD)
t_engine_config_test_memory_CPPFLAGS = $(LS_TEST_CPPFLAGS)
