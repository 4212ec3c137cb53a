/* The restore form on the screen: choices, room, plan, command line, progress and the result. */
#include "tui/restore_view.h"

#include <inttypes.h>
#include <string.h>

/* "( ) a  (•) b" with the choice marked by more than colour. */
static void choices(const char *const *names, int n, int chosen, char *buf, size_t size) {
    size_t len = 0;
    for (int i = 0; i < n; i++) {
        len += (size_t)snprintf(buf + len, size - len, "(%s) %s   ", i == chosen ? "*" : " ",
                                names[i]);
    }
}

static void field_text(const restore_view *v, int field, char *buf, size_t size) {
    static const char *const targets[] = {"TXID", "time", "latest"};
    static const char *const hows[] = {"new file", "replace one", "follow"};
    char when[32];
    buf[0] = '\0';
    if (field == TO) {
        choices(targets, TARGETS, v->to, buf, size);
    } else if (field == WHICH && v->to == TO_TXID) {
        (void)snprintf(buf, size, "%016" PRIx64 "   %s", v->txid,
                       ls_time_format(v->at_ms, true, when, sizeof(when)));
    } else if (field == WHICH && v->to == TO_TIME) {
        (void)snprintf(buf, size, "before %s",
                       ls_time_format(v->before_ms, true, when, sizeof(when)));
    } else if (field == WHICH) {
        (void)snprintf(buf, size, "the newest there is");
    } else if (field == INTO) {
        (void)snprintf(buf, size, "%s", v->output);
    } else if (field == HOW) {
        choices(hows, 3, (int)v->how, buf, size);
    } else if (field == CHECK) {
        choices(restore_check_names, 3, (int)v->check, buf, size);
    } else if (field == PARALLEL && v->parallel > 0) {
        (void)snprintf(buf, size, "%d", v->parallel);
    } else if (field == PARALLEL) {
        (void)snprintf(buf, size, "by the processors");
    } else {
        (void)snprintf(buf, size, "[ Start ]%s",
                       v->base.app->readonly ? "  not with -readonly" : "");
    }
}

static void draw_row(view *base, canvas *c, int row, size_t field, meaning how) {
    static const char *const names[] = {"to", "which", "into", "as", "check", "parallel", ""};
    char text[PROMPT_MAX + 80];
    field_text((const restore_view *)base, (int)field, text, sizeof(text));
    canvas_putf(c, row, 0, c->cols, how, "   %-9s %s", names[field], text);
}

/* Is there room, and is there a file already? */
static void draw_room(const restore_view *v, canvas *c, int row) {
    char need[32], room[32], size[32], there[80] = "";
    if (v->room_err.code != LS_OK) {
        canvas_putf(c, row, 3, c->cols - 4, DIM, "room: %s", v->room_err.msg);
        return;
    }
    if (!v->room_known) {
        canvas_put(c, row, 3, c->cols - 4, DIM,
                   v->job != NULL && v->running == NULL ? "looking for room" : "");
        return;
    }
    if (v->folder) {
        (void)snprintf(there, sizeof(there), "; a folder is there");
    } else if (v->exists) {
        (void)snprintf(there, sizeof(there), "; a file of %s is there",
                       ls_bytes_format(v->size, size, sizeof(size)));
    }
    bool bad = v->need > v->free || v->folder || (v->exists && v->how == HOW_NEW && !v->restored);
    canvas_putf(c, row, 3, c->cols - 4, bad ? ALERT : PLAIN, "%sneeds %s, free %s%s",
                bad ? "✗ " : "", ls_bytes_format(v->need, need, sizeof(need)),
                ls_bytes_format(v->free, room, sizeof(room)), there);
}

static int draw_plan(const restore_view *v, canvas *c, int row) {
    char text[1200], line[4200], size[32];
    if (v->plan_err.code != LS_OK) {
        return row + canvas_wrap(c, row, 3, c->cols - 4, 3, ALERT, v->plan_err.msg);
    }
    ls_txid to = v->plan.n > 0 ? v->plan.files[v->plan.n - 1].max_txid : 0;
    plan_format(&v->plan, line, sizeof(line));
    (void)snprintf(text, sizeof(text), "plan: to TXID %" PRIx64 ", %zu file%s, %s: %.1000s", to,
                   v->plan.n, v->plan.n == 1 ? "" : "s",
                   ls_bytes_format(v->plan.bytes, size, sizeof(size)), line);
    int most = c->rows < 20 ? 2 : 3;
    row += canvas_wrap(c, row, 3, c->cols - 4, most, PLAIN, text);
    memcpy(line, "$ ", 2);
    restore_command_line(v, line + 2, sizeof(line) - 2);
    return row + canvas_wrap(c, row, 3, c->cols - 4, most, DIM, line);
}

