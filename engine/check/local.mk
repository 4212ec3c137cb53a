nobase_pkginclude_HEADERS += engine/check/check.h
liblitestream_la_SOURCES += engine/check/check.c engine/check/internal.h engine/check/local.c \
	engine/check/remote.c engine/check/twice.c
