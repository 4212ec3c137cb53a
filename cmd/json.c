/* JSON output: see json.h. */
#include "cmd/json.h"

#include <inttypes.h>
#include <string.h>

void ls_json_init(ls_json *j, FILE *out) { *j = (ls_json){.out = out, .empty = true}; }

/* Length of the UTF-8 sequence at s, 0 if it is not a valid one (overlong, surrogate, cut). */
static size_t utf8_length(const unsigned char *s) {
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    if (n == 0 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

static void write_escape(FILE *out, unsigned char c) {
    static const char from[] = "\"\\\n\r\t";
    static const char to[] = "\"\\nrt";
    const char *p = strchr(from, c);

    if (p != NULL)
        fprintf(out, "\\%c", to[p - from]);
    else
        fprintf(out, "\\u%04x", c);
}

static void write_string(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0';) {
        size_t n = utf8_length(s);
        if (n == 0)
            fputs("\\ufffd", out);
        else if (n == 1 && (*s < 0x20 || *s == '"' || *s == '\\' || *s == 0x7f))
            write_escape(out, *s);
        else
            fwrite(s, 1, n, out);
        s += n == 0 ? 1 : n;
    }
    fputc('"', out);
}

static void new_line(ls_json *j) {
    fputc('\n', j->out);
    for (int i = 0; i < j->depth; i++)
        fputs("  ", j->out);
}

static void begin_value(ls_json *j, const char *key) {
    if (j->depth > 0) {
        if (!j->empty)
            fputc(',', j->out);
        new_line(j);
    }
    j->empty = false;
    if (key != NULL) {
        write_string(j->out, key);
        fputs(": ", j->out);
    }
}

static void open_container(ls_json *j, const char *key, char c) {
    begin_value(j, key);
    fputc(c, j->out);
    j->depth++;
    j->empty = true;
}

static void close_container(ls_json *j, char c) {
    j->depth--;
    if (!j->empty)
        new_line(j);
    fputc(c, j->out);
    j->empty = false;
}

void ls_json_object(ls_json *j, const char *key) { open_container(j, key, '{'); }
void ls_json_object_end(ls_json *j) { close_container(j, '}'); }
void ls_json_array(ls_json *j, const char *key) { open_container(j, key, '['); }
void ls_json_array_end(ls_json *j) { close_container(j, ']'); }

void ls_json_str(ls_json *j, const char *key, const char *value) {
    begin_value(j, key);
    if (value == NULL)
        fputs("null", j->out);
    else
        write_string(j->out, value);
}

void ls_json_int(ls_json *j, const char *key, int64_t value) {
    begin_value(j, key);
    fprintf(j->out, "%" PRId64, value);
}

void ls_json_uint(ls_json *j, const char *key, uint64_t value) {
    begin_value(j, key);
    fprintf(j->out, "%" PRIu64, value);
}

void ls_json_bool(ls_json *j, const char *key, bool value) {
    begin_value(j, key);
    fputs(value ? "true" : "false", j->out);
}

void ls_json_end(ls_json *j) { fputc('\n', j->out); }
