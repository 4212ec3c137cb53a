/* Talking to a running daemon: see daemon.h. */
#include "cmd/daemon.h"

#include "cmd/json.h"

#include <inttypes.h>
#include <stdlib.h>

/* The daemon's own limit ends first, so that its answer, which says more, can come. */
#define GRACE_NS (500 * LS_MS)
#define FOREVER_S (INT64_C(365) * 24 * 3600)

ls_code ls_daemon_positionals(const ls_invocation *in, int n, ls_err *err) {
    return n == 0 ? ls_positionals_max(in, 0, err) : ls_one_positional(in, "database path", err);
}

ls_code ls_daemon_timeout(const ls_daemon_args *args, ls_err *err) {
    if (args->timeout > 0)
        return LS_OK;
    (void)ls_fail(err, LS_EINVALID, "timeout must be greater than 0");
    return ls_hint(err, "-timeout takes seconds: -timeout 30");
}

ls_code ls_daemon_body(const ls_invocation *in, const ls_daemon_args *args, bool with_timeout,
                       json_t **body, ls_err *err) {
    char *path = NULL;

    *body = NULL;
    ls_code rc = ls_path_expand(in->pos[0], &path, err);
    if (rc != LS_OK)
        return rc;
    json_t *text = json_string(path), *o = json_object();
    if (text == NULL)
        rc = ls_fail(err, LS_EINVALID, "database path is not valid UTF-8: %s", path);
    (void)json_object_set_new(o, "path", text);
    if (with_timeout && args->timeout > 0)
        (void)json_object_set_new(o, "timeout", json_integer(args->timeout));
    free(path);
    if (rc == LS_OK)
        *body = o;
    else
        json_decref(o);
    return rc;
}

static int64_t timeout_ns(const ls_daemon_args *args) {
    int64_t s = args->timeout <= 0 || args->timeout > FOREVER_S ? FOREVER_S : args->timeout;

    return s * LS_SEC + GRACE_NS;
}

ls_code ls_daemon_call(const ls_invocation *in, const ls_daemon_args *args, const char *method,
                       const char *path, json_t *body, json_t **answer, ls_err *err) {
    ls_client *client = NULL;

    *answer = NULL;
    ls_code rc = ls_client_new(args->socket, &client, err);
    if (rc == LS_OK)
        rc = ls_client_call(client, method, path, body, timeout_ns(args), answer, err);
    ls_client_free(client);
    json_decref(body);
    if (rc != LS_OK && *answer != NULL) {
        json_decref(*answer);
        *answer = NULL;
        return ls_wrap(err, "%s failed", in->command->name);
    }
    if (rc == LS_OK && !json_is_object(*answer)) {
        json_decref(*answer);
        *answer = NULL;
        (void)ls_fail(err, LS_EREMOTE, "failed to parse response: not an object");
        return ls_hint(err, "is it the socket of litestream replicate?");
    }
    return rc;
}

const char *ls_daemon_text(const json_t *answer, const char *key) {
    const char *text = json_string_value(json_object_get(answer, key));

    return text == NULL ? "" : text;
}

int64_t ls_daemon_number(const json_t *answer, const char *key) {
    return json_integer_value(json_object_get(answer, key));
}

static void print_lines(const ls_result_row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        printf("%s: ", rows[i].key);
        if (rows[i].text != NULL)
            ls_write_safe(rows[i].shown != NULL ? rows[i].shown : rows[i].text, stdout);
        else
            printf("%" PRId64, rows[i].number);
        putchar('\n');
    }
}

static void print_object(const ls_result_row *rows, size_t n) {
    ls_json j;

    ls_json_init(&j, stdout);
    ls_json_object(&j, NULL);
    for (size_t i = 0; i < n; i++) {
        if (rows[i].text != NULL)
            ls_json_str(&j, rows[i].key, rows[i].text);
        else
            ls_json_int(&j, rows[i].key, rows[i].number);
    }
    ls_json_object_end(&j);
    ls_json_end(&j);
}

void ls_daemon_print(bool json, const ls_result_row *rows, size_t n) {
    if (json)
        print_object(rows, n);
    else
        print_lines(rows, n);
}
