/* Arrays that grow up to a maximum. */
#ifndef LS_TUI_GROW_H
#define LS_TUI_GROW_H

#include "engine/base/error.h"

#include <stdlib.h>

/* Room for one more element of an array of n, up to max; *cap says for how many there is room. */
static inline ls_code grow(void **items, size_t n, size_t *cap, size_t size, size_t max,
                           ls_err *err) {
    if (n < *cap) {
        return LS_OK;
    }
    if (n >= max) {
        return ls_fail(err, LS_ELIMIT, "more than %zu rows", max);
    }
    size_t more = *cap == 0 ? 64 : *cap * 2;
    void *bigger = realloc(*items, more * size);
    if (bigger == NULL) {
        return ls_fail(err, LS_ENOMEM, "%zu rows", more);
    }
    *items = bigger;
    *cap = more;
    return LS_OK;
}

#endif
