/* ltx list: header and trailer fields of files as a table. */
#include "cmd/ltx.h"
#include "cmd/ltx_input.h"
#include "cmd/table.h"
#include "engine/ltx/decoder.h"

#include <inttypes.h>

#define COLUMNS 10
#define CELL 48

typedef struct list_args {
    bool json;
    bool tsv;
} list_args;

static const char *const titles[COLUMNS] = {"min_txid", "max_txid",  "commit",    "pages",
                                            "preapply", "postapply", "timestamp", "wal_offset",
                                            "wal_size", "wal_salt"};

static void fill_row(const ls_ltx_summary *sum, char cells[COLUMNS][CELL]) {
    const ls_ltx_header *h = &sum->header;

    snprintf(cells[0], CELL, "%016" PRIx64, h->min_txid);
    snprintf(cells[1], CELL, "%016" PRIx64, h->max_txid);
    snprintf(cells[2], CELL, "%" PRIu32, h->commit);
    snprintf(cells[3], CELL, "%" PRIu32, sum->pages);
    snprintf(cells[4], CELL, "%016" PRIx64, h->pre_apply);
    snprintf(cells[5], CELL, "%016" PRIx64, sum->trailer.post_apply);
    cells[6][0] = '\0';
    if (h->timestamp != 0)
        (void)ls_ltx_time(h->timestamp, false, cells[6], CELL);
    snprintf(cells[7], CELL, "%" PRId64, h->wal_offset);
    snprintf(cells[8], CELL, "%" PRId64, h->wal_size);
    snprintf(cells[9], CELL, "%08" PRIx32 " %08" PRIx32, h->wal_salt1, h->wal_salt2);
}

static void print_tsv(const char *const *cells) {
    for (int i = 0; i < COLUMNS; i++)
        printf("%s%c", cells[i], i + 1 < COLUMNS ? '\t' : '\n');
}

static void print_json(const char *path, const ls_ltx_summary *sum) {
    ls_json j;

    ls_json_init_line(&j, stdout);
    ls_json_object(&j, NULL);
    ls_json_str(&j, "path", path);
    ls_json_uint(&j, "size", sum->size);
    ls_ltx_json_header(&j, &sum->header);
    ls_json_uint(&j, "pages", sum->pages);
    ls_ltx_json_hex(&j, "post_apply", sum->trailer.post_apply);
    ls_ltx_json_hex(&j, "file_checksum", sum->trailer.file_checksum);
    ls_json_object_end(&j);
    ls_json_end(&j);
}

static ls_code show(const list_args *a, const char *path, const ls_ltx_summary *sum, ls_table *t,
                    ls_err *err) {
    char text[COLUMNS][CELL];
    const char *cells[COLUMNS];

    if (a->json) {
        print_json(path, sum);
        return LS_OK;
    }
    fill_row(sum, text);
    for (int i = 0; i < COLUMNS; i++)
        cells[i] = text[i];
    if (!a->tsv)
        return ls_table_row(t, err, cells);
    print_tsv(cells);
    return LS_OK;
}

/* One file; *bad counts those that cannot be listed. Fails only without memory for the table. */
static ls_code list_file(const list_args *a, const ls_ltx_input *item, bool hint, ls_table *t,
                         size_t *bad, ls_err *err) {
    ls_err why = LS_ERR_INIT;
    ls_ltx_summary sum;
    ls_reader *r;
    int fd;
    ls_code rc = ls_ltx_input_open(item, &r, &fd, &why);

    if (rc == LS_OK)
        rc = ls_ltx_verify(r, &sum, &why);
    ls_reader_close(r);
    if (rc == LS_OK)
        return show(a, item->path, &sum, t, err);
    ls_ltx_report(item->path, &why, hint);
    (*bad)++;
    return LS_OK;
}

static ls_code list_all(const list_args *a, const ls_ltx_inputs *files, ls_table *t, ls_err *err) {
    size_t bad = 0;
    ls_code rc = LS_OK;

    if (a->tsv)
        print_tsv(titles);
    else if (!a->json)
        rc = ls_table_row(t, err, titles);
    for (size_t i = 0; i < files->n && rc == LS_OK; i++)
        rc = list_file(a, &files->item[i], files->n == 1, t, &bad, err);
    if (!a->tsv && !a->json)
        ls_table_write(t, stdout);
    return rc == LS_OK && bad > 0 ? ls_ltx_failed(err) : rc;
}

static ls_code run_list(const ls_invocation *in, ls_err *err) {
    const list_args *a = in->args;
    ls_ltx_inputs files;
    ls_table t;

    if (in->n_pos == 0)
        return ls_fail(err, LS_EINVALID, "at least one LTX file is required");
    ls_table_init(&t, COLUMNS);
    ls_code rc = ls_ltx_inputs_init(&files, in->pos, in->n_pos, err);
    if (rc == LS_OK)
        rc = list_all(a, &files, &t, err);
    ls_ltx_inputs_done(&files);
    ls_table_done(&t);
    return rc;
}

const ls_command ls_ltx_cmd_list = {
    .name = "list",
    .summary = "lists header & trailer fields for LTX files in a table",
    .usage = (const char *const[]){"[options] PATH [PATH...]", NULL},
    .about =
        "The list command lists header and trailer fields of a set of LTX files, one line a "
        "file.\n\n"
        "A PATH is a file, a folder (all .ltx files in it), a replica (all its levels) or - for "
        "standard input. Each file is verified; a bad one is named on standard error with the "
        "reason and left out, and the exit code is 1 then.",
    .options = (const ls_option[]){{.name = "json",
                                    .type = LS_OPT_BOOL,
                                    .field = offsetof(list_args, json),
                                    .help = "Prints one JSON object a file and line, with the "
                                            "path and all fields."},
                                   {.name = "tsv",
                                    .type = LS_OPT_BOOL,
                                    .field = offsetof(list_args, tsv),
                                    .help = "Separates the columns by tabs."},
                                   {0}},
    .examples = (const char *const[]){"ltx list /backups/db/ltx/0", "ltx list -tsv *.ltx | cut -f2",
                                      "ltx list -json /backups/db | jq .path", NULL},
    .args_size = sizeof(list_args),
    .run = run_list,
};
