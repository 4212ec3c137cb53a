/*
 * Files that come to an SFTP server.
 *
 * A file is written as <name>.<time>-<random>.tmp beside its place, gets the time of its LTX header
 * in whole seconds (the protocol has no others), is brought to the server's disk where the server
 * can do that, and is renamed. A plain rename never replaces: that is what exclusive means here.
 * Replacing is posix-rename; a server without it has the old file deleted first, so that only there
 * a file can be missing for a moment. Folders are made by the first file that needs them. What a
 * killed process left under a temporary name goes with a put a day later.
 */
#include "backends/head.h"
#include "backends/sftp_store.h"
#include "engine/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LEFTOVER_S (24 * 60 * 60)
#define LEFTOVERS_MAX 64        /* removed at once; the next process takes the rest */
#define COPY_STEP (64ull << 20) /* copied by one request, which is to be answered in time */

/* The name says when it was made: the file's own time is that of its data. */
static ls_code temporary_path(const char *path, char **tmp, ls_err *err) {
    uint32_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) {
        return ls_fail(err, LS_EIO, "no random number for a temporary name");
    }
    *tmp = ls_asprintf("%s.%llx-%08x.tmp", path,
                       (unsigned long long)(ls_wall_ms(&ls_clock_system) / 1000), (unsigned)random);
    return *tmp != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory to write %s", path);
}

/* Is it such a name, of before a time (seconds since 1970)? */
static bool is_leftover(const char *name, int64_t before) {
    const char *at = strstr(name, ".ltx.");
    if (at == NULL) {
        return false;
    }
    char *end;
    int64_t made = strtoll(at + 5, &end, 16);
    size_t random = end[0] == '-' ? strspn(end + 1, "0123456789abcdef") : 0;
    return random == 8 && strcmp(end + 9, ".tmp") == 0 && made > 0 && made < before;
}

/* What is copied on the server. */
typedef struct copy_job {
    const char *path;
    ls_sftp_handle h;
    uint64_t size;
    uint8_t head[LS_LTX_HEADER_SIZE];
    size_t got;
    bool able;
} copy_job;

typedef struct put_job {
    sftp_store *st;
    const ls_ltx_info *file;
    char *path, *tmp;
    bool exclusive;
    int64_t timestamp_ms;
    uint64_t size;    /* bytes that the server has */
    const void *data; /* and those that it gets next */
    size_t len;
    copy_job *from;     /* instead of data */
    ls_sftp_conn *conn; /* NULL: lost */
    ls_sftp_handle h;
} put_job;

/* Makes a folder and those above it that are missing. Servers say of an existing one as little as
 * "failure", so that errors are left to who needs the folder. */
static void make_dirs(ls_sftp *s, const char *dir) {
    ls_err err = LS_ERR_INIT;
    ls_code code = ls_sftp_mkdir(s, dir, &err);
    char *parent = code == LS_ENOTFOUND ? ls_path_dir(dir) : NULL;
    if (parent != NULL && strcmp(parent, dir) != 0 && strcmp(parent, ".") != 0) {
        make_dirs(s, parent);
        ls_err_clear(&err);
        code = ls_sftp_mkdir(s, dir, &err);
    }
    free(parent);
}

static ls_code exists_already(const put_job *job, ls_err *err) {
    return ls_fail(err, LS_EEXISTS, "%s exists already", job->path);
}

/* Refuses early what the rename would refuse after all bytes were sent. */
static ls_code check_absent(const put_job *job, ls_sftp *s, ls_err *err) {
    ls_sftp_attrs attrs;
    ls_code code = ls_sftp_stat(s, job->path, &attrs, err);
    if (code == LS_ENOTFOUND) {
        ls_err_clear(err);
        return LS_OK;
    }
    return code == LS_OK ? exists_already(job, err) : code;
}

static ls_code begin_job(ls_sftp *s, void *arg, ls_err *err) {
    put_job *job = arg;
    ls_code code = job->exclusive ? check_absent(job, s, err) : LS_OK;
    if (code != LS_OK) {
        return code;
    }
    code = ls_sftp_open(s, job->tmp, LS_SFTP_CREATE, &job->h, err);
    if (code != LS_ENOTFOUND) {
        return code;
    }
    char *dir = ls_sftp_level_dir(job->st, job->file->level);
    if (dir == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to create %s", job->path);
    }
    ls_err_clear(err);
    make_dirs(s, dir);
    free(dir);
    return ls_sftp_open(s, job->tmp, LS_SFTP_CREATE, &job->h, err);
}

