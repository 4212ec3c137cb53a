/*
 * Dispatch to the operations of a store, with the checks and the small operations that are the same
 * for all of them.
 */
#include "backends/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ls_code check_level(int level, ls_err *err) {
    if (level < 0 || level > LS_LTX_LEVEL_MAX) {
        return ls_fail(err, LS_EINVALID, "level %d is outside 0..%d", level, LS_LTX_LEVEL_MAX);
    }
    return LS_OK;
}

ls_code ls_storage_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it, ls_err *err) {
    *it = NULL;
    ls_code code = check_level(level, err);
    return code != LS_OK ? code : s->ops->list(s, level, seek, it, err);
}

ls_code ls_storage_iter_next(ls_storage_iter *it, ls_ltx_info *file, bool *end, ls_err *err) {
    *end = false;
    return it->next(it, file, end, err);
}

void ls_storage_iter_free(ls_storage_iter *it) {
    if (it != NULL) {
        it->free(it);
    }
}

ls_code ls_storage_open_range(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                              ls_reader **r, ls_err *err) {
    *r = NULL;
    ls_code code = check_level(file->level, err);
    return code != LS_OK ? code : s->ops->open(s, file, off, len, r, err);
}

ls_code ls_storage_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                       ls_ltx_info *out, ls_err *err) {
    ls_ltx_info ignored;
    ls_code code = check_level(file->level, err);
    return code != LS_OK ? code
                         : s->ops->put(s, file, in, exclusive, out != NULL ? out : &ignored, err);
}

static ls_code put_through_stream(ls_storage *s, const ls_ltx_info *file, const char *path,
                                  bool exclusive, ls_ltx_info *out, ls_err *err) {
    int fd = ls_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    ls_reader *in = ls_fd_reader_new(fd, true, path);
    if (in == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to read %s", path);
    }
    ls_code code = s->ops->put(s, file, in, exclusive, out, err);
    ls_reader_close(in);
    return code;
}

ls_code ls_storage_put_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                            bool exclusive, ls_ltx_info *out, ls_err *err) {
    ls_ltx_info ignored;
    ls_code code = check_level(file->level, err);
    if (code != LS_OK) {
        return code;
    }
    out = out != NULL ? out : &ignored;
    return s->ops->put_file != NULL ? s->ops->put_file(s, file, path, exclusive, out, err)
                                    : put_through_stream(s, file, path, exclusive, out, err);
}

ls_code ls_storage_take_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                             bool exclusive, ls_ltx_info *out, ls_err *err) {
    ls_ltx_info ignored;
    ls_code code = check_level(file->level, err);
    if (code != LS_OK || s->ops->take_file == NULL) {
        return code != LS_OK ? code : ls_storage_put_file(s, file, path, exclusive, out, err);
    }
    return s->ops->take_file(s, file, path, exclusive, out != NULL ? out : &ignored, err);
}

ls_code ls_storage_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                        bool exclusive, ls_ltx_info *out, ls_err *err) {
    ls_ltx_info stored;
    ls_code code = check_level(from->level, err);
    if (code == LS_OK) {
        code = check_level(to->level, err);
    }
    if (code == LS_OK && (from->min_txid != to->min_txid || from->max_txid != to->max_txid)) {
        code = ls_fail(err, LS_EINVALID, "a copy of a file keeps its TXIDs");
    }
    if (code == LS_OK && s->ops->copy == NULL) {
        code = ls_fail(err, LS_EUNSUPPORTED, "%s stores do not copy files", s->ops->type);
    }
    return code == LS_OK ? s->ops->copy(s, from, to, exclusive, out != NULL ? out : &stored, err)
                         : code;
}

ls_code ls_storage_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    for (size_t i = 0; i < n; i++) {
        ls_code code = check_level(files[i].level, err);
        if (code != LS_OK) {
            return code;
        }
    }
    return n == 0 ? LS_OK : s->ops->remove(s, files, n, err);
}

/* ---- objects of other formats ---- */

static bool key_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

/* The length of a key's first part; 0 if it is no valid one. */
static size_t key_part(const char *key) {
    size_t len = 0;
    while (key_char(key[len])) {
        len++;
    }
    bool dots = (len == 1 || len == 2) && strncmp(key, "..", len) == 0;
    return dots || (key[len] != '\0' && key[len] != '/') ? 0 : len;
}

