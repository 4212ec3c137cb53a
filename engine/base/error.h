/*
 * Errors: a code for programs, a message chain and a hint for people.
 *
 * Every function that can fail returns an ls_code and takes an ls_err as its last argument. The
 * function that meets the failure calls ls_fail(); each caller that knows more (the database, the
 * file, the TXID) puts it in front with ls_wrap(), so that the text reads from the outermost action
 * to the cause: "sync: write ltx file: rename /x/y: No space left on device". The hint says what to
 * do next; the innermost one wins, else the code's own from LS_CODES.
 *
 * An ls_err has a fixed size and never allocates: running out of memory can be reported too.
 */
#ifndef LS_BASE_ERROR_H
#define LS_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define LS_MUST __attribute__((warn_unused_result))
#define LS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* code, stable name (logs, JSON, metrics), hint used where no better one was given */
#define LS_CODES(X)                                                                                \
    X(LS_OK, "ok", "")                                                                             \
    X(LS_ENOMEM, "no_memory", "free some memory or raise the limit, then try again")               \
    X(LS_EIO, "io", "check the disk and the system log")                                           \
    X(LS_ENOTFOUND, "not_found", "check the path or URL")                                          \
    X(LS_EEXISTS, "exists", "choose another path or remove what is there")                         \
    X(LS_EINVALID, "invalid", "see the command's -help")                                           \
    X(LS_ELIMIT, "limit", "the input is larger than any valid one; check where it comes from")     \
    X(LS_ECORRUPT, "corrupt", "the file is damaged; restore from an earlier TXID or another copy") \
    X(LS_ECHECKSUM, "checksum",                                                                    \
      "the file is damaged; restore from an earlier TXID or another "                              \
      "copy")                                                                                      \
    X(LS_EFORMAT, "format", "this is not an LTX file that this version reads")                     \
    X(LS_EFULL, "disk_full", "free some space; nothing is lost, the work goes on by itself")       \
    X(LS_EPERM, "permission", "check owner and mode, or run as the database's user")               \
    X(LS_EBUSY, "busy", "another process holds a lock; it will be tried again")                    \
    X(LS_ECANCELED, "canceled", "")                                                                \
    X(LS_ECONFIG, "config", "see litestream.yml(5)")                                               \
    X(LS_ENOTDB, "not_a_database", "give the path of an SQLite database file")                     \
    X(LS_ENOTREADY, "not_ready", "the database does not exist yet; it is picked up when it does")  \
    X(LS_ENOBACKUP, "no_backup", "list what is there with: litestream ltx -level all")             \
    X(LS_EGAP, "gap", "list what is there with: litestream ltx -level all")                        \
    X(LS_EDIVERGED, "diverged", "two writers may share this replica; give each its own path")      \
    X(LS_ESQLITE, "sqlite", "")                                                                    \
    X(LS_EUNSUPPORTED, "unsupported", "")                                                          \
    X(LS_ETIMEDOUT, "timed_out", "try again, or allow more time")                                  \
    X(LS_EHELD, "held", "another process writes to this replica; give each its own path")          \
    X(LS_EREMOTE, "remote", "")

typedef enum ls_code {
#define LS_X(code, name, hint) code,
    LS_CODES(LS_X)
#undef LS_X
} ls_code;

#define LS_ERR_MSG_MAX 2048
#define LS_ERR_HINT_MAX 512

typedef struct ls_err {
    ls_code code;
    char msg[LS_ERR_MSG_MAX];
    char hint[LS_ERR_HINT_MAX];
} ls_err;

/* An ls_err that says nothing is wrong. */
#define LS_ERR_INIT                                                                                \
    (ls_err) { .code = LS_OK }

/* Sets code and message (overwriting what was there, hint included) and returns code, so that a
 * failing function ends with `return ls_fail(err, LS_EIO, "read %s", path);`. Text that does not
 * fit is cut. Secrets never go into a message. */
ls_code ls_fail(ls_err *err, ls_code code, const char *fmt, ...) LS_PRINTF(3, 4);

/* Like ls_fail, with the code that fits the errno value (ENOENT: LS_ENOTFOUND, ENOSPC and EDQUOT:
 * LS_EFULL, EACCES, EPERM and EROFS: LS_EPERM, ENOMEM: LS_ENOMEM, else LS_EIO) and ": " plus the
 * system's text behind the message. */
ls_code ls_fail_errno(ls_err *err, int errnum, const char *fmt, ...) LS_PRINTF(3, 4);

/* Puts the formatted text and ": " in front of the message; returns err->code. */
ls_code ls_wrap(ls_err *err, const char *fmt, ...) LS_PRINTF(2, 3);

/* Sets the hint unless an inner function already set one; returns err->code. */
ls_code ls_hint(ls_err *err, const char *fmt, ...) LS_PRINTF(2, 3);

/* The hint to show: err's own, else its code's default; "" where there is none. */
const char *ls_err_hint(const ls_err *err);

/* The stable name of a code, "unknown" for a value outside the enum. */
const char *ls_code_name(ls_code code);

/* Back to LS_OK. */
void ls_err_clear(ls_err *err);

#endif
