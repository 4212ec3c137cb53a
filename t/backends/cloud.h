/*
 * What the tests of credentials share: the server that gives tokens (t/support/token_server.py), an
 * environment without this machine's credentials, and files of a folder of the test's own.
 */
#ifndef LS_T_BACKENDS_CLOUD_H
#define LS_T_BACKENDS_CLOUD_H

#include "backends/http.h"
#include "engine/base/file.h"
#include "t/support/helper.h"

#include <cmocka.h>
#include <jansson.h>

static helper cloud;
static char cloud_dir[] = "/tmp/ls-cloud-XXXXXX";

static inline char *cloud_url(const char *path) {
    char *url = ls_asprintf("http://127.0.0.1:%s%s", cloud.line, path);
    assert_non_null(url);
    return url;
}

/* The body that the server answers a GET with; malloc'd. */
static inline char *cloud_get(const char *path) {
    ls_err err = LS_ERR_INIT;
    ls_http *http;
    ls_http_request r;
    ls_http_answer a;
    const ls_http_options options = {.no_proxy = true};
    char *url = cloud_url(path);
    assert_int_equal(ls_http_new(&options, &http, &err), LS_OK);
    ls_http_request_init(&r, "GET");
    assert_int_equal(ls_http_set_url(&r, &err, "%s", url), LS_OK);
    assert_int_equal(ls_http_do(http, &r, NULL, &a, &err), LS_OK);
    assert_int_equal(a.status, 200);
    char *body = strdup(a.body);
    ls_http_answer_done(&a);
    ls_http_request_done(&r);
    ls_http_free(http);
    free(url);
    return body;
}

/* A part of the last request: "path", "method", "body"; or of its headers. malloc'd. */
static inline char *cloud_last(const char *part, const char *header) {
    char *text = cloud_get("/-/last");
    json_t *json = json_loads(text, 0, NULL);
    json_t *from = header != NULL ? json_object_get(json, "headers") : json;
    const char *value = json_string_value(json_object_get(from, header != NULL ? header : part));
    char *copy = strdup(value != NULL ? value : "");
    json_decref(json);
    free(text);
    return copy;
}

static inline long cloud_count(void) {
    char *text = cloud_get("/-/count");
    long n = strtol(text, NULL, 10);
    free(text);
    return n;
}

/* The decoded value of a field of a form; malloc'd, NULL: there is none. */
static inline char *form_value(const char *form, const char *name) {
    size_t len = strlen(name);
    for (const char *at = form; at != NULL;
         at = strchr(at, '&') != NULL ? strchr(at, '&') + 1 : NULL) {
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            char *value = strdup(at + len + 1);
            char *to = value;
            for (const char *p = value; *p != '\0' && *p != '&'; p++) {
                unsigned byte = 0;
                if (*p == '%' && sscanf(p + 1, "%2x", &byte) == 1) {
                    *to++ = (char)byte;
                    p += 2;
                } else {
                    *to++ = *p;
                }
            }
            *to = '\0';
            return value;
        }
    }
    return NULL;
}

static inline void assert_form(const char *form, const char *name, const char *expected) {
    char *value = form_value(form, name);
    assert_non_null(value);
    assert_string_equal(value, expected);
    free(value);
}

/* A file of the test's folder; its path is malloc'd. */
static inline char *cloud_file(const char *name, const char *text) {
    char *path = ls_asprintf("%s/%s", cloud_dir, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
    return path;
}

static inline int cloud_start(void **state) {
    (void)state;
    return mkdtemp(cloud_dir) != NULL && helper_start(&cloud, "t/support/token_server.py") ? 0 : -1;
}

static inline int cloud_stop(void **state) {
    (void)state;
    helper_stop(&cloud);
    ls_err err = LS_ERR_INIT;
    return ls_remove_tree(cloud_dir, &err) == LS_OK ? 0 : -1;
}

#endif
