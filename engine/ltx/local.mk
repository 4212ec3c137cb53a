nobase_pkginclude_HEADERS += engine/ltx/crc64.h engine/ltx/dbfile.h engine/ltx/decoder.h engine/ltx/encoder.h engine/ltx/index.h engine/ltx/ltx.h engine/ltx/merge.h engine/ltx/page.h 
liblitestream_la_SOURCES += engine/ltx/at_reader.c engine/ltx/at_reader.h engine/ltx/bytes.h \
	engine/ltx/crc64.c engine/ltx/dbfile.c engine/ltx/decoder.c engine/ltx/decoder_raw.h \
	engine/ltx/encoder.c engine/ltx/index.c engine/ltx/ltx.c engine/ltx/lz4frame.c \
	engine/ltx/lz4frame.h engine/ltx/merge.c engine/ltx/page.c engine/ltx/payload.h \
	engine/ltx/rules.c engine/ltx/rules.h engine/ltx/run.c engine/ltx/run.h engine/ltx/spill.c engine/ltx/spill.h
