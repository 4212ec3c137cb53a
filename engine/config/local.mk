nobase_pkginclude_HEADERS += engine/config/config.h 
