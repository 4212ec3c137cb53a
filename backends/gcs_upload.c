/*
 * Uploads to Google Cloud Storage. What fits into one part is sent at once, with its metadata in
 * front; more is a resumable upload, part after part. Nothing appears under the name before the
 * last byte is there and the service has compared its CRC-32C with ours.
 *
 * A part whose answer got lost is not sent again blindly: the service is asked how much it has.
 */
#include "backends/gcs.h"

#include "backends/crc32c.h"
#include "backends/parts.h"
#include "backends/stamp.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PART ((size_t)8 << 20) /* a multiple of 256 KiB, as the service wants it */
#define PART_TRIES 6
#define ROUNDS_MAX 50
#define PAUSE_FIRST (100 * LS_MS)
#define INCOMPLETE 308

typedef struct upload {
    ls_gcs *gs;
    const char *name; /* of the object */
    bool exclusive;
    ls_parts parts;
    uint32_t crc;  /* of all that was read */
    char *session; /* URL of a resumable upload */
} upload;

static ls_code no_memory(ls_err *err) { return ls_fail(err, LS_ENOMEM, "gs: no memory to upload"); }

/* ---- what both ways have in common ---- */

static char *upload_url(const upload *u, const char *type) {
    char *encoded = ls_http_encode(u->name, false);
    char *url = encoded != NULL
                    ? ls_asprintf("%s/upload/storage/v1/b/%s/o?alt=json&prettyPrint=false&"
                                  "uploadType=%s&name=%s%s",
                                  u->gs->endpoint, u->gs->bucket, type, encoded,
                                  u->exclusive ? "&ifGenerationMatch=0" : "")
                    : NULL;
    free(encoded);
    return url;
}

