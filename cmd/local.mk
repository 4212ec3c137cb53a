# What every command-line program shares: options and help from tables, tables and JSON for output.
LS_CMD_COMMON = cmd/options.c cmd/options.h cmd/program.c cmd/table.c cmd/table.h cmd/json.c \
	cmd/json.h
