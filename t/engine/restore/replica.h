/*
 * Replicas for restore tests: the recorded ones, and chains made on the spot. Include after
 * cmocka.h.
 */
#ifndef LS_T_RESTORE_REPLICA_H
#define LS_T_RESTORE_REPLICA_H

#include "engine/restore/restore.h"
#include "t/engine/ltx/support.h"

/* Copies t/vectors/NAME/replica below dir and sets the files' times from its expected.json, which
 * is returned (json_decref). */
json_t *replica_copy(const char *name, const char *dir);

/* A database in memory and the chain that leads to it. */
typedef struct chain {
    ls_storage *s;
    uint32_t page_size;
    uint32_t commit; /* pages now */
    uint8_t *image;  /* of the database now; CHAIN_PAGES_MAX pages */
    ls_txid txid;    /* newest */
    ls_plan all;     /* every file put, in order */
    bool checksums;  /* files keep checksums, so page images must be right */
    ls_ltx_encoding encoding;
    uint64_t seed;
} chain;
#define CHAIN_PAGES_MAX 4096u

/* A chain in a file store at dir/NAME. */
void chain_init(chain *c, const char *dir, const char *name, uint32_t page_size);
void chain_done(chain *c);

/* Changes n random pages, or all, after setting the size to commit pages (new ones are changed
 * too), and puts the next level-0 file. Page 1 always looks like an SQLite header. */
void chain_step(chain *c, uint32_t commit, uint32_t n);

/* Puts the image as a full file first..txid at level. */
void chain_snapshot(chain *c, int level, ls_txid first);

/* Rolling checksum of the image. */
uint64_t chain_checksum(const chain *c);

/* Restores by a plan into memory and returns the bytes (free), NULL with err where it fails. */
uint8_t *rebuild_in_memory(ls_storage *s, const ls_plan *plan, int parallelism, size_t *len,
                           ls_restore_result *result, ls_err *err);

/* Path of a file in the file store of c. */
char *chain_path(const chain *c, const ls_ltx_info *file);

#endif
