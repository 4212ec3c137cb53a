# Tests of engine/replica.
UNIT_TESTS += t/engine/replica/test_replica \
	t/engine/replica/test_compact t/engine/replica/test_retain \
	t/engine/replica/test_retain_l0 \
	t/engine/replica/test_erase \
	t/engine/replica/test_lease \
	t/engine/replica/test_faults t/engine/replica/test_levels t/engine/replica/sim_month \
	t/engine/replica/sim_days
check_PROGRAMS += t/engine/replica/test_replica \
	t/engine/replica/test_compact t/engine/replica/test_retain \
	t/engine/replica/test_retain_l0 \
	t/engine/replica/test_erase \
	t/engine/replica/test_lease \
	t/engine/replica/test_faults t/engine/replica/test_levels t/engine/replica/sim_month \
	t/engine/replica/sim_days
t_engine_replica_test_replica_SOURCES = t/engine/replica/test_replica.c t/support/dbkit.h
t_engine_replica_test_replica_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_replica_test_replica_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_replica_test_replica_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_replica_test_compact_SOURCES = t/engine/replica/test_compact.c t/engine/replica/levels.h \
	$(RESTORE_TEST_COMMON)
t_engine_replica_test_compact_LDADD = $(LTX_TEST_LIBS)
t_engine_replica_test_compact_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_replica_test_compact_CPPFLAGS = $(LTX_TEST_CPPFLAGS)
t_engine_replica_test_retain_SOURCES = t/engine/replica/test_retain.c t/engine/replica/levels.h \
	$(RESTORE_TEST_COMMON)
t_engine_replica_test_retain_LDADD = $(LTX_TEST_LIBS)
t_engine_replica_test_retain_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_replica_test_retain_CPPFLAGS = $(LTX_TEST_CPPFLAGS)
t_engine_replica_test_erase_SOURCES = t/engine/replica/test_erase.c t/engine/replica/levels.h \
	$(RESTORE_TEST_COMMON) $(FAULTSTORE)
t_engine_replica_test_erase_LDADD = $(LTX_TEST_LIBS)
t_engine_replica_test_erase_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTSTORE_LD)
t_engine_replica_test_erase_CPPFLAGS = $(LTX_TEST_CPPFLAGS)
t_engine_replica_test_faults_SOURCES = t/engine/replica/test_faults.c $(MODEL) $(FAULTSTORE)
t_engine_replica_test_faults_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_replica_test_faults_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTSTORE_LD)
t_engine_replica_test_faults_CPPFLAGS = $(LS_TEST_CPPFLAGS)
SIM = t/engine/replica/sim.c t/engine/replica/sim.h t/support/listing.c t/support/listing.h $(FAULTSTORE)
t_engine_replica_sim_month_SOURCES = t/engine/replica/sim_month.c $(SIM) t/support/model.c \
	t/support/model.h
t_engine_replica_sim_days_SOURCES = t/engine/replica/sim_days.c $(SIM) t/support/dbkit.h
t_engine_replica_sim_days_LDADD = $(LS_TEST_LIBS) $(SQLITE_LIBS)
t_engine_replica_sim_days_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTSTORE_LD)
t_engine_replica_sim_days_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_replica_sim_month_LDADD = $(LS_TEST_LIBS)
t_engine_replica_sim_month_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTSTORE_LD)
t_engine_replica_sim_month_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_replica_test_levels_SOURCES = t/engine/replica/test_levels.c $(MODEL) $(FAULTSTORE)
t_engine_replica_test_levels_LDADD = $(LS_TEST_LIBS)
t_engine_replica_test_levels_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTSTORE_LD)
t_engine_replica_test_levels_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_replica_test_retain_l0_SOURCES = t/engine/replica/test_retain_l0.c $(MODEL) $(FAULTSTORE)
t_engine_replica_test_retain_l0_LDADD = $(LS_TEST_LIBS)
t_engine_replica_test_retain_l0_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTSTORE_LD)
t_engine_replica_test_retain_l0_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_replica_test_lease_SOURCES = t/engine/replica/test_lease.c t/backends/conformance.c \
	t/backends/conformance.h $(MEMSTORE)
t_engine_replica_test_lease_LDADD = $(LS_TEST_LIBS)
t_engine_replica_test_lease_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_replica_test_lease_CPPFLAGS = $(LS_TEST_CPPFLAGS)
