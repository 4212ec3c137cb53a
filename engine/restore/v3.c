/*
 * Restores from v0.3 replicas; see v3.h.
 *
 * A hole between two segments shows when they are put together: each begins where the last ended. A
 * segment that is missing at the end of a log does not: names tell neither its length nor that a
 * restart of the log followed. The integrity check finds what comes of it.
 */
#include "engine/restore/v3.h"

#include "backends/resume.h"
#include "engine/restore/look.h"
#include "engine/restore/lz4stream.h"
#include "engine/restore/v3list.h"
#include "engine/restore/v3log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SQLITE_HEADER_SIZE 100
#define SQLITE_MAGIC "SQLite format 3" /* with its NUL */

/* ---- which format ---- */

ls_code ls_v3_find_bounds(ls_storage *s, ls_v3_bounds *bounds, ls_err *err) {
    ls_v3_look look;
    ls_code code = ls_v3_look_at(s, LS_NO_TIMESTAMP, &look, err);
    *bounds =
        (ls_v3_bounds){.any = look.any, .oldest_ms = look.oldest_ms, .newest_ms = look.newest_ms};
    return code;
}

ls_code ls_v3_chosen(ls_storage *s, int64_t timestamp_ms, bool *yes, ls_err *err) {
    *yes = false;
    ls_v3_look v3;
    ls_code code = ls_v3_look_at(s, timestamp_ms, &v3, err);
    if (code != LS_OK || !v3.has_snapshot) {
        return code;
    }
    ls_ltx_look ltx;
    code = ls_ltx_look_at(s, timestamp_ms, &ltx, err);
    if (code != LS_OK) {
        return code;
    }
    if (!ltx.any) {
        *yes = true;
    } else if (timestamp_ms == LS_NO_TIMESTAMP) {
        *yes = v3.newest_ms > ltx.newest_ms;
    } else {
        *yes = !ltx.has_base || v3.snapshot.modified_ms > ltx.base_ms;
    }
    return LS_OK;
}

/* ---- the plan ---- */

static ls_code choose(ls_storage *s, int64_t timestamp_ms, ls_v3_look *look,
                      ls_v3_segments *segments, ls_err *err) {
    *segments = (ls_v3_segments){0};
    ls_code code = ls_v3_look_at(s, timestamp_ms, look, err);
    if (code != LS_OK) {
        return code;
    }
    if (!look->has_snapshot) {
        return ls_fail(err, LS_ENOBACKUP, "no matching backup files available");
    }
    return ls_v3_segments_list(s, look, timestamp_ms, segments, err);
}

static ls_code tell(const ls_v3_look *look, const ls_v3_file *file, ls_object_fn fn, void *arg,
                    ls_err *err) {
    char key[LS_V3_KEY_SIZE];
    const ls_object object = {.key = ls_v3_key_format(look->generation, file, key),
                              .size = file->size,
                              .modified_ms = file->modified_ms};
    return fn(arg, &object, err);
}

ls_code ls_v3_plan(ls_storage *s, int64_t timestamp_ms, ls_object_fn fn, void *arg, ls_err *err) {
    ls_v3_look look;
    ls_v3_segments segments;
    ls_code code = choose(s, timestamp_ms, &look, &segments, err);
    if (code == LS_OK) {
        code = tell(&look, &look.snapshot, fn, arg, err);
    }
    for (size_t i = 0; i < segments.n && code == LS_OK; i++) {
        code = tell(&look, &segments.files[i], fn, arg, err);
    }
    ls_v3_segments_done(&segments);
    return code;
}

/* ---- the rebuild ---- */

typedef struct v3_rebuild {
    ls_storage *s;
    const ls_restore_opts *opts;
    ls_v3_look look;
    ls_v3_segments segments;
    ls_v3_log log;
    ls_restore_progress progress;
} v3_rebuild;

/* Decodes an object into fd, behind what is there. */
static ls_code fetch(v3_rebuild *r, const ls_v3_file *file, int fd, const char *name,
                     uint64_t *size, ls_err *err) {
    char key[LS_V3_KEY_SIZE];
    const ls_object object = {.key = ls_v3_key_format(r->look.generation, file, key),
                              .size = file->size};
    ls_reader *in;
    ls_code code = ls_resume_open_object(r->s, &object, r->opts->cancel, &in, err);
    if (code == LS_OK) {
        ls_fd_writer out;
        ls_fd_writer_init(&out, fd, name);
        code = ls_lz4_stream_decode(in, &out.base, r->opts->cancel, size, err);
        ls_reader_close(in);
    }
    if (code != LS_OK) {
        return ls_wrap(err, "%s", key);
    }
    r->progress.files_done++;
    r->progress.bytes_done += file->size;
    if (r->opts->progress != NULL) {
        r->opts->progress(r->opts->progress_arg, &r->progress);
    }
    return LS_OK;
}

