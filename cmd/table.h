/*
 * Tables: rows are collected first, so that nothing is printed when a later one fails, then written
 * for people (each column as wide as its widest cell plus two blanks, the last one not padded, so
 * that no line ends in blanks) or as JSON.
 */
#ifndef LS_CMD_TABLE_H
#define LS_CMD_TABLE_H

#include "cmd/json.h"
#include "engine/base/buf.h"

#include <stdio.h>

#define LS_TABLE_COLS_MAX 16
#define LS_TABLE_BYTES_MAX (256u << 20)

typedef struct ls_table {
    int cols;
    size_t width[LS_TABLE_COLS_MAX]; /* widest cell so far, in characters */
    ls_buf cells;                    /* NUL-terminated, row after row */
} ls_table;

/* cols is 1..LS_TABLE_COLS_MAX. */
void ls_table_init(ls_table *t, int cols);
void ls_table_done(ls_table *t);

/* Adds a row: cols strings, copied. The header is the first row. */
LS_MUST ls_code ls_table_row(ls_table *t, ls_err *err, const char *const *cells);
#define LS_TABLE_ROW(t, err, ...) ls_table_row((t), (err), (const char *const[]){__VA_ARGS__})

/* For people; control characters become '?'. */
void ls_table_write(const ls_table *t, FILE *out);

/* As an array of objects, the header left out. keys name the columns; bit n of numbers: column n
 * holds numbers, which are written without quotes. */
void ls_table_json(const ls_table *t, ls_json *j, const char *key, const char *const *keys,
                   unsigned numbers);

/* As RFC 4180 has it, the header with it; control characters as they are, inside quotes. */
void ls_table_csv(const ls_table *t, FILE *out);

/* To standard output, in one form or the other. */
void ls_table_print(const ls_table *t, bool json, const char *const *keys, unsigned numbers);

#endif
