/* ltx encode-db: a database file as an LTX snapshot, whole or not at all. */
#include "cmd/ltx.h"
#include "cmd/ltx_input.h"
#include "engine/base/cancel.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/ltx/dbfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct encode_args {
    const char *out;
} encode_args;

/* Set by SIGINT and SIGTERM, so that the temporary file is removed. */
static ls_cancel stop;

static void on_signal(int sig) {
    (void)sig;
    ls_cancel_set(&stop);
}

static void watch_signals(void) {
    struct sigaction sa = {.sa_handler = on_signal};

    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
}

/* A writer to a descriptor that fails once the user wants to stop. */
typedef struct stop_writer {
    ls_writer base;
    ls_fd_writer fd;
} stop_writer;

static ls_code stop_write(ls_writer *w, const void *buf, size_t len, ls_err *err) {
    stop_writer *s = (stop_writer *)(void *)w;

    if (ls_canceled(&stop))
        return ls_fail(err, LS_ECANCELED, "interrupted");
    return s->fd.base.write(&s->fd.base, buf, len, err);
}

/* Encodes, and makes sure that nobody wrote to the database meanwhile: a mixture of two states
 * would look like a sound file. */
static ls_code encode(int db, const char *name, int out, const char *out_name, ls_err *err) {
    stop_writer w = {.base.write = stop_write};
    struct stat before, after;

    ls_fd_writer_init(&w.fd, out, out_name);
    if (fstat(db, &before) != 0)
        return ls_fail_errno(err, errno, "stat %s", name);
    ls_code rc = ls_ltx_encode_db(db, name, ls_wall_ms(&ls_clock_system), &w.base, err);
    if (rc != LS_OK)
        return rc;
    if (fstat(db, &after) != 0)
        return ls_fail_errno(err, errno, "stat %s", name);
    if (before.st_size != after.st_size || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
        before.st_mtim.tv_nsec != after.st_mtim.tv_nsec) {
        (void)ls_fail(err, LS_EBUSY, "%s changed while it was read", name);
        return ls_hint(err, "stop its writers, or take a copy first: sqlite3 %s '.backup copy.db'",
                       name);
    }
    return LS_OK;
}

/* The mode for the output: that of the file it replaces, else 0600. Refuses to replace the
 * database itself and anything that is no plain file. */
static ls_code output_perm(int db, const char *out, ls_perm *perm, ls_err *err) {
    struct stat in_st, out_st;

    *perm = LS_PERM_PRIVATE;
    if (stat(out, &out_st) != 0)
        return errno == ENOENT ? LS_OK : ls_fail_errno(err, errno, "stat %s", out);
    if (fstat(db, &in_st) != 0)
        return ls_fail_errno(err, errno, "stat database");
    if (in_st.st_dev == out_st.st_dev && in_st.st_ino == out_st.st_ino)
        return ls_fail(err, LS_EINVALID, "input and output files are the same");
    if (!S_ISREG(out_st.st_mode)) {
        (void)ls_fail(err, LS_EINVALID, "%s: not a regular file", out);
        return ls_hint(err, "to write to a pipe or device: -o - and a redirection");
    }
    perm->file_mode = out_st.st_mode & 07777;
    return LS_OK;
}

static ls_code encode_to_file(int db, const char *name, const char *out, ls_err *err) {
    ls_atomic a = {0};
    ls_perm perm;
    ls_code rc = output_perm(db, out, &perm, err);

    if (rc == LS_OK)
        rc = ls_atomic_begin(&a, out, &perm, err);
    if (rc != LS_OK)
        return rc;
    rc = encode(db, name, a.fd, a.tmp, err);
    if (rc == LS_OK)
        return ls_atomic_commit(&a, false, -1, err);
    ls_atomic_abort(&a);
    return rc;
}

static ls_code run_encode_db(const ls_invocation *in, ls_err *err) {
    const encode_args *a = in->args;
    int db;

    if (in->n_pos == 0)
        return ls_fail(err, LS_EINVALID, "filename required");
    ls_code rc = ls_positionals_max(in, 1, err);
    if (rc != LS_OK)
        return rc;
    if (a->out == NULL || a->out[0] == '\0')
        return ls_fail(err, LS_EINVALID, "required: -o PATH");
    if (strcmp(a->out, "-") == 0 && isatty(STDOUT_FILENO))
        return ls_fail(err, LS_EINVALID, "an LTX file is nothing for a terminal");
    if (ls_ltx_open_path(in->pos[0], O_RDONLY, &db, err) != LS_OK)
        return ls_wrap(err, "open DB file");
    watch_signals();
    rc = strcmp(a->out, "-") == 0 ? encode(db, in->pos[0], STDOUT_FILENO, "standard output", err)
                                  : encode_to_file(db, in->pos[0], a->out, err);
    close(db);
    if (rc == LS_OK)
        ls_ltx_warn_log(in->pos[0]);
    return rc;
}

const ls_command ls_ltx_cmd_encode_db = {
    .name = "encode-db",
    .summary = "encodes a database file as an LTX snapshot",
    .usage = (const char *const[]){"-o OUT DB", NULL},
    .about = "The encode-db command encodes an SQLite database into an LTX file: a snapshot of "
             "TXID 1 with checksums.\n\n"
             "The output appears whole or not at all, with mode 0600 or the mode of the file it "
             "replaces. The database must not be written to meanwhile, which is checked, and only "
             "the database file itself is read: where a log or journal beside it is not empty, a "
             "warning says so.",
    .options = (const ls_option[]){{.name = "o",
                                    .type = LS_OPT_STRING,
                                    .field = offsetof(encode_args, out),
                                    .arg = "OUT",
                                    .help = "Path of the output; - for standard output. Required."},
                                   {0}},
    .examples = (const char *const[]){"ltx encode-db -o app.ltx app.db", NULL},
    .args_size = sizeof(encode_args),
    .run = run_encode_db,
};
