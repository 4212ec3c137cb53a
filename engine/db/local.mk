nobase_pkginclude_HEADERS += engine/db/db.h engine/db/reset.h engine/db/snapshot.h
liblitestream_la_SOURCES += engine/db/internal.h engine/db/capture.c engine/db/chain.c engine/db/claim.c \
	engine/db/checkpoint.c engine/db/conn.c engine/db/db.c engine/db/full.c engine/db/local.c engine/db/logend.c \
	engine/db/ltxfile.c engine/db/open.c engine/db/reset.c engine/db/snapshot.c engine/db/successor.c
