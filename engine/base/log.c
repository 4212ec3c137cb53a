/*
 * Log records: put together in memory, then written with one write(2).
 *
 * Text:  time=2026-11-21T09:02:20.162Z level=INFO msg="ltx file uploaded" level=0 size=4096
 * JSON:  {"time":"2026-11-21T09:02:20.162331Z","level":"INFO","msg":"...","level":0,"size":4096}
 *
 * A key with a dot ("txid.replica") is a group: as it is in text, a nested object in JSON;
 * neighbours of one group share the object.
 */
#include "engine/base/log.h"

#include "engine/base/buf.h"
#include "engine/base/quote.h"
#include "engine/base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* A record that needs more is replaced by a note: a value from outside cannot fill the log. */
#define RECORD_MAX (64 * 1024)
#define STALL_MS 1000 /* how long a full, non-blocking output is waited for */

/* Threads take turns: a pipe keeps only writes of up to PIPE_BUF bytes in one piece. */
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *level_name(ls_level level) {
    if (level < LS_DEBUG) {
        return "TRACE";
    }
    if (level < LS_INFO) {
        return "DEBUG";
    }
    if (level < LS_WARN) {
        return "INFO";
    }
    return level < LS_ERROR ? "WARN" : "ERROR";
}

/* Local time with its offset; milliseconds, or (json) nanoseconds without trailing zeros. */
static void format_now(bool json, char *out, size_t size) {
    struct timespec ts = {0};
    struct tm tm = {0};
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    (void)localtime_r(&ts.tv_sec, &tm);
    char fraction[16];
    int n = json ? snprintf(fraction, sizeof fraction, ".%09ld", ts.tv_nsec)
                 : snprintf(fraction, sizeof fraction, ".%03ld", ts.tv_nsec / 1000000);
    while (json && n > 0 && strchr("0.", fraction[n - 1]) != NULL) {
        char last = fraction[--n];
        fraction[n] = '\0';
        if (last == '.') {
            break;
        }
    }
    char zone[32] = "Z";
    int minutes = (int)(tm.tm_gmtoff / 60);
    if (tm.tm_gmtoff != 0) {
        (void)snprintf(zone, sizeof zone, "%c%02d:%02d", minutes < 0 ? '-' : '+', abs(minutes) / 60,
                       abs(minutes) % 60);
    }
    size_t at = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + at, size - at, "%s%s", fraction, zone);
}

static void write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            if (poll(&p, 1, STALL_MS) == 0) {
                return;
            }
        } else if (n == 0 || errno != EINTR) {
            return; /* there is no place left to say so */
        }
    }
}

/* ---- values ---- */

static ls_code add_text_str(ls_buf *b, const char *s, ls_err *err) {
    size_t len = strlen(s);
    return ls_quote_needed(s, len) ? ls_quote_go(b, s, len, err) : ls_buf_add(b, s, len, err);
}

static ls_code add_str(ls_buf *b, bool json, const char *s, ls_err *err) {
    s = s != NULL ? s : "";
    return json ? ls_quote_json(b, s, strlen(s), err) : add_text_str(b, s, err);
}

static ls_code add_value(ls_buf *b, bool json, const ls_attr *a, ls_err *err) {
    char text[32];
    switch (a->kind) {
    case LS_ATTR_STR:
        return add_str(b, json, a->str, err);
    case LS_ATTR_TXID:
        (void)snprintf(text, sizeof text, "%016" PRIx64, (uint64_t)a->num);
        return add_str(b, json, text, err);
    case LS_ATTR_DURATION:
        if (!json) {
            return add_text_str(b, ls_duration_format(a->num, text, sizeof text), err);
        }
        return ls_buf_addf(b, err, "%" PRId64, a->num);
    case LS_ATTR_BOOL:
        return ls_buf_addf(b, err, "%s", a->num != 0 ? "true" : "false");
    case LS_ATTR_INT:
    case LS_ATTR_END:
        break;
    }
    return ls_buf_addf(b, err, "%" PRId64, a->num);
}

/* ---- records ---- */

static ls_code add_text_attrs(ls_buf *b, const ls_attr *a, ls_err *err) {
    ls_code code = LS_OK;
    for (; code == LS_OK && a != NULL && a->kind != LS_ATTR_END; a++) {
        code = ls_buf_add(b, " ", 1, err);
        if (code == LS_OK) {
            code = add_text_str(b, a->key, err);
        }
        if (code == LS_OK) {
            code = ls_buf_add(b, "=", 1, err);
        }
        if (code == LS_OK) {
            code = add_value(b, false, a, err);
        }
    }
    return code;
}

/* Bytes of the group in front of the key's first dot, 0 without one. */
static size_t group_len(const char *key) {
    const char *dot = strchr(key, '.');
    return dot != NULL ? (size_t)(dot - key) : 0;
}

