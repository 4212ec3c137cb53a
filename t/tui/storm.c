/*
 * Random keys, clicks and sizes, as fast as they can be taken: nothing may crash, hang or leave the
 * screen, whatever the place is and whatever happens to it meanwhile. Run by storm.t, in a folder
 * of its own.
 *
 *   storm PLACE SECONDS SEED
 */
#include "tui/view.h"

#include <err.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint32_t rnd(uint32_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

/* The keys of a request that works here, most of the time. */
static void known_key(const app *a, char key[16]) {
    request r = (request)rnd(REQ_COUNT);
    for (int i = 0; i < 200 && !request_works(r, a->top[a->tab]->ops->id); i++) {
        r = (request)rnd(REQ_COUNT);
    }
    const char *keys = request_table[r].keys;
    size_t skip = rnd(2) != 0 ? strcspn(keys, " ") : 0;
    keys += keys[skip] == ' ' ? skip + 1 : 0;
    (void)snprintf(key, 16, "%.*s", (int)strcspn(keys, " "), keys);
}

/* Nothing that leads out of the working folder may be typed. */
static void typed_key(char key[16]) {
    static const char *const special[] = {"enter", "esc", "tab", "bs", "ctrl-u", "space", "ä"};
    static const char letters[] = "0123456789abcdefxyzL!:-TZ";
    uint32_t at = rnd(24);
    if (at < sizeof(special) / sizeof(special[0])) {
        (void)snprintf(key, 16, "%s", special[at]);
    } else {
        (void)snprintf(key, 16, "%c", letters[rnd(sizeof(letters) - 1)]);
    }
}

static void step(app *a) {
    char key[16] = "";
    uint32_t what = rnd(100);
    if (what < 4) {
        app_click(a, (int)rnd(60), (int)rnd(200), rnd(2) != 0);
    } else if (what < 8) {
        app_wheel(a, rnd(2) != 0 ? 1 : -1);
    } else {
        if (a->prompt.open) {
            typed_key(key);
        } else {
            known_key(a, key);
        }
        app_key(a, key);
    }
    a->quit = false;
    a->suspend = false;
}

static void check_screen(const app *a, const canvas *c) {
    for (int i = 0; i < c->rows * c->cols; i++) {
        if (c->cells[i].ch != 0 && (c->cells[i].ch < 32 || c->cells[i].how >= MEANINGS)) {
            errx(1, "a cell of view %d has character %d", a->top[a->tab]->ops->id,
                 (int)c->cells[i].ch);
        }
    }
    for (int tab = 0; tab < TABS; tab++) {
        const list *l = &a->top[tab]->list;
        if (l->n > 0 && (l->cursor >= l->n || l->top > l->cursor)) {
            errx(1, "the selection of tab %d is outside", tab);
        }
    }
}

/* Sizes: mostly common ones, now and then anything. */
static void size_of(int *rows, int *cols) {
    static const int common[][2] = {{24, 80}, {16, 60}, {50, 200}, {30, 120}};
    uint32_t at = rnd(40);
    *rows = at < 4 ? common[at][0] : at < 8 ? 1 + (int)rnd(200) : *rows;
    *cols = at < 4 ? common[at][1] : at < 8 ? 1 + (int)rnd(500) : *cols;
}

static void wait_for_jobs(app *a) {
    while (app_busy(a)) {
        struct pollfd fd = {.fd = a->wake[0], .events = POLLIN};
        if (poll(&fd, 1, 20000) == 0) {
            errx(1, "a job of view %d hangs", a->top[a->tab]->ops->id);
        }
        app_poll(a);
    }
}

int main(int argc, char **argv) {
    ls_err error = LS_ERR_INIT;
    app a = {.fixed_clock = true, .state = state_new()};
    canvas c = {0};
    int rows = 24, cols = 80;
    unsigned long steps = 0;
    unsigned seen = 0; /* bit n: view n */
    (void)setlocale(LC_ALL, "");
    if (argc != 4) {
        errx(2, "usage: storm PLACE SECONDS SEED");
    }
    state = strtoull(argv[3], NULL, 10) * 2 + 1;
    int64_t end = ls_mono_ns(&ls_clock_system) + (int64_t)(strtod(argv[2], NULL) * 1e9);
    if (app_init(&a, argv[1], &error) != LS_OK) {
        errx(1, "%s", error.msg);
    }
    for (; ls_mono_ns(&ls_clock_system) < end; steps++) {
        app_poll(&a);
        if (rnd(8) == 0) {
            wait_for_jobs(&a);
        }
        size_of(&rows, &cols);
        c.ascii = rnd(50) == 0 ? !c.ascii : c.ascii;
        if (app_draw(&a, &c, rows, cols, &error) != LS_OK) {
            errx(1, "%s", error.msg);
        }
        check_screen(&a, &c);
        seen |= 1u << a.top[a.tab]->ops->id;
        step(&a);
    }
    app_done(&a);
    canvas_done(&c);
    printf("%lu steps %d views\n", steps, __builtin_popcount(seen));
    return 0;
}
