nobase_pkginclude_HEADERS += engine/wal/wal.h
liblitestream_la_SOURCES += engine/wal/wal.c engine/wal/bytes.h engine/wal/index.c engine/wal/reader.c \
	engine/wal/pagelist.c engine/wal/pagelist.h engine/wal/range.c engine/wal/range.h \
	engine/wal/range_scan.c engine/wal/range_limits.h
