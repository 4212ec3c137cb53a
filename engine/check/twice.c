/* The check that no database and no replica is named twice in a configuration: what a start
 * refuses, found without the objects of a start, which would clean up under a daemon that runs. */
#include "engine/check/internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct named {
    char *key;
    const char *path; /* of the database */
} named;

typedef char *(*key_fn)(const ls_db_config *db);

/* The file, by device and number where it exists. */
static char *key_of_file(const ls_db_config *db) {
    struct stat st;

    if (stat(db->path, &st) != 0)
        return strdup(db->path);
    return ls_asprintf("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
}

/* One that cannot be opened is found by another check. */
static char *key_of_replica(const ls_db_config *db) {
    ls_storage *s = NULL;
    ls_err err = LS_ERR_INIT;

    if (ls_config_storage(db, &s, &err) != LS_OK)
        return NULL;
    char *key = strdup(ls_storage_url(s));
    ls_storage_free(s);
    return key;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const named *)a)->key, ((const named *)b)->key);
}

/* True if two have the same key; the finding says which. */
static bool doubles(const ls_config *config, key_fn key_of, const char *what, named *list,
                    ls_check_finding *f) {
    bool found = false;
    size_t n = 0;

    for (size_t i = 0; i < ls_check_dbs(config); i++) {
        const ls_db_config *db = ls_check_db(config, i);
        list[n] = (named){.key = db->path == NULL ? NULL : key_of(db), .path = db->path};
        n += list[n].key != NULL;
    }
    qsort(list, n, sizeof *list, by_key);
    for (size_t i = 1; i < n && !found; i++) {
        found = strcmp(list[i - 1].key, list[i].key) == 0;
        if (found)
            ls_check_say(f, LS_CHECK_FAIL, "two databases %s: %s and %s", what, list[i - 1].path,
                         list[i].path);
    }
    for (size_t i = 0; i < n; i++)
        free(list[i].key);
    return found;
}

void ls_check_twice(ls_check *c, ls_check_finding *f) {
    const ls_config *config = c->opts->config;
    named *list = calloc(ls_check_dbs(config) + 1, sizeof *list);

    if (list == NULL) {
        ls_check_say(f, LS_CHECK_FAIL, "out of memory");
    } else if (doubles(config, key_of_file, "are the same file", list, f)) {
        ls_check_hint(f, "name it once");
    } else if (doubles(config, key_of_replica, "share one replica", list, f)) {
        ls_check_hint(f, "give each database its own replica path");
    } else {
        ls_check_say(f, LS_CHECK_OK, "no database and no replica is named twice");
    }
    free(list);
}
