/* The commands of ltx: see ltx.h. */
#include "cmd/ltx.h"

#include "engine/litestream.h"

static ls_code run_version(const ls_invocation *in, ls_err *err) {
    ls_code rc = ls_positionals_max(in, 0, err);

    if (rc == LS_OK)
        printf("ltx %s\n", ls_version());
    return rc;
}

const ls_command ls_ltx_cmd_version = {
    .name = "version",
    .summary = "prints the version",
    .usage = (const char *const[]){"", NULL},
    .about = "The version command prints the version of this program.",
    .run = run_version,
};

const ls_program ls_ltx_program = {
    .name = "ltx",
    .about = "ltx is a command-line tool for inspecting LTX files.",
    .commands =
        (const ls_command *const[]){&ls_ltx_cmd_apply, &ls_ltx_cmd_checksum, &ls_ltx_cmd_dump,
                                    &ls_ltx_cmd_encode_db, &ls_ltx_cmd_list, &ls_ltx_cmd_verify,
                                    &ls_ltx_cmd_version, NULL},
};
