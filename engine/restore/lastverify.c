/*
 * Time and result of the last verify: one line of JSON in <meta>/verify, with the keys in this
 * order. A file that says anything else is not believed.
 */
#include "engine/restore/verify.h"

#include "engine/base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 512
#define LAST_VERIFY_FORMAT                                                                         \
    "{\"at_ms\": %" PRId64 ", \"ok\": %s, \"full\": %s, \"txid\": \"%s\", \"files\": %zu, "        \
    "\"findings\": %zu}\n"
#define LAST_VERIFY_SCAN                                                                           \
    "{\"at_ms\": %" SCNd64 ", \"ok\": %5[a-z], \"full\": %5[a-z], \"txid\": \"%16[0-9a-f]\", "     \
    "\"files\": %zu, \"findings\": %zu}%n"

static char *path_of(const char *meta_path, ls_err *err) {
    char *path = ls_path_join(meta_path, "verify");
    if (path == NULL) {
        (void)ls_fail(err, LS_ENOMEM, "no memory for the result of verify");
    }
    return path;
}

/* As the folder, so that whoever owns the database can read what another user found. */
static ls_code perm_of(const char *meta_path, ls_perm *perm, ls_err *err) {
    struct stat st;
    if (stat(meta_path, &st) != 0) {
        return ls_fail_errno(err, errno, "stat %s", meta_path);
    }
    *perm = (ls_perm){.file_mode = st.st_mode & 0666,
                      .dir_mode = st.st_mode & 0777,
                      .uid = st.st_uid,
                      .gid = st.st_gid};
    return LS_OK;
}

static const char *bool_text(bool b) { return b ? "true" : "false"; }

static ls_code write_line(const char *path, const ls_perm *perm, const ls_last_verify *v,
                          ls_err *err) {
    char txid[LS_TXID_SIZE];
    char line[LINE_MAX_BYTES];
    int len = snprintf(line, sizeof line, LAST_VERIFY_FORMAT, v->at_ms, bool_text(v->ok),
                       bool_text(v->full), ls_txid_format(v->txid, txid), v->files, v->findings);
    ls_atomic out;
    ls_code code = ls_atomic_begin(&out, path, perm, err);
    if (code != LS_OK) {
        return code;
    }
    code = ls_write_full(out.fd, line, (size_t)len, path, err);
    if (code != LS_OK) {
        ls_atomic_abort(&out);
        return code;
    }
    return ls_atomic_commit(&out, false, -1, err);
}

ls_code ls_last_verify_save(const char *meta_path, const ls_last_verify *v, ls_err *err) {
    ls_perm perm;
    char *path = path_of(meta_path, err);
    if (path == NULL) {
        return err->code;
    }
    ls_code code = perm_of(meta_path, &perm, err);
    if (code == LS_OK) {
        code = write_line(path, &perm, v, err);
    }
    free(path);
    return code;
}

static bool parse_bool(const char *text, bool *value) {
    *value = strcmp(text, "true") == 0;
    return *value || strcmp(text, "false") == 0;
}

static bool parse_line(const char *line, ls_last_verify *v) {
    char ok[6];
    char full[6];
    char txid[LS_TXID_SIZE];
    int end = 0;
    ls_err ignored = LS_ERR_INIT;
    return sscanf(line, LAST_VERIFY_SCAN, &v->at_ms, ok, full, txid, &v->files, &v->findings,
                  &end) == 6 &&
           strcmp(line + end, "\n") == 0 && parse_bool(ok, &v->ok) && parse_bool(full, &v->full) &&
           ls_txid_parse(txid, &v->txid, &ignored) == LS_OK;
}

ls_code ls_last_verify_load(const char *meta_path, ls_last_verify *v, ls_err *err) {
    *v = (ls_last_verify){0};
    char *path = path_of(meta_path, err);
    if (path == NULL) {
        return err->code;
    }
    char *line = NULL;
    size_t len;
    ls_code code = ls_read_file(path, LINE_MAX_BYTES, &line, &len, err);
    if (code == LS_ENOTFOUND) {
        ls_err_clear(err);
        code = LS_OK;
    } else if (code == LS_OK) {
        v->any = parse_line(line, v);
        if (!v->any) {
            *v = (ls_last_verify){0};
            code = ls_fail(err, LS_ECORRUPT, "%s does not say what the last verify found", path);
            (void)ls_hint(err, "verify again");
        }
    }
    free(line);
    free(path);
    return code;
}
