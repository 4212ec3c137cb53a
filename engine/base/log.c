/*
 * Log records: put together in memory, then written with one write(2).
 *
 * Text:    time=2026-11-21T09:02:20.162Z level=INFO msg="ltx file uploaded" level=0 size=4096
 * JSON:    {"time":"2026-11-21T09:02:20.162331Z","level":"INFO","msg":"...","level":0,"size":4096}
 * Pretty:  09:02:20 INF ltx file uploaded level=0 size=4096
 *
 * The place in the source, where it is wanted, stands behind the level. A key with a dot
 * ("txid.replica") is a group: as it is in text, a nested object in JSON; neighbours of one group
 * share the object.
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

static const struct level {
    ls_level from;
    const char *name, *brief, *color;
} levels[] = {
    {LS_ERROR, "ERROR", "ERR", "\x1b[91m"}, {LS_WARN, "WARN", "WRN", "\x1b[93m"},
    {LS_INFO, "INFO", "INF", "\x1b[92m"},   {LS_DEBUG, "DEBUG", "DBG", ""},
    {LS_TRACE, "TRACE", "TRACE", ""},
};
#define FAINT "\x1b[2m"
#define PLAIN "\x1b[0m"

static const struct level *level_of(ls_level level) {
    const struct level *l = levels;
    while (l->from != LS_TRACE && level < l->from) {
        l++;
    }
    return l;
}

/* Local time with its offset; milliseconds, or (json) nanoseconds without trailing zeros. */
static void format_now(ls_log_format format, char *out, size_t size) {
    bool json = format == LS_LOG_JSON;
    struct timespec ts = {0};
    struct tm tm = {0};
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    (void)localtime_r(&ts.tv_sec, &tm);
    if (format == LS_LOG_PRETTY) {
        (void)strftime(out, size, "%H:%M:%S", &tm);
        return;
    }
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

static ls_code add_text_attrs(ls_buf *b, bool color, const ls_attr *a, ls_err *err) {
    ls_code code = LS_OK;
    for (; code == LS_OK && a != NULL && a->kind != LS_ATTR_END; a++) {
        code = ls_buf_addf(b, err, " %s", color ? FAINT : "");
        if (code == LS_OK) {
            code = add_text_str(b, a->key, err);
        }
        if (code == LS_OK) {
            code = ls_buf_addf(b, err, "=%s", color ? PLAIN : "");
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

/* One record's parts. head: attributes in front of attrs; either may be NULL. */
typedef struct record {
    const ls_log_place *place;
    ls_level level;
    const char *msg;
    const ls_attr *head, *attrs;
} record;

/* The file's path in the source tree: what the compiler was given for all of them begins alike. */
static const char *tree_path(const char *file) {
    size_t len = strlen(__FILE__) - strlen("engine/base/log.c");
    return strncmp(file, __FILE__, len) == 0 ? file + len : file;
}

/* A path's last two parts: "store/entry.c". */
static const char *short_path(const char *path) {
    const char *last = path;
    for (const char *p = path, *end; (end = strchr(p, '/')) != NULL; p = end + 1) {
        last = path;
        path = end + 1;
    }
    return last;
}

static ls_code add_text_head(ls_buf *b, const ls_log *log, const record *r, const char *now,
                             ls_err *err) {
    ls_code code = ls_buf_addf(b, err, "time=%s level=%s ", now, level_of(r->level)->name);
    if (code == LS_OK && log->source) {
        code = ls_buf_addf(b, err, "source=%s:%d ", tree_path(r->place->file), r->place->line);
    }
    if (code == LS_OK) {
        code = ls_buf_addf(b, err, "msg=");
    }
    return code != LS_OK ? code : add_str(b, false, r->msg, err);
}

static ls_code add_json_head(ls_buf *b, const ls_log *log, const record *r, const char *now,
                             ls_err *err) {
    ls_code code =
        ls_buf_addf(b, err, "{\"time\":\"%s\",\"level\":\"%s\",", now, level_of(r->level)->name);
    if (code == LS_OK && log->source) {
        code = ls_buf_addf(b, err, "\"source\":{\"function\":\"%s\",\"file\":\"%s\",\"line\":%d},",
                           r->place->function, tree_path(r->place->file), r->place->line);
    }
    if (code == LS_OK) {
        code = ls_buf_addf(b, err, "\"msg\":");
    }
    return code != LS_OK ? code : add_str(b, true, r->msg, err);
}

/* Nothing in it that would drive a terminal or break the line. */
static bool printable(const char *text, size_t len) {
    bool good = true;
    for (size_t i = 0; good && i < len;) {
        uint32_t rune;
        i += ls_utf8_decode(text + i, len - i, &rune);
        good = ls_rune_printable(rune);
    }
    return good;
}

static ls_code add_pretty_head(ls_buf *b, const ls_log *log, const record *r, const char *now,
                               ls_err *err) {
    const struct level *l = level_of(r->level);
    const char *faint = log->color ? FAINT : "", *plain = log->color ? PLAIN : "";
    const char *color = log->color ? l->color : "";
    ls_code code = ls_buf_addf(b, err, "%s%s%s %s%s%s ", faint, now, plain, color, l->brief,
                               *color != '\0' ? plain : "");
    if (code == LS_OK && log->source) {
        code = ls_buf_addf(b, err, "%s%s:%d%s ", faint, short_path(tree_path(r->place->file)),
                           r->place->line, plain);
    }
    if (code != LS_OK) {
        return code;
    }
    size_t len = strlen(r->msg);
    return printable(r->msg, len) ? ls_buf_add(b, r->msg, len, err)
                                  : ls_quote_go(b, r->msg, len, err);
}

static ls_code add_record(ls_buf *b, const ls_log *log, const record *r, ls_err *err) {
    static ls_code (*const heads[])(ls_buf *, const ls_log *, const record *, const char *,
                                    ls_err *) = {
        [LS_LOG_TEXT] = add_text_head,
        [LS_LOG_JSON] = add_json_head,
        [LS_LOG_PRETTY] = add_pretty_head,
    };
    bool json = log->format == LS_LOG_JSON, color = log->format == LS_LOG_PRETTY && log->color;
    const ls_attr *lists[] = {r->head, r->attrs};
    char now[64];
    format_now(log->format, now, sizeof now);
    ls_code code = heads[log->format](b, log, r, now, err);
    for (size_t i = 0; code == LS_OK && i < 2; i++) {
        code = json ? add_json_attrs(b, lists[i], err) : add_text_attrs(b, color, lists[i], err);
    }
    return code != LS_OK ? code : ls_buf_addf(b, err, "%s\n", json ? "}" : "");
}

static void write_record(const ls_log *log, const record *r) {
    if (log == NULL || r->level < log->level) {
        return;
    }
    ls_buf b;
    ls_err err = LS_ERR_INIT;
    ls_buf_init(&b, RECORD_MAX);
    if (add_record(&b, log, r, &err) != LS_OK) {
        const ls_attr why[] = {LS_STR("reason", ls_code_name(err.code)), {.kind = LS_ATTR_END}};
        const record note = {r->place, LS_WARN, "log record dropped", why, NULL};
        ls_buf_clear(&b);
        if (add_record(&b, log, &note, &err) != LS_OK) {
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

void ls_log_put(const ls_log *log, const ls_log_place *place, ls_level level, const char *msg,
                const ls_attr *attrs) {
    const record r = {place, level, msg, NULL, attrs};
    write_record(log, &r);
}

void ls_log_put_err(const ls_log *log, const ls_log_place *place, ls_level level, const char *msg,
                    const ls_err *err, const ls_attr *attrs) {
    const char *hint = ls_err_hint(err);
    const ls_attr head[] = {
        LS_STR("error", err->msg),
        {.kind = *hint != '\0' ? LS_ATTR_STR : LS_ATTR_END, .key = "hint", .str = hint},
        {.kind = LS_ATTR_END},
    };
    const record r = {place, level, msg, head, attrs};
    write_record(log, &r);
}

bool ls_log_format_parse(const char *text, ls_log_format *format) {
    static const char *const names[] = {
        [LS_LOG_TEXT] = "text", [LS_LOG_JSON] = "json", [LS_LOG_PRETTY] = "pretty"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *format = (ls_log_format)i;
            return true;
        }
    }
    return false;
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
