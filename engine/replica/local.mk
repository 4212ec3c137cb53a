nobase_pkginclude_HEADERS += engine/replica/replica.h 
