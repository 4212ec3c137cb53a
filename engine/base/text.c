/*
 * Text forms of durations, times, byte counts and hexadecimal numbers. Nothing here depends on the
 * locale. See text.h for the forms.
 */
#include "engine/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MINUTE INT64_C(60000000000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

bool ls_has_prefix(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* ---- durations ---- */

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1},     {"us", 1000},  {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000}, {"ms", LS_MS},
    {"s", LS_SEC}, {"m", MINUTE}, {"h", HOUR},         {"d", DAY},          {"w", 7 * DAY},
};

/* Nanoseconds of the unit in text[0..len), 0 if there is none of that name. */
static int64_t unit_ns(const char *text, size_t len) {
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].name) == len && memcmp(units[i].name, text, len) == 0) {
            return units[i].ns;
        }
    }
    return 0;
}

/* value * base + digit; false if it does not fit. */
static bool push_digit(uint64_t *value, uint64_t base, uint64_t digit) {
    return !__builtin_mul_overflow(*value, base, value) &&
           !__builtin_add_overflow(*value, digit, value);
}

/* One number with its unit, as in "1.5h": moves *text behind it, adds it to *sum. Returns what is
 * wrong, NULL if nothing is. */
static const char *add_term(const char **text, uint64_t *sum) {
    const char *p = *text;
    uint64_t whole = 0;
    uint64_t fraction = 0;
    double scale = 1;
    bool digits = is_digit(*p);
    for (; is_digit(*p); p++) {
        if (!push_digit(&whole, 10, (uint64_t)(*p - '0'))) {
            return "too large";
        }
    }
    if (*p == '.') {
        for (p++; is_digit(*p); p++) {
            digits = true;
            if (fraction < UINT64_MAX / 20) { /* further digits are below any unit */
                fraction = fraction * 10 + (uint64_t)(*p - '0');
                scale *= 10;
            }
        }
    }
    if (!digits) {
        return "not a number with a unit";
    }
    size_t len = strcspn(p, ".0123456789");
    if (len == 0) {
        return "missing unit";
    }
    int64_t ns = unit_ns(p, len);
    if (ns == 0) {
        return "unknown unit";
    }
    uint64_t part;
    uint64_t rest = (uint64_t)((double)fraction * ((double)ns / scale));
    if (__builtin_mul_overflow(whole, (uint64_t)ns, &part) ||
        __builtin_add_overflow(part, rest, &part) || __builtin_add_overflow(*sum, part, sum) ||
        *sum > (uint64_t)INT64_MAX) {
        return "too large";
    }
    *text = p + len;
    return NULL;
}

static ls_code duration_invalid(const char *text, const char *why, ls_err *err) {
    ls_fail(err, LS_EINVALID, "invalid duration \"%.64s\": %s", text, why);
    if (strcmp(why, "missing unit") == 0 && strspn(text, "+-.0123456789") == strlen(text)) {
        return ls_hint(err, "add a unit: %.32ss for seconds, %.32sm for minutes", text, text);
    }
    return ls_hint(err, "durations are numbers with units: 300ms, 1.5s, 10m, 1h30m, 7d, 2w");
}

ls_code ls_duration_parse(const char *text, int64_t *ns, ls_err *err) {
    const char *p = text;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+') {
        p++;
    }
    *ns = 0;
    if (strcmp(p, "0") == 0) {
        return LS_OK;
    }
    uint64_t sum = 0;
    do {
        const char *why = add_term(&p, &sum);
        if (why != NULL) {
            return duration_invalid(text, why, err);
        }
    } while (*p != '\0');
    *ns = negative ? -(int64_t)sum : (int64_t)sum;
    return LS_OK;
}

/* "1.5" from 1500000 and 1000000: the quotient without trailing zeros. */
static void format_decimal(uint64_t value, uint64_t unit, char *out, size_t size) {
    int n = snprintf(out, size, "%" PRIu64, value / unit);
    uint64_t rest = value % unit;
    if (rest == 0 || n < 0) {
        return;
    }
    size_t at = (size_t)n;
    if (at + 1 < size) {
        out[at++] = '.';
    }
    for (; rest > 0 && at + 1 < size; at++) {
        unit /= 10;
        out[at] = (char)('0' + rest / unit);
        rest %= unit;
    }
    out[at] = '\0';
}

char *ls_duration_format(int64_t ns, char *buf, size_t size) {
    const char *sign = ns < 0 ? "-" : "";
    uint64_t abs = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t below_minute = abs < LS_SEC ? abs : abs % MINUTE;
    uint64_t unit = abs >= LS_SEC || abs == 0 ? LS_SEC
                    : abs >= LS_MS            ? LS_MS
                    : abs >= 1000             ? 1000
                                              : 1;
    const char *name = unit == LS_SEC  ? "s"
                       : unit == LS_MS ? "ms"
                       : unit == 1000  ? "\xc2\xb5s"
                                       : "ns";
    char tail[32];
    format_decimal(below_minute, unit, tail, sizeof tail);
    if (abs >= HOUR) {
        (void)snprintf(buf, size, "%s%" PRIu64 "h%" PRIu64 "m%s%s", sign, abs / HOUR,
                       abs / MINUTE % 60, tail, name);
    } else if (abs >= MINUTE) {
        (void)snprintf(buf, size, "%s%" PRIu64 "m%s%s", sign, abs / MINUTE, tail, name);
    } else {
        (void)snprintf(buf, size, "%s%s%s", sign, tail, name);
    }
    return buf;
}

