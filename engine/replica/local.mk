nobase_pkginclude_HEADERS += engine/replica/compact.h engine/replica/erase.h \
	engine/replica/replica.h \
	engine/replica/retain.h
liblitestream_la_SOURCES += \
	engine/replica/base.c \
	engine/replica/check.c \
	engine/replica/compact.c \
	engine/replica/compact_merge.c \
	engine/replica/compact_merge.h \
	engine/replica/ends.c \
	engine/replica/erase.c \
	engine/replica/erase.h \
	engine/replica/guard.c \
	engine/replica/guard.h \
	engine/replica/internal.h \
	engine/replica/joined.c \
	engine/replica/joined.h \
	engine/replica/keeper.c \
	engine/replica/keeper.h \
	engine/replica/lease.c \
	engine/replica/lease.h \
	engine/replica/lease_text.c \
	engine/replica/lease_text.h \
	engine/replica/leased.c \
	engine/replica/repair.c \
	engine/replica/repair.h \
	engine/replica/replica.c \
	engine/replica/retain.c \
	engine/replica/retain_common.c \
	engine/replica/retain_common.h \
	engine/replica/retain_l0.c \
	engine/replica/snapshot.c \
	engine/replica/snapshot.h
