/* The sources of a compaction and their merge; see compact_merge.h. */
#include "engine/replica/compact_merge.h"

#include "backends/resume.h"
#include "engine/ltx/merge.h"
#include "engine/replica/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct inputs {
    ls_storage *s;
    const ls_compact_opts *opts;
    const ls_joined *list;
    bool local;         /* local files are the store's */
    bool used_local;    /* one was read */
    uint32_t page_size; /* of input 0 */
    size_t split;       /* the first input of another page size; 0: none met */
    char key[LS_STORAGE_KEY_SIZE];
} inputs;

/* ---- local files ---- */

static ls_code local_path(const inputs *in, const ls_ltx_info *f, char **path, ls_err *err) {
    char name[LS_LTX_NAME_SIZE];
    *path = ls_asprintf("%s/%d/%s", in->opts->local_root, f->level,
                        ls_ltx_name_format(f->min_txid, f->max_txid, name));
    return *path != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for the path of %s", name);
}

/* The newest local file among the sources; *i is n where there is none. What cannot be read is not
 * there. */
static ls_code newest_local(const inputs *in, size_t *i, ls_ends *ends, ls_err *err) {
    for (size_t k = in->list->n; k-- > 0;) {
        const ls_ltx_info *f = &in->list->files[k];
        char *path;
        ls_ltx_header header;
        ls_code rc = local_path(in, f, &path, err);
        if (rc != LS_OK) {
            return rc;
        }
        rc = ls_ends_path(path, f, ends, &header, err);
        free(path);
        if (rc == LS_OK && ends->size == f->size) {
            *i = k;
            return LS_OK;
        }
        ls_err_clear(err);
    }
    *i = in->list->n;
    return LS_OK;
}

/* A store that cannot be asked, or answers otherwise, is read. */
static ls_code choose_local(inputs *in, ls_err *err) {
    size_t i;
    ls_ends ours;
    ls_ends theirs;
    if (in->opts->local_root == NULL) {
        return LS_OK;
    }
    ls_code rc = newest_local(in, &i, &ours, err);
    if (rc != LS_OK || i == in->list->n) {
        return rc;
    }
    rc = ls_ends_remote(in->s, &in->list->files[i], &theirs, err);
    in->local = rc == LS_OK && ls_ends_equal(&ours, &theirs);
    ls_err_clear(err);
    return LS_OK;
}

/* *fd is -1 where the file is not there with the size that the store lists. */
static ls_code open_local(const inputs *in, const ls_ltx_info *f, int *fd, char **path,
                          ls_err *err) {
    *fd = -1;
    ls_code rc = local_path(in, f, path, err);
    if (rc != LS_OK) {
        return rc;
    }
    struct stat st;
    *fd = ls_open(*path, O_RDONLY, 0);
    if (*fd >= 0 && (fstat(*fd, &st) != 0 || (uint64_t)st.st_size != f->size)) {
        (void)close(*fd);
        *fd = -1;
    }
    if (*fd < 0) {
        free(*path);
        *path = NULL;
    }
    return LS_OK;
}

/* ---- inputs ---- */

/* A source whose header was read to be looked at, and is given out first. */
typedef struct input {
    ls_reader base;
    ls_reader *in;
    char *path; /* of a local file: its reader's name */
    uint8_t head[LS_LTX_HEADER_SIZE];
    size_t len, pos; /* bytes of head there and given out */
} input;

static ls_code input_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    input *i = (input *)r;
    if (i->pos == i->len) {
        return i->in->read(i->in, buf, len, got, err);
    }
    *got = len < i->len - i->pos ? len : i->len - i->pos;
    memcpy(buf, i->head + i->pos, *got);
    i->pos += *got;
    return LS_OK;
}

static void input_close(ls_reader *r) {
    input *i = (input *)r;
    ls_reader_close(i->in);
    free(i->path);
    free(i);
}

static ls_code open_source(inputs *in, const ls_ltx_info *f, input *i, ls_err *err) {
    int fd = -1;
    ls_code rc = in->local ? open_local(in, f, &fd, &i->path, err) : LS_OK;
    if (rc != LS_OK) {
        return rc;
    }
    if (fd < 0) {
        return ls_resume_open(in->s, f, 0, 0, in->opts->cancel, &i->in, err);
    }
    in->used_local = true;
    i->in = ls_fd_reader_new(fd, true, i->path);
    return i->in != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory to read %s", i->path);
}

/* Is it what its name says, and of the page size of the first? What is no header the merge reports.
 */
static ls_code check_head(inputs *in, size_t number, const input *i, ls_err *err) {
    ls_ltx_header h;
    const ls_ltx_info *f = &in->list->files[number];
    if (i->len < LS_LTX_HEADER_SIZE || ls_ltx_header_decode(i->head, &h, err) != LS_OK) {
        ls_err_clear(err);
        return LS_OK;
    }
    if (h.min_txid != f->min_txid || h.max_txid != f->max_txid) {
        char name[LS_LTX_NAME_SIZE];
        return ls_fail(err, LS_ECORRUPT, "%s: its header says it is %s", in->key,
                       ls_ltx_name_format(h.min_txid, h.max_txid, name));
    }
    if (number == 0) {
        in->page_size = h.page_size;
    } else if (h.page_size != in->page_size) {
        in->split = number;
        return ls_fail(err, LS_EINVALID, "%s: another page size", in->key);
    }
    return LS_OK;
}

