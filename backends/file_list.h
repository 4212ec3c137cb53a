/*
 * Listing of one level's folder in the file store. Used by file.c alone.
 */
#ifndef LS_BACKENDS_FILE_LIST_H
#define LS_BACKENDS_FILE_LIST_H

#include "backends/storage.h"

/* Takes over dir (malloc'd). A folder that does not exist is empty. */
LS_MUST ls_code ls_file_list(char *dir, int level, ls_txid seek, ls_storage_iter **it, ls_err *err);

#endif
