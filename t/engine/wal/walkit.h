/*
 * What the tests of engine/wal share: logs made by SQLite itself, logs made by hand, and a second
 * reader of the format, as plain as can be, to compare with.
 */
#ifndef T_WALKIT_H
#define T_WALKIT_H

#include "engine/wal/wal.h"

#include <sqlite3.h>

typedef struct kit_bytes {
    uint8_t *data;
    size_t len;
} kit_bytes;

/* A folder below the working folder's temporary place; path() names a file in it. */
int kit_setup(void **state);
int kit_teardown(void **state);
const char *kit_path(const char *name);

/* A database in WAL mode without automatic checkpoints. */
sqlite3 *kit_open(const char *name, int page_size);
void kit_exec(sqlite3 *db, const char *fmt, ...) LS_PRINTF(2, 3);

/* Some transactions of several tables: inserts, overflow pages, deletes, updates. */
void kit_workload(sqlite3 *db, int transactions);

kit_bytes kit_read(const char *name);
void kit_write(const char *name, const uint8_t *data, size_t len);
int kit_open_file(const char *name);    /* for reading and writing */
int kit_open_bytes(const kit_bytes *b); /* as a file of its own, already unlinked */
kit_bytes kit_copy(const kit_bytes *b);
void kit_free(kit_bytes *b);

uint32_t kit_get(const uint8_t *p);
void kit_put(uint8_t *p, uint32_t v);

/* The checksum, word by word from the format's description. */
void kit_checksum(bool big_endian, const uint8_t *p, size_t len, uint32_t *s0, uint32_t *s1);

/* Writes magic and all checksums anew, header and frames, so that a changed log is valid again. */
void kit_seal(kit_bytes *b, bool big_endian);

/* A log by hand: header, then frames whose pages are filled from pgno and number. */
kit_bytes kit_log(uint32_t page_size, uint32_t salt1, uint32_t salt2);
void kit_frame(kit_bytes *b, uint32_t pgno, uint32_t commit);

/* The valid frames of a log. */
typedef struct kit_frames {
    ls_wal_frame *f; /* page points into the bytes */
    size_t n;
    size_t committed; /* frames up to the last commit frame */
} kit_frames;
kit_frames kit_parse(const kit_bytes *b);

ls_wal_header kit_header(int fd);

#endif
