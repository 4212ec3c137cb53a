/*
 * The storage interface: what a store must be able to do, and nothing about SQLite.
 *
 * Layout below the store's root: ltx/<level>/<min>-<max>.ltx, level 0..8 and 9 for snapshots. An
 * object appears whole or not at all. A store keeps the LTX header's timestamp as the object's time
 * where it can. Every store passes the suite in t/backends/.
 *
 * An ls_storage may be used from several threads at once.
 */
#ifndef LS_BACKENDS_STORAGE_H
#define LS_BACKENDS_STORAGE_H

#include "engine/base/cancel.h"
#include "engine/base/file.h"
#include "engine/base/io.h"
#include "engine/base/log.h"
#include "engine/ltx/ltx.h"

typedef struct ls_storage ls_storage;
typedef struct ls_storage_iter ls_storage_iter;

/* An object that is no LTX file of a level: what other formats keep below the same root. */
typedef struct ls_object {
    const char *key; /* below the root, without a slash in front; valid during the call */
    uint64_t size;
    int64_t modified_ms; /* since 1970 */
} ls_object;

/* Gets each object of a listing; anything but LS_OK ends it and is what it returns. */
typedef ls_code (*ls_object_fn)(void *arg, const ls_object *object, ls_err *err);

/* Who wrote a mark, as far as the store can tell. */
typedef enum ls_mark_writer {
    LS_MARK_UNKNOWN,
    LS_MARK_ALIVE, /* another one, that keeps it */
    LS_MARK_GONE,  /* none that keeps it, if it runs where the store can see it */
} ls_mark_writer;

/* A small object that is replaced only by who knows what it was: no change is lost. */
#define LS_MARK_MAX 1024
#define LS_MARK_TAG_SIZE 160
typedef struct ls_mark {
    char text[LS_MARK_MAX + 1]; /* ends with a NUL that is not counted */
    size_t len;
    char tag[LS_MARK_TAG_SIZE]; /* names what it is now, "": it is not there; the store's form */
    int64_t age_ms;             /* since it was written, by the store's own clock; -1: unknown */
    ls_mark_writer writer;
} ls_mark;

/* Operations of one store; each gets the ls_storage whose first member it is. */
typedef struct ls_storage_ops {
    const char *type; /* "file", "s3", ...: logs, metrics, `litestream databases` */
    ls_code (*list)(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it, ls_err *err);
    ls_code (*open)(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                    ls_reader **r, ls_err *err);
    ls_code (*put)(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                   ls_ltx_info *out, ls_err *err);
    ls_code (*put_file)(ls_storage *s, const ls_ltx_info *file, const char *path, bool exclusive,
                        ls_ltx_info *out, ls_err *err); /* NULL: put from the open file */
    ls_code (*take_file)(ls_storage *s, const ls_ltx_info *file, const char *path, bool exclusive,
                         ls_ltx_info *out, ls_err *err); /* NULL: put_file */
    ls_code (*copy)(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to, bool exclusive,
                    ls_ltx_info *out, ls_err *err); /* NULL: LS_EUNSUPPORTED */
    ls_code (*remove)(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err);
    ls_code (*each_object)(ls_storage *s, const char *folder, ls_object_fn fn, void *arg,
                           ls_err *err); /* NULL: LS_EUNSUPPORTED */
    ls_code (*open_object)(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                           ls_reader **r, ls_err *err); /* NULL: LS_EUNSUPPORTED */
    /* Sets created_ms of a listed file to the header's timestamp, by a request; NULL: listings have
     * it. */
    ls_code (*exact)(ls_storage *s, ls_ltx_info *file, ls_err *err);
    ls_code (*get_mark)(ls_storage *s, const char *key, ls_mark *mark,
                        ls_err *err); /* NULL: LS_EUNSUPPORTED, and so is put_mark */
    ls_code (*put_mark)(ls_storage *s, const char *key, ls_mark *mark, bool keep, ls_err *err);
    void (*free)(ls_storage *s);
} ls_storage_ops;

struct ls_storage {
    const ls_storage_ops *ops;
    char *url;         /* for people: without secrets; owned */
    const ls_log *log; /* of warnings; NULL: none */
};

struct ls_storage_iter {
    ls_code (*next)(ls_storage_iter *it, ls_ltx_info *file, bool *end, ls_err *err);
    void (*free)(ls_storage_iter *it);
};

/* Opens the store of a replica URL (file:///path, s3://bucket/path) or, without scheme, of a path
 * of the file store. Nothing is contacted or created. LS_EINVALID for an unknown scheme,
 * LS_EUNSUPPORTED for one this build leaves out. */
LS_MUST ls_code ls_storage_open_url(const char *url, ls_storage **s, ls_err *err);

/* The file store at a folder. Files and folders it makes get perm (copied). */
LS_MUST ls_code ls_storage_open_file(const char *path, const ls_perm *perm, ls_storage **s,
                                     ls_err *err);

/* Does text look like a replica URL (^\w+://)? */
bool ls_is_url(const char *text);

/* Files of a level with MinTXID >= seek in ascending (min, max) order; names that are not LTX names
 * are passed over; a level that does not exist is empty. */
