/*
 * The vectors of t/vectors for tests: JSON, files, SHA-256. All of these fail the running test
 * where something is missing.
 */
#ifndef T_LTX_VECTORS_H
#define T_LTX_VECTORS_H

#include "engine/ltx/ltx.h"

#include <jansson.h>
#include <stdint.h>

typedef struct blob {
    uint8_t *data;
    size_t len;
} blob;

/* Path of a file of t/vectors; valid until the eighth call after this one. */
const char *vec_path(const char *rel);

blob vec_file(const char *rel);    /* free data with free() */
json_t *vec_json(const char *rel); /* json_decref */

/* Members of an object that must be there and of that type. jstr_or_null: NULL for null. */
json_t *jget(const json_t *object, const char *key);
const char *jstr(const json_t *object, const char *key);
const char *jstr_or_null(const json_t *object, const char *key);
int64_t jint(const json_t *object, const char *key);
bool jbool(const json_t *object, const char *key);
uint64_t jhex(const json_t *object, const char *key);

ls_ltx_header header_of_json(const json_t *object);
void assert_same_header(const ls_ltx_header *a, const ls_ltx_header *b);

/* Bytes of hexadecimal digits. */
blob unhex(const char *hex);

#define SHA256_HEX_SIZE 65
char *sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE]);

#endif
