/*
 * Files that come to a WebDAV server.
 *
 * A file is put as <name>.<time>-<random>.tmp beside its place and moved, so that it appears whole;
 * servers write a file that is put under its own name in place. A move that must not replace says
 * so. Where a server cannot move, files are put under their names, after a look whether there is
 * one. Folders are made by the first file that needs them.
 *
 * HTTP has no checksum of a body. Over TLS none is needed; without, what was put is read back and
 * compared before it gets its name, and put again where it is not the same.
 *
 * A request whose answer is lost is sent again. Of a move that was carried out the second one finds
 * nothing to move: nobody else knows the temporary name.
 */
#include "backends/head.h"
#include "backends/spool.h"
#include "backends/webdav.h"
#include "engine/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A body is put so often until it is read back as it is. */
#define PUTS_MAX 5
#define COMPARED_AT_ONCE 16384

typedef struct put_job {
    ls_dav *dav;
    const ls_ltx_info *file;
    char *url, *tmp;
    bool exclusive;
    int fd;
    uint64_t size;
    int64_t created_ms;
} put_job;

static bool went_well(int status) { return status >= 200 && status <= 299 && status != 207; }

static ls_code exists_already(const char *url, ls_err *err) {
    return ls_fail(err, LS_EEXISTS, "%s exists already", url);
}

static bool cannot(int status) { return status == 405 || status == 501; }

/* A request without a body: *status gets what the server answers. */
static ls_code ask(ls_dav *dav, const char *method, const char *url, int *status, ls_err *err) {
    ls_dav_call c;
    ls_code code = ls_dav_init(&c, method, url, err);
    if (code == LS_OK) {
        code = ls_dav_send(dav, &c, NULL, err);
    }
    *status = c.a.status;
    ls_dav_done(&c);
    return code;
}

/* Best effort. */
static void discard(ls_dav *dav, const char *url) {
    ls_err ignored = LS_ERR_INIT;
    int status;
    if (ask(dav, "DELETE", url, &status, &ignored) != LS_OK) {
        ls_err_clear(&ignored);
    }
}

static ls_code check_absent(const put_job *job, ls_err *err) {
    int status;
    ls_code code = ask(job->dav, "HEAD", job->url, &status, err);
    return code == LS_OK && went_well(status) ? exists_already(job->url, err) : code;
}

/* ---- folders ---- */

/* Makes the folder of a URL, which ends with a slash, and those above it that are missing, down to
 * the server's own. Of errors the put that follows will tell. */
static ls_code make_folder(ls_dav *dav, char *url, ls_err *err) {
    int status;
    ls_code code = ask(dav, "MKCOL", url, &status, err);
    if (code != LS_OK || (status != 409 && status != 404)) {
        return code;
    }
    size_t len = strlen(url);
    size_t parent = len - 1;
    while (parent > 0 && url[parent - 1] != '/') {
        parent--;
    }
    const char *host = strstr(url, "://");
    if (host == NULL || url + parent <= host + 3) {
        return LS_OK;
    }
    char first = url[parent];
    url[parent] = '\0';
    code = strchr(host + 3, '/') != NULL && strchr(host + 3, '/')[1] != '\0'
               ? make_folder(dav, url, err)
               : LS_OK;
    url[parent] = first;
    return code == LS_OK ? ask(dav, "MKCOL", url, &status, err) : code;
}

/* May the folder be what is missing? Servers answer with one of these. */
static bool wants_folder(int status) { return status == 409 || status == 404 || status == 403; }

static ls_code make_level_folder(const put_job *job, ls_err *err) {
    char *folder;
    ls_code code = ls_dav_level_url(job->dav, job->file->level, &folder, err);
    if (code == LS_OK) {
        code = make_folder(job->dav, folder, err);
        free(folder);
    }
    return code;
}

/* ---- sending ---- */

