/*
 * A hash table with open addressing: a key stands at the first free slot from its own on, and no
 * slot between the two is ever empty. Removing therefore moves later keys back instead of leaving
 * a mark.
 */
#include "engine/base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 16

struct ls_map_slot {
    const char *key; /* NULL: free */
    void *value;
    uint64_t hash;
};

/* FNV-1a, and its upper bits mixed into the lower ones, which choose the slot. */
static uint64_t hash_of(const char *key) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (const unsigned char *p = (const unsigned char *)key; *p != '\0'; p++) {
        h = (h ^ *p) * UINT64_C(0x100000001b3);
    }
    return h ^ h >> 32;
}

/* The slot of the key, or the free one where it belongs. cap > 0. */
static size_t slot_of(const ls_map *map, const char *key, uint64_t hash) {
    size_t i = hash & (map->cap - 1);
    while (map->slots[i].key != NULL &&
           (map->slots[i].hash != hash || strcmp(map->slots[i].key, key) != 0)) {
        i = (i + 1) & (map->cap - 1);
    }
    return i;
}

void *ls_map_get(const ls_map *map, const char *key) {
    if (map->n == 0) {
        return NULL;
    }
    const struct ls_map_slot *slot = &map->slots[slot_of(map, key, hash_of(key))];
    return slot->key == NULL ? NULL : slot->value;
}

/* Room for one more, a quarter of the slots always free. */
static bool make_room(ls_map *map) {
    if ((map->n + 1) * 4 <= map->cap * 3) {
        return true;
    }
    ls_map grown = {.n = map->n, .cap = map->cap == 0 ? CAP_MIN : 2 * map->cap};
    grown.slots = calloc(grown.cap, sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->cap; i++) {
        const struct ls_map_slot *old = &map->slots[i];
        if (old->key != NULL) {
            grown.slots[slot_of(&grown, old->key, old->hash)] = *old;
        }
    }
    free(map->slots);
    *map = grown;
    return true;
}

ls_code ls_map_put(ls_map *map, const char *key, void *value, ls_err *err) {
    if (!make_room(map)) {
        return ls_fail(err, LS_ENOMEM, "no memory to remember %s", key);
    }
    uint64_t hash = hash_of(key);
    struct ls_map_slot *slot = &map->slots[slot_of(map, key, hash)];
    map->n += slot->key == NULL;
    *slot = (struct ls_map_slot){.key = key, .value = value, .hash = hash};
    return LS_OK;
}

void ls_map_remove(ls_map *map, const char *key) {
    if (map->n == 0) {
        return;
    }
    size_t mask = map->cap - 1, hole = slot_of(map, key, hash_of(key));
    if (map->slots[hole].key == NULL) {
        return;
    }
    map->n--;
    map->slots[hole].key = NULL;
    for (size_t i = (hole + 1) & mask; map->slots[i].key != NULL; i = (i + 1) & mask) {
        size_t home = map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) { /* the hole is on its way */
            map->slots[hole] = map->slots[i];
            map->slots[i].key = NULL;
            hole = i;
        }
    }
}

/* Removing moves keys from behind into the hole, so that a slot is looked at until it stays; one
 * that came round from the end to the beginning may be met twice. */
void ls_map_each(ls_map *map, ls_map_fn fn, void *arg) {
    for (size_t i = 0; i < map->cap;) {
        const char *key = map->slots[i].key;
        if (key != NULL) {
            fn(arg, key, map->slots[i].value);
        }
        i += map->slots[i].key == key;
    }
}

void ls_map_free_value(void *arg, const char *key, void *value) {
    (void)arg;
    (void)key;
    free(value);
}

void ls_map_done(ls_map *map) {
    free(map->slots);
    *map = (ls_map){0};
}
