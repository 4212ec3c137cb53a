/*
 * JSON output, indented by two blanks, or one value a line for jq and its like. The caller gives
 * values in order; commas, line breaks and escapes come from here. Text that is no valid UTF-8 gets
 * U+FFFD for each wrong byte.
 */
#ifndef LS_CMD_JSON_H
#define LS_CMD_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct ls_json {
    FILE *out;
    int depth;
    bool empty; /* nothing in the innermost object or array yet */
    bool line;  /* no line breaks inside a value */
} ls_json;

void ls_json_init(ls_json *j, FILE *out);
void ls_json_init_line(ls_json *j, FILE *out);

/* key is NULL inside arrays and for the outermost value. */
void ls_json_object(ls_json *j, const char *key);
void ls_json_object_end(ls_json *j);
void ls_json_array(ls_json *j, const char *key);
void ls_json_array_end(ls_json *j);
void ls_json_str(ls_json *j, const char *key, const char *value); /* value NULL: null */
void ls_json_int(ls_json *j, const char *key, int64_t value);
void ls_json_uint(ls_json *j, const char *key, uint64_t value);
void ls_json_raw(ls_json *j, const char *key, const char *text); /* a number as it is */
void ls_json_bool(ls_json *j, const char *key, bool value);

/* The line break behind the outermost value. */
void ls_json_end(ls_json *j);

#endif
