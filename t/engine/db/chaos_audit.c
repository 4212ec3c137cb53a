/*
 * The auditor of chaos_capture.c: a process that captures nothing and knows nothing of the log. At
 * each barrier it holds writers back by a transaction, begins a read transaction beside it, and
 * copies what that sees with sqlite3_backup, while writers go on.
 */
#include "t/engine/db/chaos.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOLD = 'h', COPY = 'c', DROP = 'd' };

typedef struct reply {
    int ok;
    uint32_t schema_cookie;
} reply;

typedef struct auditor {
    const char *path, *copy;
    sqlite3 *barrier, *reader;
} auditor;

static bool run(sqlite3 *h, const char *sql) {
    return sqlite3_exec(h, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static void drop(auditor *a) {
    (void)run(a->barrier, "ROLLBACK");
    (void)run(a->reader, "ROLLBACK");
}

static bool hold(auditor *a) {
    if (run(a->barrier, "BEGIN IMMEDIATE") &&
        run(a->reader, "BEGIN; SELECT count(*) FROM sqlite_schema")) {
        return true;
    }
    drop(a);
    return false;
}

static uint32_t cookie_of(sqlite3 *h) {
    sqlite3_stmt *stmt = NULL;
    uint32_t cookie = 0;
    if (sqlite3_prepare_v2(h, "PRAGMA schema_version", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        cookie = (uint32_t)sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return cookie;
}

/* The read transaction's pages into a new file. */
static bool copy(auditor *a) {
    sqlite3 *to = NULL;
    (void)unlink(a->copy);
    bool ok = sqlite3_open(a->copy, &to) == SQLITE_OK &&
              run(to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
    sqlite3_backup *b = ok ? sqlite3_backup_init(to, "main", a->reader, "main") : NULL;
    ok = b != NULL && sqlite3_backup_step(b, -1) == SQLITE_DONE;
    ok = sqlite3_backup_finish(b) == SQLITE_OK && ok;
    ok = sqlite3_close(to) == SQLITE_OK && ok;
    return ok && sqlite3_txn_state(a->reader, "main") == SQLITE_TXN_READ;
}

static reply answer_to(auditor *a, char what) {
    reply r = {.ok = true};
    if (what == HOLD) {
        r.ok = hold(a);
    } else if (what == COPY) {
        (void)run(a->barrier, "ROLLBACK");
        r.ok = copy(a);
        r.schema_cookie = cookie_of(a->reader);
        (void)run(a->reader, "ROLLBACK");
    } else {
        drop(a);
    }
    return r;
}

static void serve(auditor *a, int in, int out) {
    for (uint32_t n = 0;; n++) {
        char what;
        if (read(in, &what, 1) != 1) {
            return;
        }
        if (what == HOLD && n % 50 < 3) { /* connects anew at times */
            sqlite3_close(a->barrier);
            sqlite3_close(a->reader);
            a->barrier = chaos_connect(a->path);
            a->reader = chaos_connect(a->path);
        }
        reply r = answer_to(a, what);
        if (write(out, &r, sizeof(r)) != (ssize_t)sizeof(r)) {
            return;
        }
    }
}

void chaos_audit_start(chaos_audit *a, const chaos_play *play) {
    int ask[2], answer[2];
    (void)snprintf(a->copy, sizeof(a->copy), "%s/copy", play->dir);
    if (pipe2(ask, O_CLOEXEC) != 0 || pipe2(answer, O_CLOEXEC) != 0) {
        chaos_die("pipes for the auditor", NULL);
    }
    a->pid = fork();
    if (a->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        auditor self = {.path = play->path, .copy = a->copy};
        serve(&self, ask[0], answer[1]);
        _exit(0);
    }
    close(ask[0]);
    close(answer[1]);
    a->ask = ask[1];
    a->answer = answer[0];
}

static reply request(chaos_audit *a, char what) {
    reply r = {0};
    if (write(a->ask, &what, 1) != 1 || read(a->answer, &r, sizeof(r)) != (ssize_t)sizeof(r)) {
        chaos_die("the auditor is gone", NULL);
    }
    return r;
}

bool chaos_audit_hold(chaos_audit *a) { return request(a, HOLD).ok; }

bool chaos_audit_copy(chaos_audit *a, uint32_t *schema_cookie) {
    reply r = request(a, COPY);
    *schema_cookie = r.schema_cookie;
    return r.ok;
}

void chaos_audit_drop(chaos_audit *a) { (void)request(a, DROP); }

void chaos_audit_end(chaos_audit *a) {
    close(a->ask);
    close(a->answer);
    kill(a->pid, SIGKILL);
    waitpid(a->pid, NULL, 0);
}
