nobase_pkginclude_HEADERS += engine/store/calls.h engine/store/schedule.h engine/store/store.h
liblitestream_la_SOURCES += \
	engine/store/bring.c \
	engine/store/call.h \
	engine/store/calls.c \
	engine/store/calls_set.c \
	engine/store/calls_work.c \
	engine/store/dirs.c \
	engine/store/entry.c \
	engine/store/events.c \
	engine/store/final.c \
	engine/store/halt.c \
	engine/store/hooks.c \
	engine/store/internal.h \
	engine/store/maint.c \
	engine/store/meter.c \
	engine/store/meter.h \
	engine/store/notify.c \
	engine/store/notify.h \
	engine/store/reload.c \
	engine/store/scan.c \
	engine/store/scan.h \
	engine/store/schedule.c \
	engine/store/seen.c \
	engine/store/set.c \
	engine/store/state.c \
	engine/store/store.c \
	engine/store/tenure.c \
	engine/store/watch.c
