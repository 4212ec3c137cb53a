nobase_pkginclude_HEADERS += engine/control/client.h engine/control/heartbeat.h \
	engine/control/server.h
# The server is also built into tests, on a store that only says what it is told.
LS_CONTROL_SERVER = \
	engine/control/answer.c \
	engine/control/databases.c \
	engine/control/events.c \
	engine/control/http.c \
	engine/control/internal.h \
	engine/control/jobs.c \
	engine/control/jobs.h \
	engine/control/listen.c \
	engine/control/metrics.c \
	engine/control/routes.c \
	engine/control/routes.h \
	engine/control/server.c \
	engine/control/state.c \
	engine/control/tasks.c \
	engine/control/watch.c
liblitestream_la_SOURCES += engine/control/client.c engine/control/heartbeat.c \
	$(LS_CONTROL_SERVER)
