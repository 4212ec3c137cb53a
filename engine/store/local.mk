nobase_pkginclude_HEADERS += engine/store/schedule.h engine/store/store.h
liblitestream_la_SOURCES += \
	engine/store/entry.c \
	engine/store/final.c \
	engine/store/internal.h \
	engine/store/maint.c \
	engine/store/schedule.c \
	engine/store/store.c \
	engine/store/watch.c