/* "74 MB/s, 0.6 s left"; "" as long as there is too little to tell. */
static void speed_text(const restore_view *v, const ls_restore_progress *p, char *buf,
                       size_t size) {
    double seconds = (double)(ls_mono_ns(&ls_clock_system) - v->started_ns) / 1e9;
    char rate[32];
    buf[0] = '\0';
    if (seconds < 0.2 || p->bytes_done == 0) {
        return;
    }
    double each = (double)p->bytes_done / seconds;
    double left = p->bytes > p->bytes_done ? (double)(p->bytes - p->bytes_done) / each : 0;
    (void)snprintf(buf, size, ", %s/s, %.*f s left",
                   ls_bytes_format((uint64_t)each, rate, sizeof(rate)), left < 10 ? 1 : 0, left);
}

static void draw_bar(canvas *c, int row, double part) {
    int width = c->cols - 14;
    for (int i = 0; i < width; i++) {
        bool full = i < (int)(part * width);
        canvas_put(c, row, 3 + i, 1, full ? BRIGHT : DIM, full ? "█" : "░");
    }
    canvas_putf(c, row, 4 + width, 6, PLAIN, "%3.0f %%", part * 100);
}

static void draw_progress(const restore_view *v, canvas *c, int row) {
    ls_restore_progress p;
    char a[32], b[32], speed[80];
    job_progress_get(v->job, &p);
    speed_text(v, &p, speed, sizeof(speed));
    draw_bar(c, row, p.bytes > 0 ? (double)p.bytes_done / (double)p.bytes : 0);
    canvas_putf(
        c, row + 1, 3, c->cols - 4, PLAIN, "%s %s: %zu of %zu files, %s of %s%s (c cancels)",
        app_spinner(v->base.app), v->stopping ? "cancelling" : "restoring", p.files_done, p.files,
        ls_bytes_format(p.bytes_done, a, sizeof(a)), ls_bytes_format(p.bytes, b, sizeof(b)), speed);
}

/* A followed database: where it is, or why a look failed. */
static bool draw_following(const restore_view *v, canvas *c, int row) {
    ls_err err = LS_ERR_INIT;
    job_lock(v->job);
    bool following = v->running->following;
    ls_txid txid = v->running->txid;
    unsigned looks = v->running->looks;
    err = v->running->look_error;
    job_unlock(v->job);
    if (!following) {
        return false;
    }
    canvas_putf(c, row, 3, c->cols - 4, GOOD, "%s %s: at TXID %" PRIx64 ", %u look%s (c ends it)",
                app_spinner(v->base.app), v->stopping ? "ending" : "following", txid, looks,
                looks == 1 ? "" : "s");
    if (err.code != LS_OK) {
        canvas_wrap(c, row + 1, 3, c->cols - 4, 1, ALERT, err.msg);
    }
    return true;
}

static void draw_good_end(const restore_view *v, canvas *c, int row) {
    const ls_restore_result *r = &v->result;
    char size[32];
    canvas_putf(c, row, 3, c->cols - 4, GOOD, "✓ %s%s; Y copies the path",
                v->how == HOW_FOLLOW ? "followed" : "restored",
                v->check == LS_INTEGRITY_NONE ? "" : ", and SQLite found it whole");
    if (r->pages == 0) {
        canvas_putf(c, row + 1, 3, c->cols - 4, PLAIN, "TXID %016" PRIx64, r->txid);
        return;
    }
    int used =
        canvas_putf(c, row + 1, 3, c->cols - 4, PLAIN,
                    "TXID %016" PRIx64 ", %" PRIu32 " pages of %" PRIu32 " bytes, %s read", r->txid,
                    r->pages, r->page_size, ls_bytes_format(r->bytes, size, sizeof(size)));
    if (!v->base.app->fixed_clock) {
        canvas_putf(c, row + 1, 3 + used, c->cols - 4 - used, PLAIN, " in %.1f s",
                    (double)v->took_ns / 1e9);
    }
}

static void draw_end(const restore_view *v, canvas *c, int row) {
    if (v->restored) {
        draw_good_end(v, c, row);
    } else if (v->err.code == LS_ECANCELED) {
        canvas_put(c, row, 3, c->cols - 4, PLAIN, "✗ cancelled; nothing was left behind");
    } else if (v->err.code != LS_OK) {
        row += canvas_wrap(c, row, 3, c->cols - 4, 3, ALERT, v->err.msg);
        canvas_wrap(c, row, 3, c->cols - 4, 2, PLAIN, ls_err_hint(&v->err));
    }
}

void restore_screen_draw(view *base, canvas *c) {
    restore_view *v = (restore_view *)base;
    view_draw_list(base, c, 1, c->rows - 2 - FIELDS, draw_row);
    draw_room(v, c, FIELDS + 1);
    int row = draw_plan(v, c, FIELDS + 2);
    row += c->rows >= 20 ? 1 : 0;
    if (v->running == NULL) {
        draw_end(v, c, row);
    } else if (!draw_following(v, c, row)) {
        draw_progress(v, c, row);
    }
}
