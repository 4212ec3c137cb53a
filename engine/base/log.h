/*
 * Structured log in the reference's three forms: text (time=... level=... msg=... k=v), JSON, and
 * pretty (HH:MM:SS INF ... k=v, for people), one record a line, written with one write(2) each, so
 * that threads and child processes do not mix lines. Ordinary records never contain the word
 * "error": scripts around Litestream count lines that do (spec harness-and-packaging). Secrets are
 * never passed to it.
 */
#ifndef LS_BASE_LOG_H
#define LS_BASE_LOG_H

#include "engine/base/error.h"

#include <stdint.h>

typedef enum ls_level {
    LS_TRACE = -8,
    LS_DEBUG = -4,
    LS_INFO = 0,
    LS_WARN = 4,
    LS_ERROR = 8
} ls_level;
typedef enum ls_log_format { LS_LOG_TEXT, LS_LOG_JSON, LS_LOG_PRETTY } ls_log_format;

typedef enum ls_attr_kind {
    LS_ATTR_END,
    LS_ATTR_STR,
    LS_ATTR_INT,
    LS_ATTR_TXID,     /* 16 hexadecimal digits */
    LS_ATTR_DURATION, /* nanoseconds: Go's form in text, a number in JSON */
    LS_ATTR_BOOL,
} ls_attr_kind;

typedef struct ls_attr {
    ls_attr_kind kind;
    const char *key;
    const char *str;
    int64_t num;
} ls_attr;

#define LS_STR(k, v) ((ls_attr){.kind = LS_ATTR_STR, .key = (k), .str = (v)})
#define LS_INT(k, v) ((ls_attr){.kind = LS_ATTR_INT, .key = (k), .num = (int64_t)(v)})
#define LS_TXID(k, v) ((ls_attr){.kind = LS_ATTR_TXID, .key = (k), .num = (int64_t)(v)})
#define LS_DUR(k, v) ((ls_attr){.kind = LS_ATTR_DURATION, .key = (k), .num = (v)})
#define LS_BOOL(k, v) ((ls_attr){.kind = LS_ATTR_BOOL, .key = (k), .num = (v)})
/* Attributes of one record: ls_log(log, LS_INFO, "ltx file uploaded", LS_ATTRS(LS_INT("level", 0)))
 */
#define LS_ATTRS(...) ((const ls_attr[]){__VA_ARGS__, {.kind = LS_ATTR_END}})

typedef struct ls_log {
    int fd;
    ls_level level; /* records below are dropped */
    ls_log_format format;
    bool source; /* records name their place in the source */
    bool color;  /* pretty ones are coloured: fd is a terminal */
} ls_log;

/* Text, INFO, to standard output, as before a configuration is read. */
#define LS_LOG_DEFAULT                                                                             \
    (ls_log) { .fd = 1, .level = LS_INFO, .format = LS_LOG_TEXT }

/* Where a record is written from. */
typedef struct ls_log_place {
    const char *function, *file; /* file as the compiler was given it */
    int line;
} ls_log_place;
#define LS_LOG_HERE (&(const ls_log_place){__func__, __FILE__, __LINE__})

/* Writes one record; attrs may be NULL. log may be NULL: nothing is written. Thread-safe. */
#define ls_log_write(log, level, msg, attrs) ls_log_put(log, LS_LOG_HERE, level, msg, attrs)
void ls_log_put(const ls_log *log, const ls_log_place *place, ls_level level, const char *msg,
                const ls_attr *attrs);

/* A record with "error" and, where there is one, "hint" in front of attrs (which may be NULL). */
#define ls_log_err(log, level, msg, err, attrs)                                                    \
    ls_log_put_err(log, LS_LOG_HERE, level, msg, err, attrs)
void ls_log_put_err(const ls_log *log, const ls_log_place *place, ls_level level, const char *msg,
                    const ls_err *err, const ls_attr *attrs);

/* text, json or pretty; anything else is false, and *format stays as it is. */
bool ls_log_format_parse(const char *text, ls_log_format *format);

/* trace debug info warn warning error, any case; anything else is INFO (false is returned). */
bool ls_level_parse(const char *text, ls_level *level);

#endif
