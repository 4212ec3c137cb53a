pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = engine/litestream.pc
EXTRA_DIST += engine/litestream.pc.in
nobase_pkginclude_HEADERS += engine/litestream.h
liblitestream_la_SOURCES += engine/version.c
include engine/base/local.mk
include engine/ltx/local.mk
include engine/wal/local.mk
include engine/db/local.mk
include engine/replica/local.mk
include engine/restore/local.mk
include engine/config/local.mk
include engine/store/local.mk
include engine/control/local.mk
include engine/check/local.mk
