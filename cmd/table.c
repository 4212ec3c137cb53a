/* Tables for people: see table.h. */
#include "cmd/table.h"

#include <string.h>

#define GAP 2

void ls_table_init(ls_table *t, int cols) {
    *t = (ls_table){.cols = cols};
    ls_buf_init(&t->cells, LS_TABLE_BYTES_MAX);
}

void ls_table_done(ls_table *t) { ls_buf_done(&t->cells); }

/* Characters, not bytes: UTF-8 continuation bytes take no column. */
static size_t text_width(const char *text) {
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void write_cell(const char *text, FILE *out) {
    for (; *text != '\0'; text++)
        fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

ls_code ls_table_row(ls_table *t, ls_err *err, const char *const *cells) {
    for (int i = 0; i < t->cols; i++) {
        ls_code rc = ls_buf_add(&t->cells, cells[i], strlen(cells[i]) + 1, err);
        if (rc != LS_OK)
            return ls_wrap(err, "table");
        size_t w = text_width(cells[i]);
        if (w > t->width[i])
            t->width[i] = w;
    }
    return LS_OK;
}

/* Writes a row's cells; blanks are held back until a cell with text follows them. */
static const char *write_row(const ls_table *t, const char *cell, FILE *out) {
    size_t blanks = 0;

    for (int i = 0; i < t->cols; i++) {
        size_t len = strlen(cell);
        if (len > 0) {
            fprintf(out, "%*s", (int)blanks, "");
            write_cell(cell, out);
            blanks = 0;
        }
        blanks += t->width[i] + GAP - text_width(cell);
        cell += len + 1;
    }
    fputc('\n', out);
    return cell;
}

void ls_table_write(const ls_table *t, FILE *out) {
    if (t->cells.len == 0)
        return;

    const char *end = t->cells.data + t->cells.len;
    for (const char *cell = t->cells.data; cell < end;)
        cell = write_row(t, cell, out);
}

static const char *write_object(const ls_table *t, const char *cell, ls_json *j,
                                const char *const *keys, unsigned numbers) {
    ls_json_object(j, NULL);
    for (int i = 0; i < t->cols; i++) {
        if (((numbers >> i) & 1) != 0)
            ls_json_raw(j, keys[i], cell);
        else
            ls_json_str(j, keys[i], cell);
        cell += strlen(cell) + 1;
    }
    ls_json_object_end(j);
    return cell;
}

void ls_table_json(const ls_table *t, ls_json *j, const char *key, const char *const *keys,
                   unsigned numbers) {
    const char *end = t->cells.data + t->cells.len;
    const char *cell = t->cells.data;

    for (int i = 0; i < t->cols; i++)
        cell += strlen(cell) + 1;
    ls_json_array(j, key);
    while (cell < end)
        cell = write_object(t, cell, j, keys, numbers);
    ls_json_array_end(j);
}

static void write_field(const char *cell, FILE *out) {
    if (cell[strcspn(cell, ",\"\r\n")] == '\0') {
        fputs(cell, out);
        return;
    }
    fputc('"', out);
    for (; *cell != '\0'; cell++) {
        if (*cell == '"')
            fputc('"', out);
        fputc(*cell, out);
    }
    fputc('"', out);
}

void ls_table_csv(const ls_table *t, FILE *out) {
    for (size_t at = 0; at < t->cells.len;) {
        for (int i = 0; i < t->cols; i++) {
            const char *cell = t->cells.data + at;
            write_field(cell, out);
            fputs(i + 1 < t->cols ? "," : "\r\n", out);
            at += strlen(cell) + 1;
        }
    }
}

void ls_table_print(const ls_table *t, bool json, const char *const *keys, unsigned numbers) {
    ls_json j;

    if (!json) {
        ls_table_write(t, stdout);
        return;
    }
    ls_json_init(&j, stdout);
    ls_table_json(t, &j, NULL, keys, numbers);
    ls_json_end(&j);
}
