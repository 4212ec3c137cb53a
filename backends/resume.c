/* A stored file read to its end over a connection that breaks; see resume.h. */
#include "backends/resume.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_PAUSE (250 * LS_MS)

typedef struct resume_reader {
    ls_reader base;
    ls_storage *s;
    ls_ltx_info file; /* of an LTX file */
    bool is_object;
    char key[LS_OBJECT_KEY_MAX + 1];
    const ls_cancel *cancel;
    ls_reader *in; /* NULL: to be opened at off */
    uint64_t off;  /* of the next byte */
    uint64_t end;  /* where the read ends; UINT64_MAX: where the store says so */
    unsigned tries;
    ls_code failed; /* sticky, with err */
    ls_err err;
} resume_reader;

static void close_in(resume_reader *r) {
    ls_reader_close(r->in);
    r->in = NULL;
}

static ls_code check_canceled(const resume_reader *r, ls_err *err) {
    return ls_canceled(r->cancel) ? ls_fail(err, LS_ECANCELED, "read %s: canceled", r->key) : LS_OK;
}

/* Opens what is left to read. A store reads to the end for length 0. */
static ls_code open_rest(resume_reader *r, ls_err *err) {
    uint64_t len = r->end == UINT64_MAX ? 0 : r->end - r->off;
    return r->is_object ? ls_storage_open_object(r->s, r->key, r->off, len, &r->in, err)
                        : ls_storage_open_range(r->s, &r->file, r->off, len, &r->in, err);
}

static ls_code read_some(resume_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    ls_code code = check_canceled(r, err);
    if (code == LS_OK && r->in == NULL) {
        code = open_rest(r, err);
    }
    if (code == LS_OK) {
        code = r->in->read(r->in, buf, len, got, err);
    }
    if (code == LS_OK && *got == 0 && r->end != UINT64_MAX) {
        code = ls_fail(err, LS_EIO, "%s: ends after %" PRIu64 " of %" PRIu64 " bytes", r->key,
                       r->off, r->end);
    }
    return code;
}

/* After a failure: may it be tried again? Waits if so. */
static bool try_again(resume_reader *r, ls_code code) {
    close_in(r);
    if (code == LS_ENOTFOUND || code == LS_ECANCELED || code == LS_ECHECKSUM ||
        r->tries == LS_RESUME_TRIES) {
        return false;
    }
    (void)ls_pause(FIRST_PAUSE << r->tries, r->cancel);
    r->tries++;
    return true;
}

static ls_code fail_for_good(resume_reader *r, ls_code code, ls_err *err) {
    r->failed = code;
    r->err = *err;
    return code;
}

static ls_code resume_read(ls_reader *base, void *buf, size_t len, size_t *got, ls_err *err) {
    resume_reader *r = (resume_reader *)base;
    *got = 0;
    if (r->failed != LS_OK) {
        *err = r->err;
        return r->failed;
    }
    if (r->off >= r->end || len == 0) {
        return LS_OK;
    }
    if (len > r->end - r->off) {
        len = (size_t)(r->end - r->off);
    }
    for (;;) {
        ls_code code = read_some(r, buf, len, got, err);
        if (code == LS_OK) {
            r->off += *got;
            return LS_OK;
        }
        *got = 0;
        if (!try_again(r, code)) {
            return fail_for_good(r, code, err);
        }
        ls_err_clear(err);
    }
}

static void resume_close(ls_reader *base) {
    resume_reader *r = (resume_reader *)base;
    close_in(r);
    free(r);
}

static uint64_t end_of(uint64_t size, uint64_t off, uint64_t len) {
    uint64_t end = len == 0 || len > UINT64_MAX - off ? UINT64_MAX : off + len;
    return size != 0 && end > size ? size : end;
}

static ls_code new_reader(ls_storage *s, const char *key, const ls_cancel *cancel,
                          resume_reader **out, ls_err *err) {
    resume_reader *r = calloc(1, sizeof *r);
    *out = r;
    if (r == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to read %s", key);
    }
    r->base = (ls_reader){.read = resume_read, .close = resume_close};
    r->s = s;
    r->cancel = cancel;
    (void)snprintf(r->key, sizeof r->key, "%s", key);
    return LS_OK;
}

ls_code ls_resume_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                       const ls_cancel *cancel, ls_reader **out, ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    resume_reader *r;
    *out = NULL;
    ls_code code = new_reader(s, ls_storage_key(file, key), cancel, &r, err);
    if (code == LS_OK) {
        r->file = *file;
        r->off = off;
        r->end = end_of(file->size, off, len);
        *out = &r->base;
    }
    return code;
}

ls_code ls_resume_open_object(ls_storage *s, const ls_object *object, const ls_cancel *cancel,
                              ls_reader **out, ls_err *err) {
    resume_reader *r;
    *out = NULL;
    if (strlen(object->key) > LS_OBJECT_KEY_MAX) {
        return ls_fail(err, LS_EINVALID, "a key of more than %d bytes", LS_OBJECT_KEY_MAX);
    }
    ls_code code = new_reader(s, object->key, cancel, &r, err);
    if (code == LS_OK) {
        r->is_object = true;
        r->end = end_of(object->size, 0, 0);
        *out = &r->base;
    }
    return code;
}

bool ls_resume_spoilt(const ls_err *err, ls_err *before) {
    if (err->code != LS_ECORRUPT && err->code != LS_ECHECKSUM && err->code != LS_EFORMAT) {
        return false;
    }
    bool same = strcmp(before->msg, err->msg) == 0;
    *before = *err;
    return !same;
}
