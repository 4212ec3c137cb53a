/*
 * The server of t/support/cloud_server.py as tests talk to it. Include it after cmocka.h.
 */
#ifndef LS_T_SUPPORT_CLOUD_H
#define LS_T_SUPPORT_CLOUD_H

#include "backends/http.h"
#include "t/support/helper.h"

#include <jansson.h>

static helper cloud;

static inline int cloud_start(void **state) {
    (void)state;
    return helper_start(&cloud, "t/support/cloud_server.py") ? 0 : -1;
}

static inline int cloud_stop(void **state) {
    (void)state;
    helper_stop(&cloud);
    return 0;
}

/* A URL of the server, in a buffer that the next call uses again. */
static inline const char *cloud_url(const char *path) {
    static char url[600];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%s%s", cloud.line, path);
    return url;
}

static inline void cloud_ask(const char *method, const char *path, const char *body,
                             ls_http_answer *a) {
    ls_http *http;
    ls_http_request r;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_http_new(&(ls_http_options){.no_proxy = true}, &http, &err), LS_OK);
    ls_http_request_init(&r, method);
    assert_int_equal(ls_http_set_url(&r, &err, "%s", cloud_url(path)), LS_OK);
    r.body = body;
    r.body_len = body != NULL ? strlen(body) : 0;
    assert_int_equal(ls_http_do(http, &r, NULL, a, &err), LS_OK);
    assert_int_equal(a->status, 200);
    ls_http_request_done(&r);
    ls_http_free(http);
}

/* Sets what is answered next; json with ' for ". */
static inline void cloud_set(const char *json) {
    ls_http_answer a;
    char *text = strdup(json);
    assert_non_null(text);
    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    cloud_ask("POST", "/_set", text, &a);
    ls_http_answer_done(&a);
    free(text);
}

/* The requests since the last call: an array, to be json_decref'd. */
static inline json_t *cloud_log(void) {
    ls_http_answer a;
    cloud_ask("GET", "/_log", NULL, &a);
    json_t *log = json_loadb(a.body, a.body_len, 0, NULL);
    assert_true(json_is_array(log));
    ls_http_answer_done(&a);
    return log;
}

static inline const char *cloud_text(const json_t *log, size_t i, const char *key) {
    const char *text = json_string_value(json_object_get(json_array_get(log, i), key));
    return text != NULL ? text : "";
}

static inline const char *cloud_header(const json_t *log, size_t i, const char *name) {
    const json_t *headers = json_object_get(json_array_get(log, i), "headers");
    return json_string_value(json_object_get(headers, name));
}

#endif