static ls_code send_file(const put_job *job, const char *url, ls_dav_call *c, ls_err *err) {
    ls_code code = ls_dav_init(c, "PUT", url, err);
    c->r.body_fd = job->fd;
    c->r.body_len = job->size;
    if (code == LS_OK) {
        code = ls_http_set_header(&c->r, "Content-Type", err, "application/octet-stream");
    }
    if (code == LS_OK) { /* some servers, Nextcloud among them, keep this as the file's time */
        code = ls_http_set_header(&c->r, "X-OC-Mtime", err, "%" PRId64, job->created_ms / 1000);
    }
    if (code == LS_OK && url == job->url && job->exclusive) {
        code = ls_http_set_header(&c->r, "If-None-Match", err, "*");
    }
    return code == LS_OK ? ls_dav_send(job->dav, c, NULL, err) : code;
}

/* Puts the bytes under a URL; where the folder is missing, makes it and puts them again. */
static ls_code put_bytes(const put_job *job, const char *url, ls_err *err) {
    ls_dav_call c;
    ls_code code = send_file(job, url, &c, err);
    if (code == LS_OK && wants_folder(c.a.status)) {
        code = make_level_folder(job, err);
        if (code == LS_OK) {
            ls_dav_done(&c);
            code = send_file(job, url, &c, err);
        }
    }
    if (code == LS_OK && !went_well(c.a.status)) {
        code = ls_dav_fail(job->dav, &c, "write", err);
    }
    ls_dav_done(&c);
    return code;
}

/* ---- reading back ---- */

/* Are the next bytes those of the file from off on, to its end? */
static ls_code is_same(const put_job *job, ls_reader *body, bool *same, ls_err *err) {
    uint8_t theirs[COMPARED_AT_ONCE];
    uint8_t ours[COMPARED_AT_ONCE];
    size_t got = sizeof theirs;
    *same = true;
    for (uint64_t off = 0; *same && got == sizeof theirs; off += got) {
        size_t want = 0;
        ls_code code = ls_read_full(body, theirs, sizeof theirs, &got, err);
        if (code == LS_OK) {
            code = ls_pread_full(job->fd, ours, sizeof ours, (int64_t)off, &want, job->url, err);
        }
        if (code != LS_OK) {
            return code;
        }
        *same = got == want && memcmp(ours, theirs, got) == 0;
    }
    return LS_OK;
}

static ls_code read_back(const put_job *job, const char *url, bool *same, ls_err *err) {
    ls_dav_call c;
    ls_reader *body = NULL;
    ls_code code = ls_dav_init(&c, "GET", url, err);
    if (code == LS_OK) {
        code = ls_dav_send(job->dav, &c, &body, err);
    }
    if (code == LS_OK && c.a.status != 200) {
        code = ls_dav_fail(job->dav, &c, "read back", err);
    }
    if (code == LS_OK) {
        code = is_same(job, body, same, err);
    }
    ls_reader_close(body);
    ls_dav_done(&c);
    return code == LS_OK ? LS_OK : ls_wrap(err, "read back %s", url);
}

/* Puts the bytes so that they are there as they are here. What is spoilt is deleted first: a put
 * that must not replace could not put it right. */
static ls_code put_checked(const put_job *job, const char *url, ls_err *err) {
    bool secure = strncmp(job->dav->root, "https:", 6) == 0;
    bool same = false;
    for (int i = 0; i < PUTS_MAX && !same; i++) {
        ls_code code = put_bytes(job, url, err);
        if (code != LS_OK || secure) {
            return code;
        }
        code = read_back(job, url, &same, err);
        if (code == LS_EREMOTE || code == LS_ETIMEDOUT) {
            ls_err_clear(err); /* it broke off */
            same = false;
        } else if (code != LS_OK) {
            return code;
        }
        if (!same) {
            discard(job->dav, url);
        }
    }
    if (same) {
        return LS_OK;
    }
    (void)ls_fail(err, LS_ECHECKSUM, "write %s: what was read back %d times was not the same", url,
                  PUTS_MAX);
    return ls_hint(err, "the network or the server spoils what it is given; use https");
}

/* ---- moving and copying ---- */

