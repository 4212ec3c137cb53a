/* The request table, and looking a key up in it. */
#include "tui/request.h"

#include <string.h>

const request_info request_table[REQ_COUNT] = {
#define X(id, k, l, h) [id] = {.keys = k, .line = l, .help = h},
    REQUESTS(X)
#undef X
};

static int has_word(const char *words, const char *word) {
    size_t len = strlen(word);
    for (const char *p = words; *p != '\0'; p += strcspn(p, " ")) {
        p += strspn(p, " ");
        if (strncmp(p, word, len) == 0 && (p[len] == ' ' || p[len] == '\0')) {
            return 1;
        }
    }
    return 0;
}

request request_of_key(const char *key) {
    if (*key == '\0') {
        return REQ_NONE;
    }
    for (request r = REQ_NONE; r < REQ_COUNT; r++) {
        if (has_word(request_table[r].keys, key)) {
            return r;
        }
    }
    return REQ_NONE;
}
