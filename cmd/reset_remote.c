/*
 * litestream reset -remote: deletes a replica. What would go is shown first; somebody must confirm
 * by name; and no daemon may be writing to it.
 */
#include "cmd/daemon.h"
#include "cmd/json.h"
#include "cmd/reset.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAEMON_TIMEOUT_NS (5 * LS_SEC)
#define ANSWER_SIZE 4096

typedef struct job {
    const ls_invocation *in;
    const ls_reset_args *args;
    ls_cmd_source source;
    ls_erase *erase;
    ls_erase_result result;
    json_t *errors; /* of files that could not be deleted: {file, error} */
} job;

/* ---- a daemon ---- */

/* -socket, else the one that the configuration names, else the default. */
static const char *socket_of(const job *j) {
    const ls_config *config = &j->source.config;
    bool named = j->source.db != NULL && config->socket_enabled && config->socket_path != NULL;

    if (j->args->socket != NULL)
        return j->args->socket;
    return named ? config->socket_path : LS_SOCKET_DEFAULT_PATH;
}

/* Is it the database, or does it share the replica? */
static bool concerns(const job *j, const json_t *db) {
    return (j->source.db != NULL && strcmp(ls_daemon_text(db, "path"), j->source.db->path) == 0) ||
           strcmp(ls_daemon_text(db, "replica_url"), ls_storage_url(j->source.storage)) == 0;
}

static ls_code refuse_running(const job *j, const json_t *answer, const char *socket, ls_err *err) {
    const json_t *db;
    size_t i;

    json_array_foreach(json_object_get(answer, "databases"), i, db) {
        const char *path = ls_daemon_text(db, "path");
        if (!concerns(j, db) || strcmp(ls_daemon_text(db, "status"), "stopped") == 0)
            continue;
        (void)ls_fail(err, LS_EBUSY, "a running daemon replicates %s to %s", path,
                      ls_storage_url(j->source.storage));
        return ls_hint(err, "litestream stop -socket %s %s", socket, path);
    }
    return LS_OK;
}

/* Where no daemon answers there is none, as far as one can tell. */
static ls_code ask_daemon(const job *j, ls_err *err) {
    const char *socket = socket_of(j);
    ls_client *client = NULL;
    json_t *answer = NULL;

    ls_code rc = ls_client_new(socket, &client, err);
    if (rc == LS_OK)
        rc = ls_client_call(client, "GET", "/databases", NULL, DAEMON_TIMEOUT_NS, &answer, err);
    ls_client_free(client);
    if (rc == LS_OK)
        rc = refuse_running(j, answer, socket, err);
    else if (rc == LS_ENOTFOUND && answer == NULL) {
        ls_err_clear(err);
        rc = LS_OK;
    } else
        (void)ls_wrap(err, "cannot ask whether a daemon replicates to %s",
                      ls_storage_url(j->source.storage));
    json_decref(answer);
    return rc;
}

/* ---- what would go ---- */

static void print_others(const job *j, FILE *out) {
    const ls_erase_summary *sum = ls_erase_summary_of(j->erase);
    const char *key;

    if (!sum->others_known)
        fputs("  other names: not known, this store lists LTX files only\n", out);
    if (sum->others > 0)
        fprintf(out, "  other names, which stay: %zu\n", sum->others);
    for (size_t i = 0; (key = ls_erase_other(j->erase, i)) != NULL; i++) {
        fputs("    ", out);
        ls_write_safe(key, out);
        fputc('\n', out);
    }
    if (sum->v3 > 0)
        fprintf(out, "  of version 0.3, which stay and can be restored: %zu\n", sum->v3);
}

static void print_summary(const job *j, FILE *out) {
    const ls_erase_summary *sum = ls_erase_summary_of(j->erase);
    char from[32], to[32], first[LS_TXID_SIZE], last[LS_TXID_SIZE], bytes[32];

    fputs("  replica: ", out);
    ls_write_safe(ls_storage_url(j->source.storage), out);
    if (j->source.db != NULL) {
        fputs("\n  database: ", out);
        ls_write_safe(j->source.db->path, out);
    }
    fprintf(out, "\n  files: %zu, %s\n", sum->files,
            ls_bytes_format(sum->bytes, bytes, sizeof bytes));
    if (sum->files > 0)
        fprintf(out, "  TXIDs: %s to %s\n  times: %s to %s\n", ls_txid_format(sum->first, first),
                ls_txid_format(sum->last, last),
                ls_time_format(sum->oldest_ms, true, from, sizeof from),
                ls_time_format(sum->newest_ms, true, to, sizeof to));
    print_others(j, out);
}

static void json_summary(const job *j, ls_json *o) {
    const ls_erase_summary *sum = ls_erase_summary_of(j->erase);
    char time[32], txid[LS_TXID_SIZE];
    const char *key;
    bool any = sum->files > 0;

    ls_json_bool(o, "dry_run", j->args->dry_run);
    ls_json_str(o, "replica", ls_storage_url(j->source.storage));
    ls_json_str(o, "db_path", j->source.db == NULL ? NULL : j->source.db->path);
    ls_json_uint(o, "files", sum->files);
    ls_json_uint(o, "bytes", sum->bytes);
    ls_json_str(o, "first_txid", any ? ls_txid_format(sum->first, txid) : NULL);
    ls_json_str(o, "last_txid", any ? ls_txid_format(sum->last, txid) : NULL);
    ls_json_str(o, "oldest", any ? ls_time_format(sum->oldest_ms, true, time, sizeof time) : NULL);
    ls_json_str(o, "newest", any ? ls_time_format(sum->newest_ms, true, time, sizeof time) : NULL);
    if (!sum->others_known) {
        ls_json_str(o, "others", NULL);
    } else {
        ls_json_array(o, "others");
        for (size_t i = 0; (key = ls_erase_other(j->erase, i)) != NULL; i++)
            ls_json_str(o, NULL, key);
        ls_json_array_end(o);
    }
    ls_json_uint(o, "v03_objects", sum->v3);
}

