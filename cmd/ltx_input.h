/*
 * Which files a command of `ltx` is to read: files, folders and standard input ("-") as given on
 * the command line, in order. A folder stands for the .ltx files in it by name, which is their
 * TXID order; a replica (a folder with ltx/ inside, or that ltx/ folder) for those of its levels
 * 0 to 9, one after the other.
 */
#ifndef LS_CMD_LTX_INPUT_H
#define LS_CMD_LTX_INPUT_H

#include "engine/base/io.h"

/* Most files of one command line; listings of larger replicas go level by level. */
#define LS_LTX_INPUTS_MAX (4u << 20)

typedef struct ls_ltx_input {
    char *path;  /* owned; "-" is standard input */
    ls_err *err; /* owned; NULL, or why the folder of that path gave no files */
} ls_ltx_input;

typedef struct ls_ltx_inputs {
    ls_ltx_input *item;
    size_t n;
    size_t cap;
} ls_ltx_inputs;

/* Expands the arguments. A folder that cannot be read or holds nothing becomes an item with an
 * error, so that the other arguments are still done; failures here are lack of memory and too many
 * files. ls_ltx_inputs_done in every case. */
LS_MUST ls_code ls_ltx_inputs_init(ls_ltx_inputs *in, char *const *args, int n, ls_err *err);
void ls_ltx_inputs_done(ls_ltx_inputs *in);

/* Opens for reading: "open PATH: ...", or the item's own error. *fd is the reader's; do not close
 * it. */
LS_MUST ls_code ls_ltx_input_open(const ls_ltx_input *item, ls_reader **r, int *fd, ls_err *err);

/* Is it standard input? */
bool ls_ltx_input_is_stdin(const ls_ltx_input *item);

/* Opens a path: "open PATH: ..."; a hint where it looks like a flag behind an argument. */
LS_MUST ls_code ls_ltx_open_path(const char *path, int flags, int *fd, ls_err *err);

#endif
