/* A mark (storage.h) as a file that its writer keeps locked. For the file store alone. */
#ifndef LS_BACKENDS_FILE_MARK_H
#define LS_BACKENDS_FILE_MARK_H

#include "backends/storage.h"

typedef struct ls_file_mark {
    int fd; /* locked; -1: not ours */
} ls_file_mark;

/* As ls_storage_get_mark and ls_storage_put_mark, of the file at path, whose folder is made. */
LS_MUST ls_code ls_file_mark_get(const ls_file_mark *m, const char *path, ls_mark *mark,
                                 ls_err *err);
LS_MUST ls_code ls_file_mark_put(ls_file_mark *m, const char *path, const ls_perm *perm,
                                 ls_mark *mark, bool keep, ls_err *err);

void ls_file_mark_close(ls_file_mark *m); /* lets go */

#endif
