/*
 * How fast the inspector is with a listing of many files, and what it costs: from the listing's end
 * to the first screen, from a key to the screen (processor time), bytes a row. No test: prints
 * figures.
 *
 *   tui_bench FILES EMPTY_REPLICA
 */
#include "tui/view.h"

#include <err.h>
#include <locale.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEYS_OF_EACH 40

/* Processor time of this thread: a busy machine does not change it. */
static int64_t now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double ms(int64_t ns) { return (double)ns / 1e6; }

/* As a replica has them: level 0, of each ten one of level 1, of each hundred one of level 2. */
static snapshot *make_listing(size_t n) {
    snapshot *s = snapshot_new();
    ls_err error = LS_ERR_INIT;
    for (size_t i = 1; s != NULL && i <= n; i++) {
        for (int level = 0, each = 1; level <= 2; level++, each *= 10) {
            if (i % (size_t)each != 0) {
                continue;
            }
            ls_ltx_info f = {.level = level,
                             .min_txid = i + 1 - (size_t)each,
                             .max_txid = i,
                             .size = 700 + i % 977,
                             .created_ms = 1763716883000 + (int64_t)i * 1000};
            if (snapshot_add(s, &f, NULL, &error) != LS_OK) {
                errx(1, "%s", error.msg);
            }
        }
    }
    return s;
}

static void show(app *a, snapshot *s, canvas *c, int rows, int cols) {
    ls_err error = LS_ERR_INIT;
    snapshot_unref(a->snap);
    a->snap = s;
    for (int tab = 0; tab < TABS; tab++) {
        if (a->top[tab]->ops->snapshot != NULL) {
            a->top[tab]->ops->snapshot(a->top[tab]);
        }
    }
    if (app_draw(a, c, rows, cols, &error) != LS_OK) {
        errx(1, "%s", error.msg);
    }
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Keys pressed again and again on one view. */
static size_t press(app *a, canvas *c, int rows, int cols, const char *tab, const char *keys,
                    int64_t *times) {
    ls_err error = LS_ERR_INIT;
    size_t n = 0;
    app_key(a, tab);
    for (int i = 0; i < KEYS_OF_EACH; i++) {
        for (const char *k = keys; *k != '\0'; k += strspn(k, " ")) {
            char key[16];
            size_t len = strcspn(k, " ");
            (void)snprintf(key, sizeof(key), "%.*s", (int)len, k);
            k += len;
            int64_t start = now();
            app_key(a, key);
            app_poll(a);
            if (app_draw(a, c, rows, cols, &error) != LS_OK) {
                errx(1, "%s", error.msg);
            }
            times[n++] = now() - start;
        }
    }
    return n;
}

static void bench_keys(app *a, canvas *c, int rows, int cols) {
    static const struct {
        const char *tab, *name, *keys;
    } runs[] = {{"1", "levels", "down up"},
                {"2", "timeline", "left left + left [ ] - 0 home right end t t"},
                {"3", "files", "down pgdn G g pgdn up"},
                {"3", "files, filtered as typed", "/ ctrl-u 1 8 6 bs 7 enter"},
                {"3", "files, filter taken back", "/ ctrl-u enter"},
                {"3", "files, ordered", "o O"},
                {"4", "points", "down G g"}};
    static int64_t times[8192];
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        size_t n = press(a, c, rows, cols, runs[i].tab, runs[i].keys, times);
        qsort(times, n, sizeof(times[0]), by_size);
        printf("  %-26s p50 %7.2f ms   p99 %7.2f ms   max %7.2f ms\n", runs[i].name,
               ms(times[n / 2]), ms(times[n * 99 / 100]), ms(times[n - 1]));
    }
}

static void settle(app *a) {
    app_poll(a);
    while (app_busy(a)) {
        struct pollfd fd = {.fd = a->wake[0], .events = POLLIN};
        (void)poll(&fd, 1, -1);
        app_poll(a);
    }
}

int main(int argc, char **argv) {
    app a = {.fixed_clock = true, .state = state_new()};
    canvas c = {0};
    ls_err error = LS_ERR_INIT;
    (void)setlocale(LC_ALL, "");
    size_t files = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    if (files == 0 || app_init(&a, argv[2], &error) != LS_OK) {
        errx(1, "usage: tui_bench FILES EMPTY_REPLICA %s", error.msg);
    }
    settle(&a);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    snapshot *s = make_listing(files);
    int64_t start = now();
    snapshot_finish(s, true);
    int64_t finished = now();
    show(&a, s, &c, 50, 200);
    int64_t shown = now();
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    printf("%zu files: restore points %.1f ms, first screen %.1f ms, together %.1f ms\n", s->n,
           ms(finished - start), ms(shown - finished), ms(shown - start));
    printf("  memory %.0f bytes a row\n", (double)(after - before) / (double)s->n);
    printf("a key to the screen, 200x50\n");
    bench_keys(&a, &c, 50, 200);
    printf("a key to the screen, 500x200\n");
    bench_keys(&a, &c, 200, 500);
    app_done(&a);
    canvas_done(&c);
    return 0;
}
