nobase_pkginclude_HEADERS += engine/wal/wal.h 
