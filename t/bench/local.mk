# make bench: our speed against lz4 on this machine. No test: nothing depends on the figures.
EXTRA_DIST += t/bench/bench.py t/bench/measure.py t/bench/restore_files.py
bench: $(bin_PROGRAMS)
	$(T_ENV) $(PYTHON3) $(srcdir)/t/bench/bench.py -bin . $(BENCH_FLAGS)
.PHONY: bench
