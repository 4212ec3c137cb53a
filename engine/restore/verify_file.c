/* One file of a replica read whole; see verify_file.h. */
#include "engine/restore/verify_file.h"

#include "backends/resume.h"
#include "engine/ltx/decoder.h"
#include "engine/ltx/rules.h"
#include "engine/restore/source.h"

#define TELL_BYTES (1u << 20)

typedef struct reading {
    const ls_ltx_info *file;
    const ls_cancel *cancel;
    ls_verify_read_fn read;
    void *arg;
    uint64_t told;
    ls_fact *fact;
} reading;

static ls_code check_header(const reading *r, const ls_ltx_header *h, ls_err *err) {
    r->fact->page_size = h->page_size;
    r->fact->commit = h->commit;
    r->fact->checksums = (h->flags & LS_LTX_FLAG_NO_CHECKSUM) == 0;
    r->fact->pre_apply = h->pre_apply;
    r->fact->timestamp = h->timestamp;
    if (h->min_txid == r->file->min_txid && h->max_txid == r->file->max_txid) {
        return LS_OK;
    }
    char name[LS_LTX_NAME_SIZE];
    return ls_fail(err, LS_ECORRUPT, "its header says it is %s",
                   ls_ltx_name_format(h->min_txid, h->max_txid, name));
}

/* The page before the one at hand, the lock page left out; prev is the last one that was read. */
static uint32_t page_before(uint32_t prev, uint32_t pgno, uint32_t page_size) {
    uint32_t before = pgno - 1;
    return before > prev && before == ls_ltx_lock_pgno(page_size) ? before - 1 : before;
}

static void tell(reading *r, uint64_t bytes) {
    if (r->read != NULL && bytes > r->told) {
        r->read(r->arg, bytes - r->told);
        r->told = bytes;
    }
}

static ls_code read_pages(reading *r, ls_ltx_decoder *dec, ls_err *err) {
    ls_fact *fact = r->fact;
    uint32_t prev = 0;
    for (;;) {
        ls_ltx_page page;
        bool end;
        ls_code code = ls_ltx_decoder_next(dec, &page, &end, err);
        if (code == LS_OK && ls_canceled(r->cancel)) {
            code = ls_fail(err, LS_ECANCELED, "canceled");
        }
        if (code != LS_OK) {
            return code;
        }
        if (end) {
            break;
        }
        if (page.pgno != ls_ltx_next_pgno(prev, fact->page_size)) {
            fact->lacks = page_before(prev, page.pgno, fact->page_size);
        }
        prev = page.pgno;
        if (ls_ltx_decoder_bytes(dec) - r->told >= TELL_BYTES) {
            tell(r, ls_ltx_decoder_bytes(dec));
        }
    }
    uint32_t last = ls_ltx_last_pgno(fact->commit, fact->page_size);
    fact->lacks = prev < last ? last : fact->lacks;
    return LS_OK;
}

static ls_code read_all(reading *r, ls_reader *in, ls_err *err) {
    ls_ltx_header header;
    ls_ltx_trailer trailer = {0};
    ls_ltx_decoder *dec = NULL;
    ls_code code = ls_ltx_decoder_new(in, &header, &dec, err);
    if (code == LS_OK) {
        code = check_header(r, &header, err);
    }
    if (code == LS_OK) {
        code = read_pages(r, dec, err);
    }
    if (code == LS_OK) {
        code = ls_ltx_decoder_close(dec, &trailer, err);
    }
    r->fact->post_apply = trailer.post_apply;
    ls_ltx_decoder_free(dec);
    return code;
}

static ls_code read_file(reading *r, ls_storage *s, ls_err *err) {
    ls_code code = ls_source_check_size(r->file, err);
    ls_reader *in = NULL;
    if (code == LS_OK) {
        code = ls_resume_open(s, r->file, 0, 0, r->cancel, &in, err);
    }
    if (code == LS_OK) {
        code = read_all(r, in, err);
        ls_reader_close(in);
    }
    return code;
}

/* Does the store still list the file? */
static ls_code still_listed(ls_storage *s, const ls_ltx_info *file, bool *yes, ls_err *err) {
    ls_storage_iter *it;
    *yes = false;
    ls_code code = ls_storage_list(s, file->level, file->min_txid, &it, err);
    for (bool end = false; code == LS_OK && !end && !*yes;) {
        ls_ltx_info f;
        code = ls_storage_iter_next(it, &f, &end, err);
        end = end || f.min_txid > file->min_txid;
        *yes = code == LS_OK && !end && f.max_txid == file->max_txid;
    }
    ls_storage_iter_free(it);
    return code;
}

/* Is it the file, whatever the store says? */
static bool is_verdict(ls_code code) {
    return code == LS_ECORRUPT || code == LS_ECHECKSUM || code == LS_EFORMAT || code == LS_EINVALID;
}

/* Why it could not be read: is the file bad, is it gone, or is it the store? The store is asked
 * only where the error does not say: a listing for each of many bad files would take too long. */
static ls_code judge(ls_storage *s, reading *r, ls_code code, ls_err *err) {
    bool there = is_verdict(code);
    if (code == LS_ENOMEM || code == LS_ECANCELED) {
        return code;
    }
    if (!there && code != LS_ENOTFOUND) {
        ls_err listing = LS_ERR_INIT;
        if (still_listed(s, r->file, &there, &listing) != LS_OK) {
            *err = listing;
            return err->code;
        }
    }
    if (!there) {
        ls_err_clear(err);
    }
    r->fact->state = there ? LS_FACT_BAD : LS_FACT_GONE;
    return there ? code : LS_OK;
}

ls_code ls_verify_file(ls_storage *s, const ls_ltx_info *file, const ls_cancel *cancel,
                       ls_verify_read_fn read, void *arg, ls_fact *fact, ls_err *err) {
    *fact = (ls_fact){.state = LS_FACT_UNREAD};
    reading r = {.file = file, .cancel = cancel, .read = read, .arg = arg, .fact = fact};
    ls_err damage = LS_ERR_INIT;
    ls_code code = read_file(&r, s, err);
    for (int i = 1; i < LS_RESUME_READS && code != LS_OK && ls_resume_spoilt(err, &damage); i++) {
        *fact = (ls_fact){.state = LS_FACT_UNREAD};
        ls_err_clear(err);
        code = read_file(&r, s, err);
    }
    if (code != LS_OK) {
        return judge(s, &r, code, err);
    }
    fact->state = LS_FACT_GOOD;
    tell(&r, file->size);
    return LS_OK;
}
