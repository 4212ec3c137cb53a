# Each call of each job fails once.
FAULTS_WORLD = t/engine/faults/world.c t/engine/faults/world.h t/support/dbkit.h $(FAULTS)
UNIT_TESTS += t/engine/faults/test_capture t/engine/faults/test_upload \
	t/engine/faults/test_restore t/engine/faults/test_follow t/engine/faults/test_jobs
check_PROGRAMS += t/engine/faults/test_capture t/engine/faults/test_upload \
	t/engine/faults/test_restore t/engine/faults/test_follow t/engine/faults/test_jobs

t_engine_faults_test_capture_SOURCES = t/engine/faults/test_capture.c $(FAULTS_WORLD)
t_engine_faults_test_capture_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_faults_test_capture_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTS_LD)
t_engine_faults_test_capture_CPPFLAGS = $(LS_TEST_CPPFLAGS)

t_engine_faults_test_upload_SOURCES = t/engine/faults/test_upload.c $(FAULTS_WORLD)
t_engine_faults_test_upload_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_faults_test_upload_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTS_LD)
t_engine_faults_test_upload_CPPFLAGS = $(LS_TEST_CPPFLAGS)

t_engine_faults_test_restore_SOURCES = t/engine/faults/test_restore.c $(FAULTS_WORLD)
t_engine_faults_test_restore_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS) $(LZ4_LIBS)
t_engine_faults_test_restore_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTS_LD)
t_engine_faults_test_restore_CPPFLAGS = $(LS_TEST_CPPFLAGS)

t_engine_faults_test_follow_SOURCES = t/engine/faults/test_follow.c $(FAULTS_WORLD)
t_engine_faults_test_follow_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_faults_test_follow_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTS_LD)
t_engine_faults_test_follow_CPPFLAGS = $(LS_TEST_CPPFLAGS)

t_engine_faults_test_jobs_SOURCES = t/engine/faults/test_jobs.c $(MODEL) $(FAULTS)
t_engine_faults_test_jobs_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_faults_test_jobs_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTS_LD)
t_engine_faults_test_jobs_CPPFLAGS = $(LS_TEST_CPPFLAGS)
