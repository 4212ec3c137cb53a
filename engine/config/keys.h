/*
 * The table of everything that may stand in litestream.yml: parser, errors, nearest names and
 * litestream.yml(5) come from it.
 *
 * A key may be valid in several sections. Values that this version uses are kept in the raw structs
 * (raw.h), those of stores by name; the others are known, and their types checked, so that a
 * configuration written for any store is read whole.
 */
#ifndef LS_CONFIG_KEYS_H
#define LS_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* Sections, as bits: where a key is valid. */
enum {
    LS_IN_TOP = 1 << 0,
    LS_IN_SOCKET = 1 << 1,
    LS_IN_LOGGING = 1 << 2,
    LS_IN_SNAPSHOT = 1 << 3,
    LS_IN_VALIDATION = 1 << 4,
    LS_IN_RETENTION = 1 << 5,
    LS_IN_LEVEL = 1 << 6,
    LS_IN_DB = 1 << 7,
    LS_IN_DB_SNAPSHOT = 1 << 8,
    LS_IN_REPLICA = 1 << 9,
    LS_IN_AGE = 1 << 10,
};

typedef enum ls_key_type {
    LS_KEY_STRING,
    LS_KEY_BOOL,
    LS_KEY_INT,
    LS_KEY_MODE, /* file permissions */
    LS_KEY_DURATION,
    LS_KEY_SIZE,
    LS_KEY_STRINGS, /* list of strings; kept: how many */
    LS_KEY_MAP,     /* of the keys of another section */
    LS_KEY_LIST,    /* of such maps */
} ls_key_type;

#define LS_KEY_UNUSED ((size_t)-1)
#define LS_KEY_SETTING ((size_t)-2) /* kept by name for the store: backends/settings.h */

typedef struct ls_key {
    unsigned where; /* sections it is valid in */
    const char *name;
    ls_key_type type;
    size_t field;     /* offset of an ls_raw in the section's raw struct, or one of the above */
    unsigned section; /* LS_KEY_MAP and LS_KEY_LIST: the section inside */
    const char *def;  /* default as one would write it; "": none */
    const char *doc;  /* one sentence for litestream.yml(5) */
    bool secret;      /* its value is never shown */
} ls_key;

extern const ls_key ls_keys[]; /* ends with name NULL */

/* The key of that name in that section, NULL if there is none. */
const ls_key *ls_key_find(unsigned section, const char *name);

/* A section as messages name it: "dbs[]", "" for the top. */
const char *ls_section_name(unsigned section);

/* What took the place of a key that older versions had, or of its older form, as a hint; NULL if it
 * never was one. */
const char *ls_key_replaced(unsigned section, const char *name);

/* "duration", "size", ...: for the manual. */
const char *ls_key_type_name(ls_key_type type);

#endif
