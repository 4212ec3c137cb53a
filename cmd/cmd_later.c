/* Commands that talk to the control socket: known by name, not part of this version yet. */
#include "cmd/litestream.h"

#define LATER(name_, summary_, usage_, about_)                                                     \
    const ls_command ls_cmd_##name_ = {                                                            \
        .name = #name_,                                                                            \
        .summary = summary_,                                                                       \
        .usage = (const char *const[]){usage_, NULL},                                              \
        .about = about_,                                                                           \
    }

LATER(info, "show daemon information", "[options]",
      "The info command shows version, process id and uptime of a running daemon.");
LATER(list, "list all managed databases", "[options]",
      "The list command lists the databases of a running daemon.");
LATER(register, "register a database for replication", "[options] DB_PATH",
      "The register command adds a database to a running daemon.");
LATER(start, "start replication for a database", "[options] DB_PATH",
      "The start command starts replication of a database in a running daemon.");
LATER(stop, "stop replication for a database", "[options] DB_PATH",
      "The stop command stops replication of a database in a running daemon.");
LATER(sync, "force an immediate sync for a database", "[options] DB_PATH",
      "The sync command makes a running daemon capture and upload a database at once.");
LATER(unregister, "unregister a database from replication", "[options] DB_PATH",
      "The unregister command removes a database from a running daemon.");