static void print_json(const job *j) {
    const json_t *e;
    size_t i;
    ls_json o;

    ls_json_init(&o, stdout);
    ls_json_object(&o, NULL);
    json_summary(j, &o);
    ls_json_uint(&o, "deleted_files", j->result.deleted);
    ls_json_uint(&o, "deleted_bytes", j->result.bytes);
    ls_json_array(&o, "errors");
    json_array_foreach(j->errors, i, e) {
        ls_json_object(&o, NULL);
        ls_json_str(&o, "file", ls_daemon_text(e, "file"));
        ls_json_str(&o, "error", ls_daemon_text(e, "error"));
        ls_json_object_end(&o);
    }
    ls_json_array_end(&o);
    ls_json_object_end(&o);
    ls_json_end(&o);
}

/* ---- the question ---- */

static bool is_name_of(const job *j, const char *text) {
    const ls_db_config *db = j->source.db;

    return strcmp(text, ls_storage_url(j->source.storage)) == 0 ||
           (db != NULL &&
            (strcmp(text, db->path) == 0 || strcmp(text, ls_path_base(db->path)) == 0)) ||
           (db == NULL && strcmp(text, j->in->pos[0]) == 0);
}

/* Everything but the name is a no. */
static ls_code ask(const job *j, ls_err *err) {
    char answer[ANSWER_SIZE];
    const char *name =
        j->source.db != NULL ? ls_path_base(j->source.db->path) : ls_storage_url(j->source.storage);

    fputs("These files would be deleted for good:\n", stderr);
    print_summary(j, stderr);
    fputs("Type ", stderr);
    ls_write_safe(name, stderr);
    fputs(" to delete them, anything else to cancel: ", stderr);
    (void)fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        answer[0] = '\0';
    answer[strcspn(answer, "\r\n")] = '\0';
    if (is_name_of(j, answer))
        return LS_OK;
    (void)ls_fail(err, LS_ECANCELED, "not confirmed: nothing was deleted");
    return ls_hint(err, "confirm with the database's name or the replica's URL");
}

static ls_code confirm(const job *j, ls_err *err) {
    if (j->args->yes)
        return LS_OK;
    if (isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1)
        return ask(j, err);
    (void)ls_fail(err, LS_EINVALID, "not confirmed, and there is no terminal to ask on");
    return ls_hint(err, "-dry-run shows what would be deleted, -yes deletes it without asking");
}

/* ---- deleting ---- */

static void note_failed(void *arg, const ls_ltx_info *file, const ls_err *why) {
    job *j = arg;
    char key[LS_STORAGE_KEY_SIZE];

    (void)ls_storage_key(file, key);
    fprintf(stderr, "%s: ", key);
    ls_write_safe(why->msg, stderr);
    fputc('\n', stderr);
    (void)json_array_append_new(j->errors, json_pack("{ss,ss}", "file", key, "error", why->msg));
}

static ls_code delete_all(job *j, ls_err *err) {
    const ls_erase_summary *sum = ls_erase_summary_of(j->erase);
    const ls_cancel *cancel = ls_catch_signals();
    char bytes[32];

    ls_code rc = ls_erase_run(j->erase, cancel, note_failed, j, &j->result, err);
    if (!j->args->json)
        printf("Deleted %zu of %zu files, %s.\n", j->result.deleted, sum->files,
               ls_bytes_format(j->result.bytes, bytes, sizeof bytes));
    if (rc != LS_OK && rc != LS_EDIVERGED) {
        (void)ls_wrap(err, "the replica is not deleted, %zu of %zu files are left",
                      sum->files - j->result.deleted, sum->files);
        return ls_hint(err, "run this again to go on; what is left restores right or not at all");
    }
    return rc;
}

static void print_preview(const job *j) {
    bool dry_run = j->args->dry_run;

    puts(dry_run ? "Dry run: these files would be deleted for good:" : "Nothing to delete:");
    print_summary(j, stdout);
    if (dry_run)
        puts("No files were deleted.");
}

static ls_code preview_or_delete(job *j, ls_err *err) {
    bool deletes = !j->args->dry_run && ls_erase_summary_of(j->erase)->files > 0;
    ls_code rc = LS_OK;

    if (!deletes && !j->args->json)
        print_preview(j);
    if (deletes)
        rc = confirm(j, err);
    if (rc != LS_OK)
        return rc;
    if (deletes)
        rc = ask_daemon(j, err); /* it may have been started meanwhile */
    if (deletes && rc == LS_OK)
        rc = delete_all(j, err);
    if (j->args->json)
        print_json(j);
    return rc;
}

ls_code ls_reset_remote(const ls_invocation *in, ls_err *err) {
    job j = {.in = in, .args = in->args};

    ls_code rc = ls_one_positional(in, "database path or replica URL", err);
    if (rc != LS_OK)
        return rc;
    j.errors = json_array();
    rc = ls_cmd_source_open(in, &j.args->config, &j.source, err);
    if (rc == LS_OK && !j.args->dry_run)
        rc = ask_daemon(&j, err);
    if (rc == LS_OK)
        rc = ls_erase_new(j.source.storage, &j.erase, err);
    if (rc == LS_OK)
        rc = preview_or_delete(&j, err);
    ls_erase_free(j.erase);
    ls_cmd_source_done(&j.source);
    json_decref(j.errors);
    return rc;
}