/* The description that goes in front; crc NULL: not known yet. */
static char *description(const upload *u, const char *crc) {
    char stamp[LS_STAMP_SIZE];
    json_t *json = json_pack("{s:s, s:s, s:s*, s:{s:s}}", "name", u->name, "contentType",
                             "application/octet-stream", "crc32c", crc, "metadata", LS_GCS_TIME_KEY,
                             ls_stamp_format(u->parts.created_ms, stamp));
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

/* Is what the service describes what was sent? */
static bool is_ours(const upload *u, const json_t *object) {
    ls_ltx_info file;
    char crc[LS_CRC32C_TEXT_SIZE];
    const char *theirs = json_string_value(json_object_get(object, "crc32c"));
    return ls_gcs_describes(object, &file) && file.size == u->parts.off + u->parts.len &&
           (theirs == NULL || strcmp(theirs, ls_crc32c_text(u->crc, crc)) == 0);
}

/* After "exists already" to a request that was sent twice: the first may have got through. */
static bool found_our_own(const upload *u) {
    ls_err ignored = LS_ERR_INIT;
    char *encoded = ls_http_encode(u->name, false);
    char *url = encoded != NULL ? ls_asprintf("%s/storage/v1/b/%s/o/%s?alt=json", u->gs->endpoint,
                                              u->gs->bucket, encoded)
                                : NULL;
    ls_gcs_call c;
    bool ours = false;
    if (url != NULL) {
        if (ls_gcs_call_init(&c, u->gs, "GET", url, &ignored) == LS_OK &&
            ls_gcs_do(&c, &ignored) == LS_OK && c.a.status == 200) {
            json_t *object = json_loadb(c.a.body, c.a.body_len, 0, NULL);
            ours =
                json_string_value(json_object_get(object, "crc32c")) != NULL && is_ours(u, object);
            json_decref(object);
        }
        ls_gcs_call_done(&c);
    }
    free(url);
    free(encoded);
    return ours;
}

/* A session or bucket that is gone is no file that is not there. */
static ls_code refused(const upload *u, const ls_gcs_call *c, ls_err *err) {
    ls_code code = ls_gcs_refused(c, "upload to", u->name, err);
    if (code == LS_ENOTFOUND) {
        err->code = code = LS_EREMOTE;
    }
    return code;
}

/* The answer to the request that ends an upload. */
static ls_code judge(const upload *u, const ls_gcs_call *c, bool sent_twice, ls_err *err) {
    if (c->a.status == 412 && sent_twice && found_our_own(u)) {
        return LS_OK;
    }
    if (c->a.status != 200 && c->a.status != 201) {
        return refused(u, c, err);
    }
    json_t *object = json_loadb(c->a.body != NULL ? c->a.body : "", c->a.body_len, 0, NULL);
    bool ours = is_ours(u, object);
    json_decref(object);
    return ours ? LS_OK
                : ls_fail(err, LS_ECHECKSUM,
                          "gs: upload to %s: the service stored other bytes than were sent",
                          u->name);
}

/* ---- at once ---- */

/* Puts description and data into one body of two parts, around the data where it lies. */
static ls_code frame(const upload *u, const char *boundary, ls_gcs_call *c, ls_err *err) {
    char crc[LS_CRC32C_TEXT_SIZE];
    char *json = description(u, ls_crc32c_text(u->crc, crc));
    char head[LS_PARTS_ROOM];
    int before = json == NULL ? -1
                              : snprintf(head, sizeof head,
                                         "--%s\r\nContent-Type: application/json; charset=UTF-8"
                                         "\r\n\r\n%s\r\n--%s\r\nContent-Type: "
                                         "application/octet-stream\r\n\r\n",
                                         boundary, json, boundary);
    free(json);
    if (before < 0 || (size_t)before >= sizeof head) {
        return ls_fail(err, LS_ELIMIT, "gs: upload to %.100s: the name is too long", u->name);
    }
    memcpy(u->parts.data - before, head, (size_t)before);
    char *tail = (char *)u->parts.data + u->parts.len;
    int after = snprintf(tail, LS_PARTS_ROOM, "\r\n--%s--\r\n", boundary);
    c->r.body = u->parts.data - before;
    c->r.body_len = (size_t)before + u->parts.len + (size_t)after;
    return ls_http_set_header(&c->r, "Content-Type", err, "multipart/related; boundary=%s",
                              boundary);
}

static ls_code send_at_once(upload *u, ls_err *err) {
    uint64_t dice[2] = {0};
    char boundary[40];
    char *url = upload_url(u, "multipart");
    ls_gcs_call c;
    if (url == NULL) {
        return no_memory(err);
    }
    (void)!getrandom(dice, sizeof dice, 0);
    (void)snprintf(boundary, sizeof boundary, "%016llx%016llx", (unsigned long long)dice[0],
                   (unsigned long long)dice[1]);
    ls_code code = ls_gcs_call_init(&c, u->gs, "POST", url, err);
    free(url);
    if (code == LS_OK) {
        code = frame(u, boundary, &c, err);
    }
    if (code == LS_OK) {
        code = ls_gcs_do(&c, err);
    }
    if (code == LS_OK) {
        code = judge(u, &c, c.tries > 1, err);
    }
    ls_gcs_call_done(&c);
    return code;
}

/* ---- part after part ---- */

static ls_code begin_session(upload *u, ls_err *err) {
    char *url = upload_url(u, "resumable");
    char *json = description(u, NULL);
    ls_gcs_call c;
    if (url == NULL || json == NULL) {
        free(url);
        free(json);
        return no_memory(err);
    }
    ls_code code = ls_gcs_call_init(&c, u->gs, "POST", url, err);
    if (code == LS_OK) {
        code = ls_http_set_header(&c.r, "Content-Type", err, "application/json; charset=UTF-8");
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&c.r, "X-Upload-Content-Type", err, "application/octet-stream");
    }
    if (code == LS_OK) {
        c.r.body = json;
        c.r.body_len = strlen(json);
        code = ls_gcs_do(&c, err);
    }
    if (code == LS_OK) {
        const char *location = ls_http_header_of(c.a.headers, c.a.n_headers, "location");
        if (c.a.status != 200 && c.a.status != 201) {
            code = refused(u, &c, err);
        } else if (location == NULL) {
            code =
                ls_fail(err, LS_EREMOTE, "gs: upload to %s: the service named no session", u->name);
        } else {
            u->session = strdup(location);
            code = u->session != NULL ? LS_OK : no_memory(err);
        }
    }
    ls_gcs_call_done(&c);
    free(json);
    free(url);
    return code;
}

/* One request to the session: bytes from `from` on of the current part, or only the question how
 * much is there (from at the part's end, and ask). The store's own retries are not wanted. */
static ls_code to_session(upload *u, uint64_t from, bool ask, ls_gcs_call *c, ls_err *err) {
    const uint64_t end = u->parts.off + u->parts.len;
    char total[24] = "*";
    if (u->parts.last) {
        (void)snprintf(total, sizeof total, "%llu", (unsigned long long)end);
    }
    ls_code code = ls_gcs_call_init(c, u->gs, "PUT", u->session, err);
    if (code != LS_OK) {
        return code;
    }
    if (ask) {
        code = ls_http_set_header(&c->r, "Content-Range", err, "bytes */%s", total);
        c->r.body = "";
        return code == LS_OK ? ls_gcs_do(c, err) : code;
    }
    code = ls_http_set_header(&c->r, "Content-Range", err, "bytes %llu-%llu/%s",
                              (unsigned long long)from, (unsigned long long)(end - 1), total);
    if (code == LS_OK && u->parts.last) {
        char crc[LS_CRC32C_TEXT_SIZE];
        code =
            ls_http_set_header(&c->r, "X-Goog-Hash", err, "crc32c=%s", ls_crc32c_text(u->crc, crc));
    }
    c->r.body = u->parts.data + (from - u->parts.off);
    c->r.body_len = (size_t)(end - from);
    return code == LS_OK ? ls_gcs_do_once(c, err) : code;
}

