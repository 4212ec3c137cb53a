# Tests of engine/base.
UNIT_TESTS += t/engine/base/test_text
check_PROGRAMS += t/engine/base/test_text
t_engine_base_test_text_SOURCES = t/engine/base/test_text.c
t_engine_base_test_text_LDADD = $(LS_TEST_LIBS)
t_engine_base_test_text_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_base_test_text_CPPFLAGS = $(LS_TEST_CPPFLAGS)
