/* JSON output: see json.h. */
#include "cmd/json.h"

#include "engine/base/quote.h"

#include <inttypes.h>
#include <string.h>

void ls_json_init(ls_json *j, FILE *out) { *j = (ls_json){.out = out, .empty = true}; }

void ls_json_init_line(ls_json *j, FILE *out) {
    *j = (ls_json){.out = out, .empty = true, .line = true};
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
    size_t left = strlen(text);
    uint32_t rune;

    fputc('"', out);
    while (left > 0) {
        size_t n = ls_utf8_decode(text, left, &rune);
        if (n == 1 && rune == 0xfffd)
            fputs("\\ufffd", out);
        else if (rune < 0x20 || rune == '"' || rune == '\\' || rune == 0x7f)
            write_escape(out, (unsigned char)rune);
        else
            fwrite(text, 1, n, out);
        text += n;
        left -= n;
    }
    fputc('"', out);
}

static void new_line(ls_json *j) {
    if (j->line)
        return;
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
        fputs(j->line ? ":" : ": ", j->out);
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

void ls_json_raw(ls_json *j, const char *key, const char *text) {
    begin_value(j, key);
    fputs(text, j->out);
}

void ls_json_bool(ls_json *j, const char *key, bool value) {
    begin_value(j, key);
    fputs(value ? "true" : "false", j->out);
}

void ls_json_end(ls_json *j) { fputc('\n', j->out); }
