/* Listings and files through the storage interface. */
#include "tui/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Room for one more element of an array, up to max. */
static ls_code grow(void **items, size_t n, size_t *cap, size_t size, size_t max, ls_err *err) {
    if (n < *cap) {
        return LS_OK;
    }
    size_t more = *cap == 0 ? 64 : *cap * 2;
    if (n >= max) {
        return ls_fail(err, LS_ELIMIT, "more than %zu rows", max);
    }
    void *bigger = realloc(*items, more * size);
    if (bigger == NULL) {
        return ls_fail(err, LS_ENOMEM, "%zu rows", more);
    }
    *items = bigger;
    *cap = more;
    return LS_OK;
}

static ls_code add_file(source *s, const ls_ltx_info *file, ls_err *err) {
    ls_code rc = grow((void **)&s->files, s->n, &s->cap, sizeof(*file), SOURCE_MAX_FILES, err);
    if (rc == LS_OK) {
        s->files[s->n++] = *file;
    }
    return rc;
}

static ls_code list_level(source *s, int level, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(s->storage, level, 0, &it, err);
    bool end = false;
    while (rc == LS_OK && !end) {
        ls_ltx_info file;
        rc = ls_storage_iter_next(it, &file, &end, err);
        if (rc == LS_OK && !end) {
            rc = add_file(s, &file, err);
        }
    }
    ls_storage_iter_free(it);
    return rc;
}

/* A single file is a listing of one, known by its header. */
static ls_code single_file(source *s, const struct stat *st, ls_err *err) {
    ls_ltx_info file = {.size = (uint64_t)st->st_size};
    file_detail d;
    s->n = 0;
    ls_code rc = add_file(s, &file, err);
    if (rc == LS_OK) {
        rc = source_detail(s, 0, &d, err);
    }
    if (rc == LS_OK) {
        s->files[0].min_txid = d.header.min_txid;
        s->files[0].max_txid = d.header.max_txid;
        s->files[0].created_ms = d.header.timestamp;
        detail_done(&d);
    }
    return rc;
}

ls_code source_refresh(source *s, ls_err *err) {
    struct stat st;
    if (s->storage == NULL) {
        return stat(s->name, &st) == 0 ? single_file(s, &st, err)
                                       : ls_fail_errno(err, errno, "open %s", s->name);
    }
    s->n = 0;
    ls_code rc = LS_OK;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX && rc == LS_OK; level++) {
        rc = list_level(s, level, err);
    }
    return rc;
}

ls_code source_open(source *s, const char *what, ls_err *err) {
    *s = (source){.name = what};
    struct stat st;
    if (!ls_is_url(what)) {
        if (stat(what, &st) != 0) {
            return ls_fail_errno(err, errno, "open %s", what);
        }
        if (S_ISREG(st.st_mode)) {
            return source_refresh(s, err);
        }
    }
    ls_code rc = ls_is_url(what) ? ls_storage_open_url(what, &s->storage, err)
                                 : ls_storage_open_file(what, NULL, &s->storage, err);
    return rc == LS_OK ? source_refresh(s, err) : rc;
}

void source_done(source *s) {
    ls_storage_free(s->storage);
    free(s->files);
    *s = (source){0};
}

static ls_code open_file(source *s, size_t i, ls_reader **in, ls_err *err) {
    if (s->storage != NULL) {
        return ls_storage_open_range(s->storage, &s->files[i], 0, 0, in, err);
    }
    int fd = open(s->name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", s->name);
    }
    *in = ls_fd_reader_new(fd, true, s->name);
    return *in != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "open %s", s->name);
}

/* What is wrong with the file goes to d->err, what is wrong here is returned. */
static ls_code read_pages(ls_ltx_decoder *dec, file_detail *d, ls_err *err) {
    bool end = false;
    while (!end) {
        ls_ltx_page p;
        if (ls_ltx_decoder_next(dec, &p, &end, &d->err) != LS_OK) {
            return LS_OK;
        }
        if (end) {
            break;
        }
        ls_code rc =
            grow((void **)&d->pages, d->n, &d->cap, sizeof(*d->pages), SOURCE_MAX_PAGES, err);
        if (rc != LS_OK) {
            return rc;
        }
        d->pages[d->n++] = (page_row){.pgno = p.pgno, .size = p.size, .offset = p.offset};
    }
    (void)!ls_ltx_decoder_close(dec, &d->trailer, &d->err);
    return LS_OK;
}

ls_code source_detail(source *s, size_t i, file_detail *d, ls_err *err) {
    *d = (file_detail){0};
    ls_reader *in = NULL;
    ls_code rc = open_file(s, i, &in, err);
    if (rc != LS_OK) {
        return rc;
    }
    ls_ltx_decoder *dec = NULL;
    if (ls_ltx_decoder_new(in, &d->header, &dec, &d->err) == LS_OK) {
        rc = read_pages(dec, d, err);
    }
    ls_ltx_decoder_free(dec);
    ls_reader_close(in);
    if (rc != LS_OK) {
        detail_done(d);
    }
    return rc;
}

void detail_done(file_detail *d) {
    free(d->pages);
    *d = (file_detail){0};
}
