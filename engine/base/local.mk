nobase_pkginclude_HEADERS += engine/base/buf.h engine/base/cancel.h engine/base/clock.h \
	engine/base/error.h engine/base/file.h engine/base/glob.h engine/base/io.h \
	engine/base/log.h \
	engine/base/map.h engine/base/pool.h engine/base/quote.h engine/base/text.h
liblitestream_la_SOURCES += engine/base/atomic.c engine/base/buf.c engine/base/cancel.c \
	engine/base/crctable.h \
	engine/base/clock.c engine/base/error.c engine/base/file.c engine/base/glob.c engine/base/io.c \
	engine/base/log.c engine/base/map.c engine/base/path.c engine/base/perm.c engine/base/perm.h \
	engine/base/pool.c engine/base/quote.c engine/base/sqlite.c \
	engine/base/sqlite.h engine/base/text.c
