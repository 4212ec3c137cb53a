/*
 * SFTP version 3 as packets; see sftp_wire.h. A packet is its length, a type, an id and the rest;
 * numbers are big-endian and texts have their length in front. Requests of one call have ids that
 * follow each other, so that an answer names its request whatever order answers come in.
 */
#include "backends/sftp_wire.h"

#include <string.h>

#define REQUEST_MAX (LS_SFTP_PIECE + 16 * 1024)
#define ANSWER_MAX (256 * 1024) /* OpenSSH sends none that is larger */
#define NAME_MAX_BYTES 1024
#define READDIR_AHEAD 4

enum {
    FXP_INIT = 1,
    FXP_VERSION = 2,
    FXP_OPEN = 3,
    FXP_CLOSE = 4,
    FXP_READ = 5,
    FXP_WRITE = 6,
    FXP_FSETSTAT = 10,
    FXP_OPENDIR = 11,
    FXP_READDIR = 12,
    FXP_REMOVE = 13,
    FXP_MKDIR = 14,
    FXP_STAT = 17,
    FXP_RENAME = 18,
    FXP_STATUS = 101,
    FXP_HANDLE = 102,
    FXP_DATA = 103,
    FXP_NAME = 104,
    FXP_ATTRS = 105,
    FXP_EXTENDED = 200,
};

enum {
    FX_OK = 0,
    FX_EOF = 1,
    FX_NO_SUCH_FILE = 2,
    FX_PERMISSION_DENIED = 3,
    FX_FAILURE = 4,
    FX_OP_UNSUPPORTED = 8,
    FX_ALREADY_EXISTS = 11, /* of later versions, which some servers send */
};

enum { OPEN_READ = 1, OPEN_WRITE = 2, OPEN_CREATE = 8, OPEN_TRUNCATE = 16 };
enum { ATTR_SIZE = 1, ATTR_OWNER = 2, ATTR_MODE = 4, ATTR_TIME = 8, ATTR_EXTENDED = 1u << 31 };

/* ---- requests ---- */

/* A request is put together in s->out; its length is filled in when it is sent. The first failure
 * stays in code. */
typedef struct request {
    ls_sftp *s;
    ls_code code;
    ls_err *err;
} request;

static void put_bytes(request *r, const void *data, size_t len) {
    if (r->code == LS_OK) {
        r->code = ls_buf_add(&r->s->out, data, len, r->err);
    }
}

static void put_u8(request *r, uint8_t v) { put_bytes(r, &v, 1); }

static void put_u32(request *r, uint32_t v) {
    const uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    put_bytes(r, b, sizeof b);
}

static void put_u64(request *r, uint64_t v) {
    put_u32(r, (uint32_t)(v >> 32));
    put_u32(r, (uint32_t)v);
}

static void put_string(request *r, const void *data, size_t len) {
    put_u32(r, (uint32_t)len);
    put_bytes(r, data, len);
}

static void put_text(request *r, const char *text) { put_string(r, text, strlen(text)); }

static void put_handle(request *r, const ls_sftp_handle *h) { put_string(r, h->data, h->len); }

static request begin(ls_sftp *s, uint8_t type, ls_err *err) {
    request r = {.s = s, .code = LS_OK, .err = err};
    if (s->broken) {
        r.code = ls_fail(err, LS_EREMOTE, "the connection is lost");
    }
    ls_buf_clear(&s->out);
    put_u32(&r, 0);
    put_u8(&r, type);
    return r;
}

static request begin_request(ls_sftp *s, uint8_t type, ls_err *err) {
    request r = begin(s, type, err);
    put_u32(&r, s->next_id++);
    return r;
}

static request begin_extended(ls_sftp *s, const char *name, ls_err *err) {
    request r = begin_request(s, FXP_EXTENDED, err);
    put_text(&r, name);
    return r;
}

static ls_code send_request(request *r) {
    ls_sftp *s = r->s;
    if (r->code != LS_OK) {
        return r->code;
    }
    uint32_t len = (uint32_t)s->out.len - 4;
    const uint8_t head[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                             (uint8_t)len};
    memcpy(s->out.data, head, sizeof head);
    ls_code code = s->stream->send(s->stream, s->out.data, s->out.len, r->err);
    s->broken = s->broken || code != LS_OK;
    return code;
}