/* ',' unless b ends where an object begins, then the quoted name and ':'. */
static ls_code add_json_name(ls_buf *b, const char *name, size_t len, ls_err *err) {
    if (b->data[b->len - 1] != '{') {
        ls_code code = ls_buf_add(b, ",", 1, err);
        if (code != LS_OK) {
            return code;
        }
    }
    ls_code code = ls_quote_json(b, name, len, err);
    return code != LS_OK ? code : ls_buf_add(b, ":", 1, err);
}

/* Closes the open group and opens the next key's, where they differ. */
static ls_code change_group(ls_buf *b, const char *old, size_t old_len, const char *key, size_t len,
                            ls_err *err) {
    if (old_len == len && memcmp(old, key, len) == 0) {
        return LS_OK;
    }
    ls_code code = old_len > 0 ? ls_buf_add(b, "}", 1, err) : LS_OK;
    if (code == LS_OK && len > 0) {
        code = add_json_name(b, key, len, err);
        if (code == LS_OK) {
            code = ls_buf_add(b, "{", 1, err);
        }
    }
    return code;
}

static ls_code add_json_attrs(ls_buf *b, const ls_attr *a, ls_err *err) {
    const char *group = "";
    size_t open = 0;
    ls_code code = LS_OK;
    for (; code == LS_OK && a != NULL && a->kind != LS_ATTR_END; a++) {
        size_t len = group_len(a->key);
        code = change_group(b, group, open, a->key, len, err);
        group = a->key;
        open = len;
        const char *name = a->key + (len > 0 ? len + 1 : 0);
        if (code == LS_OK) {
            code = add_json_name(b, name, strlen(name), err);
        }
        if (code == LS_OK) {
            code = add_value(b, true, a, err);
        }
    }
    return code == LS_OK && open > 0 ? ls_buf_add(b, "}", 1, err) : code;
}

static ls_code add_head(ls_buf *b, bool json, ls_level level, const char *msg, ls_err *err) {
    char now[64];
    format_now(json, now, sizeof now);
    ls_code code = json ? ls_buf_addf(b, err, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", now,
                                      level_name(level))
                        : ls_buf_addf(b, err, "time=%s level=%s msg=", now, level_name(level));
    return code != LS_OK ? code : add_str(b, json, msg, err);
}

/* head: attributes in front of attrs; either may be NULL. */
static ls_code add_record(ls_buf *b, const ls_log *log, ls_level level, const char *msg,
                          const ls_attr *head, const ls_attr *attrs, ls_err *err) {
    bool json = log->format == LS_LOG_JSON;
    ls_code (*add)(ls_buf *, const ls_attr *, ls_err *) = json ? add_json_attrs : add_text_attrs;
    ls_code code = add_head(b, json, level, msg, err);
    if (code == LS_OK) {
        code = add(b, head, err);
    }
    if (code == LS_OK) {
        code = add(b, attrs, err);
    }
    return code != LS_OK ? code : ls_buf_addf(b, err, "%s\n", json ? "}" : "");
}

static void write_record(const ls_log *log, ls_level level, const char *msg, const ls_attr *head,
                         const ls_attr *attrs) {
    if (log == NULL || level < log->level) {
        return;
    }
    ls_buf b;
    ls_err err = LS_ERR_INIT;
    ls_buf_init(&b, RECORD_MAX);
    if (add_record(&b, log, level, msg, head, attrs, &err) != LS_OK) {
        const ls_attr why[] = {LS_STR("reason", ls_code_name(err.code)), {.kind = LS_ATTR_END}};
        ls_buf_clear(&b);
        if (add_record(&b, log, LS_WARN, "log record dropped", why, NULL, &err) != LS_OK) {
            ls_buf_clear(&b);
        }
    }
    int saved = errno;
    pthread_mutex_lock(&write_lock);
    write_all(log->fd, ls_buf_str(&b), b.len);
    pthread_mutex_unlock(&write_lock);
    errno = saved;
    ls_buf_done(&b);
}

void ls_log_write(const ls_log *log, ls_level level, const char *msg, const ls_attr *attrs) {
    write_record(log, level, msg, NULL, attrs);
}

void ls_log_err(const ls_log *log, ls_level level, const char *msg, const ls_err *err,
                const ls_attr *attrs) {
    const char *hint = ls_err_hint(err);
    const ls_attr head[] = {
        LS_STR("error", err->msg),
        {.kind = *hint != '\0' ? LS_ATTR_STR : LS_ATTR_END, .key = "hint", .str = hint},
        {.kind = LS_ATTR_END},
    };
    write_record(log, level, msg, head, attrs);
}

bool ls_level_parse(const char *text, ls_level *level) {
    static const struct {
        const char *name;
        ls_level level;
    } names[] = {{"trace", LS_TRACE}, {"debug", LS_DEBUG},  {"info", LS_INFO},
                 {"warn", LS_WARN},   {"warning", LS_WARN}, {"error", LS_ERROR}};
    *level = LS_INFO;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(text, names[i].name) == 0) {
            *level = names[i].level;
            return true;
        }
    }
    return false;
}
