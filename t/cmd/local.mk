# Tests of cmd.
UNIT_TESTS += t/cmd/test_options t/cmd/test_output t/cmd/test_words
check_PROGRAMS += t/cmd/test_options t/cmd/test_output t/cmd/test_words
t_cmd_test_options_SOURCES = t/cmd/test_options.c $(LS_CMD_COMMON)
t_cmd_test_options_LDADD = $(LS_TEST_LIBS)
t_cmd_test_options_LDFLAGS = $(AM_LDFLAGS) -static
t_cmd_test_options_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_cmd_test_output_SOURCES = t/cmd/test_output.c $(LS_CMD_COMMON)
t_cmd_test_output_LDADD = $(LS_TEST_LIBS)
t_cmd_test_output_LDFLAGS = $(AM_LDFLAGS) -static
t_cmd_test_output_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_cmd_test_words_SOURCES = t/cmd/test_words.c cmd/words.c
t_cmd_test_words_LDADD = $(LS_TEST_LIBS)
t_cmd_test_words_LDFLAGS = $(AM_LDFLAGS) -static
t_cmd_test_words_CPPFLAGS = $(LS_TEST_CPPFLAGS)

# The ltx program, against recorded runs of the Go tool and files of the Go library.
LTX_TESTS = t/cmd/ltx_apply.t t/cmd/ltx_cli.t t/cmd/ltx_dump.t t/cmd/ltx_encode.t t/cmd/ltx_files.t
TAP_TESTS += $(LTX_TESTS)
EXTRA_DIST += $(LTX_TESTS)

LITESTREAM_TAP = t/cmd/litestream_help.t t/cmd/litestream_config.t t/cmd/litestream_ltx.t \
	t/cmd/litestream_status.t t/cmd/litestream_restore.t t/cmd/litestream_v3.t \
	t/cmd/litestream_verify.t t/cmd/litestream_points.t t/cmd/manuals.t t/cmd/bad_input.t \
	t/cmd/litestream_replicate.t
TAP_TESTS += $(LITESTREAM_TAP)
EXTRA_DIST += $(LITESTREAM_TAP) t/cmd/program.py

CONTROL_TAP = t/cmd/control_forms.t t/cmd/control.t t/cmd/dir.t t/cmd/exec.t \
	t/cmd/heartbeat.t t/cmd/check.t t/cmd/check_stores.t t/cmd/subcommands.t \
	t/cmd/dashboard.t t/cmd/reset_remote.t t/cmd/reset_stores.t
TAP_TESTS += $(CONTROL_TAP)
EXTRA_DIST += $(CONTROL_TAP)

FOLLOW_TAP = t/cmd/follow.t t/cmd/progress.t
TAP_TESTS += $(FOLLOW_TAP)
EXTRA_DIST += $(FOLLOW_TAP)

# Whole stories: an application, a daemon, and what a restore gives.
REPLICATE_TAP = t/cmd/replicate_live.t t/cmd/replicate_restart.t t/cmd/replicate_reports.t
TAP_TESTS += $(REPLICATE_TAP)
EXTRA_DIST += $(REPLICATE_TAP)

# The daemon killed at any moment under writers of all kinds (CHAOS_SECONDS, 60), the power failing
# under it and under a follower, every TXID, what SQLite's log and index can say of a commit, a folder
# whose databases come and go (DIR_CHAOS_SECONDS, 5), levels within seconds, and many databases in a
# storm of requests (STORM_SECONDS, 6).
CHAOS_TESTS = t/cmd/chaos_kill.t t/cmd/power_loss.t t/cmd/power_loss_follow.t t/cmd/big.t \
	t/cmd/prefix.t t/cmd/broken_log.t t/cmd/dir_chaos.t t/cmd/killed_writer.t t/cmd/levels.t \
	t/cmd/notice.t t/cmd/storm_daemon.t t/cmd/bring.t
TAP_TESTS += $(CHAOS_TESTS)
EXTRA_DIST += $(CHAOS_TESTS)

# Stores on real servers of this machine.
STORE_TESTS =
if HAVE_SFTP
STORE_TESTS += t/cmd/store_sftp.t
endif
if HAVE_NATS
STORE_TESTS += t/cmd/store_nats.t
endif
if HAVE_WEBDAV
STORE_TESTS += t/cmd/store_webdav.t
endif
TAP_TESTS += $(STORE_TESTS)
EXTRA_DIST += t/cmd/store_sftp.t t/cmd/store_nats.t t/cmd/store_webdav.t

# litestream with disks that a test can fill.
check_PROGRAMS += t/cmd/litestream_full
t_cmd_litestream_full_SOURCES = cmd/litestream_main.c $(LS_CMD_LITESTREAM) $(LS_CMD_COMMON) $(FULL_DISK)
t_cmd_litestream_full_LDADD = $(LS_LIBS) $(SQLITE_LIBS)
t_cmd_litestream_full_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTS_LD)
t_cmd_litestream_full_CPPFLAGS = $(AM_CPPFLAGS)
TAP_TESTS += t/cmd/disk_full.t
EXTRA_DIST += t/cmd/disk_full.t

# Stores behind a network, each from a daemon to a restore, on a server of t/servers.
STORE_TAP = t/cmd/store_s3.t t/cmd/store_gs.t t/cmd/store_abs.t t/cmd/store_oss.t \
	t/cmd/store_v3.t t/cmd/store_corrupt.t
TAP_TESTS += $(STORE_TAP)
EXTRA_DIST += $(STORE_TAP) t/cmd/stores.py

# Two daemons with one replica.
LEASE_TAP = t/cmd/lease.t t/cmd/lease_s3.t
TAP_TESTS += $(LEASE_TAP)
EXTRA_DIST += $(LEASE_TAP) t/cmd/leases.py