/* One of several that are answered together: without it nobody knows what is still to come. */
static ls_code send_one_of(request *r) {
    ls_code code = send_request(r);
    r->s->broken = r->s->broken || code != LS_OK;
    return code;
}

/* ---- answers ---- */

/* What is left of an answer; short is set when more was asked for than there is. */
typedef struct answer {
    const uint8_t *p;
    size_t left;
    bool is_short;
    uint8_t type;
    uint32_t index; /* of the request in its call */
} answer;

static const uint8_t *take(answer *a, size_t len) {
    static const uint8_t zeros[8] = {0};
    if (len > a->left) {
        a->is_short = true;
        a->left = 0;
        return len <= sizeof zeros ? zeros : NULL;
    }
    const uint8_t *p = a->p;
    a->p += len;
    a->left -= len;
    return p;
}

static uint32_t take_u32(answer *a) {
    const uint8_t *p = take(a, 4);
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t take_u64(answer *a) {
    uint64_t high = take_u32(a);
    return high << 32 | take_u32(a);
}

/* NULL if it is not there whole. */
static const uint8_t *take_string(answer *a, uint32_t *len) {
    *len = take_u32(a);
    const uint8_t *p = a->is_short ? NULL : take(a, *len);
    if (a->is_short) {
        *len = 0;
        return NULL;
    }
    return p;
}

static ls_code nonsense(ls_sftp *s, const char *what, ls_err *err) {
    s->broken = true;
    ls_fail(err, LS_EREMOTE, "the server sent %s", what);
    return ls_hint(err, "is it an SFTP server of version 3?");
}

static ls_code receive_packet(ls_sftp *s, answer *a, ls_err *err) {
    uint8_t head[4];
    ls_code code = s->stream->recv(s->stream, head, sizeof head, err);
    if (code != LS_OK) {
        s->broken = true;
        return code;
    }
    answer h = {.p = head, .left = sizeof head};
    uint32_t len = take_u32(&h);
    if (len == 0 || len > ANSWER_MAX) {
        return nonsense(s, "a packet of no valid length", err);
    }
    ls_buf_clear(&s->in);
    code = ls_buf_reserve(&s->in, len, err);
    if (code == LS_OK) {
        code = s->stream->recv(s->stream, s->in.data, len, err);
    }
    if (code != LS_OK) {
        s->broken = true;
        return code;
    }
    s->in.len = len;
    *a = (answer){.p = (const uint8_t *)s->in.data, .left = len};
    a->type = *take(a, 1);
    return LS_OK;
}

/* The next answer to one of the last n requests, n <= 32; each is answered once. */
static ls_code receive(ls_sftp *s, uint32_t n, answer *a, ls_err *err) {
    ls_code code = receive_packet(s, a, err);
    if (code != LS_OK) {
        return code;
    }
    if (s->answered_id != s->next_id) {
        s->answered_id = s->next_id;
        s->answered = 0;
    }
    a->index = take_u32(a) - (s->next_id - n);
    if (a->is_short || a->index >= n || (s->answered >> a->index & 1) != 0) {
        return nonsense(s, "an answer to no request", err);
    }
    s->answered |= 1u << a->index;
    return LS_OK;
}

/* The text that a server gives with a status; of OpenSSH it says no more than the number. */
static void status_text(answer *a, char *buf, size_t size) {
    uint32_t len;
    const uint8_t *p = take_string(a, &len);
    size_t n = 0;
    for (uint32_t i = 0; p != NULL && i < len && n + 1 < size && n < 200; i++) {
        buf[n++] = p[i] >= ' ' && p[i] < 0x7f ? (char)p[i] : '?';
    }
    buf[n] = '\0';
}

/* The error of a status, without what was asked. */
static ls_code fail_status(answer *a, uint32_t status, ls_err *err) {
    char text[256];
    status_text(a, text, sizeof text);
    switch (status) {
    case FX_NO_SUCH_FILE:
        return ls_fail(err, LS_ENOTFOUND, "no such file");
    case FX_PERMISSION_DENIED:
        ls_fail(err, LS_EPERM, "permission denied");
        return ls_hint(err, "the server's account may not do this: check owner and mode there");
    case FX_ALREADY_EXISTS:
        return ls_fail(err, LS_EEXISTS, "exists already");
    case FX_OP_UNSUPPORTED:
        return ls_fail(err, LS_EUNSUPPORTED, "the server cannot do this");
    default:
        ls_fail(err, LS_EREMOTE, "the server says: %s (status %u)", text, (unsigned)status);
        return ls_hint(err, "look at the server's log; its disk may be full");
    }
}

/* Reads a status; *status gets its number. */
static ls_code check_status(ls_sftp *s, answer *a, uint32_t *status, ls_err *err) {
    if (a->type != FXP_STATUS) {
        return nonsense(s, "an answer of another kind", err);
    }
    *status = take_u32(a);
    if (a->is_short) {
        return nonsense(s, "a status without number", err);
    }
    return *status == FX_OK ? LS_OK : fail_status(a, *status, err);
}

/* The answer to the one request of a call that is answered by a status alone. */
static ls_code end_status(request *r) {
    answer a;
    uint32_t status;
    ls_code code = send_request(r);
    if (code == LS_OK) {
        code = receive(r->s, 1, &a, r->err);
    }
    return code == LS_OK ? check_status(r->s, &a, &status, r->err) : code;
}

/* The answer to one request, which is to be of a type; a status is an error. */
static ls_code end_typed(request *r, uint8_t type, answer *a) {
    uint32_t status;
    ls_code code = send_request(r);
    if (code == LS_OK) {
        code = receive(r->s, 1, a, r->err);
    }
    if (code != LS_OK || a->type == type) {
        return code;
    }
    code = check_status(r->s, a, &status, r->err);
    return code == LS_OK ? nonsense(r->s, "no answer but that all is well", r->err) : code;
}

/* Takes the statuses of the last n requests; the error of the first that failed. */
static ls_code end_statuses(ls_sftp *s, uint32_t n, ls_err *err) {
    ls_code result = LS_OK;
    uint32_t failed = n;
    for (uint32_t i = 0; i < n; i++) {
        answer a;
        uint32_t status;
        ls_err one = LS_ERR_INIT;
        ls_code code = receive(s, n, &a, &one);
        if (code == LS_OK) {
            code = check_status(s, &a, &status, &one);
        }
        if (code != LS_OK && (s->broken || a.index < failed)) {
            failed = s->broken ? 0 : a.index;
            result = code;
            *err = one;
        }
        if (s->broken) {
            break;
        }
    }
    return result;
}

/* ---- attributes and names ---- */

#define MODE_TYPE 0170000u
#define MODE_FILE 0100000u

static void take_attrs(answer *a, ls_sftp_attrs *attrs) {
    uint32_t flags = take_u32(a);
    *attrs = (ls_sftp_attrs){.is_file = true};
    if (flags & ATTR_SIZE) {
        attrs->size = take_u64(a);
    }
    if (flags & ATTR_OWNER) {
        (void)take_u64(a);
    }
    if (flags & ATTR_MODE) {
        attrs->is_file = (take_u32(a) & MODE_TYPE) == MODE_FILE;
    }
    if (flags & ATTR_TIME) {
        (void)take_u32(a);
        attrs->mtime = take_u32(a);
    }
    uint32_t extended = flags & ATTR_EXTENDED ? take_u32(a) : 0;
    for (uint32_t i = 0; i < extended && !a->is_short; i++) {
        uint32_t len;
        (void)take_string(a, &len);
        (void)take_string(a, &len);
    }
}

/* ---- the session ---- */

static bool is_text(const uint8_t *p, uint32_t len, const char *text) {
    return p != NULL && strlen(text) == len && memcmp(p, text, len) == 0;
}

static ls_code read_version(ls_sftp *s, ls_err *err) {
    answer a;
    ls_code code = receive_packet(s, &a, err);
    if (code != LS_OK) {
        return code;
    }
    uint32_t version = take_u32(&a);
    if (a.type != FXP_VERSION || a.is_short || version != 3) {
        return nonsense(s, "no SFTP greeting of version 3", err);
    }
    while (a.left > 0 && !a.is_short) {
        uint32_t name_len;
        uint32_t data_len;
        const uint8_t *name = take_string(&a, &name_len);
        const uint8_t *data = take_string(&a, &data_len);
        bool one = is_text(data, data_len, "1");
        s->posix_rename =
            s->posix_rename || (one && is_text(name, name_len, "posix-rename@openssh.com"));
        s->fsync = s->fsync || (one && is_text(name, name_len, "fsync@openssh.com"));
        s->copy_data = s->copy_data || (one && is_text(name, name_len, "copy-data"));
    }
    return LS_OK;
}

ls_code ls_sftp_init(ls_sftp *s, ls_sftp_stream *stream, ls_err *err) {
    *s = (ls_sftp){.stream = stream};
    ls_buf_init(&s->out, REQUEST_MAX);
    ls_buf_init(&s->in, ANSWER_MAX + 1);
    request r = begin(s, FXP_INIT, err);
    put_u32(&r, 3);
    ls_code code = send_request(&r);
    if (code == LS_OK) {
        code = read_version(s, err);
    }
    if (code != LS_OK) {
        ls_sftp_done(s);
    }
    return code;
}

void ls_sftp_done(ls_sftp *s) {
    if (s->stream != NULL) {
        s->stream->close(s->stream);
        s->stream = NULL;
    }
    s->broken = true;
    ls_buf_done(&s->out);
    ls_buf_done(&s->in);
}

/* ---- files ---- */

static ls_code take_handle(ls_sftp *s, answer *a, ls_sftp_handle *h, ls_err *err) {
    uint32_t len;
    const uint8_t *p = take_string(a, &len);
    if (p == NULL || len > LS_SFTP_HANDLE_MAX) {
        return nonsense(s, "no valid handle", err);
    }
    memcpy(h->data, p, len);
    h->len = len;
    return LS_OK;
}

ls_code ls_sftp_open(ls_sftp *s, const char *path, ls_sftp_mode mode, ls_sftp_handle *h,
                     ls_err *err) {
    static const uint32_t flags[] = {[LS_SFTP_READ] = OPEN_READ,
                                     [LS_SFTP_CREATE] = OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE,
                                     [LS_SFTP_WRITE] = OPEN_WRITE};
    answer a;
    request r = begin_request(s, FXP_OPEN, err);
    put_text(&r, path);
    put_u32(&r, flags[mode]);
    put_u32(&r, 0);
    ls_code code = end_typed(&r, FXP_HANDLE, &a);
    if (code == LS_OK) {
        code = take_handle(s, &a, h, err);
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "open %s", path);
}

ls_code ls_sftp_opendir(ls_sftp *s, const char *path, ls_sftp_handle *h, ls_err *err) {
    answer a;
    request r = begin_request(s, FXP_OPENDIR, err);
    put_text(&r, path);
    ls_code code = end_typed(&r, FXP_HANDLE, &a);
    if (code == LS_OK) {
        code = take_handle(s, &a, h, err);
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "open folder %s", path);
}

void ls_sftp_close(ls_sftp *s, const ls_sftp_handle *h) {
    ls_err ignored = LS_ERR_INIT;
    request r = begin_request(s, FXP_CLOSE, &ignored);
    put_handle(&r, h);
    (void)end_status(&r);
}

ls_code ls_sftp_stat(ls_sftp *s, const char *path, ls_sftp_attrs *attrs, ls_err *err) {
    answer a;
    request r = begin_request(s, FXP_STAT, err);
    put_text(&r, path);
    ls_code code = end_typed(&r, FXP_ATTRS, &a);
    if (code == LS_OK) {
        take_attrs(&a, attrs);
        code = a.is_short ? nonsense(s, "attributes that are cut", err) : LS_OK;
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "stat %s", path);
}

ls_code ls_sftp_mkdir(ls_sftp *s, const char *path, ls_err *err) {
    request r = begin_request(s, FXP_MKDIR, err);
    put_text(&r, path);
    put_u32(&r, 0);
    ls_code code = end_status(&r);
    return code == LS_OK ? LS_OK : ls_wrap(err, "create folder %s", path);
}

ls_code ls_sftp_remove(ls_sftp *s, const char *path, ls_err *err) {
    request r = begin_request(s, FXP_REMOVE, err);
    put_text(&r, path);
    ls_code code = end_status(&r);
    return code == LS_OK ? LS_OK : ls_wrap(err, "delete %s", path);
}

void ls_sftp_discard(ls_sftp *s, const char *path) {
    ls_err ignored = LS_ERR_INIT;
    request r = begin_request(s, FXP_REMOVE, &ignored);
    put_text(&r, path);
    (void)end_status(&r);
}

static ls_code end_rename(request *r, const char *from, const char *to) {
    put_text(r, from);
    put_text(r, to);
    ls_code code = end_status(r);
    return code == LS_OK ? LS_OK : ls_wrap(r->err, "rename to %s", to);
}

ls_code ls_sftp_rename(ls_sftp *s, const char *from, const char *to, ls_err *err) {
    request r = begin_request(s, FXP_RENAME, err);
    return end_rename(&r, from, to);
}

ls_code ls_sftp_replace(ls_sftp *s, const char *from, const char *to, ls_err *err) {
    request r = begin_extended(s, "posix-rename@openssh.com", err);
    return end_rename(&r, from, to);
}

/* ---- reading and writing ---- */

static uint32_t piece_len(size_t len, uint32_t i) {
    size_t left = len - (size_t)i * LS_SFTP_PIECE;
    return left < LS_SFTP_PIECE ? (uint32_t)left : LS_SFTP_PIECE;
}

static uint32_t pieces_of(size_t len) {
    return (uint32_t)((len + LS_SFTP_PIECE - 1) / LS_SFTP_PIECE);
}

static ls_code ask_pieces(ls_sftp *s, const ls_sftp_handle *h, uint64_t off, size_t len,
                          ls_err *err) {
    for (uint32_t i = 0; i < pieces_of(len); i++) {
        request r = begin_request(s, FXP_READ, err);
        put_handle(&r, h);
        put_u64(&r, off + (uint64_t)i * LS_SFTP_PIECE);
        put_u32(&r, piece_len(len, i));
        ls_code code = send_one_of(&r);
        if (code != LS_OK) {
            return code;
        }
    }
    return LS_OK;
}

/* One piece into its place; *got: its bytes, 0 at the end of the file and after an error. */
static ls_code take_piece(ls_sftp *s, answer *a, uint8_t *to, uint32_t want, uint32_t *got,
                          ls_err *err) {
    *got = 0;
    if (a->type == FXP_DATA) {
        uint32_t len;
        const uint8_t *p = take_string(a, &len);
        if (p == NULL || len == 0 || len > want) {
            return nonsense(s, "other data than asked for", err);
        }
        memcpy(to, p, len);
        *got = len;
        return LS_OK;
    }
    uint32_t status;
    ls_code code = check_status(s, a, &status, err);
    if (code == LS_OK) {
        return nonsense(s, "no data", err);
    }
    if (!s->broken && status == FX_EOF) {
        ls_err_clear(err);
        return LS_OK;
    }
    return code;
}

ls_code ls_sftp_read(ls_sftp *s, const ls_sftp_handle *h, uint64_t off, void *buf, size_t len,
                     size_t *got, ls_err *err) {
    uint32_t lens[LS_SFTP_PIECES] = {0};
    ls_err errs = LS_ERR_INIT; /* of the first piece that failed */
    uint32_t failed = UINT32_MAX;
    *got = 0;
    len = len < LS_SFTP_CHUNK ? len : LS_SFTP_CHUNK;
    uint32_t n = pieces_of(len);
    ls_code code = ask_pieces(s, h, off, len, err);
    for (uint32_t i = 0; code == LS_OK && i < n; i++) {
        answer a;
        ls_err one = LS_ERR_INIT;
        code = receive(s, n, &a, err);
        if (code == LS_OK &&
            take_piece(s, &a, (uint8_t *)buf + (size_t)a.index * LS_SFTP_PIECE,
                       piece_len(len, a.index), &lens[a.index], &one) != LS_OK &&
            a.index < failed) {
            failed = a.index;
            errs = one;
        }
        if (code == LS_OK && s->broken) {
            *err = one;
            code = err->code;
        }
    }
    for (uint32_t i = 0; code == LS_OK && i < n; i++) {
        *got += lens[i];
        if (i == failed && *got == 0) {
            *err = errs;
            code = err->code;
        }
        if (lens[i] < piece_len(len, i)) {
            break; /* what comes behind a gap is read again */
        }
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "read");
}

static ls_code send_piece(ls_sftp *s, const ls_sftp_handle *h, uint64_t off, const void *data,
                          uint32_t len, ls_err *err) {
    request r = begin_request(s, FXP_WRITE, err);
    put_handle(&r, h);
    put_u64(&r, off);
    put_string(&r, data, len);
    return send_one_of(&r);
}

ls_code ls_sftp_write(ls_sftp *s, const ls_sftp_handle *h, uint64_t off, const void *data,
                      size_t len, bool one_by_one, ls_err *err) {
    uint32_t n = pieces_of(len);
    uint32_t waiting = 0;
    ls_code code = LS_OK;
    for (uint32_t i = 0; code == LS_OK && i < n; i++) {
        size_t at = (size_t)i * LS_SFTP_PIECE;
        code = send_piece(s, h, off + at, (const uint8_t *)data + at, piece_len(len, i), err);
        waiting++;
        if (code == LS_OK && (one_by_one || waiting == LS_SFTP_PIECES || i + 1 == n)) {
            code = end_statuses(s, waiting, err);
            waiting = 0;
        }
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "write");
}

ls_code ls_sftp_finish(ls_sftp *s, const ls_sftp_handle *h, int64_t mtime, ls_err *err) {
    uint32_t n = 2;
    uint32_t seconds = mtime < 0 ? 0 : mtime > UINT32_MAX ? UINT32_MAX : (uint32_t)mtime;
    request r = begin_request(s, FXP_FSETSTAT, err);
    put_handle(&r, h);
    put_u32(&r, ATTR_TIME);
    put_u32(&r, seconds);
    put_u32(&r, seconds);
    ls_code code = send_one_of(&r);
    if (code == LS_OK && s->fsync) {
        r = begin_extended(s, "fsync@openssh.com", err);
        put_handle(&r, h);
        code = send_one_of(&r);
        n++;
    }
    if (code == LS_OK) {
        r = begin_request(s, FXP_CLOSE, err);
        put_handle(&r, h);
        code = send_one_of(&r);
    }
    if (code == LS_OK) {
        code = end_statuses(s, n, err);
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "set time and close");
}

ls_code ls_sftp_copy(ls_sftp *s, const ls_sftp_handle *from, const ls_sftp_handle *to, uint64_t off,
                     uint64_t len, ls_err *err) {
    request r = begin_extended(s, "copy-data", err);
    put_handle(&r, from);
    put_u64(&r, off);
    put_u64(&r, len);
    put_handle(&r, to);
    put_u64(&r, off);
    ls_code code = end_status(&r);
    return code == LS_OK ? LS_OK : ls_wrap(err, "copy");
}

/* ---- folders ---- */

static ls_code take_names(ls_sftp *s, answer *a, ls_sftp_entry_fn fn, void *arg, ls_err *err) {
    uint32_t count = take_u32(a);
    ls_code code = LS_OK;
    for (uint32_t i = 0; code == LS_OK && i < count && !a->is_short; i++) {
        char name[NAME_MAX_BYTES + 1];
        uint32_t len;
        uint32_t long_len;
        ls_sftp_attrs attrs;
        const uint8_t *p = take_string(a, &len);
        (void)take_string(a, &long_len);
        take_attrs(a, &attrs);
        if (a->is_short || len > NAME_MAX_BYTES || memchr(p, '\0', len) != NULL) {
            continue;
        }
        memcpy(name, p, len);
        name[len] = '\0';
        code = fn(arg, name, &attrs, err);
    }
    return code == LS_OK && a->is_short ? nonsense(s, "a listing that is cut", err) : code;
}

/* One answer to a READDIR; *end is set by the status that says so. */
static ls_code take_entries(ls_sftp *s, answer *a, ls_sftp_entry_fn fn, void *arg, bool *end,
                            ls_err *err) {
    if (a->type == FXP_NAME) {
        return take_names(s, a, fn, arg, err);
    }
    uint32_t status;
    ls_code code = check_status(s, a, &status, err);
    if (code == LS_OK) {
        return nonsense(s, "no listing", err);
    }
    if (!s->broken && status == FX_EOF) {
        ls_err_clear(err);
        *end = true;
        return LS_OK;
    }
    return code;
}

ls_code ls_sftp_readdir(ls_sftp *s, const ls_sftp_handle *h, ls_sftp_entry_fn fn, void *arg,
                        bool *end, ls_err *err) {
    ls_code code = LS_OK;
    *end = false;
    for (uint32_t i = 0; code == LS_OK && i < READDIR_AHEAD; i++) {
        request r = begin_request(s, FXP_READDIR, err);
        put_handle(&r, h);
        code = send_one_of(&r);
    }
    for (uint32_t i = 0; !s->broken && i < READDIR_AHEAD; i++) {
        answer a;
        ls_err one = LS_ERR_INIT;
        ls_code rc = receive(s, READDIR_AHEAD, &a, &one);
        if (rc == LS_OK && code == LS_OK) {
            rc = take_entries(s, &a, fn, arg, end, &one);
        }
        if (rc != LS_OK && code == LS_OK) {
            code = rc;
            *err = one;
        }
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "read folder");
}
