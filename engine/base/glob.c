/*
 * Names by pattern. A star takes as little as it can, and of several stars only the last is ever
 * tried again with more, so that the time is at most that of pattern times name.
 */
#include "engine/base/glob.h"

#include "engine/base/quote.h"

#include <string.h>

/* The next character; what is no UTF-8 is one byte each, and equal to no other. */
static uint32_t next_rune(const char **text) {
    uint32_t rune;
    size_t n = ls_utf8_decode(*text, strlen(*text), &rune);
    if (n == 1 && rune == 0xfffd) {
        rune = 0x110000u + (unsigned char)**text;
    }
    *text += n;
    return rune;
}

/* A character of a class; false: there is none, the class does not end. */
static bool class_rune(const char **pattern, uint32_t *rune) {
    if (**pattern == '\\') {
        (*pattern)++;
    } else if (**pattern == '-' || **pattern == ']') {
        return false;
    }
    if (**pattern == '\0') {
        return false;
    }
    *rune = next_rune(pattern);
    return true;
}

/* Is the character in the class behind a '['? *pattern moves behind it; *valid false: it is none.
 */
static bool in_class(const char **pattern, uint32_t rune, bool *valid) {
    bool negated = **pattern == '^', found = false;
    *pattern += negated;
    for (bool first = true; first || **pattern != ']'; first = false) {
        uint32_t lo, hi;
        *valid = class_rune(pattern, &lo);
        hi = lo;
        if (*valid && **pattern == '-') {
            (*pattern)++;
            *valid = class_rune(pattern, &hi);
        }
        if (!*valid) {
            return false;
        }
        found = found || (lo <= rune && rune <= hi);
    }
    (*pattern)++;
    return found != negated;
}

/* One character against what is in front of the pattern, which is no star and not its end. */
static bool match_one(const char **pattern, uint32_t rune, bool *valid) {
    *valid = true;
    switch (**pattern) {
    case '?':
        (*pattern)++;
        return true;
    case '[':
        (*pattern)++;
        return in_class(pattern, rune, valid);
    case '\\':
        (*pattern)++;
        *valid = **pattern != '\0';
        return *valid && next_rune(pattern) == rune;
    default:
        return next_rune(pattern) == rune;
    }
}

bool ls_glob_valid(const char *pattern) {
    bool valid = true;
    while (valid && *pattern != '\0') {
        if (*pattern == '*') {
            pattern++;
        } else {
            (void)match_one(&pattern, 0, &valid);
        }
    }
    return valid;
}

bool ls_glob_match(const char *pattern, const char *name) {
    const char *star = NULL, *again = NULL; /* behind the last star, and where it is tried again */
    if (!ls_glob_valid(pattern)) {
        return false;
    }
    while (*name != '\0' || *pattern != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            again = name;
            continue;
        }
        bool valid, same = false;
        const char *p = pattern, *n = name;
        if (*name != '\0' && *pattern != '\0') {
            same = match_one(&p, next_rune(&n), &valid);
        }
        if (same) {
            pattern = p;
            name = n;
        } else if (star != NULL && *again != '\0') {
            (void)next_rune(&again);
            name = again;
            pattern = star;
        } else {
            return false;
        }
    }
    return true;
}