bool ls_object_key_valid(const char *key) {
    if (strnlen(key, LS_OBJECT_KEY_MAX + 1) > LS_OBJECT_KEY_MAX) {
        return false;
    }
    for (int parts = 1; parts <= LS_OBJECT_PARTS_MAX; parts++) {
        size_t len = key_part(key);
        if (len == 0 || key[len] == '\0') {
            return len != 0;
        }
        key += len + 1;
    }
    return false;
}

static ls_code check_key(const char *key, ls_err *err) {
    return ls_object_key_valid(key) ? LS_OK
                                    : ls_fail(err, LS_EINVALID, "no name of an object: %s", key);
}

static ls_code no_objects(const ls_storage *s, ls_err *err) {
    return ls_fail(err, LS_EUNSUPPORTED, "%s stores hold LTX files only", s->ops->type);
}

ls_code ls_storage_each_object(ls_storage *s, const char *folder, ls_object_fn fn, void *arg,
                               ls_err *err) {
    if (s->ops->each_object == NULL) {
        return no_objects(s, err);
    }
    ls_code code = check_key(folder, err);
    return code == LS_OK ? s->ops->each_object(s, folder, fn, arg, err) : code;
}

ls_code ls_storage_open_object(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                               ls_reader **r, ls_err *err) {
    *r = NULL;
    if (s->ops->open_object == NULL) {
        return no_objects(s, err);
    }
    ls_code code = check_key(key, err);
    return code == LS_OK ? s->ops->open_object(s, key, off, len, r, err) : code;
}

/* ---- marks ---- */

bool ls_storage_has_marks(const ls_storage *s) {
    return s->ops->get_mark != NULL && s->ops->put_mark != NULL;
}

static ls_code check_mark(const ls_storage *s, const char *key, ls_err *err) {
    return ls_storage_has_marks(s)
               ? check_key(key, err)
               : ls_fail(err, LS_EUNSUPPORTED, "%s stores cannot keep %s", s->ops->type, key);
}

ls_code ls_storage_get_mark(ls_storage *s, const char *key, ls_mark *mark, ls_err *err) {
    *mark = (ls_mark){.age_ms = -1};
    ls_code code = check_mark(s, key, err);
    return code == LS_OK ? s->ops->get_mark(s, key, mark, err) : code;
}

ls_code ls_storage_put_mark(ls_storage *s, const char *key, ls_mark *mark, bool keep, ls_err *err) {
    ls_code code = check_mark(s, key, err);
    if (code == LS_OK && (mark->len == 0 || mark->len > LS_MARK_MAX)) {
        code = ls_fail(err, LS_EINVALID, "%s: no mark has %zu bytes", key, mark->len);
    }
    return code == LS_OK ? s->ops->put_mark(s, key, mark, keep, err) : code;
}

/* ---- what is there ---- */

/* The largest MaxTXID of one level and its last file. */
static ls_code newest_of_level(ls_storage *s, int level, ls_txid *max, ls_ltx_info *last,
                               ls_err *err) {
    ls_storage_iter *it;
    ls_code code = ls_storage_list(s, level, 0, &it, err);
    bool end = false;
    while (code == LS_OK && !end) {
        ls_ltx_info file;
        code = ls_storage_iter_next(it, &file, &end, err);
        if (code == LS_OK && !end) {
            *max = file.max_txid > *max ? file.max_txid : *max;
            *last = file;
        }
    }
    ls_storage_iter_free(it);
    return code == LS_OK ? LS_OK : ls_wrap(err, "list level %d", level);
}

ls_code ls_storage_newest(ls_storage *s, ls_txid *max, ls_ltx_info *newest_l0, ls_err *err) {
    *max = 0;
    *newest_l0 = (ls_ltx_info){0};
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        ls_ltx_info last = {0};
        ls_code code = newest_of_level(s, level, max, level == 0 ? newest_l0 : &last, err);
        if (code != LS_OK) {
            return code;
        }
    }
    return LS_OK;
}

void ls_storage_set_log(ls_storage *s, const ls_log *log) { s->log = log; }

const char *ls_storage_type(const ls_storage *s) { return s->ops->type; }

const char *ls_storage_url(const ls_storage *s) { return s->url; }

char *ls_storage_key(const ls_ltx_info *file, char buf[LS_STORAGE_KEY_SIZE]) {
    char name[LS_LTX_NAME_SIZE];
    (void)snprintf(buf, LS_STORAGE_KEY_SIZE, "ltx/%d/%s", file->level,
                   ls_ltx_name_format(file->min_txid, file->max_txid, name));
    return buf;
}

void ls_storage_free(ls_storage *s) {
    if (s != NULL) {
        s->ops->free(s);
    }
}
