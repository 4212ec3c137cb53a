/* Names and choices of v0.3 replicas; see v3list.h. */
#include "engine/restore/v3list.h"

#include "engine/base/text.h"
#include "engine/restore/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_MAX ((uint64_t)INT32_MAX)
#define OFFSET_MAX ((uint64_t)INT64_MAX)

/* ---- keys ---- */

/* Lower-case hexadecimal digits, min to max of them; how many there are, 0 if not so many. */
static size_t parse_hex(const char *text, size_t min, size_t max, uint64_t *value) {
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    *value = 0;
    for (const char *d; n <= max && text[n] != '\0' && (d = strchr(digits, text[n])) != NULL; n++) {
        *value = *value << 4 | (uint64_t)(d - digits);
    }
    return n >= min && n <= max ? n : 0;
}

static bool skip(const char **p, const char *prefix) {
    bool is = ls_has_prefix(*p, prefix);
    *p += is ? strlen(prefix) : 0;
    return is;
}

/* "<16 digits>" */
static bool parse_generation(const char **p, char generation[LS_V3_GENERATION_SIZE]) {
    uint64_t ignored;
    if (parse_hex(*p, 16, 16, &ignored) == 0) {
        return false;
    }
    memcpy(generation, *p, 16);
    generation[16] = '\0';
    *p += 16;
    return true;
}

static bool parse_index(const char **p, uint32_t *index) {
    uint64_t value;
    if (parse_hex(*p, 8, 8, &value) == 0 || value > INDEX_MAX) {
        return false;
    }
    *index = (uint32_t)value;
    *p += 8;
    return true;
}

static bool parse_offset(const char **p, ls_v3_file *file) {
    size_t n = parse_hex(*p, 8, 16, &file->offset);
    file->digits = (uint8_t)n;
    *p += n;
    return n != 0 && file->offset <= OFFSET_MAX;
}

bool ls_v3_key_parse(const char *key, char generation[LS_V3_GENERATION_SIZE], ls_v3_file *file) {
    const char *p = key;
    if (!skip(&p, LS_V3_FOLDER "/") || !parse_generation(&p, generation)) {
        return false;
    }
    file->snapshot = skip(&p, "/snapshots/");
    if ((!file->snapshot && !skip(&p, "/wal/")) || !parse_index(&p, &file->index)) {
        return false;
    }
    if (file->snapshot) {
        file->offset = 0;
        file->digits = 8;
        return strcmp(p, ".snapshot.lz4") == 0;
    }
    return skip(&p, "_") && parse_offset(&p, file) && strcmp(p, ".wal.lz4") == 0;
}

char *ls_v3_key_format(const char *generation, const ls_v3_file *file, char buf[LS_V3_KEY_SIZE]) {
    if (file->snapshot) {
        (void)snprintf(buf, LS_V3_KEY_SIZE, LS_V3_FOLDER "/%s/snapshots/%08" PRIx32 ".snapshot.lz4",
                       generation, file->index);
    } else {
        (void)snprintf(buf, LS_V3_KEY_SIZE,
                       LS_V3_FOLDER "/%s/wal/%08" PRIx32 "_%0*" PRIx64 ".wal.lz4", generation,
                       file->index, file->digits, file->offset);
    }
    return buf;
}

/* ---- bounds and the snapshot ---- */

typedef struct look_job {
    int64_t timestamp_ms;
    ls_v3_look *look;
} look_job;

static bool in_time(const ls_v3_file *file, int64_t timestamp_ms) {
    return timestamp_ms == LS_NO_TIMESTAMP || file->modified_ms <= timestamp_ms;
}

/* Is the snapshot a newer one than the look's? */
static bool newer(const ls_v3_look *look, const char *generation, const ls_v3_file *file) {
    const ls_v3_file *best = &look->snapshot;
    if (!look->has_snapshot || file->modified_ms != best->modified_ms) {
        return !look->has_snapshot || file->modified_ms > best->modified_ms;
    }
    int order = strcmp(generation, look->generation);
    return order != 0 ? order > 0 : file->index > best->index;
}

static ls_code look_at(void *arg, const ls_object *object, ls_err *err) {
    (void)err;
    const look_job *job = arg;
    ls_v3_look *look = job->look;
    char generation[LS_V3_GENERATION_SIZE];
    ls_v3_file file = {.size = object->size, .modified_ms = object->modified_ms};
    if (!ls_v3_key_parse(object->key, generation, &file)) {
        return LS_OK;
    }
    int64_t ms = file.modified_ms;
    look->oldest_ms = !look->any || ms < look->oldest_ms ? ms : look->oldest_ms;
    look->newest_ms = !look->any || ms > look->newest_ms ? ms : look->newest_ms;
    look->any = true;
    if (file.snapshot && in_time(&file, job->timestamp_ms) && newer(look, generation, &file)) {
        look->has_snapshot = true;
        look->snapshot = file;
        memcpy(look->generation, generation, sizeof generation);
    }
    return LS_OK;
}

