/* litestream check: the preconditions of replication, one line for each. */
#include "cmd/json.h"
#include "cmd/litestream.h"

#include <stdlib.h>
#include <string.h>

typedef struct check_args {
    ls_config_args config;
    bool json;
    bool no_write;
} check_args;

typedef struct printer {
    bool as_json;
    ls_json json;
} printer;

static void print_text(const ls_check_finding *f) {
    printf("%-4s  %-8s  ", ls_check_status_name(f->status), f->check);
    if (f->db != NULL) {
        ls_write_safe(f->db, stdout);
        fputs(": ", stdout);
    }
    ls_write_safe(f->text, stdout);
    putchar('\n');
    if (f->hint[0] != '\0') {
        fputs("      hint: ", stdout);
        ls_write_safe(f->hint, stdout);
        putchar('\n');
    }
    (void)fflush(stdout);
}

static void print_json(ls_json *j, const ls_check_finding *f) {
    ls_json_object(j, NULL);
    ls_json_str(j, "check", f->check);
    ls_json_str(j, "database", f->db);
    ls_json_str(j, "status", ls_check_status_name(f->status));
    ls_json_str(j, "text", f->text);
    ls_json_str(j, "hint", f->hint[0] == '\0' ? NULL : f->hint);
    ls_json_object_end(j);
}

static void found(void *arg, const ls_check_finding *f) {
    printer *p = arg;

    if (p->as_json)
        print_json(&p->json, f);
    else
        print_text(f);
}

static void begin(printer *p) {
    if (!p->as_json)
        return;
    ls_json_init(&p->json, stdout);
    ls_json_object(&p->json, NULL);
    ls_json_array(&p->json, "checks");
}

static void end(printer *p, bool ok) {
    if (!p->as_json)
        return;
    ls_json_array_end(&p->json);
    ls_json_bool(&p->json, "ok", ok);
    ls_json_object_end(&p->json);
    ls_json_end(&p->json);
}

/* The configuration is the first check; err is cleared where it has told of it. */
static ls_code check_config(const check_args *args, ls_config *config, printer *p, ls_err *err) {
    const char *path = args->config.config != NULL ? args->config.config : ls_default_config();
    ls_check_finding f = {.check = "config", .status = LS_CHECK_OK};

    ls_code rc = ls_load_config(&args->config, config, err);
    if (rc != LS_OK) {
        f.status = LS_CHECK_FAIL;
        (void)snprintf(f.text, sizeof f.text, "%s", err->msg);
        (void)snprintf(f.hint, sizeof f.hint, "%s", ls_err_hint(err));
    } else if (config->n_dbs == 0) {
        f.status = LS_CHECK_WARN;
        (void)snprintf(f.text, sizeof f.text, "%s: it names no databases", path);
    } else if (config->warnings.n > 0 || config->n_later > 0) {
        f.status = LS_CHECK_WARN;
        (void)snprintf(f.text, sizeof f.text, "%s: %zu databases; %zu keys have no effect", path,
                       config->n_dbs, config->warnings.n + config->warnings.more + config->n_later);
    } else {
        (void)snprintf(f.text, sizeof f.text, "%s: %zu databases", path, config->n_dbs);
    }
    found(p, &f);
    ls_err_clear(err);
    return rc;
}

static ls_code find_only(const ls_invocation *in, ls_config *config, const ls_db_config **only,
                         ls_err *err) {
    char *path = NULL;

    *only = NULL;
    if (in->n_pos == 0)
        return ls_store_find_dirs(config, err);
    ls_code rc = ls_path_expand(in->pos[0], &path, err);
    if (rc == LS_OK)
        rc = ls_config_lookup(config, path, only, err);
    if (rc == LS_OK && *only == NULL) {
        (void)ls_fail(err, LS_ENOTFOUND, "database not found in config: %s", path);
        rc = ls_hint(err, "list the databases with: litestream databases");
    }
    free(path);
    return rc;
}

/* A failed check was printed; nothing more is said of it. */
static ls_code check_all(const ls_invocation *in, ls_config *config, printer *p, ls_err *err) {
    const check_args *args = in->args;
    ls_check_opts opts = {.config = config, .no_write = args->no_write, .found = found, .arg = p};

    ls_code rc = find_only(in, config, &opts.only, err);
    if (rc != LS_OK)
        return rc;
    return ls_check_run(&opts) == 0 ? LS_OK : LS_EINVALID;
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    const check_args *args = in->args;
    printer p = {.as_json = args->json};
    ls_config config;

    ls_code rc = ls_positionals_max(in, 1, err);
    if (rc != LS_OK)
        return rc;
    begin(&p);
    rc = check_config(args, &config, &p, err);
    if (rc == LS_OK)
        rc = check_all(in, &config, &p, err);
    end(&p, rc == LS_OK);
    ls_config_done(&config);
    return rc;
}

static const ls_option options[] = {
    LS_CONFIG_OPTIONS(check_args, config),
    {.name = "json",
     .type = LS_OPT_BOOL,
     .field = offsetof(check_args, json),
     .help = "Prints JSON: {checks, ok}; checks is an array of {check, database, status, text, "
             "hint}, database and hint may be null."},
    {.name = "no-write",
     .type = LS_OPT_BOOL,
     .field = offsetof(check_args, no_write),
     .help = "Leaves out the probe, so that nothing is written anywhere."},
    {0},
};

const ls_command ls_cmd_check = {
    .name = "check",
    .summary = "looks at what replication needs before it starts",
    .usage = (const char *const[]){"[options] [DB_PATH]", NULL},
    .about =
        "The check command reads the configuration and looks at everything that replication "
        "needs, for all databases or one. It prints a line for each thing: ok, warn (it works, but "
        "should be known), fail or skip (not looked at). The exit status is 1 if one failed.\n\n"
        "config: it can be read and is valid. sqlite: the version that is linked. twice: no "
        "database or replica is named twice. daemon: whether "
        "one answers on the control socket. database: a file that can be read and written, in WAL "
        "mode, not on a network file system. meta: the folder for local state can be written to. "
        "space: there is room in it for a snapshot. replica: it can be reached and listed. writer: "
        "whether a daemon replicates the database already, or the replica is ahead of this "
        "machine. write: the replica can be written to. clock: its times agree with this "
        "machine's.\n\n"
        "For write, a probe of less than a kilobyte is written, read back, listed and removed. It "
        "lies in a folder litestream-check below the replica's path, which replicas, restores "
        "and retention do not look into, so that it can harm none of them, even if a kill leaves "
        "it there; on SFTP and WebDAV servers its empty folders stay. Nothing else is changed: no "
        "database is opened by SQLite, no folder for local "
        "state is made. It may be run while a daemon replicates.",
    .options = options,
    .examples =
        (const char *const[]){"litestream check", "litestream check -json /path/to/db", NULL},
    .args_size = sizeof(check_args),
    .run = run,
};