/* ---- times ---- */

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Counts in years that begin
 * in March, so that the leap day is the last day of one. */
static int64_t days_from_date(int64_t year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2 ? 1 : 0);
}

static int days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* Exactly width digits at *text, then the character next ('\0': any); moves behind both. */
static bool take_number(const char **text, int width, char next, int *value) {
    const char *p = *text;
    *value = 0;
    for (int i = 0; i < width; i++, p++) {
        if (!is_digit(*p)) {
            return false;
        }
        *value = *value * 10 + (*p - '0');
    }
    if (next != '\0' && *p++ != next) {
        return false;
    }
    *text = p;
    return true;
}

/* "Z" or "+hh:mm", to the end of the text. */
static bool take_offset(const char *text, int *minutes) {
    *minutes = 0;
    if (strcmp(text, "Z") == 0) {
        return true;
    }
    char sign = *text;
    if (sign != '+' && sign != '-') {
        return false;
    }
    text++;
    int h, m;
    if (!take_number(&text, 2, ':', &h) || !take_number(&text, 2, '\0', &m) || *text != '\0' ||
        h > 23 || m > 59) {
        return false;
    }
    *minutes = (sign == '-' ? -1 : 1) * (h * 60 + m);
    return true;
}

static bool take_time(const char *p, int64_t *ms) {
    int year, month, day, h, m, s, offset;
    int milli = 0;
    if (!take_number(&p, 4, '-', &year) || !take_number(&p, 2, '-', &month) ||
        !take_number(&p, 2, 'T', &day) || !take_number(&p, 2, ':', &h) ||
        !take_number(&p, 2, ':', &m) || !take_number(&p, 2, '\0', &s)) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || h > 23 ||
        m > 59 || s > 59) {
        return false;
    }
    if (*p == '.') {
        p++;
        int weight = 100;
        if (!is_digit(*p)) {
            return false;
        }
        for (; is_digit(*p); p++, weight /= 10) {
            milli += (*p - '0') * weight;
        }
    }
    if (!take_offset(p, &offset)) {
        return false;
    }
    int64_t minutes = (days_from_date(year, month, day) * 24 + h) * 60 + m - offset;
    *ms = (minutes * 60 + s) * 1000 + milli;
    return true;
}

ls_code ls_time_parse(const char *text, int64_t *ms, ls_err *err) {
    *ms = 0;
    if (take_time(text, ms)) {
        return LS_OK;
    }
    ls_fail(err, LS_EINVALID, "invalid time \"%.64s\"", text);
    return ls_hint(err, "times look like 2006-01-02T15:04:05Z or 2006-01-02T15:04:05.250+02:00");
}

char *ls_time_format(int64_t ms, bool with_ms, char *buf, size_t size) {
    const int64_t day_ms = INT64_C(86400000);
    int64_t days = ms / day_ms - (ms % day_ms < 0 ? 1 : 0);
    int rest = (int)(ms % day_ms + (ms % day_ms < 0 ? day_ms : 0));
    int64_t year;
    int month, day;
    date_from_days(days, &year, &month, &day);
    int s = rest / 1000;
    char fraction[8] = "";
    if (with_ms) {
        (void)snprintf(fraction, sizeof fraction, ".%03d", rest % 1000);
    }
    (void)snprintf(buf, size, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d%sZ", year, month, day,
                   s / 3600, s / 60 % 60, s % 60, fraction);
    return buf;
}

/* ---- byte counts ---- */

