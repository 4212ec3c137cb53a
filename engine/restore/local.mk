nobase_pkginclude_HEADERS += engine/restore/restore.h 
