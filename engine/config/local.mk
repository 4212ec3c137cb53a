nobase_pkginclude_HEADERS += engine/config/config.h engine/config/scalar.h
liblitestream_la_SOURCES += engine/config/scalar.c