/* A database, by its header, of whole pages. */
static ls_code check_snapshot(int fd, const char *name, uint64_t size, ls_err *err) {
    uint8_t hdr[SQLITE_HEADER_SIZE];
    size_t got;
    ls_code code = ls_pread_full(fd, hdr, sizeof hdr, 0, &got, name, err);
    if (code != LS_OK) {
        return code;
    }
    uint32_t page_size = (uint32_t)hdr[16] << 8 | hdr[17];
    page_size = page_size == 1 ? 65536 : page_size;
    if (got < sizeof hdr || memcmp(hdr, SQLITE_MAGIC, sizeof SQLITE_MAGIC) != 0 ||
        !ls_ltx_page_size_valid(page_size) || size % page_size != 0) {
        return ls_fail(err, LS_ECORRUPT, "the snapshot's content is no database");
    }
    return LS_OK;
}

static ls_code fetch_snapshot(v3_rebuild *r, int fd, const char *name, ls_err *err) {
    if (lseek(fd, 0, SEEK_SET) != 0) {
        return ls_fail_errno(err, errno, "write %s", name);
    }
    uint64_t size = 0;
    ls_code code = fetch(r, &r->look.snapshot, fd, name, &size, err);
    if (code != LS_OK) {
        return code;
    }
    if (check_snapshot(fd, name, size, err) != LS_OK) {
        char key[LS_V3_KEY_SIZE];
        return ls_wrap(err, "%s", ls_v3_key_format(r->look.generation, &r->look.snapshot, key));
    }
    return LS_OK;
}

/* Puts the segments of one log, from i on, together and into the database; *next: behind them. */
static ls_code apply_log(v3_rebuild *r, size_t i, size_t *next, ls_err *err) {
    const ls_v3_file *files = r->segments.files;
    const uint32_t index = files[i].index;
    uint64_t end = 0;
    ls_code code = ls_v3_log_begin(&r->log, err);
    for (; code == LS_OK && i < r->segments.n && files[i].index == index; i++) {
        if (files[i].offset != end) {
            return ls_v3_fail_missing(&r->look, &files[i - 1], index, end, &files[i], err);
        }
        uint64_t size = 0;
        code = fetch(r, &files[i], r->log.fd, r->log.wal, &size, err);
        end += size;
    }
    *next = i;
    if (code == LS_OK && ls_v3_log_apply(&r->log, end, err) != LS_OK) {
        return ls_wrap(err, "log %08x of generation %s", index, r->look.generation);
    }
    return code;
}

static ls_code report(const v3_rebuild *r, int fd, const char *name, ls_restore_result *result,
                      ls_err *err) {
    uint8_t hdr[SQLITE_HEADER_SIZE];
    size_t got;
    struct stat st;
    ls_code code = ls_pread_full(fd, hdr, sizeof hdr, 0, &got, name, err);
    if (code == LS_OK && fstat(fd, &st) != 0) {
        code = ls_fail_errno(err, errno, "stat %s", name);
    }
    if (code != LS_OK) {
        return code;
    }
    uint32_t page_size = (uint32_t)hdr[16] << 8 | hdr[17];
    page_size = page_size == 1 ? 65536 : page_size;
    *result = (ls_restore_result){.page_size = page_size,
                                  .pages = (uint32_t)((uint64_t)st.st_size / page_size),
                                  .files = r->progress.files,
                                  .bytes = r->progress.bytes};
    return LS_OK;
}

static ls_code run(v3_rebuild *r, int fd, const char *path, ls_err *err) {
    r->progress.files = r->segments.n + 1;
    r->progress.bytes = r->look.snapshot.size;
    for (size_t i = 0; i < r->segments.n; i++) {
        r->progress.bytes += r->segments.files[i].size;
    }
    ls_code code = ls_v3_log_init(&r->log, path, err);
    if (code == LS_OK) {
        code = fetch_snapshot(r, fd, path, err);
    }
    for (size_t i = 0; code == LS_OK && i < r->segments.n;) {
        code = apply_log(r, i, &i, err);
    }
    ls_v3_log_done(&r->log);
    return code;
}

ls_code ls_v3_rebuild(ls_storage *s, int64_t timestamp_ms, int fd, const char *path,
                      const ls_restore_opts *opts, ls_restore_result *result, ls_err *err) {
    v3_rebuild r = {.s = s, .opts = opts, .log = {.fd = -1}};
    *result = (ls_restore_result){0};
    ls_code code = choose(s, timestamp_ms, &r.look, &r.segments, err);
    if (code == LS_OK) {
        code = run(&r, fd, path, err);
    }
    if (code == LS_OK) {
        code = report(&r, fd, path, result, err);
    }
    ls_v3_segments_done(&r.segments);
    return code;
}
