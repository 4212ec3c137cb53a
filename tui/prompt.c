/* The line that is typed, and what it is for: filters, commands, files to write. */
#include "tui/view.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

prompt *prompt_open(app *a, const char *label, const char *text,
                    void (*done)(view *v, const char *text)) {
    a->prompt = (prompt){.open = true, .label = label, .done = done};
    (void)snprintf(a->prompt.text, sizeof(a->prompt.text), "%s", text);
    a->prompt.len = strlen(a->prompt.text);
    return &a->prompt;
}

static void add_text(prompt *p, const char *text) {
    size_t len = strlen(text);
    if (p->len + len < sizeof(p->text)) {
        memcpy(p->text + p->len, text, len + 1);
        p->len += len;
    }
}

/* One character back, all its bytes. */
static void rub_out(prompt *p) {
    while (p->len > 0 && (p->text[--p->len] & 0xc0) == 0x80) {
    }
    p->text[p->len] = '\0';
}

static void complete(app *a) {
    prompt *p = &a->prompt;
    view_id id = app_view(a)->ops->id;
    const char *name = request_complete(id, p->stem, p->tabs);
    if (name == NULL) {
        p->tabs = 0;
        name = request_complete(id, p->stem, 0);
    }
    if (name != NULL) {
        p->tabs++;
        (void)snprintf(p->text, sizeof(p->text), "%s", name);
        p->len = strlen(p->text);
    }
}

static void typed(app *a) {
    prompt *p = &a->prompt;
    (void)snprintf(p->stem, sizeof(p->stem), "%s", p->text);
    p->tabs = 0;
    if (p->changed != NULL) {
        p->changed(app_view(a), p->text);
    }
}

static void leave(app *a) {
    a->prompt.open = false;
    if (a->prompt.changed != NULL) {
        view *v = app_view(a);
        a->prompt.changed(v, a->prompt.before);
        (void)list_select(&v->list, a->prompt.row);
    }
}

void prompt_key(app *a, const char *key) {
    prompt *p = &a->prompt;
    if (strcmp(key, "esc") == 0) {
        leave(a);
    } else if (strcmp(key, "enter") == 0) {
        p->open = false;
        p->done(app_view(a), p->text);
    } else if (strcmp(key, "tab") == 0 && p->complete) {
        complete(a);
    } else if (strcmp(key, "bs") == 0) {
        rub_out(p);
        typed(a);
    } else if (strcmp(key, "ctrl-u") == 0) {
        p->len = 0;
        p->text[0] = '\0';
        typed(a);
    } else if (!request_key_known(key) || strcmp(key, "space") == 0) {
        add_text(p, strcmp(key, "space") == 0 ? " " : key);
        typed(a);
    }
}

/* ---- filter ---- */

static void filter_changed(view *v, const char *text) {
    (void)!list_set_filter(&v->list, text, v->ops->rows(v), &v->app->err);
}

void app_filter(app *a) {
    view *v = app_view(a);
    prompt *p = prompt_open(a, "/", v->list.filter, filter_changed);
    p->changed = filter_changed;
    p->row = v->list.n > 0 ? list_row(&v->list, v->list.cursor) : 0;
    (void)snprintf(p->before, sizeof(p->before), "%s", v->list.filter);
}

/* ---- command ---- */

static void run_command(view *v, const char *name) {
    app *a = v->app;
    if (*name == '\0') {
        return;
    }
    request r = request_of_name(v->ops->id, name);
    if (r == REQ_NONE) {
        (void)ls_fail(&a->err, LS_EINVALID, "no request %s", name);
        (void)ls_hint(&a->err, "? lists them");
    } else if (!request_works(r, v->ops->id)) {
        (void)ls_fail(&a->err, LS_EINVALID, "%s: not in this view", name);
        (void)ls_hint(&a->err, "? says where it works");
    } else {
        app_request(a, r);
    }
}

void app_command(app *a) { prompt_open(a, ":", "", run_command)->complete = true; }

/* ---- writing and copying ---- */

/* A new file: nothing is written over. */
static FILE *create(const char *path, ls_err *err) {
    FILE *out = fopen(path, "wxe");
    int why = errno;
    if (out == NULL) {
        (void)ls_fail_errno(err, why, "write %s", path);
        if (why == EEXIST) {
            (void)ls_hint(err, "choose another name; nothing is written over");
        }
    }
    return out;
}

static void finish(app *a, FILE *out, const char *path) {
    bool bad = ferror(out) != 0;
    if (fclose(out) != 0 || bad) {
        (void)ls_fail_errno(&a->err, errno, "write %s", path);
        return;
    }
    app_say(a, "written to %.200s", path);
}

static void write_text(view *v, const char *path) {
    app *a = v->app;
    canvas c = {0};
    FILE *out = *path != '\0' ? create(path, &a->err) : NULL;
    if (out == NULL) {
        return;
    }
    if (app_draw(a, &c, a->rows, a->cols, &a->err) == LS_OK) {
        canvas_print(&c, out);
    }
    canvas_done(&c);
    finish(a, out, path);
}

static bool ends_with(const char *text, const char *end) {
    size_t len = strlen(text), n = strlen(end);
    return len >= n && strcasecmp(text + len - n, end) == 0;
}

static void put_rows(const view *v, const ls_table *t, const char *path, FILE *out) {
    ls_json j;
    if (ends_with(path, ".json")) {
        ls_json_init(&j, out);
        ls_table_json(t, &j, NULL, v->ops->keys, v->ops->numbers);
        ls_json_end(&j);
    } else if (ends_with(path, ".csv")) {
        ls_table_csv(t, out);
    } else {
        ls_table_write(t, out);
    }
}

static void write_rows(view *v, const char *path) {
    app *a = v->app;
    FILE *out = *path != '\0' ? create(path, &a->err) : NULL;
    if (out == NULL) {
        return;
    }
    ls_table t;
    int cols = 0;
    while (v->ops->keys[cols] != NULL) {
        cols++;
    }
    ls_table_init(&t, cols);
    ls_code rc = ls_table_row(&t, &a->err, v->ops->keys);
    if (rc == LS_OK && v->ops->table(v, &t, &a->err) == LS_OK) {
        put_rows(v, &t, path, out);
    }
    ls_table_done(&t);
    finish(a, out, path);
}

void app_write_text(app *a) { prompt_open(a, "write this screen to: ", "", write_text); }

void app_write_rows(app *a) {
    prompt_open(a, "write the rows to (.json, .csv, else text): ", "", write_rows);
}

void app_copy_text(app *a, const char *text) {
    if (a->copy != NULL) {
        a->copy(text);
    }
    app_say(a, "copied: %.240s", text);
}

void app_copy(app *a) {
    view *v = app_view(a);
    char text[1024];
    if (v->ops->copied == NULL || !v->ops->copied(v, text, sizeof(text))) {
        app_say(a, "there is nothing to copy");
    } else {
        app_copy_text(a, text);
    }
}
