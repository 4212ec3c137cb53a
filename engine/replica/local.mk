nobase_pkginclude_HEADERS += engine/replica/replica.h
liblitestream_la_SOURCES += \
	engine/replica/base.c \
	engine/replica/check.c \
	engine/replica/ends.c \
	engine/replica/internal.h \
	engine/replica/replica.c
