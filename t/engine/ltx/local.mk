# Tests of engine/ltx.
LTX_TEST_LIBS = $(LS_TEST_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)
LTX_TEST_CPPFLAGS = $(LS_TEST_CPPFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
LTX_TEST_COMMON = t/engine/ltx/support.c t/engine/ltx/support.h t/engine/ltx/vectors.c \
	t/engine/ltx/vectors.h

EXTRA_DIST += t/vectors/README.md t/vectors/checksums.json t/vectors/cli.json \
	t/vectors/encode_errors.json t/vectors/headers.json t/vectors/manifest.json \
	t/vectors/pagedata.json t/vectors/parse.json t/vectors/compact t/vectors/corrupt \
	t/vectors/db t/vectors/ltx t/vectors/replica-a t/vectors/replica-head t/vectors/v03-a

UNIT_TESTS += t/engine/ltx/test_ltx t/engine/ltx/test_files t/engine/ltx/test_encode t/engine/ltx/test_page t/engine/ltx/test_index t/engine/ltx/test_merge t/engine/ltx/test_dbfile t/engine/ltx/test_memory t/engine/ltx/test_replicas t/engine/ltx/test_run
check_PROGRAMS += t/engine/ltx/test_ltx t/engine/ltx/test_files t/engine/ltx/test_encode t/engine/ltx/test_page t/engine/ltx/test_index t/engine/ltx/test_merge t/engine/ltx/test_dbfile t/engine/ltx/test_memory t/engine/ltx/test_replicas t/engine/ltx/test_run

t_engine_ltx_test_ltx_SOURCES = t/engine/ltx/test_ltx.c $(LTX_TEST_COMMON)
t_engine_ltx_test_ltx_LDADD = $(LTX_TEST_LIBS)
t_engine_ltx_test_ltx_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_ltx_test_ltx_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_ltx_test_files_SOURCES = t/engine/ltx/test_files.c t/engine/ltx/own_texts.inc \
	$(LTX_TEST_COMMON)
t_engine_ltx_test_files_LDADD = $(LTX_TEST_LIBS)
t_engine_ltx_test_files_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_ltx_test_files_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_ltx_test_encode_SOURCES = t/engine/ltx/test_encode.c $(LTX_TEST_COMMON)
t_engine_ltx_test_encode_LDADD = $(LTX_TEST_LIBS)
t_engine_ltx_test_encode_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_ltx_test_encode_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_ltx_test_page_SOURCES = t/engine/ltx/test_page.c $(LTX_TEST_COMMON)
t_engine_ltx_test_page_LDADD = $(LTX_TEST_LIBS) $(LZ4_LIBS)
t_engine_ltx_test_page_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_ltx_test_page_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_ltx_test_index_SOURCES = t/engine/ltx/test_index.c $(LTX_TEST_COMMON)
t_engine_ltx_test_index_LDADD = $(LTX_TEST_LIBS)
t_engine_ltx_test_index_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_ltx_test_index_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_ltx_test_merge_SOURCES = t/engine/ltx/test_merge.c $(LTX_TEST_COMMON)
t_engine_ltx_test_merge_LDADD = $(LTX_TEST_LIBS)
t_engine_ltx_test_merge_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_ltx_test_merge_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_ltx_test_dbfile_SOURCES = t/engine/ltx/test_dbfile.c $(LTX_TEST_COMMON)
t_engine_ltx_test_dbfile_LDADD = $(LTX_TEST_LIBS)
t_engine_ltx_test_dbfile_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_ltx_test_dbfile_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_ltx_test_memory_SOURCES = t/engine/ltx/test_memory.c $(FAULTS) $(LTX_TEST_COMMON)
t_engine_ltx_test_memory_LDADD = $(LTX_TEST_LIBS) $(SQLITE_LIBS)
t_engine_ltx_test_memory_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTS_LD)
t_engine_ltx_test_memory_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_ltx_test_replicas_SOURCES = t/engine/ltx/test_replicas.c $(LTX_TEST_COMMON)
t_engine_ltx_test_replicas_LDADD = $(LTX_TEST_LIBS)
t_engine_ltx_test_replicas_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_ltx_test_replicas_CPPFLAGS = $(LTX_TEST_CPPFLAGS)

t_engine_ltx_test_run_SOURCES = t/engine/ltx/test_run.c t/support/must.h
t_engine_ltx_test_run_LDADD = $(LS_TEST_LIBS)
t_engine_ltx_test_run_LDFLAGS = $(AM_LDFLAGS) -static
t_engine_ltx_test_run_CPPFLAGS = $(LS_TEST_CPPFLAGS)
