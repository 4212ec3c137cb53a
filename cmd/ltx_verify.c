/* ltx verify: reads files whole and says which are not sound. */
#include "cmd/ltx.h"
#include "cmd/ltx_input.h"
#include "engine/ltx/decoder.h"

#include <inttypes.h>

typedef struct verify_args {
    bool json;
    bool tsv;
} verify_args;

static void print_json(const char *path, const ls_ltx_summary *sum, const ls_err *err) {
    ls_json j;

    ls_json_init_line(&j, stdout);
    ls_json_object(&j, NULL);
    ls_json_str(&j, "path", path);
    ls_json_bool(&j, "ok", err->code == LS_OK);
    if (err->code == LS_OK) {
        ls_ltx_json_hex(&j, "min_txid", sum->header.min_txid);
        ls_ltx_json_hex(&j, "max_txid", sum->header.max_txid);
        ls_json_uint(&j, "commit", sum->header.commit);
        ls_json_uint(&j, "pages", sum->pages);
        ls_json_uint(&j, "size", sum->size);
    } else {
        ls_json_str(&j, "code", ls_code_name(err->code));
        ls_json_str(&j, "error", err->msg);
        ls_json_str(&j, "hint", ls_err_hint(err));
    }
    ls_json_object_end(&j);
    ls_json_end(&j);
}

static ls_code verify_file(const ls_ltx_input *item, ls_ltx_summary *sum, ls_err *err) {
    ls_reader *r;
    int fd;
    ls_code rc = ls_ltx_input_open(item, &r, &fd, err);

    if (rc == LS_OK)
        rc = ls_ltx_verify(r, sum, err);
    ls_reader_close(r);
    return rc;
}

static size_t verify_all(const ls_ltx_inputs *files, const verify_args *a) {
    size_t bad = 0;

    for (size_t i = 0; i < files->n; i++) {
        ls_err err = LS_ERR_INIT;
        ls_ltx_summary sum;
        const char *path = files->item[i].path;
        bool ok = verify_file(&files->item[i], &sum, &err) == LS_OK;
        if (a->json)
            print_json(path, &sum, &err);
        else if (a->tsv)
            printf("%s\t%s\n", path, ok ? "ok" : ls_code_name(err.code));
        if (!ok)
            ls_ltx_report(path, &err, files->n == 1);
        bad += !ok;
    }
    return bad;
}

static ls_code run_verify(const ls_invocation *in, ls_err *err) {
    const verify_args *a = in->args;
    ls_ltx_inputs files;
    size_t bad = 0;

    if (in->n_pos == 0)
        return ls_fail(err, LS_EINVALID, "at least one LTX file must be specified");
    ls_code rc = ls_ltx_inputs_init(&files, in->pos, in->n_pos, err);
    if (rc == LS_OK) {
        bad = verify_all(&files, a);
        if (!a->json && !a->tsv && bad == 0)
            puts("ok");
        else if (!a->json && !a->tsv)
            printf("%zu ok, %zu invalid\n", files.n - bad, bad);
    }
    ls_ltx_inputs_done(&files);
    return rc == LS_OK && bad > 0 ? ls_ltx_failed(err) : rc;
}

const ls_command ls_ltx_cmd_verify = {
    .name = "verify",
    .summary = "reads & verifies checksums of a set of LTX files",
    .usage = (const char *const[]){"[options] PATH [PATH...]", NULL},
    .about =
        "The verify command reads one or more LTX files from start to end and checks each part: "
        "header, order and bounds of pages, their compression, the page index, the trailer and "
        "all checksums.\n\n"
        "A PATH is a file, a folder (all .ltx files in it), a replica (all its levels) or - for "
        "standard input. Each bad file is named on standard error with the reason; at the end "
        "\"ok\", or how many were ok and how many invalid. The exit code is 1 if any file is "
        "bad.",
    .options =
        (const ls_option[]){{.name = "json",
                             .type = LS_OPT_BOOL,
                             .field = offsetof(verify_args, json),
                             .help = "Prints one JSON object a file and line instead of the sum."},
                            {.name = "tsv",
                             .type = LS_OPT_BOOL,
                             .field = offsetof(verify_args, tsv),
                             .help = "Prints one line a file instead of the sum: the path, a tab, "
                                     "\"ok\" or the kind of error."},
                            {0}},
    .examples =
        (const char *const[]){"ltx verify /backups/db", "ssh host cat f.ltx | ltx verify -",
                              "ltx verify -json /backups/db | jq 'select(.ok | not)'", NULL},
    .args_size = sizeof(verify_args),
    .run = run_verify,
};
