# What every command-line program shares: options and help from tables, tables and JSON for output.
LS_CMD_COMMON = cmd/options.c cmd/options.h cmd/program.c cmd/table.c cmd/table.h cmd/json.c \
	cmd/json.h

# The ltx program without its main().
LS_CMD_LTX = cmd/ltx.c cmd/ltx.h cmd/ltx_apply.c cmd/ltx_checksum.c cmd/ltx_dump.c \
	cmd/ltx_dump_view.c cmd/ltx_dump_view.h cmd/ltx_encode_db.c cmd/ltx_input.c \
	cmd/ltx_input.h cmd/ltx_list.c cmd/ltx_show.c cmd/ltx_verify.c
bin_PROGRAMS += ltx
ltx_SOURCES = cmd/ltx_main.c $(LS_CMD_LTX) $(LS_CMD_COMMON)
ltx_LDADD = $(LS_LIBS)
ltx_LDFLAGS = $(AM_LDFLAGS) -static

# The litestream program without its main().
LS_CMD_LITESTREAM = \
	cmd/child.c \
	cmd/child.h \
	cmd/cmd_check.c \
	cmd/cmd_control.c \
	cmd/cmd_databases.c \
	cmd/cmd_info.c \
	cmd/cmd_ltx.c \
	cmd/cmd_points.c \
	cmd/cmd_replicate.c \
	cmd/cmd_reset.c \
	cmd/cmd_restore.c \
	cmd/cmd_status.c \
	cmd/cmd_verify.c \
	cmd/cmd_version.c \
	cmd/common.c \
	cmd/daemon.c \
	cmd/daemon.h \
	cmd/litestream.c \
	cmd/litestream.h \
	cmd/progress.c \
	cmd/progress.h \
	cmd/reread.c \
	cmd/reread.h \
	cmd/reset.h \
	cmd/reset_remote.c \
	cmd/serve.c \
	cmd/serve.h \
	cmd/words.c \
	cmd/words.h
bin_PROGRAMS += litestream
litestream_SOURCES = cmd/litestream_main.c $(LS_CMD_LITESTREAM) $(LS_CMD_COMMON)
litestream_LDADD = $(LS_LIBS)
litestream_LDFLAGS = $(AM_LDFLAGS) -static

# Writes manual pages and shell completion from the tables of both programs, at build time.
noinst_PROGRAMS += cmd/mkdoc
cmd_mkdoc_SOURCES = cmd/mkdoc.c cmd/mkdoc.h cmd/mkdoc_complete.c cmd/mkdoc_man.c cmd/mkdoc_tui.c \
	cmd/mkdoc_yml.c tui/request.c tui/request.h tui/tui.c tui/tui.h \
	$(LS_CMD_LITESTREAM) $(LS_CMD_LTX) $(LS_CMD_COMMON)
cmd_mkdoc_LDADD = $(LS_LIBS)
cmd_mkdoc_LDFLAGS = $(AM_LDFLAGS) -static
