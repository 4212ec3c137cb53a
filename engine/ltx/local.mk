nobase_pkginclude_HEADERS += engine/ltx/crc64.h engine/ltx/dbfile.h engine/ltx/decoder.h engine/ltx/encoder.h engine/ltx/index.h engine/ltx/ltx.h engine/ltx/merge.h engine/ltx/page.h 
