/* Splitting a command line: see words.h. */
#include "cmd/words.h"

#include <stdlib.h>
#include <string.h>

typedef struct splitter {
    const char *p; /* what is not read yet */
    char *out;     /* where the next character goes */
    char **words;
    size_t n;
} splitter;

static bool is_blank(char c) { return c != '\0' && strchr(" \t\r\n", c) != NULL; }

static ls_code invalid(ls_err *err, const char *why) {
    return ls_fail(err, LS_EINVALID, "invalid command line string: %s", why);
}

static ls_code for_a_shell(ls_err *err, char c) {
    (void)ls_fail(err, LS_EINVALID, "invalid command line string: '%c' outside of quotes", c);
    return ls_hint(err, "the command is run without a shell; quote the character, or write "
                        "sh -c '...'");
}

/* What is inside of quotes, of which the first was read. */
static ls_code quoted(splitter *s, char quote, ls_err *err) {
    while (*s->p != quote) {
        if (quote == '"' && *s->p == '\\')
            s->p++;
        if (*s->p == '\0')
            return invalid(err, "a quote is not closed");
        *s->out++ = *s->p++;
    }
    s->p++;
    return LS_OK;
}

static ls_code word(splitter *s, ls_err *err) {
    ls_code rc = LS_OK;

    while (rc == LS_OK && *s->p != '\0' && !is_blank(*s->p)) {
        char c = *s->p++;
        if (c == '\'' || c == '"') {
            rc = quoted(s, c, err);
        } else if (strchr(";&|<>()`", c) != NULL) {
            rc = for_a_shell(err, c);
        } else if (c != '\\') {
            *s->out++ = c;
        } else if (*s->p == '\0') {
            rc = invalid(err, "a backslash at the end");
        } else {
            *s->out++ = *s->p++;
        }
    }
    *s->out++ = '\0';
    return rc;
}

static ls_code split(splitter *s, ls_err *err) {
    ls_code rc = LS_OK;

    for (;;) {
        while (is_blank(*s->p))
            s->p++;
        if (*s->p == '\0')
            return s->n > 0 ? LS_OK : invalid(err, "it is empty");
        if (s->n == LS_WORDS_MAX)
            return ls_fail(err, LS_ELIMIT, "command line of more than %d words", LS_WORDS_MAX);
        s->words[s->n++] = s->out;
        rc = word(s, err);
        if (rc != LS_OK)
            return rc;
    }
}

ls_code ls_words_split(const char *text, char ***words, ls_err *err) {
    size_t pointers = (LS_WORDS_MAX + 1) * sizeof(char *);
    /* Each word is shorter than its source by at least the blank in front, so one more byte does.
     */
    char *block = calloc(1, pointers + strlen(text) + 2);
    splitter s = {.p = text};

    *words = NULL;
    if (block == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    s.words = (char **)(void *)block;
    s.out = block + pointers;
    ls_code rc = split(&s, err);
    if (rc == LS_OK)
        *words = s.words;
    else
        free(block);
    return rc;
}
