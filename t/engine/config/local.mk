# Tests of engine/config.
UNIT_TESTS += t/engine/config/test_config t/engine/config/test_memory
check_PROGRAMS += t/engine/config/test_config t/engine/config/test_memory
t_engine_config_test_config_SOURCES = t/engine/config/test_config.c
t_engine_config_test_config_LDADD = $(LS_TEST_LIBS)
t_engine_config_test_config_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_config_test_config_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_config_test_memory_SOURCES = t/engine/config/test_memory.c
t_engine_config_test_memory_LDADD = $(LS_TEST_LIBS)
t_engine_config_test_memory_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=malloc -Wl,--wrap=calloc \
	-Wl,--wrap=realloc -Wl,--wrap=reallocarray -Wl,--wrap=strdup -Wl,--wrap=strndup
t_engine_config_test_memory_CPPFLAGS = $(LS_TEST_CPPFLAGS)