static ls_code put_begin(put_job *job, ls_err *err) {
    ls_code code = ls_sftp_file_path(job->st, job->file, &job->path, err);
    if (code == LS_OK) {
        code = temporary_path(job->path, &job->tmp, err);
    }
    return code == LS_OK ? ls_sftp_run(job->st->pool, begin_job, job, &job->conn, err) : code;
}

/* Opens what is half written again. A server that fell may have lost what it had confirmed. */
static ls_code reopen_job(ls_sftp *s, void *arg, ls_err *err) {
    put_job *job = arg;
    ls_sftp_attrs attrs;
    ls_code code = ls_sftp_stat(s, job->tmp, &attrs, err);
    if (code == LS_OK && attrs.size < job->size) {
        code = ls_fail(err, LS_EREMOTE, "the server lost a part of %s", job->tmp);
    }
    return code == LS_OK ? ls_sftp_open(s, job->tmp, LS_SFTP_WRITE, &job->h, err) : code;
}

/* Does a step that may be done twice; where the connection is lost, it is done again on another. */
static ls_code put_step(put_job *job, ls_code (*step)(put_job *job, ls_sftp *s, ls_err *err),
                        ls_err *err) {
    for (unsigned tries = 1;; tries++) {
        ls_sftp *s = ls_sftp_lock(job->conn);
        ls_code code = step(job, s, err);
        bool lost = s->broken;
        ls_sftp_unlock(job->conn);
        if (code == LS_OK || !lost || tries == LS_SFTP_TRIES) {
            return code;
        }
        ls_sftp_give(job->st->pool, job->conn);
        job->conn = NULL;
        ls_err_clear(err);
        code = ls_sftp_run(job->st->pool, reopen_job, job, &job->conn, err);
        if (code != LS_OK) {
            return code;
        }
    }
}

static ls_code write_step(put_job *job, ls_sftp *s, ls_err *err) {
    return ls_sftp_write(s, &job->h, job->size, job->data, job->len, job->st->one_by_one, err);
}

static ls_code write_some(put_job *job, const void *data, size_t len, ls_err *err) {
    job->data = data;
    job->len = len;
    ls_code code = put_step(job, write_step, err);
    if (code != LS_OK) {
        return ls_sftp_named(job->st, ls_wrap(err, "write %s", job->path), err);
    }
    job->size += len;
    return LS_OK;
}

/* The connection is not locked while the stream is read, which may come from this very store. */
static ls_code write_stream(put_job *job, const uint8_t *head, ls_reader *in, ls_err *err) {
    uint8_t *buf = malloc(LS_SFTP_CHUNK);
    if (buf == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to write %s", job->path);
    }
    memcpy(buf, head, LS_LTX_HEADER_SIZE);
    size_t have = LS_LTX_HEADER_SIZE;
    size_t got = 1;
    ls_code code = LS_OK;
    while (code == LS_OK && got > 0) {
        code = ls_read_full(in, buf + have, LS_SFTP_CHUNK - have, &got, err);
        if (code == LS_OK && have + got > 0) {
            code = write_some(job, buf, have + got, err);
        }
        have = 0;
    }
    free(buf);
    return code;
}

/* Replaces where the server cannot do it in one step. */
static ls_code replace_in_steps(put_job *job, ls_sftp *s, ls_err *err) {
    ls_code code = ls_sftp_rename(s, job->tmp, job->path, err);
    if (code == LS_OK || s->broken) {
        return code;
    }
    ls_err_clear(err);
    code = ls_sftp_remove(s, job->path, err);
    if (code != LS_OK && code != LS_ENOTFOUND) {
        return code;
    }
    ls_err_clear(err);
    return ls_sftp_rename(s, job->tmp, job->path, err);
}

/* Gives the temporary file its name. A server says of a name that is taken as little as "failure".
 */
