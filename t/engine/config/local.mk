# Tests of engine/config.
UNIT_TESTS += t/engine/config/test_config
check_PROGRAMS += t/engine/config/test_config
t_engine_config_test_config_SOURCES = t/engine/config/test_config.c
t_engine_config_test_config_LDADD = $(LS_TEST_LIBS)
t_engine_config_test_config_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_config_test_config_CPPFLAGS = $(LS_TEST_CPPFLAGS)