char *ls_bytes_format(uint64_t n, char *buf, size_t size) {
    static const char *const names[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t unit = 1;
    size_t i = 0;
    while (n / unit >= 1000 && i + 1 < sizeof names / sizeof names[0]) {
        unit *= 1000;
        i++;
    }
    /* Tenths, half a tenth added; split so that nothing overflows. */
    uint64_t tenths = n / unit * 10 + (n % unit * 10 + unit / 2) / unit;
    if (n < 10) {
        (void)snprintf(buf, size, "%" PRIu64 " B", n);
    } else if (tenths < 100) {
        (void)snprintf(buf, size, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, names[i]);
    } else {
        /* A half goes to the even neighbour, as printf("%.0f") of the same value rounds. */
        uint64_t whole = tenths / 10;
        bool up = tenths % 10 > 5 || (tenths % 10 == 5 && whole % 2 == 1);
        (void)snprintf(buf, size, "%" PRIu64 " %s", whole + (up ? 1 : 0), names[i]);
    }
    return buf;
}

/* Bytes of a unit: "", "b", "k", "kb", "ki", "kib" and so on in any case; 0 if unknown. */
static uint64_t size_unit(const char *text, size_t len) {
    static const char letters[] = "kmgtpe";
    if (len == 0 || (len == 1 && lower(text[0]) == 'b')) {
        return 1;
    }
    const char *letter = memchr(letters, lower(text[0]), sizeof letters - 1);
    if (letter == NULL) {
        return 0;
    }
    text++;
    len--;
    uint64_t base = 1000;
    if (len > 0 && lower(*text) == 'i') {
        base = 1024;
        text++;
        len--;
    }
    if (len > 1 || (len == 1 && lower(*text) != 'b')) {
        return 0;
    }
    uint64_t unit = base;
    for (ptrdiff_t i = letter - letters; i > 0; i--) {
        unit *= base;
    }
    return unit;
}

/* whole[0..len) with commas between digits, times unit, to *n; false if too large. */
static bool scale_whole(const char *whole, size_t len, uint64_t unit, uint64_t *n) {
    *n = 0;
    for (size_t i = 0; i < len; i++) {
        if (whole[i] != ',' && !push_digit(n, 10, (uint64_t)(whole[i] - '0'))) {
            return false;
        }
    }
    return !__builtin_mul_overflow(*n, unit, n);
}

/* Bytes of the digits behind the point, rounded down. From the last digit to the first: cutting at
 * each step gives the same as cutting once, and 10 times the largest unit fits. */
static uint64_t scale_fraction(const char *digits, size_t len, uint64_t unit) {
    uint64_t n = 0;
    while (len-- > 0) {
        if (digits[len] != ',') {
            n = ((uint64_t)(digits[len] - '0') * unit + n) / 10;
        }
    }
    return n;
}

static ls_code size_invalid(const char *text, const char *why, ls_err *err) {
    ls_fail(err, LS_EINVALID, "invalid size \"%.64s\": %s", text, why);
    return ls_hint(err, "sizes look like 512, 5MB, 1.5 GiB");
}

ls_code ls_bytes_parse(const char *text, int64_t *n, ls_err *err) {
    *n = 0;
    const char *p = text + strspn(text, " \t\r\n");
    if (*p == '\0') {
        return size_invalid(text, "empty", err);
    }
    const char *whole = p;
    size_t whole_len = strspn(p, "0123456789,");
    p += whole_len;
    const char *fraction = p + (*p == '.' ? 1 : 0);
    size_t fraction_len = *p == '.' ? strspn(fraction, "0123456789,") : 0;
    p = fraction + fraction_len;
    if (strcspn(whole, "0123456789") >= (size_t)(p - whole)) {
        return size_invalid(text, "no number", err);
    }
    p += strspn(p, " \t");
    size_t unit_len = strlen(p);
    while (unit_len > 0 && strchr(" \t\r\n", p[unit_len - 1]) != NULL) {
        unit_len--;
    }
    uint64_t unit = size_unit(p, unit_len);
    if (unit == 0) {
        return size_invalid(text, "unknown unit", err);
    }
    uint64_t bytes;
    if (!scale_whole(whole, whole_len, unit, &bytes) ||
        __builtin_add_overflow(bytes, scale_fraction(fraction, fraction_len, unit), &bytes) ||
        bytes > (uint64_t)INT64_MAX) {
        return size_invalid(text, "too large", err);
    }
    *n = (int64_t)bytes;
    return LS_OK;
}

/* ---- hexadecimal numbers and words ---- */

bool ls_hex64_parse(const char *text, size_t len, uint64_t *value) {
    *value = 0;
    if (len != 16) {
        return false;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) {
        char c = lower(text[i]);
        if (!is_digit(c) && (c < 'a' || c > 'f')) {
            return false;
        }
        v = v << 4 | (uint64_t)(is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *value = v;
    return true;
}

#define WORD_MAX 63

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

/* Edits that make a into b: insert, delete, change a character, swap two neighbours. */
static size_t edit_distance(const char *a, size_t alen, const char *b, size_t blen) {
    size_t rows[3][WORD_MAX + 1]; /* the last two rows and the current one, by i % 3 */
    for (size_t j = 0; j <= blen; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= alen; i++) {
        size_t *row = rows[i % 3];
        const size_t *up = rows[(i + 2) % 3];
        const size_t *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= blen; j++) {
            size_t change = up[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = min_size(change, 1 + min_size(up[j], row[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = min_size(row[j], up2[j - 2] + 1);
            }
        }
    }
    return rows[alen % 3][blen];
}

const char *ls_nearest(const char *word, const char *const *names) {
    size_t len = strlen(word);
    if (len > WORD_MAX) {
        return NULL;
    }
    const char *best = NULL;
    size_t best_distance = len / 3 + 1; /* one more than is near enough */
    for (; *names != NULL; names++) {
        size_t name_len = strlen(*names);
        if (name_len > WORD_MAX) {
            continue;
        }
        size_t distance = edit_distance(word, len, *names, name_len);
        if (distance < best_distance) {
            best_distance = distance;
            best = *names;
        }
    }
    return best;
}
