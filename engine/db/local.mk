nobase_pkginclude_HEADERS += engine/db/db.h 
