/* Numbers and booleans: see scalar.h. */
#include "engine/config/scalar.h"

#include <string.h>

static int digit_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* Base of an unsigned number, and its first digit. A lone 0 stays decimal. */
static unsigned number_base(const char **text) {
    const char *p = *text;

    if (p[0] != '0' || p[1] == '\0')
        return 10;
    *text += 2;
    switch (p[1]) {
    case 'x':
    case 'X':
        return 16;
    case 'o':
    case 'O':
        return 8;
    case 'b':
    case 'B':
        return 2;
    default:
        *text -= 1;
        return 8;
    }
}

static ls_code parse_digits(const char *p, unsigned base, uint64_t max, bool after_prefix,
                            uint64_t *value) {
    bool over = false;
    bool may_separate = after_prefix;
    uint64_t v = 0;

    for (; *p != '\0'; p++) {
        if (*p == '_' && may_separate) {
            may_separate = false;
            continue;
        }
        unsigned d = (unsigned)digit_value(*p);
        if (d >= base)
            return LS_EINVALID;
        may_separate = true;
        over = over || v > (max - d) / base;
        v = over ? max : v * base + d;
    }
    *value = v;
    if (!may_separate)
        return LS_EINVALID;
    return over ? LS_ELIMIT : LS_OK;
}

ls_code ls_int_parse(const char *text, int64_t *value) {
    bool negative = *text == '-';
    const char *p = text + (*text == '-' || *text == '+');
    const char *digits = p;
    unsigned base = number_base(&digits);
    uint64_t max = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t v;

    if (*digits == '\0')
        return LS_EINVALID;
    ls_code rc = parse_digits(digits, base, max, digits != p, &v);
    if (rc != LS_OK)
        return rc;
    *value = negative ? (int64_t)(0 - v) : (int64_t)v;
    return LS_OK;
}

static bool listed(const char *text, const char *const *words) {
    for (; *words != NULL; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

bool ls_go_bool_parse(const char *text, bool *value) {
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False", NULL};

    *value = listed(text, yes);
    return *value || listed(text, no);
}

bool ls_yaml_bool_parse(const char *text, bool *value) {
    static const char *const yes[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                      "True", "TRUE", "on",  "On",  "ON",  NULL};
    static const char *const no[] = {"n",     "N",     "no",  "No",  "NO",  "false",
                                     "False", "FALSE", "off", "Off", "OFF", NULL};

    *value = listed(text, yes);
    return *value || listed(text, no);
}