static ls_code open_input(void *arg, size_t number, ls_reader **r, ls_err *err) {
    inputs *in = arg;
    const ls_ltx_info *f = &in->list->files[number];
    ls_storage_key(f, in->key);
    input *i = calloc(1, sizeof *i);
    if (i == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to read %s", in->key);
    }
    i->base = (ls_reader){.read = input_read, .close = input_close};
    ls_code rc = open_source(in, f, i, err);
    if (rc == LS_OK) {
        rc = ls_read_full(i->in, i->head, sizeof i->head, &i->len, err);
    }
    if (rc == LS_OK) {
        rc = check_head(in, number, i, err);
    }
    if (rc != LS_OK) {
        input_close(&i->base);
        return rc;
    }
    *r = &i->base;
    return LS_OK;
}

static const char *input_name(void *arg, size_t number) {
    inputs *in = arg;
    return ls_storage_key(&in->list->files[number], in->key);
}

/* ---- the temporary file ---- */

static ls_code spool_open(const ls_compact_opts *opts, ls_compact_spool *spool, int *fd,
                          ls_err *err) {
    const char *dir = opts->spill_dir != NULL ? opts->spill_dir : getenv("TMPDIR");
    *spool = (ls_compact_spool){
        .path = ls_asprintf("%s/compact-XXXXXX.tmp", dir != NULL && *dir != '\0' ? dir : "/tmp")};
    if (spool->path == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for the path of a temporary file");
    }
    *fd = mkostemps(spool->path, 4, O_CLOEXEC);
    if (*fd >= 0) {
        return LS_OK;
    }
    ls_code rc = ls_fail_errno(err, errno, "create %s", spool->path);
    free(spool->path);
    spool->path = NULL;
    return rc;
}

void ls_compact_spool_done(ls_compact_spool *spool) {
    if (spool->path != NULL) {
        (void)unlink(spool->path);
        free(spool->path);
    }
    *spool = (ls_compact_spool){0};
}

static ls_code merge_into_spool(inputs *in, ls_compact_spool *spool, ls_err *err) {
    int fd = -1;
    ls_code rc = spool_open(in->opts, spool, &fd, err);
    if (rc != LS_OK) {
        return rc;
    }
    const ls_ltx_merge_opts opts = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                                    .spill_dir = in->opts->spill_dir,
                                    .cancel = in->opts->cancel,
                                    .open = open_input,
                                    .name = input_name,
                                    .arg = in};
    ls_fd_writer out;
    ls_fd_writer_init(&out, fd, spool->path);
    rc = ls_ltx_merge(&opts, in->list->n, &out.base, &spool->header, NULL, err);
    spool->size = out.written;
    if (close(fd) != 0 && rc == LS_OK && errno != EINTR) {
        rc = ls_fail_errno(err, errno, "close %s", spool->path);
    }
    if (rc != LS_OK) {
        ls_compact_spool_done(spool);
    }
    return rc;
}

/* ---- merge and send ---- */

/* Would reading the store's files instead of local ones change the outcome? */
static bool is_local_fault(const inputs *in, ls_code rc) {
    return in->used_local && in->split == 0 && rc != LS_OK && rc != LS_ECANCELED &&
           rc != LS_EFULL && rc != LS_ENOMEM;
}

ls_code ls_compact_merge(ls_storage *s, const ls_compact_opts *opts, ls_joined *sources,
                         ls_compact_spool *spool, bool *cut, ls_err *err) {
    inputs in = {.s = s, .opts = opts, .list = sources};
    *cut = false;
    *spool = (ls_compact_spool){0};
    ls_code rc = choose_local(&in, err);
    if (rc == LS_OK) {
        rc = merge_into_spool(&in, spool, err);
    }
    if (is_local_fault(&in, rc)) {
        ls_log_err(opts->log, LS_WARN, "local files cannot be compacted, the replica's are read",
                   err, LS_ATTRS(LS_STR("system", "store"), LS_INT("level", opts->level)));
        ls_err_clear(err);
        in.local = in.used_local = false;
        rc = merge_into_spool(&in, spool, err);
    }
    if (rc != LS_OK && in.split > 0) {
        ls_err_clear(err);
        sources->n = in.split;
        sources->more = *cut = true;
        rc = LS_OK;
    }
    return rc;
}

static ls_code send_stored(inputs *in, const ls_ltx_info *from, const ls_ltx_info *to,
                           ls_ltx_info *out, ls_err *err) {
    ls_reader *r = NULL;
    ls_code rc = ls_resume_open(in->s, from, 0, 0, in->opts->cancel, &r, err);
    if (rc == LS_OK) {
        rc = ls_storage_put(in->s, to, r, true, out, err);
    }
    ls_reader_close(r);
    return rc;
}

ls_code ls_compact_send(ls_storage *s, const ls_compact_opts *opts, const ls_ltx_info *from,
                        const ls_ltx_info *to, ls_ltx_info *out, ls_err *err) {
    ls_ltx_info one = *from;
    const ls_joined list = {.files = &one, .n = 1};
    inputs in = {.s = s, .opts = opts, .list = &list};
    ls_code rc = choose_local(&in, err);
    if (rc != LS_OK || !in.local) {
        return rc == LS_OK ? send_stored(&in, from, to, out, err) : rc;
    }
    char *path;
    rc = local_path(&in, from, &path, err);
    if (rc == LS_OK) {
        rc = ls_storage_put_file(s, to, path, true, out, err);
        free(path);
    }
    return rc;
}
