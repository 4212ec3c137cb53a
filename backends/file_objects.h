/*
 * Objects of other formats in the file store: files at any depth below a folder of its root. Used
 * by file.c alone.
 */
#ifndef LS_BACKENDS_FILE_OBJECTS_H
#define LS_BACKENDS_FILE_OBJECTS_H

#include "backends/storage.h"

/* As ls_storage_each_object, for the store at root. */
LS_MUST ls_code ls_file_each_object(const char *root, const char *folder, ls_object_fn fn,
                                    void *arg, ls_err *err);

#endif