ls_code ls_v3_look_at(ls_storage *s, int64_t timestamp_ms, ls_v3_look *look, ls_err *err) {
    *look = (ls_v3_look){0};
    look_job job = {.timestamp_ms = timestamp_ms, .look = look};
    ls_code code = ls_storage_each_object(s, LS_V3_FOLDER, look_at, &job, err);
    if (code == LS_EUNSUPPORTED) {
        ls_err_clear(err);
        return LS_OK;
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "list v0.3 backups");
}

/* ---- segments ---- */

typedef struct segments_job {
    const ls_v3_look *look;
    int64_t timestamp_ms;
    ls_v3_segments *segments;
} segments_job;

static ls_code add_segment(ls_v3_segments *segments, const ls_v3_file *file, ls_err *err) {
    if (segments->n == LS_V3_SEGMENTS_MAX) {
        return ls_fail(err, LS_ELIMIT, "more than %u log segments", LS_V3_SEGMENTS_MAX);
    }
    if (segments->n == segments->cap) {
        size_t cap = segments->cap == 0 ? 64 : 2 * segments->cap;
        ls_v3_file *files = realloc(segments->files, cap * sizeof *files);
        if (files == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory to list %zu log segments", segments->n);
        }
        segments->files = files;
        segments->cap = cap;
    }
    segments->files[segments->n++] = *file;
    return LS_OK;
}

static ls_code note_segment(void *arg, const ls_object *object, ls_err *err) {
    const segments_job *job = arg;
    char generation[LS_V3_GENERATION_SIZE];
    ls_v3_file file = {.size = object->size, .modified_ms = object->modified_ms};
    bool wanted = ls_v3_key_parse(object->key, generation, &file) && !file.snapshot &&
                  file.index >= job->look->snapshot.index && in_time(&file, job->timestamp_ms);
    return wanted ? add_segment(job->segments, &file, err) : LS_OK;
}

static int segment_cmp(const void *a, const void *b) {
    const ls_v3_file *x = a;
    const ls_v3_file *y = b;
    if (x->index != y->index) {
        return x->index < y->index ? -1 : 1;
    }
    return x->offset != y->offset ? (x->offset < y->offset ? -1 : 1) : 0;
}

ls_code ls_v3_fail_missing(const ls_v3_look *look, const ls_v3_file *before, uint32_t index,
                           uint64_t offset, const ls_v3_file *have, ls_err *err) {
    const ls_v3_file missing = {.index = index, .offset = offset, .digits = 8};
    char want_key[LS_V3_KEY_SIZE];
    char have_key[LS_V3_KEY_SIZE];
    char time[32];
    ls_fail(err, LS_EGAP, "missing WAL %s: expected %s, got %s", offset == 0 ? "index" : "segment",
            ls_v3_key_format(look->generation, &missing, want_key),
            ls_v3_key_format(look->generation, have, have_key));
    return ls_hint(err, "what comes before can be restored with -timestamp %s",
                   ls_time_format(before != NULL ? before->modified_ms : look->snapshot.modified_ms,
                                  true, time, sizeof time));
}

/* Each log begins at offset 0, and no log is left out: what names alone can tell. */
static ls_code check_names(const ls_v3_look *look, const ls_v3_segments *segments, ls_err *err) {
    uint32_t next = look->snapshot.index;
    for (size_t i = 0; i < segments->n; i++) {
        const ls_v3_file *f = &segments->files[i];
        const ls_v3_file *before = i > 0 ? f - 1 : NULL;
        if (before != NULL && segment_cmp(before, f) == 0) {
            char key[LS_V3_KEY_SIZE];
            return ls_fail(err, LS_ECORRUPT, "two segments for one place in the log: %s",
                           ls_v3_key_format(look->generation, f, key));
        }
        bool starts = before == NULL || f->index != before->index;
        if (starts && (f->index != next || f->offset != 0)) {
            return ls_v3_fail_missing(look, before, next, 0, f, err);
        }
        next = starts ? next + 1 : next;
    }
    return LS_OK;
}

ls_code ls_v3_segments_list(ls_storage *s, const ls_v3_look *look, int64_t timestamp_ms,
                            ls_v3_segments *segments, ls_err *err) {
    *segments = (ls_v3_segments){0};
    segments_job job = {.look = look, .timestamp_ms = timestamp_ms, .segments = segments};
    char folder[LS_V3_KEY_SIZE];
    (void)snprintf(folder, sizeof folder, LS_V3_FOLDER "/%s/wal", look->generation);
    ls_code code = ls_storage_each_object(s, folder, note_segment, &job, err);
    if (code != LS_OK) {
        code = ls_wrap(err, "list v0.3 log segments");
    } else if (segments->n > 1) {
        qsort(segments->files, segments->n, sizeof *segments->files, segment_cmp);
    }
    if (code == LS_OK) {
        code = check_names(look, segments, err);
    }
    if (code != LS_OK) {
        ls_v3_segments_done(segments);
    }
    return code;
}

void ls_v3_segments_done(ls_v3_segments *segments) {
    free(segments->files);
    *segments = (ls_v3_segments){0};
}
