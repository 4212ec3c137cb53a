/* ltx dump: what is in LTX files, page by page, as it is read. */
#include "cmd/ltx.h"
#include "cmd/ltx_dump_view.h"
#include "cmd/ltx_input.h"
#include "engine/ltx/decoder.h"
#include "engine/ltx/index.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct dump_args {
    bool json;
    bool tsv;
    bool hex;
    bool raw;
    int64_t page; /* 0: all */
} dump_args;

static bool is_regular(int fd) {
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Shows the pages asked for; *shown counts them. With live, what comes through a pipe is shown as
 * it comes. */
static ls_code dump_pages(const dump_args *a, const ls_dump_view *v, ls_ltx_decoder *dec, bool live,
                          uint32_t *shown, ls_err *err) {
    ls_ltx_page page;
    bool end = false;

    for (uint32_t frame = 0;; frame++) {
        ls_code rc = ls_ltx_decoder_next(dec, &page, &end, err);
        if (rc != LS_OK || end)
            return rc;
        if (a->page != 0 && page.pgno != (uint64_t)a->page)
            continue;
        v->form->page(v, frame, &page);
        (*shown)++;
        if (live)
            (void)fflush(v->out);
    }
}

static ls_code dump_body(const dump_args *a, ls_dump_view *v, ls_ltx_decoder *dec, bool live,
                         ls_err *err) {
    ls_ltx_trailer trailer = {0};
    uint32_t shown = 0;

    v->form->pages(v);
    (void)fflush(v->out); /* `| head` and `| less` have something to show at once */
    ls_code rc = dump_pages(a, v, dec, live, &shown, err);
    if (rc != LS_OK)
        return rc;
    rc = ls_ltx_decoder_close(dec, &trailer, err);
    if (rc == LS_OK || trailer.file_checksum != 0)
        v->form->trailer(v, &trailer);
    if (rc == LS_OK && a->page != 0 && shown == 0)
        return ls_fail(err, LS_ENOTFOUND, "page %" PRId64 " is not in this file", a->page);
    return rc;
}

static ls_code dump_file(const dump_args *a, ls_dump_view *v, const ls_ltx_input *item,
                         ls_err *err) {
    ls_ltx_header header = {0};
    ls_ltx_decoder *dec = NULL;
    ls_reader *r;
    int fd;
    ls_code rc = ls_ltx_input_open(item, &r, &fd, err);

    if (rc != LS_OK)
        return rc;
    rc = ls_ltx_decoder_new(r, &header, &dec, err);
    v->path = item->path;
    v->page_size = header.page_size;
    if (rc == LS_OK || header.page_size != 0)
        v->form->header(v, &header);
    if (rc == LS_OK)
        rc = dump_body(a, v, dec, !is_regular(fd), err);
    ls_ltx_decoder_free(dec);
    ls_reader_close(r);
    return rc;
}

static ls_code dump_all(const dump_args *a, const ls_ltx_inputs *files, ls_err *err) {
    ls_dump_view v = {.form = a->json  ? &ls_dump_json
                              : a->tsv ? &ls_dump_tsv
                                       : &ls_dump_text,
                      .out = stdout,
                      .hex = a->hex,
                      .many = files->n > 1};
    size_t bad = 0;

    v.form->start(&v);
    for (size_t i = 0; i < files->n; i++) {
        ls_err why = LS_ERR_INIT;
        if (dump_file(a, &v, &files->item[i], &why) == LS_OK)
            continue;
        ls_ltx_report(files->item[i].path, &why, files->n == 1);
        bad++;
    }
    return bad > 0 ? ls_ltx_failed(err) : LS_OK;
}

/* ---- one page, raw ---- */

/* From a stream: the page is given out once all of the file was read and found sound. */
static ls_code stream_page(ls_reader *r, uint32_t pgno, void *page, uint32_t *page_size,
                           ls_err *err) {
    ls_ltx_header header = {0};
    ls_ltx_decoder *dec = NULL;
    ls_ltx_page p;
    bool end = false, found = false;
    ls_code rc = ls_ltx_decoder_new(r, &header, &dec, err);

    *page_size = header.page_size;
    while (rc == LS_OK && (rc = ls_ltx_decoder_next(dec, &p, &end, err)) == LS_OK && !end) {
        if (p.pgno == pgno) {
            memcpy(page, p.data, header.page_size);
            found = true;
        }
    }
    if (rc == LS_OK)
        rc = ls_ltx_decoder_close(dec, NULL, err);
    ls_ltx_decoder_free(dec);
    if (rc == LS_OK && !found)
        return ls_fail(err, LS_ENOTFOUND, "page %" PRIu32 " is not in this file", pgno);
    return rc;
}

static ls_code raw_page(const ls_ltx_input *item, uint32_t pgno, ls_err *err) {
    uint8_t page[LS_LTX_MAX_PAGE_SIZE];
    ls_ltx_header header;
    uint32_t page_size = 0;
    ls_reader *r;
    int fd;
    ls_code rc = ls_ltx_input_open(item, &r, &fd, err);

    if (rc == LS_OK && is_regular(fd)) {
        rc = ls_ltx_fetch_page(fd, item->path, pgno, &header, page, sizeof page, err);
        page_size = header.page_size;
    } else if (rc == LS_OK) {
        rc = stream_page(r, pgno, page, &page_size, err);
    }
    ls_reader_close(r);
    if (rc == LS_OK)
        fwrite(page, 1, page_size, stdout);
    return rc;
}

static ls_code dump_raw(const dump_args *a, const ls_ltx_inputs *files, ls_err *err) {
    ls_err why = LS_ERR_INIT;

    if (a->page == 0 || files->n != 1) {
        (void)ls_fail(err, LS_EINVALID, "-raw is for one page of one file");
        return ls_hint(err, "ltx dump -page N -raw FILE > page");
    }
    if (isatty(STDOUT_FILENO)) {
        (void)ls_fail(err, LS_EINVALID, "a raw page is nothing for a terminal");
        return ls_hint(err, "redirect the output, or use -hex");
    }
    if (raw_page(&files->item[0], (uint32_t)a->page, &why) == LS_OK)
        return LS_OK;
    ls_ltx_report(files->item[0].path, &why, true);
    return ls_ltx_failed(err);
}

static ls_code run_dump(const ls_invocation *in, ls_err *err) {
    const dump_args *a = in->args;
    ls_ltx_inputs files;

    if (in->n_pos == 0)
        return ls_fail(err, LS_EINVALID, "filename required");
    if (ls_given(in, "page") && (a->page < 1 || a->page > UINT32_MAX))
        return ls_fail(err, LS_EINVALID, "-page: there is no page %" PRId64, a->page);
    ls_code rc = ls_ltx_inputs_init(&files, in->pos, in->n_pos, err);
    if (rc == LS_OK)
        rc = a->raw ? dump_raw(a, &files, err) : dump_all(a, &files, err);
    ls_ltx_inputs_done(&files);
    return rc;
}

#define F(name) offsetof(dump_args, name)
static const ls_option options[] = {
    {.name = "hex",
     .type = LS_OPT_BOOL,
     .field = F(hex),
     .help = "Shows the contents of each page as a hex dump; runs of equal lines become \"***\". "
             "With -json: a member \"data\" of hexadecimal digits."},
    {.name = "json",
     .type = LS_OPT_BOOL,
     .field = F(json),
     .help = "Prints one JSON object a line: the header, each page, the trailer."},
    {.name = "page",
     .type = LS_OPT_INT,
     .field = F(page),
     .arg = "N",
     .help = "Shows this page only."},
    {.name = "raw",
     .type = LS_OPT_BOOL,
     .field = F(raw),
     .help = "With -page N: writes the bytes of the page and nothing else. From a file it is found "
             "through the page index, without reading and checking the rest."},
    {.name = "tsv",
     .type = LS_OPT_BOOL,
     .field = F(tsv),
     .help = "Prints one tab-separated line a page, under a line of titles."},
    {0},
};

const ls_command ls_ltx_cmd_dump = {
    .name = "dump",
    .summary = "writes out metadata and page headers for a set of LTX files",
    .usage = (const char *const[]){"[options] PATH [PATH...]", NULL},
    .about = "The dump command writes out the header of an LTX file, a line for each page with its "
             "number, flags, place and size in the file and checksum, and the trailer.\n\n"
             "A PATH is a file, a folder (all .ltx files in it), a replica (all its levels) or - "
             "for standard input. Lines come while the file is read; when the reader of the output "
             "goes away (| head, | less), the command ends at once and quietly, by SIGPIPE. What "
             "is wrong with a file is said on standard error, and the exit code is 1 then.",
    .options = options,
    .examples =
        (const char *const[]){"ltx dump big.ltx | head -20",
                              "ltx dump -json f.ltx | jq 'select(.type == \"page\") | .pgno'",
                              "ltx dump -page 1 -raw f.ltx | xxd | less", NULL},
    .args_size = sizeof(dump_args),
    .run = run_dump,
};
