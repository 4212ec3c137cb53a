/* The litestream program: its commands, in the order in which help shows them. */
#include "cmd/litestream.h"

const ls_program ls_litestream = {
    .name = "litestream",
    .about = "litestream is a tool for replicating SQLite databases.",
    .commands =
        (const ls_command *const[]){
            &ls_cmd_check,
            &ls_cmd_databases,
            &ls_cmd_info,
            &ls_cmd_list,
            &ls_cmd_ltx,
            &ls_cmd_register,
            &ls_cmd_replicate,
            &ls_cmd_reset,
            &ls_cmd_restore,
            &ls_cmd_restore_points,
            &ls_cmd_start,
            &ls_cmd_status,
            &ls_cmd_stop,
            &ls_cmd_sync,
            &ls_cmd_unregister,
            &ls_cmd_verify,
            &ls_cmd_version,
            &ls_cmd_wal,
            NULL,
        },
};