static ls_code move_or_copy(ls_dav *dav, const char *method, const char *from, const char *to,
                            bool exclusive, ls_dav_call *c, ls_err *err) {
    ls_code code = ls_dav_init(c, method, from, err);
    if (code == LS_OK) {
        code = ls_http_set_header(&c->r, "Destination", err, "%s", to);
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&c->r, "Overwrite", err, exclusive ? "F" : "T");
    }
    return code == LS_OK ? ls_dav_send(dav, c, NULL, err) : code;
}

/* Is the temporary file gone and the file there? */
static ls_code was_moved(const put_job *job, bool *moved, ls_err *err) {
    int tmp = 0;
    int file = 0;
    ls_code code = ask(job->dav, "HEAD", job->tmp, &tmp, err);
    if (code == LS_OK) {
        code = ask(job->dav, "HEAD", job->url, &file, err);
    }
    *moved = code == LS_OK && tmp == 404 && went_well(file);
    return code;
}

/* *able: false where the server does not know the method; then nothing has happened. */
static ls_code publish(const put_job *job, bool *able, ls_err *err) {
    ls_dav_call c;
    bool moved = false;
    ls_code code = move_or_copy(job->dav, "MOVE", job->tmp, job->url, job->exclusive, &c, err);
    *able = code != LS_OK || !cannot(c.a.status);
    if (code == LS_OK && (c.a.status == 404 || c.a.status == 412)) {
        code = was_moved(job, &moved, err);
    }
    if (code == LS_OK && !moved && c.a.status == 412) {
        code = exists_already(job->url, err);
    } else if (code == LS_OK && !moved && *able && !went_well(c.a.status)) {
        code = ls_dav_fail(job->dav, &c, "write", err);
    }
    ls_dav_done(&c);
    return code;
}

/* ---- put ---- */

/* Frees what the job owns; code is how it went. */
static ls_code put_end(put_job *job, ls_code code, ls_ltx_info *out) {
    free(job->tmp);
    free(job->url);
    if (code == LS_OK) {
        *out = *job->file;
        out->size = job->size;
        out->created_ms = job->created_ms;
    }
    return code;
}

static ls_code temporary_url(const char *url, char **tmp, ls_err *err) {
    uint32_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        return ls_fail(err, LS_EIO, "no random number for a temporary name");
    }
    *tmp = ls_asprintf("%s.%llx-%08x.tmp", url,
                       (unsigned long long)(ls_wall_ms(&ls_clock_system) / 1000), (unsigned)random);
    return *tmp != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory to write %s", url);
}

static ls_code put_straight(put_job *job, ls_err *err) {
    ls_code code = job->exclusive ? check_absent(job, err) : LS_OK;
    return code == LS_OK ? put_checked(job, job->url, err) : code;
}

static ls_code put_and_move(put_job *job, ls_err *err) {
    bool able = true;
    ls_code code = put_checked(job, job->tmp, err);
    if (code == LS_OK) {
        code = publish(job, &able, err);
    }
    if (code != LS_OK || !able) {
        discard(job->dav, job->tmp);
    }
    if (!able) {
        atomic_store(&job->dav->no_move, true);
        return put_straight(job, err);
    }
    return code;
}

/* Closes the spool. */
static ls_code put_spool(ls_dav *dav, const ls_ltx_info *file, ls_spool *spool, bool exclusive,
                         ls_ltx_info *out, ls_err *err) {
    put_job job = {.dav = dav,
                   .file = file,
                   .exclusive = exclusive,
                   .fd = spool->fd,
                   .size = spool->size,
                   .created_ms = spool->created_ms};
    ls_code code = ls_dav_file_url(dav, file, &job.url, err);
    if (code == LS_OK) {
        code = temporary_url(job.url, &job.tmp, err);
    }
    if (code == LS_OK) {
        code = atomic_load(&dav->no_move) ? put_straight(&job, err) : put_and_move(&job, err);
    }
    ls_spool_close(spool);
    return put_end(&job, code, out);
}

