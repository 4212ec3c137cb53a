/* litestream.yml(5) from the table of keys. */
#include "cmd/mkdoc.h"

#include "engine/config/keys.h"

#include <string.h>

static const struct section {
    unsigned bit;
    const char *heading, *text;
} sections[] = {
    {LS_IN_TOP, "Top level",
     "This version does not serve MCP and replicates no folders of databases. The keys for them "
     "are known and checked; dir is refused, and mcp-addr is named in the log at the start."},
    {LS_IN_DB, "dbs", "One entry for each database: a path, and a replica."},
    {LS_IN_REPLICA, "dbs: replica",
     "Keys with an asterisk may also stand at the top level, for every replica that does not set "
     "them itself. Keys of stores that this build lacks are known and checked."},
    {LS_IN_LOGGING, "logging", ""},
    {LS_IN_SNAPSHOT, "snapshot", ""},
    {LS_IN_DB_SNAPSHOT, "dbs: snapshot",
     "Counts for all databases; entries that contradict each other are refused."},
    {LS_IN_LEVEL, "levels", "At most 8 levels."},
    {LS_IN_RETENTION, "retention", ""},
    {LS_IN_VALIDATION, "validation", ""},
    {LS_IN_SOCKET, "socket", ""},
};

static void print_key(const ls_key *k, unsigned section) {
    bool inherited = section == LS_IN_REPLICA && (k->where & LS_IN_TOP) != 0;

    printf(".It Cm %s%s Pq %s\n", k->name, inherited ? " No *" : "", ls_key_type_name(k->type));
    ls_mdoc_text(k->doc);
    if (k->def[0] != '\0') {
        fputs("Default:\n", stdout);
        ls_mdoc_macro("Cm", k->def);
    }
}

static void print_section(const struct section *s) {
    printf(".Ss %s\n", s->heading);
    if (s->text[0] != '\0')
        ls_mdoc_text(s->text);
    fputs(".Bl -tag -width Ds\n", stdout);
    for (const ls_key *k = ls_keys; k->name != NULL; k++) {
        bool own = (k->where & s->bit) != 0;
        if (own && !(s->bit == LS_IN_TOP && (k->where & LS_IN_REPLICA) != 0))
            print_key(k, s->bit);
    }
    fputs(".El\n", stdout);
}

void ls_man_config(void) {
    static const char *const sample[] = {"logging:",
                                         "  level: info",
                                         "sync-interval: 1s",
                                         "dbs:",
                                         "  - path: /srv/app/shop.db",
                                         "    replica:",
                                         "      url: file:///backup/shop",
                                         "  - path: /srv/app/users.db",
                                         "    replica:",
                                         "      path: /backup/users",
                                         NULL};

    ls_mdoc_begin("LITESTREAM.YML", "5", "litestream.yml", "configuration of litestream");
    fputs(".Sh DESCRIPTION\n", stdout);
    ls_mdoc_text(
        "The configuration is a YAML file, /etc/litestream.yml if no other is named. A key that is "
        "not described here is an error, which names its line and the nearest key, or with "
        "-allow-unknown-keys a warning; keys at the top "
        "level that start with x- are yours, to put anchors under. Anchors, aliases and << work; "
        "of "
        "keys given twice the later one counts.\n\n"
        "$NAME and ${NAME} are replaced by the environment's value, or by nothing, before the file "
        "is read as YAML, comments included; $PID is the process id. A $ that no name follows "
        "stays. "
        "The option -no-expand-env leaves all of them.\n\n"
        "Durations are numbers with units: ns, us, ms, s, m, h, d and w, as in 300ms, 1h30m or 7d. "
        "Sizes are bytes, or numbers with a unit: kB, MB, GB (thousands) or KiB, MiB, GiB (1024). "
        "Paths may begin with ~/ and are otherwise taken from the working folder; sqlite:// in "
        "front of them is passed over.");
    fputs(".Sh KEYS\n", stdout);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        print_section(&sections[i]);
    fputs(".Sh EXAMPLES\n", stdout);
    ls_mdoc_example(sample);
    fputs(".Sh SEE ALSO\n.Xr litestream 1\n", stdout);
}
