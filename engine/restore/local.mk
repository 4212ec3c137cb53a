nobase_pkginclude_HEADERS += engine/restore/restore.h engine/restore/v3.h \
	engine/restore/points.h engine/restore/verify.h engine/restore/follow.h
liblitestream_la_SOURCES += engine/restore/choose.c engine/restore/choose.h \
	engine/restore/plan.c engine/restore/source.c engine/restore/source.h \
	engine/restore/chunk.c engine/restore/chunk.h engine/restore/pipeline.c \
	engine/restore/pipeline.h engine/restore/rebuild.c engine/restore/integrity.c \
	engine/restore/integrity.h engine/restore/target.c engine/restore/target.h \
	engine/restore/restore.c engine/restore/look.c engine/restore/look.h engine/restore/v3.c \
	engine/restore/v3list.c engine/restore/v3list.h engine/restore/v3log.c \
	engine/restore/v3log.h engine/restore/lz4stream.c engine/restore/lz4stream.h \
	engine/restore/listing.c engine/restore/listing.h engine/restore/sweep.c \
	engine/restore/sweep.h engine/restore/points.c engine/restore/verify.c \
	engine/restore/verify_file.c engine/restore/verify_file.h engine/restore/lastverify.c \
	engine/restore/journal.c engine/restore/journal.h engine/restore/live.c engine/restore/live.h \
	engine/restore/apply.c engine/restore/apply.h engine/restore/next.c engine/restore/next.h \
	engine/restore/follow.c
