# Programs that tests of whole commands use, and their own test.
EXTRA_DIST += t/support/chaos.py t/support/daemon.py t/support/dbcompare.py \
	t/support/support.t
TAP_TESTS += t/support/support.t