static ls_code publish(put_job *job, ls_sftp *s, ls_err *err) {
    if (!job->exclusive) {
        return s->posix_rename ? ls_sftp_replace(s, job->tmp, job->path, err)
                               : replace_in_steps(job, s, err);
    }
    ls_code code = ls_sftp_rename(s, job->tmp, job->path, err);
    ls_sftp_attrs attrs;
    ls_err ignored = LS_ERR_INIT;
    if (code == LS_EEXISTS || (code == LS_EREMOTE && !s->broken &&
                               ls_sftp_stat(s, job->path, &attrs, &ignored) == LS_OK)) {
        return exists_already(job, err);
    }
    return code;
}

static ls_code finish_step(put_job *job, ls_sftp *s, ls_err *err) {
    return ls_sftp_finish(s, &job->h, job->timestamp_ms / 1000, err);
}

/* The temporary name is nobody else's: where it is gone and the file is there, an earlier try has
 * renamed it, and only the answer was lost. */
static bool was_renamed(const put_job *job, ls_sftp *s) {
    ls_sftp_attrs attrs;
    ls_err ignored = LS_ERR_INIT;
    return ls_sftp_stat(s, job->tmp, &attrs, &ignored) == LS_ENOTFOUND &&
           ls_sftp_stat(s, job->path, &attrs, &ignored) == LS_OK;
}

typedef struct publishing {
    put_job *job;
    bool tried;
} publishing;

static ls_code publish_job(ls_sftp *s, void *arg, ls_err *err) {
    publishing *p = arg;
    if (p->tried && was_renamed(p->job, s)) {
        return LS_OK;
    }
    p->tried = true;
    ls_code code = publish(p->job, s, err);
    if (code != LS_OK) {
        ls_sftp_discard(s, p->job->tmp);
    }
    return code;
}

static ls_code commit(put_job *job, ls_err *err) {
    publishing p = {.job = job};
    ls_code code = put_step(job, finish_step, err);
    if (code == LS_OK) {
        code = ls_sftp_run(job->st->pool, publish_job, &p, NULL, err);
    } else if (job->conn != NULL) {
        ls_sftp_discard(ls_sftp_lock(job->conn), job->tmp);
        ls_sftp_unlock(job->conn);
    }
    return code == LS_OK ? LS_OK : ls_sftp_named(job->st, ls_wrap(err, "write %s", job->path), err);
}

static void give_up(const put_job *job) {
    ls_sftp *s = ls_sftp_lock(job->conn);
    ls_sftp_close(s, &job->h);
    ls_sftp_discard(s, job->tmp);
    ls_sftp_unlock(job->conn);
}

/* Ends what put_begin began; code is how it went since then. */
static ls_code put_end(put_job *job, ls_code code, ls_ltx_info *out, ls_err *err) {
    if (code == LS_OK) {
        code = commit(job, err);
    } else if (job->conn != NULL) {
        give_up(job);
    }
    ls_sftp_give(job->st->pool, job->conn);
    free(job->tmp);
    free(job->path);
    if (code == LS_OK) {
        *out = *job->file;
        out->size = job->size;
        out->created_ms = job->timestamp_ms;
    }
    return code;
}

/* ---- leftovers ---- */

typedef struct leftovers {
    char *names[LEFTOVERS_MAX];
    size_t n;
    int64_t before; /* seconds since 1970 */
} leftovers;

static ls_code note_leftover(void *arg, const char *name, const ls_sftp_attrs *attrs, ls_err *err) {
    leftovers *l = arg;
    (void)err;
    if (l->n < LEFTOVERS_MAX && attrs->is_file && is_leftover(name, l->before)) {
        l->names[l->n] = strdup(name);
        l->n += l->names[l->n] != NULL;
    }
    return LS_OK;
}

typedef struct sweeping {
    leftovers left;
    const char *dir;
} sweeping;

static ls_code sweep_job(ls_sftp *s, void *arg, ls_err *err) {
    const sweeping *sw = arg;
    for (size_t i = 0; i < sw->left.n; i++) {
        char *path = ls_path_join(sw->dir, sw->left.names[i]);
        if (path == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for the name of a file");
        }
        ls_sftp_discard(s, path);
        free(path);
    }
    return LS_OK;
}

/* What a killed process was writing would stay for ever, as the next one writes other names. What
 * is being written now is younger. Best effort. */
