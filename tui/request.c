/* The request table, and looking keys and names up in it. */
#include "tui/request.h"

#include <string.h>

const request_info request_table[REQ_COUNT] = {
#define X(id, n, k, l, where, c, h)                                                                \
    [id] = {.name = n, .keys = k, .line = l, .help = h, .in = where, .changes = c},
    REQUESTS(X)
#undef X
};

const view_info view_table[VIEW_COUNT] = {
#define X(id, n, t, a) [id] = {.name = n, .title = t, .about = a},
    VIEWS(X)
#undef X
};

static bool has_word(const char *words, const char *word) {
    size_t len = strlen(word);
    for (const char *p = words; *p != '\0'; p += strcspn(p, " ")) {
        p += strspn(p, " ");
        if (strncmp(p, word, len) == 0 && (p[len] == ' ' || p[len] == '\0')) {
            return true;
        }
    }
    return false;
}

bool request_works(request r, view_id view) {
    return view < VIEW_COUNT && (request_table[r].in >> view & 1) != 0;
}

request request_of_key(view_id view, const char *key) {
    for (request r = REQ_NONE + 1; *key != '\0' && r < REQ_COUNT; r++) {
        if (request_works(r, view) && has_word(request_table[r].keys, key)) {
            return r;
        }
    }
    return REQ_NONE;
}

request request_of_name(view_id view, const char *name) {
    request other = REQ_NONE;
    for (request r = REQ_NONE + 1; r < REQ_COUNT; r++) {
        if (strcmp(request_table[r].name, name) == 0) {
            other = r;
            if (request_works(r, view)) {
                return r;
            }
        }
    }
    return other;
}

const char *request_complete(view_id view, const char *prefix, size_t n) {
    for (request r = REQ_NONE + 1; r < REQ_COUNT; r++) {
        const char *name = request_table[r].name;
        if (request_works(r, view) && strncmp(name, prefix, strlen(prefix)) == 0 && n-- == 0) {
            return name;
        }
    }
    return NULL;
}

bool request_key_known(const char *word) {
    static const char editing[] = "bs ctrl-u";
    for (request r = REQ_NONE + 1; strlen(word) > 1 && r < REQ_COUNT; r++) {
        if (has_word(request_table[r].keys, word)) {
            return true;
        }
    }
    return strlen(word) > 1 && has_word(editing, word);
}

view_id view_of_name(const char *name) {
    view_id v = 0;
    while (v < VIEW_COUNT && strcmp(view_table[v].name, name) != 0) {
        v++;
    }
    return v;
}
