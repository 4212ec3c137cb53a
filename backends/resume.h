/*
 * A stored file read to its end over a connection that breaks: where a read fails or ends before
 * the size that the listing told, it goes on behind the last byte that came, after a pause.
 *
 * A file has LS_RESUME_TRIES new connections, with pauses of 250 ms that double; LS_ENOTFOUND, a
 * checksum of the whole that is wrong (what was handed out is, too) and a cancelled job end it at
 * once, and the error of the last try is what comes out. A listing that
 * tells no size (0) has its end believed.
 */
#ifndef LS_BACKENDS_RESUME_H
#define LS_BACKENDS_RESUME_H

#include "backends/storage.h"

#define LS_RESUME_TRIES 3

/* Opens file, whose size is that of the listing, from off on (len 0: to the end). s must outlive
 * the reader; cancel may be NULL. Nothing is opened before the first read. */
LS_MUST ls_code ls_resume_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                               const ls_cancel *cancel, ls_reader **r, ls_err *err);

/* The same of all of an object of another format. */
LS_MUST ls_code ls_resume_open_object(ls_storage *s, const ls_object *object,
                                      const ls_cancel *cancel, ls_reader **r, ls_err *err);

/* May it have been the network that damaged what was read, so that it is worth reading anew? True
 * where err says that something is damaged, and not just what *before says, which err then
 * replaces: the same damage twice is in the file. Begin with LS_ERR_INIT, and read at most
 * LS_RESUME_READS times. */
#define LS_RESUME_READS 4
bool ls_resume_spoilt(const ls_err *err, ls_err *before);

#endif