ls_code ls_dav_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                   ls_ltx_info *out, ls_err *err) {
    ls_spool spool;
    ls_code code = ls_spool_stream(in, &spool, err);
    return code == LS_OK ? put_spool((ls_dav *)s, file, &spool, exclusive, out, err) : code;
}

ls_code ls_dav_put_file(ls_storage *s, const ls_ltx_info *file, const char *path, bool exclusive,
                        ls_ltx_info *out, ls_err *err) {
    ls_spool spool;
    ls_code code = ls_spool_file(path, &spool, err);
    return code == LS_OK ? put_spool((ls_dav *)s, file, &spool, exclusive, out, err) : code;
}

/* ---- copy ---- */

/* Size and time of what is copied, the time from its header. */
static ls_code look_at(ls_storage *s, const ls_ltx_info *from, const char *url, put_job *job,
                       ls_err *err) {
    ls_dav_call c;
    ls_ltx_info info = *from;
    ls_code code = ls_head_exact(s, &info, err);
    if (code != LS_OK) {
        return code;
    }
    job->created_ms = info.created_ms;
    code = ls_dav_init(&c, "HEAD", url, err);
    if (code == LS_OK) {
        code = ls_dav_send(job->dav, &c, NULL, err);
    }
    const char *len = ls_http_header_of(c.a.headers, c.a.n_headers, "Content-Length");
    if (code == LS_OK && (!went_well(c.a.status) || len == NULL)) {
        code = ls_dav_fail(job->dav, &c, "copy", err);
    } else if (code == LS_OK) {
        job->size = strtoull(len, NULL, 10);
    }
    ls_dav_done(&c);
    return code;
}

/* Copies to the temporary name; where the folder is missing, makes it and copies again. */
static ls_code copy_bytes(const put_job *job, const char *from, ls_err *err) {
    ls_dav_call c;
    ls_code code = move_or_copy(job->dav, "COPY", from, job->tmp, false, &c, err);
    if (code == LS_OK && wants_folder(c.a.status)) {
        code = make_level_folder(job, err);
        if (code == LS_OK) {
            ls_dav_done(&c);
            code = move_or_copy(job->dav, "COPY", from, job->tmp, false, &c, err);
        }
    }
    if (code == LS_OK && cannot(c.a.status)) {
        atomic_store(&job->dav->no_copy, true);
        code = ls_fail(err, LS_EUNSUPPORTED, "the server does not copy files");
    } else if (code == LS_OK && !went_well(c.a.status)) {
        code = ls_dav_fail(job->dav, &c, "copy", err);
    }
    ls_dav_done(&c);
    return code;
}

static ls_code copy_and_move(ls_storage *s, const ls_ltx_info *from, put_job *job, ls_err *err) {
    char *url = NULL;
    bool able = true;
    ls_code code = ls_dav_file_url(job->dav, from, &url, err);
    if (code == LS_OK) {
        code = look_at(s, from, url, job, err);
    }
    if (code == LS_OK) {
        code = ls_dav_file_url(job->dav, job->file, &job->url, err);
    }
    if (code == LS_OK) {
        code = temporary_url(job->url, &job->tmp, err);
    }
    if (code == LS_OK) {
        code = copy_bytes(job, url, err);
    }
    if (code == LS_OK) {
        code = publish(job, &able, err);
        if (code != LS_OK || !able) {
            discard(job->dav, job->tmp);
        }
    }
    free(url);
    return able ? code : ls_fail(err, LS_EUNSUPPORTED, "the server does not move files");
}

ls_code ls_dav_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to, bool exclusive,
                    ls_ltx_info *out, ls_err *err) {
    put_job job = {.dav = (ls_dav *)s, .file = to, .exclusive = exclusive, .fd = -1};
    if (atomic_load(&job.dav->no_copy) || atomic_load(&job.dav->no_move)) {
        return ls_fail(err, LS_EUNSUPPORTED, "the server does not copy files");
    }
    return put_end(&job, copy_and_move(s, from, &job, err), out);
}
