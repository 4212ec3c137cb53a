/*
 * Objects of a NATS object store, as every NATS client reads and writes them.
 *
 * A bucket is a stream. An object's description is the last message of a subject made from its
 * name, its bytes are the messages of a subject made from a random id (nuid), in their order. A new
 * description, published when all bytes are stored, replaces the old one in one step; then the old
 * bytes are purged. Descriptions that clients of another kind wrote are believed in nothing.
 *
 * Beside what others write, a header of the description says at which sequences of the stream some
 * of the bytes lie, so that a part of a large object can be read without all that is before it.
 */
#ifndef LS_BACKENDS_NATS_OBJECT_H
#define LS_BACKENDS_NATS_OBJECT_H

#include "backends/nats_conn.h"
#include "engine/base/io.h"

#define LS_NATS_CHUNK (128u * 1024)
#define LS_NATS_TIME_HEADER "Litestream-Timestamp"
#define LS_NATS_MARKS_MAX 512 /* sequences that a description tells */
#define LS_NATS_NUID_SIZE 23
#define LS_NATS_DIGEST_MAX 128

typedef struct ls_nats_info {
    char *name;
    char *nuid;
    char *digest;                  /* "SHA-256=..." */
    char *link_bucket, *link_name; /* of a link; NULL */
    uint64_t size;
    uint64_t chunk;     /* bytes of each chunk but the last, where there are marks */
    int64_t created_ms; /* the header's, else that of the description's message */
    uint64_t seq;       /* of that message */
    bool deleted;
    uint64_t stride; /* chunks from mark to mark; 0: no marks */
    uint64_t *marks; /* sequences of chunks 0, stride, 2 * stride, ... */
    size_t n_marks;
} ls_nats_info;
void ls_nats_info_done(ls_nats_info *info);

/* From the description's text. LS_EFORMAT for what is none. ls_nats_info_done in any case. */
LS_MUST ls_code ls_nats_info_parse(const char *json, size_t len, ls_nats_info *info, ls_err *err);

/* "ltx/0/..." as the last part of its subject: base64url. malloc'd; NULL: no memory. */
LS_MUST char *ls_nats_encode_name(const char *name);

/* LS_ENOTFOUND where there is none; one that was deleted is there, and says so. */
LS_MUST ls_code ls_nats_info_get(const ls_nats_bucket *b, const char *name, ls_nats_info *info,
                                 ls_err *err);

/* What is put: size bytes of fd. nuid is that of the last try: if it broke off when the description
 * was sent, the next one looks whether it arrived. */
typedef struct ls_nats_source {
    const char *name;
    int fd;
    uint64_t size;
    int64_t created_ms;
    bool exclusive;
    char nuid[LS_NATS_NUID_SIZE]; /* "" at first */
} ls_nats_source;
LS_MUST ls_code ls_nats_put(const ls_nats_bucket *b, ls_nats_source *src, ls_err *err);

/* Reads len bytes from off, at most to the end (len 0: to the end). Read whole, the digest is
 * checked. Holds b. */
LS_MUST ls_code ls_nats_open(ls_nats_bucket *b, const char *name, uint64_t off, uint64_t len,
                             ls_reader **r, ls_err *err);

/* Description and bytes; LS_OK where there is none. */
LS_MUST ls_code ls_nats_delete(const ls_nats_bucket *b, const char *name, ls_err *err);

/* Every object that is not deleted, in no order. */
typedef ls_code (*ls_nats_info_fn)(void *arg, const ls_nats_info *info, ls_err *err);
LS_MUST ls_code ls_nats_each(const ls_nats_bucket *b, ls_nats_info_fn fn, void *arg, ls_err *err);

#endif