/* How much the service has, from "Range: bytes=0-N"; nothing where there is none. */
static uint64_t persisted(const ls_gcs_call *c) {
    const char *range = ls_http_header_of(c->a.headers, c->a.n_headers, "range");
    const char *last = range != NULL ? strchr(range, '-') : NULL;
    return last != NULL ? strtoull(last + 1, NULL, 10) + 1 : 0;
}

static bool is_temporary(int status) { return status == 408 || status == 429 || status >= 500; }

/* What an answer of the session means: all is stored, the part is, or a rest of it is to be sent
 * from *from on. */
static ls_code look_at(const upload *u, const ls_gcs_call *c, uint64_t *from, bool *stored,
                       bool twice, ls_err *err) {
    const uint64_t end = u->parts.off + u->parts.len;
    *stored = false;
    if (c->a.status != INCOMPLETE) {
        *stored = true;
        return judge(u, c, twice, err);
    }
    uint64_t have = persisted(c);
    if (have < u->parts.off || have > end) {
        return ls_fail(err, LS_EREMOTE, "gs: upload to %s: the service has %llu bytes, not %llu",
                       u->name, (unsigned long long)have, (unsigned long long)end);
    }
    *from = have;
    *stored = have == end && !u->parts.last;
    return LS_OK;
}

/* Sends the part; what breaks is gone on with where the service says that it has come to. */
static ls_code send_part(upload *u, ls_err *err) {
    uint64_t from = u->parts.off;
    bool stored = false;
    bool ask = false;
    ls_code code = LS_OK;
    for (int try = 0; code == LS_OK && !stored; try++) {
        ls_gcs_call c;
        if (try == ROUNDS_MAX) {
            return ls_fail(err, LS_EREMOTE, "gs: upload to %s: the service takes nothing", u->name);
        }
        code = to_session(u, from, ask, &c, err);
        bool broke = code == LS_EREMOTE || (code == LS_OK && is_temporary(c.a.status));
        if (broke && try < PART_TRIES) {
            ls_err_clear(err);
            code = LS_OK;
            ask = true;
            (void)ls_pause(PAUSE_FIRST << (try < 7 ? try : 7), NULL);
        } else if (code == LS_OK) {
            code = look_at(u, &c, &from, &stored, try > 0, err);
            ask = from == u->parts.off + u->parts.len; /* all is there and not yet put together */
        }
        ls_gcs_call_done(&c);
    }
    return code;
}

/* Best effort: the service forgets a session after a week by itself. */
static void drop_session(upload *u) {
    ls_err ignored = LS_ERR_INIT;
    ls_gcs_call c;
    if (ls_gcs_call_init(&c, u->gs, "DELETE", u->session, &ignored) == LS_OK) {
        (void)!ls_gcs_do_once(&c, &ignored);
    }
    ls_gcs_call_done(&c);
}

static ls_code send_in_parts(upload *u, ls_err *err) {
    ls_code code = begin_session(u, err);
    if (code != LS_OK) {
        return code;
    }
    code = send_part(u, err);
    while (code == LS_OK && !u->parts.last) {
        code = ls_parts_next(&u->parts, err);
        if (code == LS_OK) {
            u->crc = ls_crc32c(u->crc, u->parts.data, u->parts.len);
            code = send_part(u, err);
        }
    }
    if (code != LS_OK) {
        drop_session(u);
    }
    return code;
}

ls_code ls_gcs_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                   ls_ltx_info *out, ls_err *err) {
    upload u = {.gs = (ls_gcs *)s, .exclusive = exclusive};
    char *name = ls_gcs_name(u.gs, file);
    ls_code code = ls_parts_init(&u.parts, in, PART, err);
    if (code == LS_OK && name == NULL) {
        code = no_memory(err);
    }
    if (code == LS_OK) {
        code = ls_parts_next(&u.parts, err);
    }
    if (code == LS_OK) {
        u.name = name;
        u.crc = ls_crc32c(0, u.parts.data, u.parts.len);
        code = u.parts.last ? send_at_once(&u, err) : send_in_parts(&u, err);
    }
    if (code == LS_OK) {
        *out = *file;
        out->size = u.parts.off + u.parts.len;
        out->created_ms = u.parts.created_ms;
    }
    ls_parts_done(&u.parts);
    free(u.session);
    free(name);
    return code;
}
