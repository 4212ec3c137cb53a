/*
 * The commands of the `ltx` program, one file each (cmd/ltx_*.c), and what they share
 * (cmd/ltx_show.c).
 */
#ifndef LS_CMD_LTX_H
#define LS_CMD_LTX_H

#include "cmd/json.h"
#include "cmd/options.h"
#include "engine/ltx/ltx.h"

extern const ls_command ls_ltx_cmd_apply;
extern const ls_command ls_ltx_cmd_checksum;
extern const ls_command ls_ltx_cmd_dump;
extern const ls_command ls_ltx_cmd_encode_db;
extern const ls_command ls_ltx_cmd_list;
extern const ls_command ls_ltx_cmd_verify;
extern const ls_command ls_ltx_cmd_version;

/* The program: its commands in the order of help. */
extern const ls_program ls_ltx_program;

/* "PATH: message" on standard error, with the hint on the next line if asked for. What was printed
 * on standard output so far is flushed first, so that the two stay in order on a terminal. */
void ls_ltx_report(const char *path, const ls_err *err, bool hint);

/* What a command returns after it has reported every bad file: a failure without a message. */
LS_MUST ls_code ls_ltx_failed(ls_err *err);

/* Warns on standard error if a log or journal beside the database holds pages that the database
 * file lacks, as what is made of the file alone is not the current state then. */
void ls_ltx_warn_log(const char *db_path);

/* The size in bytes of DB + suffix ("-wal", "-journal"), 0 if there is none. */
uint64_t ls_ltx_side_size(const char *db_path, const char *suffix);

/* The timestamp of a header in UTC: with the fraction as far as needed (precise), else whole
 * seconds. buf of at least 40 bytes; returns buf. */
char *ls_ltx_time(int64_t ms, bool precise, char *buf, size_t size);

/* A member of 16 hexadecimal digits; the members of a header. */
void ls_ltx_json_hex(ls_json *j, const char *key, uint64_t value);
void ls_ltx_json_header(ls_json *j, const ls_ltx_header *h);

#endif
