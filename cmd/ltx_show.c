/* What the commands of `ltx` have in common: how bad files, times and headers are shown. */
#include "cmd/ltx.h"

#include "engine/base/file.h"
#include "engine/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void ls_ltx_report(const char *path, const ls_err *err, bool hint) {
    const char *text = ls_err_hint(err);

    (void)fflush(stdout);
    ls_write_safe(path, stderr);
    fputs(": ", stderr);
    ls_write_safe(err->msg, stderr);
    fputc('\n', stderr);
    if (hint && text[0] != '\0') {
        fputs("hint: ", stderr);
        ls_write_safe(text, stderr);
        fputc('\n', stderr);
    }
}

ls_code ls_ltx_failed(ls_err *err) {
    ls_err_clear(err);
    err->code = LS_ECORRUPT;
    return err->code;
}

uint64_t ls_ltx_side_size(const char *db_path, const char *suffix) {
    struct stat st;
    char *path = ls_asprintf("%s%s", db_path, suffix);
    bool there = path != NULL && stat(path, &st) == 0 && st.st_size > 0;

    free(path);
    return there ? (uint64_t)st.st_size : 0;
}

void ls_ltx_warn_log(const char *db_path) {
    static const char *const suffixes[] = {"-wal", "-journal"};

    for (size_t i = 0; i < 2; i++) {
        if (ls_ltx_side_size(db_path, suffixes[i]) == 0)
            continue;
        fputs("warning: ", stderr);
        ls_write_safe(db_path, stderr);
        fprintf(stderr, "%s is not empty and is not looked at\n", suffixes[i]);
    }
}

char *ls_ltx_time(int64_t ms, bool precise, char *buf, size_t size) {
    bool fraction = precise && ms % 1000 != 0;
    size_t len = strlen(ls_time_format(ms, fraction, buf, size));

    if (!fraction)
        return buf;
    for (; len >= 2 && buf[len - 2] == '0'; len--)
        memcpy(buf + len - 2, "Z", 2);
    return buf;
}

void ls_ltx_json_hex(ls_json *j, const char *key, uint64_t value) {
    char text[17];

    snprintf(text, sizeof text, "%016" PRIx64, value);
    ls_json_str(j, key, text);
}

void ls_ltx_json_header(ls_json *j, const ls_ltx_header *h) {
    char when[40];

    ls_json_uint(j, "flags", h->flags);
    ls_json_uint(j, "page_size", h->page_size);
    ls_json_uint(j, "commit", h->commit);
    ls_ltx_json_hex(j, "min_txid", h->min_txid);
    ls_ltx_json_hex(j, "max_txid", h->max_txid);
    ls_json_str(j, "timestamp", ls_ltx_time(h->timestamp, true, when, sizeof when));
    ls_json_int(j, "timestamp_ms", h->timestamp);
    ls_ltx_json_hex(j, "pre_apply", h->pre_apply);
    ls_json_int(j, "wal_offset", h->wal_offset);
    ls_json_int(j, "wal_size", h->wal_size);
    ls_json_uint(j, "wal_salt1", h->wal_salt1);
    ls_json_uint(j, "wal_salt2", h->wal_salt2);
    ls_ltx_json_hex(j, "node_id", h->node_id);
}
