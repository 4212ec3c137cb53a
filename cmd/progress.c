/* Progress of a restore; see progress.h. */
#include "cmd/progress.h"

#include "cmd/json.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define TERMINAL_EVERY (100 * LS_MS)
#define JSON_EVERY LS_SEC
#define TEXT_MAX 256
/* Below this there is no rate worth telling. */
#define RATE_FROM (200 * LS_MS)
#define WIDTH_DEFAULT 80

struct ls_progress {
    bool json;
    int64_t start_ns;
    int64_t every_ns;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    bool end;
    bool drawn;
    ls_restore_progress now;
};

/* ---- what is shown ---- */

static uint64_t rate_of(const ls_restore_progress *p, int64_t elapsed_ns) {
    return elapsed_ns < RATE_FROM
               ? 0
               : (uint64_t)((double)p->bytes_done * (double)LS_SEC / (double)elapsed_ns);
}

/* Seconds to the end, rounded up; -1: not known. */
static int64_t left_s(const ls_restore_progress *p, uint64_t rate) {
    return rate == 0 || p->bytes < p->bytes_done
               ? -1
               : (int64_t)((p->bytes - p->bytes_done + rate - 1) / rate);
}

char *ls_progress_text(const ls_restore_progress *p, int64_t elapsed_ns, char *buf, size_t size) {
    char done[32], all[32], per_second[32], left[32];
    const uint64_t rate = rate_of(p, elapsed_ns);
    const int64_t seconds = left_s(p, rate);

    const int n =
        snprintf(buf, size, "%zu of %zu files, %s of %s (%u%%), %llu pages", p->files_done,
                 p->files, ls_bytes_format(p->bytes_done, done, sizeof done),
                 ls_bytes_format(p->bytes, all, sizeof all),
                 p->bytes == 0 ? 0 : (unsigned)((double)p->bytes_done * 100 / (double)p->bytes),
                 (unsigned long long)p->pages_written);
    if (seconds >= 0 && n > 0 && (size_t)n < size)
        (void)snprintf(buf + n, size - (size_t)n, ", %s/s, %s left",
                       ls_bytes_format(rate, per_second, sizeof per_second),
                       ls_duration_format(seconds * LS_SEC, left, sizeof left));
    return buf;
}

static size_t width(void) {
    struct winsize w;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col : WIDTH_DEFAULT;
}

/* One write(2), so that it does not mix with a line of the log. */
static void to_terminal(ls_progress *p, int64_t elapsed_ns) {
    char text[TEXT_MAX], line[TEXT_MAX + 16];

    ls_progress_text(&p->now, elapsed_ns, text, sizeof text);
    const size_t most = width() - 1;
    if (strlen(text) > most)
        text[most < sizeof text ? most : sizeof text - 1] = '\0';
    const int n = snprintf(line, sizeof line, "\r%s\x1b[K", text);
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
        p->drawn = false; /* nobody looks any more */
}

static void to_json(const ls_progress *p, int64_t elapsed_ns) {
    const uint64_t rate = rate_of(&p->now, elapsed_ns);
    const int64_t seconds = left_s(&p->now, rate);
    ls_json j;

    ls_json_init_line(&j, stderr);
    ls_json_object(&j, NULL);
    ls_json_uint(&j, "files_done", p->now.files_done);
    ls_json_uint(&j, "files", p->now.files);
    ls_json_uint(&j, "bytes_done", p->now.bytes_done);
    ls_json_uint(&j, "bytes", p->now.bytes);
    ls_json_uint(&j, "pages_written", p->now.pages_written);
    ls_json_int(&j, "elapsed_ms", elapsed_ns / LS_MS);
    ls_json_uint(&j, "bytes_per_second", rate);
    if (seconds >= 0)
        ls_json_int(&j, "seconds_left", seconds);
    ls_json_object_end(&j);
    ls_json_end(&j);
    (void)fflush(stderr);
}

static void show(ls_progress *p) {
    const int64_t elapsed = ls_mono_ns(&ls_clock_system) - p->start_ns;

    if (!p->json && p->now.files == 0)
        return; /* still looking for files */
    p->drawn = true;
    if (p->json)
        to_json(p, elapsed);
    else
        to_terminal(p, elapsed);
}

/* ---- the thread ---- */

static struct timespec after(int64_t ns) {
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    const int64_t sum = t.tv_nsec + ns;
    t.tv_sec += (time_t)(sum / LS_SEC);
    t.tv_nsec = (long)(sum % LS_SEC);
    return t;
}

static void *draw(void *arg) {
    ls_progress *p = arg;

    pthread_mutex_lock(&p->lock);
    while (!p->end) {
        const struct timespec until = after(p->every_ns);
        int rc = 0;
        while (!p->end && rc != ETIMEDOUT)
            rc = pthread_cond_timedwait(&p->wake, &p->lock, &until);
        if (!p->end)
            show(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void progressed(void *arg, const ls_restore_progress *now) {
    ls_progress *p = arg;

    pthread_mutex_lock(&p->lock);
    p->now = *now;
    pthread_mutex_unlock(&p->lock);
}

static void init_sync(ls_progress *p) {
    pthread_condattr_t attr;

    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
}

static void free_progress(ls_progress *p) {
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

ls_code ls_progress_start(bool json, ls_progress **out, ls_err *err) {
    *out = NULL;
    const char *term = getenv("TERM");
    const bool terminal = isatty(STDERR_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
    if (!json && !terminal)
        return LS_OK;
    ls_progress *p = calloc(1, sizeof *p);
    if (p == NULL)
        return ls_fail(err, LS_ENOMEM, "no memory to show progress");
    p->json = json;
    p->every_ns = json ? JSON_EVERY : TERMINAL_EVERY;
    p->start_ns = ls_mono_ns(&ls_clock_system);
    init_sync(p);
    const int rc = pthread_create(&p->thread, NULL, draw, p);
    if (rc != 0) {
        free_progress(p);
        return ls_fail_errno(err, rc, "start a thread");
    }
    *out = p;
    return LS_OK;
}

void ls_progress_of(ls_progress *p, ls_restore_opts *opts) {
    if (p != NULL) {
        opts->progress = progressed;
        opts->progress_arg = p;
    }
}

void ls_progress_end(ls_progress *p) {
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->end = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    if (p->drawn && p->json)
        show(p);
    else if (p->drawn && write(STDERR_FILENO, "\r\x1b[K", 4) < 0)
        p->drawn = false;
    free_progress(p);
}
