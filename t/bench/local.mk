# make bench: our speed against lz4 on this machine. No test: nothing depends on the figures.
EXTRA_DIST += t/bench/bench.py t/bench/measure.py t/bench/restore_files.py t/bench/levels.py
check_PROGRAMS += t/bench/compact_bench
t_bench_compact_bench_SOURCES = t/bench/compact_bench.c
t_bench_compact_bench_LDADD = liblitestream.la
t_bench_compact_bench_LDFLAGS = $(AM_LDFLAGS) -static
# The inspector: make bench-tui.
EXTRA_DIST += t/bench/tui.py
check_PROGRAMS += t/bench/tui_bench
t_bench_tui_bench_SOURCES = t/bench/tui_bench.c $(LS_TUI) $(LS_CMD_COMMON)
t_bench_tui_bench_LDADD = $(LS_LIBS)
t_bench_tui_bench_LDFLAGS = $(AM_LDFLAGS) -static
bench-tui: litestream-tui t/bench/tui_bench
	$(PYTHON3) $(srcdir)/t/bench/tui.py -bin . $(TUI_BENCH_FLAGS)
bench: $(bin_PROGRAMS) t/bench/compact_bench
	$(T_ENV) $(PYTHON3) $(srcdir)/t/bench/bench.py -bin . $(BENCH_FLAGS)
	$(T_ENV) $(PYTHON3) $(srcdir)/t/bench/levels.py -bin . $(LEVELS_FLAGS)
.PHONY: bench bench-tui
