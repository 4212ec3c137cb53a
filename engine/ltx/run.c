/*
 * Pages between two stages of a merge; see run.h. One buffer serves for writing, then for reading.
 * A record: what is in record, then the frame.
 */
#include "engine/ltx/run.h"

#include "engine/base/file.h"
#include "engine/ltx/crc64.h"
#include "engine/ltx/ltx.h"
#include "engine/ltx/spill.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUF_SIZE ((size_t)128 * 1024)

/* In memory order: nobody else reads it. */
typedef struct record {
    uint64_t sum; /* of all that follows */
    uint64_t crc; /* kept beside the frame */
    uint64_t size;
} record;

_Static_assert(BUF_SIZE >= sizeof(record) + LS_LTX_MAX_FRAME, "a record fits into the buffer");

struct ls_ltx_run {
    int fd;
    uint64_t size; /* bytes in the file */
    uint64_t off;  /* read so far */
    size_t pos;    /* buf[pos..end) is read and not used yet; of a run that is written, pos is 0 */
    size_t end;
    uint8_t buf[BUF_SIZE];
};

ls_code ls_ltx_run_new(const char *dir, ls_ltx_run **run, ls_err *err) {
    *run = NULL;
    ls_ltx_run *r = malloc(sizeof *r);
    if (r == NULL)
        return ls_fail(err, LS_ENOMEM, "no memory");
    r->size = r->off = 0;
    r->pos = r->end = 0;
    ls_code rc = ls_ltx_tmp_open(dir, &r->fd, err);
    if (rc != LS_OK) {
        free(r);
        return rc;
    }
    *run = r;
    return LS_OK;
}

void ls_ltx_run_free(ls_ltx_run *run) {
    if (run != NULL) {
        close(run->fd);
        free(run);
    }
}

static ls_code flush(ls_ltx_run *r, ls_err *err) {
    ls_code rc = ls_write_full(r->fd, r->buf, r->end, "temporary file", err);
    r->size += r->end;
    r->end = 0;
    return rc;
}

static uint64_t sum_of(const record *r, const uint8_t *frame) {
    return ls_crc64(ls_crc64(0, &r->crc, sizeof *r - offsetof(record, crc)), frame, r->size);
}

ls_code ls_ltx_run_add(ls_ltx_run *run, const uint8_t *frame, uint32_t size, uint64_t crc,
                       ls_err *err) {
    record head = {.crc = crc, .size = size};
    head.sum = sum_of(&head, frame);
    if (BUF_SIZE - run->end < sizeof head + size) {
        ls_code rc = flush(run, err);
        if (rc != LS_OK)
            return rc;
    }
    memcpy(run->buf + run->end, &head, sizeof head);
    memcpy(run->buf + run->end + sizeof head, frame, size);
    run->end += sizeof head + size;
    return LS_OK;
}

ls_code ls_ltx_run_rewind(ls_ltx_run *run, ls_err *err) { return flush(run, err); }

/* Has need bytes at hand. */
static ls_code fill(ls_ltx_run *r, size_t need, ls_err *err) {
    size_t have = r->end - r->pos;
    if (have >= need)
        return LS_OK;
    memmove(r->buf, r->buf + r->pos, have);
    size_t got = 0;
    ls_code rc =
        ls_pread_full(r->fd, r->buf + have, BUF_SIZE - have, r->off, &got, "temporary file", err);
    r->off += got;
    r->pos = 0;
    r->end = have + got;
    if (rc == LS_OK && r->end < need)
        return ls_fail(err, LS_EIO, "temporary file got shorter");
    return rc;
}

static ls_code read_record(ls_ltx_run *r, record *head, ls_err *err) {
    ls_code rc = fill(r, sizeof *head, err);
    if (rc != LS_OK)
        return rc;
    memcpy(head, r->buf + r->pos, sizeof *head);
    if (head->size > LS_LTX_MAX_FRAME)
        return ls_fail(err, LS_EIO, "temporary file was changed");
    rc = fill(r, sizeof *head + head->size, err);
    if (rc == LS_OK && sum_of(head, r->buf + r->pos + sizeof *head) != head->sum)
        return ls_fail(err, LS_EIO, "temporary file was changed");
    return rc;
}

ls_code ls_ltx_run_next(ls_ltx_run *run, const uint8_t **frame, uint32_t *size, uint64_t *crc,
                        bool *end, ls_err *err) {
    record head;
    *end = run->off == run->size && run->pos == run->end;
    if (*end)
        return LS_OK;
    ls_code rc = read_record(run, &head, err);
    if (rc != LS_OK)
        return rc;
    *frame = run->buf + run->pos + sizeof head;
    *size = (uint32_t)head.size;
    *crc = head.crc;
    run->pos += sizeof head + head.size;
    return LS_OK;
}
