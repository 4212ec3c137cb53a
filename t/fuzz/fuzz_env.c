/*
 * Fuzz target: the expansion of $NAME and ${NAME} against a second one that is written down from
 * the rules alone, byte by byte.
 */
#include "t/fuzz/fuzz.h"

#include "engine/config/config.h"

#include <unistd.h>

typedef struct text {
    char *data;
    size_t len;
} text;

static void put(text *t, const char *data, size_t len) {
    t->data = realloc(t->data, t->len + len + 1);
    EXPECT(t->data != NULL);
    memcpy(t->data + t->len, data, len);
    t->len += len;
}

static bool is_special(char c) {
    return c == '*' || c == '#' || c == '$' || c == '@' || c == '!' || c == '?' || c == '-' ||
           (c >= '0' && c <= '9');
}

static bool is_letter(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void put_value(text *t, const char *name, size_t len) {
    static const struct {
        const char *name, *value;
    } known[] = {{"A", "1"}, {"EMPTY", ""}, {"D", "$A"}, {"a_9", "\n- x: {"}};
    char pid[24];

    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    if (len == 3 && memcmp(name, "PID", 3) == 0)
        put(t, pid, strlen(pid));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
            put(t, known[i].value, strlen(known[i].value));
    }
}

/* What stands at in[0] == '$': adds what it gives, returns how many bytes it takes. */
static size_t one(text *out, const char *in, size_t len) {
    size_t n = 1;

    if (len > 1 && in[1] == '{') {
        while (n < len && in[n] != '}')
            n++;
        if (n == len)
            return 2; /* no end: these two go */
        put_value(out, in + 2, n - 2);
        return n + 1;
    }
    if (len > 1 && is_special(in[1]))
        return 2;
    while (n < len && is_letter(in[n]))
        n++;
    if (n == 1)
        put(out, "$", 1);
    else
        put_value(out, in + 1, n - 1);
    return n;
}

static text expected(const char *in, size_t len) {
    text out = {0};

    put(&out, "", 0);
    for (size_t i = 0; i < len;) {
        if (in[i] == '$') {
            i += one(&out, in + i, len - i);
        } else {
            put(&out, in + i, 1);
            i++;
        }
    }
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const environment[] = {"A=1", "EMPTY=", "D=$A", "a_9=\n- x: {", NULL};
    extern char **environ;
    char **before = environ, *got = NULL;
    char *in = malloc(size + (size == 0)); /* of the exact size: what reads past it is found out */
    size_t got_len = 0;
    ls_err err = LS_ERR_INIT;

    EXPECT(in != NULL);
    if (size > 0)
        memcpy(in, data, size);
    text want = expected(in, size);
    environ = (char **)(uintptr_t)environment;
    ls_code rc = ls_env_expand(in, size, &got, &got_len, &err);
    environ = before;
    EXPECT(rc == LS_OK && got_len == want.len && memcmp(got, want.data, want.len) == 0);
    free(want.data);
    free(got);
    free(in);
    return 0;
}
