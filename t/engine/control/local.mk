# Tests of engine/control: the server is built into them, on a store that only says what it is told.
LS_CONTROL_KIT = $(LS_CONTROL_SERVER) t/engine/control/fake_store.c t/engine/control/fake_store.h \
	t/engine/control/kit.h t/support/tempdir.h
UNIT_TESTS += t/engine/control/test_routes t/engine/control/test_server \
	t/engine/control/test_client t/engine/control/test_heartbeat
check_PROGRAMS += t/engine/control/test_routes t/engine/control/test_server \
	t/engine/control/test_client t/engine/control/test_heartbeat
t_engine_control_test_routes_SOURCES = t/engine/control/test_routes.c $(LS_CONTROL_KIT)
t_engine_control_test_routes_LDADD = $(LS_TEST_LIBS) $(MHD_LIBS) $(JANSSON_LIBS) -lpthread
t_engine_control_test_routes_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_control_test_routes_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_control_test_server_SOURCES = t/engine/control/test_server.c $(LS_CONTROL_KIT)
t_engine_control_test_server_LDADD = $(LS_TEST_LIBS) $(MHD_LIBS) $(JANSSON_LIBS) -lpthread
t_engine_control_test_server_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_control_test_server_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_control_test_client_SOURCES = t/engine/control/test_client.c $(LS_CONTROL_KIT)
t_engine_control_test_client_LDADD = $(LS_TEST_LIBS) $(MHD_LIBS) $(JANSSON_LIBS) -lpthread
t_engine_control_test_client_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_control_test_client_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_engine_control_test_heartbeat_SOURCES = t/engine/control/test_heartbeat.c \
	engine/control/heartbeat.c t/engine/control/fake_store.c t/engine/control/fake_store.h
t_engine_control_test_heartbeat_LDADD = $(LS_TEST_LIBS) $(MHD_LIBS) $(CURL_LIBS) -lpthread
t_engine_control_test_heartbeat_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_control_test_heartbeat_CPPFLAGS = $(LS_TEST_CPPFLAGS)
# The same as a process, for tests of commands.
check_PROGRAMS += t/engine/control/fake_daemon
t_engine_control_fake_daemon_SOURCES = t/engine/control/fake_daemon.c $(LS_CONTROL_SERVER) \
	t/engine/control/fake_store.c t/engine/control/fake_store.h
t_engine_control_fake_daemon_LDADD = $(LS_LIBS) $(MHD_LIBS) $(JANSSON_LIBS) -lpthread
t_engine_control_fake_daemon_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_control_fake_daemon_CPPFLAGS = $(AM_CPPFLAGS)
