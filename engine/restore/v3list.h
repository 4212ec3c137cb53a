/*
 * What a v0.3 replica holds, from the names of its objects: bounds in time, the snapshot to begin
 * with, and the log segments that follow it. Used by v3.c.
 */
#ifndef LS_RESTORE_V3LIST_H
#define LS_RESTORE_V3LIST_H

#include "backends/storage.h"

#define LS_V3_FOLDER "generations"
#define LS_V3_GENERATION_SIZE 17 /* 16 hexadecimal digits and NUL */
#define LS_V3_KEY_SIZE 80        /* the longest key has 67 bytes */

/* A snapshot or a segment of one log. */
typedef struct ls_v3_file {
    bool snapshot;
    uint8_t digits;  /* of the offset in the name: 8 to 16 */
    uint32_t index;  /* of the log; of a snapshot: the log that follows it. Below 2^31 */
    uint64_t offset; /* of the segment in its log; below 2^63 */
    uint64_t size;   /* compressed */
    int64_t modified_ms;
} ls_v3_file;

/* Takes a key apart; false for what is no object of this format. Size and time stay as they are. */
LS_MUST bool ls_v3_key_parse(const char *key, char generation[LS_V3_GENERATION_SIZE],
                             ls_v3_file *file);
char *ls_v3_key_format(const char *generation, const ls_v3_file *file, char buf[LS_V3_KEY_SIZE]);

/* All that the choice of a format needs, from one listing. */
typedef struct ls_v3_look {
    bool any;
    int64_t oldest_ms, newest_ms; /* of snapshots and segments */
    bool has_snapshot;            /* one made at or before the wanted time */
    char generation[LS_V3_GENERATION_SIZE];
    ls_v3_file snapshot; /* the newest such; of equal times the greatest generation and index */
} ls_v3_look;

/* timestamp_ms LS_NO_TIMESTAMP: any time. Nothing where the store keeps LTX files only. */
LS_MUST ls_code ls_v3_look_at(ls_storage *s, int64_t timestamp_ms, ls_v3_look *look, ls_err *err);

/* Segments of a generation in order of log and offset. */
typedef struct ls_v3_segments {
    ls_v3_file *files; /* owned */
    size_t n, cap;
} ls_v3_segments;
#define LS_V3_SEGMENTS_MAX (1u << 22)

/* Those from the look's snapshot on that were made at or before timestamp_ms. LS_EGAP names the
 * first that is missing, as far as names tell; LS_ECORRUPT where two have one place. */
LS_MUST ls_code ls_v3_segments_list(ls_storage *s, const ls_v3_look *look, int64_t timestamp_ms,
                                    ls_v3_segments *segments, ls_err *err);
void ls_v3_segments_done(ls_v3_segments *segments);

/* LS_EGAP: have is there, want is missing, before (NULL: the snapshot) is the last good one. */
ls_code ls_v3_fail_missing(const ls_v3_look *look, const ls_v3_file *before, uint32_t index,
                           uint64_t offset, const ls_v3_file *have, ls_err *err);

#endif
