/*
 * A database that is only modelled: at which TXIDs each page was changed, how large it was, and
 * when. A page's bytes follow from page and TXID, so that the file of any range of TXIDs can be
 * made, and any restore be compared, without an image for each TXID.
 */
#ifndef LS_T_MODEL_H
#define LS_T_MODEL_H

#include "backends/storage.h"
#include "engine/base/buf.h"

#define MODEL_PAGES_MAX 1024u

typedef struct model model;

/* The seed decides everything. NULL without memory. */
model *model_new(uint64_t seed, uint32_t page_size);
void model_free(model *m);

/* The next TXID: commit pages, of which n at random are changed, and those that are new. */
LS_MUST ls_code model_step(model *m, int64_t time_ms, uint32_t commit, uint32_t n, ls_err *err);

/* The next TXID, in which every page is changed and has another size. */
LS_MUST ls_code model_vacuum(model *m, int64_t time_ms, uint32_t page_size, ls_err *err);

ls_txid model_txid(const model *m); /* newest */
uint32_t model_commit(const model *m);
int64_t model_time(const model *m, ls_txid txid);
uint64_t model_random(model *m);

/* Puts the file of a range of TXIDs (min 1: a full one), not replacing one that is there. */
LS_MUST ls_code model_put(const model *m, ls_storage *s, int level, ls_txid min, ls_txid max,
                          ls_err *err);

/* Its bytes, added to out. */
LS_MUST ls_code model_encode(const model *m, ls_txid min, ls_txid max, ls_buf *out, ls_err *err);

/* Is the stored file the one that its name says, to the page? LS_ECORRUPT if not. */
LS_MUST ls_code model_check_file(const model *m, ls_storage *s, const ls_ltx_info *file,
                                 ls_err *err);

/* Are all? */
LS_MUST ls_code model_check_files(const model *m, ls_storage *s, ls_err *err);

/* Restores a TXID and compares. LS_ECORRUPT if it is another image. */
LS_MUST ls_code model_check_restore(const model *m, ls_storage *s, ls_txid txid, ls_err *err);

#endif