static void sweep(sftp_store *st, int level) {
    if (atomic_exchange(&st->swept[level], true)) {
        return;
    }
    ls_err ignored = LS_ERR_INIT;
    char *dir = ls_sftp_level_dir(st, level);
    sweeping sw = {.left.before = ls_wall_ms(&ls_clock_system) / 1000 - LEFTOVER_S, .dir = dir};
    ls_code code = dir != NULL ? ls_sftp_each_entry(st, dir, note_leftover, &sw.left, &ignored)
                               : ls_fail(&ignored, LS_ENOMEM, "no memory for the name of a folder");
    if (code == LS_OK && sw.left.n > 0) {
        code = ls_sftp_run(st->pool, sweep_job, &sw, NULL, &ignored);
    }
    if (code != LS_OK) {
        atomic_store(&st->swept[level], false); /* the next put tries again */
    }
    for (size_t i = 0; i < sw.left.n; i++) {
        free(sw.left.names[i]);
    }
    free(dir);
}

ls_code ls_sftp_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                    ls_ltx_info *out, ls_err *err) {
    uint8_t head[LS_LTX_HEADER_SIZE];
    put_job job = {.st = (sftp_store *)s, .file = file, .exclusive = exclusive};
    ls_code code = ls_head_read(in, head, &job.timestamp_ms, err);
    if (code != LS_OK) {
        return code;
    }
    code = ls_sftp_named(job.st, put_begin(&job, err), err);
    if (code == LS_OK) {
        code = write_stream(&job, head, in, err);
    }
    code = put_end(&job, code, out, err);
    if (code == LS_OK) {
        sweep(job.st, file->level);
    }
    return code;
}

/* ---- copy ---- */

static ls_code look_job(ls_sftp *s, void *arg, ls_err *err) {
    copy_job *job = arg;
    ls_sftp_attrs attrs;
    job->able = s->copy_data;
    if (!job->able) {
        return LS_OK;
    }
    ls_code code = ls_sftp_stat(s, job->path, &attrs, err);
    if (code == LS_OK) {
        job->size = attrs.size;
        code = ls_sftp_open(s, job->path, LS_SFTP_READ, &job->h, err);
    }
    if (code == LS_OK) {
        code = ls_sftp_read(s, &job->h, 0, job->head, sizeof job->head, &job->got, err);
        ls_sftp_close(s, &job->h);
    }
    return code;
}

/* Both handles are on the put's connection. */
static ls_code copy_step(put_job *to, ls_sftp *s, ls_err *err) {
    copy_job *from = to->from;
    ls_code code = ls_sftp_open(s, from->path, LS_SFTP_READ, &from->h, err);
    if (code != LS_OK) {
        return code;
    }
    while (code == LS_OK && to->size < from->size) {
        uint64_t left = from->size - to->size;
        uint64_t n = left < COPY_STEP ? left : COPY_STEP;
        code = ls_sftp_copy(s, &from->h, &to->h, to->size, n, err);
        to->size += code == LS_OK ? n : 0;
    }
    ls_sftp_close(s, &from->h);
    return code;
}

static ls_code copy_to(sftp_store *st, copy_job *from, const ls_ltx_info *to, bool exclusive,
                       ls_ltx_info *out, ls_err *err) {
    put_job job = {.st = st, .file = to, .exclusive = exclusive, .from = from};
    ls_code code = ls_head_time(from->head, from->got, &job.timestamp_ms, err);
    if (code == LS_OK) {
        code = put_begin(&job, err);
    }
    if (code == LS_OK) {
        code = put_step(&job, copy_step, err);
    }
    return put_end(&job, code, out, err);
}

ls_code ls_sftp_copy_file(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                          bool exclusive, ls_ltx_info *out, ls_err *err) {
    sftp_store *st = (sftp_store *)s;
    copy_job job = {0};
    char *path;
    ls_code code = ls_sftp_file_path(st, from, &path, err);
    job.path = path;
    if (code == LS_OK) {
        code = ls_sftp_run(st->pool, look_job, &job, NULL, err);
    }
    if (code == LS_OK && !job.able) {
        code = ls_fail(err, LS_EUNSUPPORTED, "the server does not copy files");
    }
    if (code == LS_OK) {
        code = copy_to(st, &job, to, exclusive, out, err);
    }
    free(path);
    return ls_sftp_named(st, code, err);
}
