nobase_pkginclude_HEADERS += backends/storage.h
