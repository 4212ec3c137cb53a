# Tests of engine/restore.
RESTORE_TEST_COMMON = t/engine/restore/replica.c t/engine/restore/replica.h $(LTX_TEST_COMMON)

UNIT_TESTS += t/engine/restore/test_plan t/engine/restore/test_vectors \
	t/engine/restore/test_rebuild t/engine/restore/test_restore \
	t/engine/restore/test_v3 t/engine/restore/test_verify t/engine/restore/test_points t/engine/restore/test_follow
check_PROGRAMS += t/engine/restore/test_plan t/engine/restore/test_vectors \
	t/engine/restore/test_rebuild t/engine/restore/test_restore \
	t/engine/restore/test_v3 t/engine/restore/test_verify t/engine/restore/test_points t/engine/restore/test_follow

t_engine_restore_test_plan_SOURCES = t/engine/restore/test_plan.c
t_engine_restore_test_plan_LDADD = $(LS_TEST_LIBS)
t_engine_restore_test_plan_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_restore_test_plan_CPPFLAGS = $(LS_TEST_CPPFLAGS)

t_engine_restore_test_vectors_SOURCES = t/engine/restore/test_vectors.c $(RESTORE_TEST_COMMON)
t_engine_restore_test_vectors_LDADD = $(LTX_TEST_LIBS)
t_engine_restore_test_vectors_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_restore_test_vectors_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_restore_test_rebuild_SOURCES = t/engine/restore/test_rebuild.c $(RESTORE_TEST_COMMON)
t_engine_restore_test_rebuild_LDADD = $(LTX_TEST_LIBS)
t_engine_restore_test_rebuild_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_restore_test_rebuild_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_restore_test_restore_SOURCES = t/engine/restore/test_restore.c $(RESTORE_TEST_COMMON)
t_engine_restore_test_restore_LDADD = $(LTX_TEST_LIBS)
t_engine_restore_test_restore_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_restore_test_restore_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_restore_test_v3_SOURCES = t/engine/restore/test_v3.c $(RESTORE_TEST_COMMON)
t_engine_restore_test_v3_LDADD = $(LTX_TEST_LIBS) $(LZ4_LIBS)
t_engine_restore_test_v3_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_restore_test_v3_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_restore_test_verify_SOURCES = t/engine/restore/test_verify.c $(RESTORE_TEST_COMMON)
t_engine_restore_test_verify_LDADD = $(LTX_TEST_LIBS)
t_engine_restore_test_verify_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_restore_test_verify_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_restore_test_points_SOURCES = t/engine/restore/test_points.c $(RESTORE_TEST_COMMON)
t_engine_restore_test_points_LDADD = $(LTX_TEST_LIBS)
t_engine_restore_test_points_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_restore_test_points_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_restore_test_follow_SOURCES = t/engine/restore/test_follow.c t/support/dbkit.h
t_engine_restore_test_follow_LDADD = $(LTX_TEST_LIBS)
t_engine_restore_test_follow_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_restore_test_follow_CPPFLAGS = $(LTX_TEST_CPPFLAGS)
