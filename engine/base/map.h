/*
 * Pointers by text: a hash table for names that come and go.
 *
 * Keys are borrowed: whoever puts one keeps it, unchanged, until it was removed. Not for several
 * threads at once.
 */
#ifndef LS_BASE_MAP_H
#define LS_BASE_MAP_H

#include "engine/base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ls_map {
    struct ls_map_slot *slots;
    size_t n, cap; /* cap is a power of two, or 0 */
} ls_map;          /* all zero: empty */

/* What the key leads to, NULL if it is not there. */
void *ls_map_get(const ls_map *map, const char *key);

/* value is not NULL. A key that is there already gets the new value, and the map then borrows the
 * new text. LS_ENOMEM changes nothing. */
LS_MUST ls_code ls_map_put(ls_map *map, const char *key, void *value, ls_err *err);

/* A key that is not there is none. */
void ls_map_remove(ls_map *map, const char *key);

/* Each key with its value, in no order; fn may remove the key that it gets, and nothing else. */
typedef void (*ls_map_fn)(void *arg, const char *key, void *value);
void ls_map_each(ls_map *map, ls_map_fn fn, void *arg);
void ls_map_free_value(void *arg, const char *key, void *value); /* an ls_map_fn: free(value) */

void ls_map_done(ls_map *map);

#endif
