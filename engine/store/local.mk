nobase_pkginclude_HEADERS += engine/store/store.h 
