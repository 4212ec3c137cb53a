/*
 * Access to t/vectors; see vectors.h.
 */
#include "t/engine/ltx/vectors.h"

#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/file.h"

#define MAX_FILE (16 * 1024 * 1024)

const char *vec_path(const char *rel) {
    static char paths[8][1024];
    static unsigned turn;
    const char *src = getenv("LS_SRC");
    char *path = paths[turn++ % 8];
    int n = snprintf(path, sizeof paths[0], "%s/t/vectors/%s", src != NULL ? src : ".", rel);
    assert_in_range(n, 1, sizeof paths[0] - 1);
    return path;
}

blob vec_file(const char *rel) {
    ls_err err = LS_ERR_INIT;
    char *data = NULL;
    size_t len = 0;
    if (ls_read_file(vec_path(rel), MAX_FILE, &data, &len, &err) != LS_OK)
        fail_msg("%s", err.msg);
    return (blob){.data = (uint8_t *)data, .len = len};
}

json_t *vec_json(const char *rel) {
    json_error_t error;
    json_t *root = json_load_file(vec_path(rel), 0, &error);
    if (root == NULL)
        fail_msg("%s: line %d: %s", vec_path(rel), error.line, error.text);
    return root;
}

json_t *jget(const json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    if (value == NULL)
        fail_msg("no member %s", key);
    return value;
}

const char *jstr(const json_t *object, const char *key) {
    const char *text = json_string_value(jget(object, key));
    if (text == NULL)
        fail_msg("%s is no string", key);
    return text;
}

const char *jstr_or_null(const json_t *object, const char *key) {
    return json_is_null(jget(object, key)) ? NULL : jstr(object, key);
}

int64_t jint(const json_t *object, const char *key) {
    const json_t *value = jget(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

bool jbool(const json_t *object, const char *key) {
    const json_t *value = jget(object, key);
    assert_true(json_is_boolean(value));
    return json_is_true(value);
}

uint64_t jhex(const json_t *object, const char *key) {
    const char *text = jstr(object, key);
    char *end = NULL;
    uint64_t value = strtoull(text, &end, 16);
    if (end == text || *end != '\0')
        fail_msg("%s is not hexadecimal: %s", key, text);
    return value;
}

ls_ltx_header header_of_json(const json_t *object) {
    return (ls_ltx_header){
        .flags = (uint32_t)jint(object, "flags"),
        .page_size = (uint32_t)jint(object, "page_size"),
        .commit = (uint32_t)jint(object, "commit"),
        .min_txid = jhex(object, "min_txid"),
        .max_txid = jhex(object, "max_txid"),
        .timestamp = jint(object, "timestamp_ms"),
        .pre_apply = jhex(object, "pre_apply_checksum"),
        .wal_offset = jint(object, "wal_offset"),
        .wal_size = jint(object, "wal_size"),
        .wal_salt1 = (uint32_t)jhex(object, "wal_salt1"),
        .wal_salt2 = (uint32_t)jhex(object, "wal_salt2"),
        .node_id = jhex(object, "node_id"),
    };
}

void assert_same_header(const ls_ltx_header *a, const ls_ltx_header *b) {
    uint8_t x[LS_LTX_HEADER_SIZE];
    uint8_t y[LS_LTX_HEADER_SIZE];
    ls_ltx_header_encode(a, x);
    ls_ltx_header_encode(b, y);
    assert_memory_equal(x, y, sizeof x);
}

static uint8_t digit(char c) {
    const char *digits = "0123456789abcdef";
    const char *at = strchr(digits, c);
    assert_non_null(at);
    return (uint8_t)(at - digits);
}

blob unhex(const char *hex) {
    size_t len = strlen(hex) / 2;
    blob b = {.data = malloc(len + 1), .len = len};
    assert_non_null(b.data);
    for (size_t i = 0; i < len; i++)
        b.data[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return b;
}

char *sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE]) {
    uint8_t sum[SHA256_DIGEST_LENGTH];
    SHA256(data, len, sum);
    for (size_t i = 0; i < sizeof sum; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
    return out;
}