LS_MUST ls_code ls_storage_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                                ls_err *err);
LS_MUST ls_code ls_storage_iter_next(ls_storage_iter *it, ls_ltx_info *file, bool *end,
                                     ls_err *err);
void ls_storage_iter_free(ls_storage_iter *it); /* NULL allowed */

/* Some stores list when a file was uploaded instead of its header's timestamp. This asks for the
 * timestamps of n listed files, several at once; where listings are exact it does nothing. A file
 * that is gone keeps the time it has. */
LS_MUST ls_code ls_storage_exact(ls_storage *s, ls_ltx_info *files, size_t n, ls_err *err);

/* A listing whose times are exact as far as it matters which files are older than until_ms: with
 * few requests beside those of ls_storage_list. INT64_MIN: nothing is asked but the first time of
 * the level; INT64_MAX: nothing. */
LS_MUST ls_code ls_storage_list_timed(ls_storage *s, int level, ls_txid seek, int64_t until_ms,
                                      ls_storage_iter **it, ls_err *err);

/* Opens len bytes from off (len 0: to the end). LS_ENOTFOUND if there is no such file. */
LS_MUST ls_code ls_storage_open_range(ls_storage *s, const ls_ltx_info *file, uint64_t off,
                                      uint64_t len, ls_reader **r, ls_err *err);

/* Stores a file from a stream; level, min and max of file name it. The stream's LTX header gives
 * the time. exclusive: LS_EEXISTS rather than replace. out (may be NULL) gets size and time. */
LS_MUST ls_code ls_storage_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in,
                               bool exclusive, ls_ltx_info *out, ls_err *err);

/* The same from a local file, which a store may copy more cheaply than through a stream. */
LS_MUST ls_code ls_storage_put_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                                    bool exclusive, ls_ltx_info *out, ls_err *err);

/* The same of a file that the caller has no more use for: it may be moved. Whatever is returned,
 * the caller unlinks path, which may be gone. */
LS_MUST ls_code ls_storage_take_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                                     bool exclusive, ls_ltx_info *out, ls_err *err);

/* Stores to, a file of another level with the TXIDs of from, with the very bytes of from, without
 * sending them again (link, reflink, server-side copy). LS_ENOTFOUND if from is not there,
 * LS_EUNSUPPORTED where the store cannot: the caller then sends the bytes. Else as ls_storage_put.
 */
LS_MUST ls_code ls_storage_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                                bool exclusive, ls_ltx_info *out, ls_err *err);

/* Deletes files; one that is not there is no error. */
LS_MUST ls_code ls_storage_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err);

/* Objects of other formats are only read, and known by keys of at most LS_OBJECT_KEY_MAX bytes
 * whose parts, between slashes, are made of letters, digits, '.', '_' and '-' and are neither "."
 * nor
 * "..". Objects of other names are passed over. */
#define LS_OBJECT_KEY_MAX 255
#define LS_OBJECT_PARTS_MAX 8
bool ls_object_key_valid(const char *key);

/* Every object below a folder ("generations"), at any depth up to LS_OBJECT_PARTS_MAX, in no order;
 * none where there is no such folder. LS_EUNSUPPORTED where the store keeps LTX files only. */
LS_MUST ls_code ls_storage_each_object(ls_storage *s, const char *folder, ls_object_fn fn,
                                       void *arg, ls_err *err);

/* As ls_storage_open_range, by key. LS_EINVALID for a key that is not valid. */
LS_MUST ls_code ls_storage_open_object(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                                       ls_reader **r, ls_err *err);

/* Can the store keep marks? Those are objects below the root that are no LTX files. */
bool ls_storage_has_marks(const ls_storage *s);

/* Reads a mark; LS_ENOTFOUND if there is none. One that is longer than LS_MARK_MAX is LS_ELIMIT. */
LS_MUST ls_code ls_storage_get_mark(ls_storage *s, const char *key, ls_mark *mark, ls_err *err);

/* Writes mark->text in the place of the one with mark->tag, and sets that; LS_EEXISTS if there is
 * another one by now, or, with the tag "", any. After another error it may have been written. keep:
 * until the next put, or the store is closed, nobody else replaces it where the store can see to
 * that (LS_MARK_ALIVE). Of one key, not from several threads at once. */
LS_MUST ls_code ls_storage_put_mark(ls_storage *s, const char *key, ls_mark *mark, bool keep,
                                    ls_err *err);

/* Newest TXID over all levels 0..9, and the newest level-0 file; zero where there is none. */
LS_MUST ls_code ls_storage_newest(ls_storage *s, ls_txid *max, ls_ltx_info *newest_l0, ls_err *err);

/* Where warnings go that are no errors; log must outlive s, NULL: nowhere. Before the first call
 * that contacts the store. */
void ls_storage_set_log(ls_storage *s, const ls_log *log);

const char *ls_storage_type(const ls_storage *s);
const char *ls_storage_url(const ls_storage *s);

/* "ltx/<level>/<name>" into buf, for names and messages. */
#define LS_STORAGE_KEY_SIZE 64
char *ls_storage_key(const ls_ltx_info *file, char buf[LS_STORAGE_KEY_SIZE]);

void ls_storage_free(ls_storage *s); /* NULL allowed */

#endif
