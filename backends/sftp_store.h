/*
 * What the files of the SFTP store share. Used by sftp.c and sftp_put.c alone.
 */
#ifndef LS_BACKENDS_SFTP_STORE_H
#define LS_BACKENDS_SFTP_STORE_H

#include "backends/sftp_pool.h"
#include "backends/storage.h"

#include <stdatomic.h>

typedef struct sftp_store {
    ls_storage base;
    char *host, *user, *password, *key_path, *host_key, *known_hosts;
    int port;
    char *root;      /* "." for the home folder */
    bool one_by_one; /* concurrent-writes: false */
    ls_sftp_pool *pool;
    atomic_bool warned;
    atomic_bool swept[LS_LTX_LEVEL_MAX + 1]; /* levels that were looked through for leftovers */
} sftp_store;

/* malloc'd; NULL without memory. */
char *ls_sftp_level_dir(const sftp_store *st, int level);
LS_MUST ls_code ls_sftp_file_path(const sftp_store *st, const ls_ltx_info *file, char **path,
                                  ls_err *err);

/* Every error names the server: puts it in front unless it is there. */
LS_MUST ls_code ls_sftp_named(const sftp_store *st, ls_code code, ls_err *err);

/* Every entry of a folder, some of them twice if the connection breaks; none where there is none.
 */
LS_MUST ls_code ls_sftp_each_entry(sftp_store *st, const char *dir, ls_sftp_entry_fn fn, void *arg,
                                   ls_err *err);

/* Operations of the store, see storage.h. */
LS_MUST ls_code ls_sftp_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                            ls_ltx_info *out, ls_err *err);
LS_MUST ls_code ls_sftp_copy_file(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                                  bool exclusive, ls_ltx_info *out, ls_err *err);

#endif
