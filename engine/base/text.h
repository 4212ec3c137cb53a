/*
 * Text forms of numbers, times, durations and sizes, as the command line, the configuration and the
 * logs show them. Parsers take the whole string or fail.
 */
#ifndef LS_BASE_TEXT_H
#define LS_BASE_TEXT_H

#include "engine/base/error.h"

#include <stdint.h>

/* Durations are nanoseconds in an int64_t. */
#define LS_MS 1000000LL
#define LS_SEC 1000000000LL

/* "1h30m", "1.5s", "300ms", "0", with ns us µs ms s m h and also d (24 h) and w (7 d). A bare
 * number but 0 is refused with a hint naming the unit. Sign allowed. */
LS_MUST ls_code ls_duration_parse(const char *text, int64_t *ns, ls_err *err);

/* Go's form: "1m0s", "500ms", "1.5s", "0s". buf of at least 32 bytes; returns buf. */
char *ls_duration_format(int64_t ns, char *buf, size_t size);

/* RFC 3339 with any fraction, offset or Z -> ms since 1970 (fraction cut). */
LS_MUST ls_code ls_time_parse(const char *text, int64_t *ms, ls_err *err);

/* UTC: seconds "2006-01-02T15:04:05Z"; milliseconds "2006-01-02T15:04:05.000Z" (with_ms). */
char *ls_time_format(int64_t ms, bool with_ms, char *buf, size_t size);

/* Bytes with SI prefixes as `litestream status` prints them: "9 B", "1.0 kB", "25 kB", "1.2 GB"
 * (below 10 one decimal, rounded down after adding half a tenth). */
char *ls_bytes_format(uint64_t n, char *buf, size_t size);

/* "5MB", "1.5 GiB", "100": bytes. Units k m g t p e (1000) and ki mi ... (1024), b optional. */
LS_MUST ls_code ls_bytes_parse(const char *text, int64_t *n, ls_err *err);

/* Exactly 16 hexadecimal digits, either case. false if not. */
LS_MUST bool ls_hex64_parse(const char *text, size_t len, uint64_t *value);

/* The name among names (NULL-terminated) that is nearest to word by edit distance, NULL if none is
 * near enough to be a typing error (more than a third of the word differs). */
const char *ls_nearest(const char *word, const char *const *names);

/* Does text start with prefix? */
bool ls_has_prefix(const char *text, const char *prefix);

#endif
