# Fuzz targets. Linked with libFuzzer by --enable-fuzzing; else with a main that replays corpora.
if FUZZING
FUZZ_MAIN =
FUZZ_LINK = $(AM_LDFLAGS) -static -fsanitize=fuzzer
else
FUZZ_MAIN = t/fuzz/replay.c
FUZZ_LINK = $(AM_LDFLAGS) -static
endif
FUZZ_TARGETS = answer btree config control decoder env header index names url wal xml

check_PROGRAMS += t/fuzz/fuzz_answer t/fuzz/fuzz_env
t_fuzz_fuzz_answer_SOURCES = t/fuzz/fuzz_answer.c t/fuzz/fuzz.h $(FUZZ_MAIN)
t_fuzz_fuzz_answer_LDADD = $(LS_LIBS) $(JANSSON_LIBS) -lpthread
t_fuzz_fuzz_answer_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_env_SOURCES = t/fuzz/fuzz_env.c t/fuzz/fuzz.h $(FUZZ_MAIN)
t_fuzz_fuzz_env_LDADD = $(LS_LIBS)
t_fuzz_fuzz_env_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += t/fuzz/fuzz_btree t/fuzz/fuzz_config t/fuzz/fuzz_control t/fuzz/fuzz_decoder \
	t/fuzz/fuzz_header t/fuzz/fuzz_index t/fuzz/fuzz_names t/fuzz/fuzz_url \
	t/fuzz/fuzz_wal t/fuzz/fuzz_xml
t_fuzz_fuzz_btree_SOURCES = t/fuzz/fuzz_btree.c t/fuzz/fuzz.h tui/btree.c tui/btree_record.c \
	$(FUZZ_MAIN)
t_fuzz_fuzz_btree_LDADD = $(LS_LIBS)
t_fuzz_fuzz_btree_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_config_SOURCES = t/fuzz/fuzz_config.c t/fuzz/fuzz.h $(FUZZ_MAIN)
t_fuzz_fuzz_config_LDADD = $(LS_LIBS)
t_fuzz_fuzz_config_LDFLAGS = $(FUZZ_LINK)
# The table of routes names the handlers, and they ask a store.
t_fuzz_fuzz_control_SOURCES = t/fuzz/fuzz_control.c t/fuzz/fuzz.h $(LS_CONTROL_SERVER) \
	t/engine/control/fake_store.c t/engine/control/fake_store.h $(FUZZ_MAIN)
t_fuzz_fuzz_control_LDADD = $(LS_LIBS) $(MHD_LIBS) $(JANSSON_LIBS) -lpthread
t_fuzz_fuzz_control_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_control_CPPFLAGS = $(AM_CPPFLAGS)
t_fuzz_fuzz_decoder_SOURCES = t/fuzz/fuzz_decoder.c t/fuzz/fuzz.h $(FUZZ_MAIN)
t_fuzz_fuzz_decoder_LDADD = $(LS_LIBS) $(LZ4_LIBS)
t_fuzz_fuzz_decoder_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_header_SOURCES = t/fuzz/fuzz_header.c t/fuzz/fuzz.h $(FUZZ_MAIN)
t_fuzz_fuzz_header_LDADD = $(LS_LIBS)
t_fuzz_fuzz_header_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_index_SOURCES = t/fuzz/fuzz_index.c t/fuzz/fuzz.h $(FUZZ_MAIN)
t_fuzz_fuzz_index_LDADD = $(LS_LIBS)
t_fuzz_fuzz_index_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_names_SOURCES = t/fuzz/fuzz_names.c t/fuzz/fuzz.h $(FUZZ_MAIN)
t_fuzz_fuzz_names_LDADD = $(LS_LIBS)
t_fuzz_fuzz_names_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_url_SOURCES = t/fuzz/fuzz_url.c t/fuzz/fuzz.h $(FUZZ_MAIN)
t_fuzz_fuzz_url_LDADD = $(LS_LIBS)
t_fuzz_fuzz_url_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_wal_SOURCES = t/fuzz/fuzz_wal.c t/fuzz/fuzz.h $(FUZZ_MAIN)
t_fuzz_fuzz_wal_LDADD = $(LS_LIBS)
t_fuzz_fuzz_wal_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_xml_SOURCES = t/fuzz/fuzz_xml.c t/fuzz/fuzz.h $(FUZZ_MAIN)
t_fuzz_fuzz_xml_LDADD = $(LS_LIBS)
t_fuzz_fuzz_xml_LDFLAGS = $(FUZZ_LINK)

TAP_TESTS += t/fuzz/replay.t
EXTRA_DIST += t/fuzz/replay.c t/fuzz/replay.t t/fuzz/run t/fuzz/corpus

# make fuzz FUZZ_SECONDS=N: each target for N seconds; finds stay in fuzz-work for the next time.
FUZZ_SECONDS = 600
if FUZZING
fuzz: $(check_PROGRAMS)
	$(T_ENV) $(srcdir)/t/fuzz/run $(FUZZ_SECONDS) fuzz-work $(FUZZ_TARGETS)
else
fuzz:
	@echo 'make fuzz: configure with CC=clang --enable-fuzzing --enable-asan --enable-ubsan first' >&2
	@exit 1
endif
.PHONY: fuzz
