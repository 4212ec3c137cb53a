/* YAML tree to raw configuration, by the table of keys. */
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/config/keys.h"
#include "engine/config/raw.h"
#include "engine/config/scalar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 192
#define SHOWN_MAX 40 /* of a value or key in a message */
#define NAMES_MAX 128
#define MERGES_MAX 64

typedef struct decoder {
    const char *name;            /* of the text */
    ls_config_warnings *unknown; /* NULL: unknown keys are errors */
    ls_raw_top *top;
    ls_err *err;
    unsigned steps;
} decoder;

/* A map being decoded: which section, into which raw struct, and how messages call it. */
typedef struct place {
    unsigned section;
    void *base;
    char path[PATH_MAX_LEN];
} place;

static ls_code decode_map(decoder *d, const ls_yaml_node *node, const place *at, int depth);

ls_code ls_raw_fail(ls_err *err, const char *name, const ls_raw *at, const char *fmt, ...) {
    char msg[LS_ERR_MSG_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    return ls_fail(err, LS_ECONFIG, "%s:%u:%u: %s", name, at->line, at->col, msg);
}

static LS_PRINTF(3, 4) ls_code fail_at(decoder *d, const ls_yaml_node *node, const char *fmt, ...) {
    char msg[LS_ERR_MSG_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    return ls_fail(d->err, LS_ECONFIG, "%s:%u:%u: %s", d->name, node->line, node->col, msg);
}

static ls_code count_step(decoder *d, const ls_yaml_node *node) {
    if (++d->steps <= LS_RAW_MAX_STEPS)
        return LS_OK;
    (void)fail_at(d, node, "too many entries; aliases of aliases?");
    d->err->code = LS_ELIMIT;
    return LS_ELIMIT;
}

static place inside(const place *at, const char *name, unsigned section, void *base) {
    place p = {.section = section, .base = base};

    snprintf(p.path, sizeof p.path, "%.90s%s%.80s", at->path, at->path[0] == '\0' ? "" : ".", name);
    return p;
}

static place element(const place *list, size_t i, void *base) {
    place p = {.section = list->section, .base = base};

    snprintf(p.path, sizeof p.path, "%.150s[%zu]", list->path, i);
    return p;
}

/* ---- scalars ---- */

static const char *kind_name(const ls_yaml_node *node) {
    return node->kind == LS_YAML_LIST  ? "a list"
           : node->kind == LS_YAML_MAP ? "a map"
           : ls_yaml_is_null(node)     ? "nothing"
                                       : "a text";
}

static ls_code wrong_kind(decoder *d, const ls_yaml_node *node, const char *path,
                          const char *wanted) {
    return fail_at(d, node, "%s must be %s, not %s", path, wanted, kind_name(node));
}

/* The value did not parse; inner says why, where there is more to say. */
static ls_code wrong_value(decoder *d, const ls_key *key, const ls_yaml_node *node,
                           const char *path, const char *wanted, const ls_err *inner) {
    size_t len = strlen(node->text);
    const char *quote = node->plain ? "" : "\"";

    if (key->secret)
        (void)fail_at(d, node, "%s must be %s", path, wanted);
    else
        (void)fail_at(d, node, "%s must be %s, not %s%.*s%s%s", path, wanted, quote, SHOWN_MAX,
                      node->text, len > SHOWN_MAX ? "..." : "", quote);
    if (inner != NULL && inner->hint[0] != '\0')
        return ls_hint(d->err, "%s", inner->hint);
    if (!node->plain && (key->type == LS_KEY_BOOL || key->type == LS_KEY_INT))
        return ls_hint(d->err, "write it without quotes");
    return d->err->code;
}

/* A number as YAML writes it; one with a fraction or exponent counts if it is whole. */
static bool parse_int(const char *text, int64_t *v) {
    char *end;

    if (ls_int_parse(text, v) == LS_OK)
        return true;
    if (text[strspn(text, "+-0123456789.eE")] != '\0')
        return false;
    double x = strtod(text, &end);
    if (end == text || *end != '\0' || !(x > -9.0e15 && x < 9.0e15) || x != (double)(int64_t)x)
        return false;
    *v = (int64_t)x;
    return true;
}

static ls_code decode_int(decoder *d, const ls_key *key, const ls_yaml_node *node, const char *path,
                          int64_t *v) {
    if (node->plain && parse_int(node->text, v))
        return LS_OK;
    return wrong_value(d, key, node, path, "a whole number", NULL);
}

static ls_code decode_mode(decoder *d, const ls_key *key, const ls_yaml_node *node,
                           const char *path, int64_t *v) {
    if (!node->plain || !parse_int(node->text, v) || *v < 0 || *v > 07777)
        return wrong_value(d, key, node, path, "a file mode such as 0600", NULL);
    /* 600 would be taken as decimal, which is 01130: never what was meant. */
    if (node->text[0] == '0' || node->text[strspn(node->text, "01234567")] != '\0')
        return LS_OK;
    (void)wrong_value(d, key, node, path, "octal with a leading 0", NULL);
    return ls_hint(d->err, "write 0%.10s", node->text);
}

static ls_code decode_scalar(decoder *d, const ls_key *key, const ls_yaml_node *node,
                             const char *path, int64_t *v) {
    ls_err inner = LS_ERR_INIT;
    bool b = false;

    switch (key->type) {
    case LS_KEY_BOOL:
        if (!node->plain || !ls_yaml_bool_parse(node->text, &b))
            return wrong_value(d, key, node, path, "true or false", NULL);
        *v = b;
        return LS_OK;
    case LS_KEY_INT:
        return decode_int(d, key, node, path, v);
    case LS_KEY_MODE:
        return decode_mode(d, key, node, path, v);
    case LS_KEY_DURATION:
        if (ls_duration_parse(node->text, v, &inner) == LS_OK)
            return LS_OK;
        return wrong_value(d, key, node, path, "a duration such as 10s", &inner);
    case LS_KEY_SIZE:
        if (ls_bytes_parse(node->text, v, &inner) == LS_OK)
            return LS_OK;
        return wrong_value(d, key, node, path, "a size such as 5MB", &inner);
    default:
        return LS_OK;
    }
}

static void store(const ls_key *key, const place *at, ls_raw value) {
    if (key->field != LS_KEY_UNUSED && key->field != LS_KEY_SETTING)
        *(ls_raw *)(void *)((char *)at->base + key->field) = value;
}

/* The replica's setting of that key, made where there is none; NULL without memory. */
static ls_raw_setting *setting_of(decoder *d, const ls_key *key, ls_raw_replica *replica) {
    for (ls_raw_setting *s = replica->settings; s != NULL; s = s->next) {
        if (s->key == key)
            return s;
    }
    ls_raw_setting *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->key = key;
    s->next = replica->settings;
    replica->settings = s;
    s->made = d->top->last_setting;
    d->top->last_setting = s;
    return s;
}

static ls_code store_value(decoder *d, const ls_key *key, const place *at, const ls_yaml_node *node,
                           ls_raw value) {
    if (key->field != LS_KEY_SETTING) {
        store(key, at, value);
        return LS_OK;
    }
    ls_raw_setting *s = setting_of(d, key, at->base);
    if (s == NULL)
        return ls_fail(d->err, LS_ENOMEM, "%s: out of memory", d->name);
    s->node = node;
    s->value = value;
    return LS_OK;
}

static ls_code decode_strings(decoder *d, const ls_yaml_node *node, const char *path, int64_t *n) {
    if (node->kind != LS_YAML_LIST)
        return wrong_kind(d, node, path, "a list of texts");
    for (const ls_yaml_item *i = node->items; i != NULL; i = i->next) {
        ls_code rc = count_step(d, i->value);
        if (rc == LS_OK && i->value->kind != LS_YAML_SCALAR)
            rc = wrong_kind(d, i->value, path, "a list of texts");
        if (rc != LS_OK)
            return rc;
    }
    *n = node->n_items;
    return LS_OK;
}

static ls_code decode_value(decoder *d, const ls_key *key, const ls_yaml_node *node,
                            const place *at) {
    place here = inside(at, key->name, 0, NULL);
    ls_raw value = {.line = node->line, .col = node->col};
    ls_code rc = LS_OK;

    if (ls_yaml_is_null(node))
        return store_value(d, key, at, node, value);
    if (key->type == LS_KEY_STRINGS) {
        rc = decode_strings(d, node, here.path, &value.num);
    } else if (node->kind != LS_YAML_SCALAR) {
        char wanted[48];
        snprintf(wanted, sizeof wanted, "%s%s", key->type == LS_KEY_BOOL ? "" : "a ",
                 ls_key_type_name(key->type));
        rc = wrong_kind(d, node, here.path, wanted);
    } else {
        value.str = node->text;
        rc = decode_scalar(d, key, node, here.path, &value.num);
    }
    value.set = rc == LS_OK;
    return rc == LS_OK ? store_value(d, key, at, node, value) : rc;
}

/* ---- maps and lists ---- */

/* Room for one more element of size bytes; zeroed. NULL without memory. */
static void *grow(void *list, size_t n, size_t size) {
    /* Doubles at powers of two, so that the capacity need not be kept. */
    if ((n & (n - 1)) == 0)
        list = reallocarray(list, n == 0 ? 1 : n * 2, size);
    if (list != NULL)
        memset((char *)list + n * size, 0, size);
    return list;
}

static ls_code add_db(decoder *d, const ls_yaml_node *node, void **base) {
    ls_raw_top *top = d->top;

    if (top->n_dbs == LS_RAW_MAX_DBS)
        return fail_at(d, node, "more than %d databases", LS_RAW_MAX_DBS);
    ls_raw_db *dbs = grow(top->dbs, top->n_dbs, sizeof *dbs);
    if (dbs == NULL)
        return ls_fail(d->err, LS_ENOMEM, "%s: out of memory", d->name);
    top->dbs = dbs;
    *base = &dbs[top->n_dbs++];
    ((ls_raw_db *)*base)->self = (ls_raw){.line = node->line, .col = node->col, .set = true};
    ((ls_raw_db *)*base)->node = node;
    return LS_OK;
}

static ls_code add_level(decoder *d, const ls_yaml_node *node, void **base) {
    ls_raw_top *top = d->top;

    if (top->n_levels == 8)
        return fail_at(d, node, "levels: compaction level cannot exceed 8");
    ls_raw_level *levels = grow(top->levels, top->n_levels, sizeof *levels);
    if (levels == NULL)
        return ls_fail(d->err, LS_ENOMEM, "%s: out of memory", d->name);
    top->levels = levels;
    *base = &levels[top->n_levels++];
    return LS_OK;
}

/* A list given again replaces the one before. */
static void forget_list(decoder *d, const place *at, unsigned section) {
    if (section == LS_IN_DB)
        d->top->n_dbs = 0;
    else if (section == LS_IN_LEVEL)
        d->top->n_levels = 0;
    else
        ((ls_raw_db *)at->base)->listed = (ls_raw_replica){0};
}

static ls_code decode_list(decoder *d, const ls_key *key, const ls_yaml_node *node, const place *at,
                           int depth) {
    place list = inside(at, key->name, key->section, NULL);
    ls_raw_replica spare = {0};
    ls_code rc = LS_OK;
    size_t n = 0;

    forget_list(d, at, key->section);
    store(key, at,
          (ls_raw){.line = node->line,
                   .col = node->col,
                   .set = node->kind == LS_YAML_LIST,
                   .num = node->n_items});
    if (ls_yaml_is_null(node))
        return LS_OK;
    if (node->kind != LS_YAML_LIST)
        return wrong_kind(d, node, list.path, "a list");
    for (const ls_yaml_item *i = node->items; i != NULL && rc == LS_OK; i = i->next, n++) {
        place e = element(&list, n, NULL);
        if (i->value->kind != LS_YAML_MAP)
            return wrong_kind(d, i->value, e.path, "a map");
        if (key->section == LS_IN_DB)
            rc = add_db(d, i->value, &e.base);
        else if (key->section == LS_IN_LEVEL)
            rc = add_level(d, i->value, &e.base);
        else
            e.base = n == 0 ? &((ls_raw_db *)at->base)->listed : &spare;
        if (rc == LS_OK)
            rc = decode_map(d, i->value, &e, depth);
    }
    return rc;
}

static ls_code decode_submap(decoder *d, const ls_key *key, const ls_yaml_node *node,
                             const place *at, int depth) {
    bool null = ls_yaml_is_null(node);
    void *base = at->base;

    store(key, at, (ls_raw){.line = node->line, .col = node->col, .set = !null});
    if (key->section == LS_IN_REPLICA) {
        base = &((ls_raw_db *)at->base)->replica;
        if (null)
            *(ls_raw_replica *)base = (ls_raw_replica){0};
    }
    if (null)
        return LS_OK;
    place p = inside(at, key->name, key->section, base);
    if (node->kind != LS_YAML_MAP) {
        const char *replaced = ls_key_replaced(at->section, key->name);
        (void)wrong_kind(d, node, p.path, "a map");
        return replaced == NULL ? d->err->code : ls_hint(d->err, "%s", replaced);
    }
    return decode_map(d, node, &p, depth);
}

/* ---- keys ---- */

/* Where else a key of that name is valid, for the hint. */
static const ls_key *find_elsewhere(const char *name, unsigned *section) {
    for (const ls_key *k = ls_keys; k->name != NULL; k++) {
        if (strcmp(k->name, name) == 0) {
            *section = k->where & ~(k->where - 1);
            return k;
        }
    }
    return NULL;
}

static const char *nearest_key(unsigned section, const char *name) {
    const char *names[NAMES_MAX];
    size_t n = 0;

    for (const ls_key *k = ls_keys; k->name != NULL && n < NAMES_MAX - 1; k++) {
        if ((k->where & section) != 0)
            names[n++] = k->name;
    }
    names[n] = NULL;
    return ls_nearest(name, names);
}

static ls_code fail_unknown(decoder *d, const ls_yaml_node *key, const place *at) {
    const char *replaced = ls_key_replaced(at->section, key->text);
    unsigned other = 0;

    if (replaced != NULL) {
        (void)fail_at(d, key, "\"%s\" in %s is not a key any more", key->text,
                      at->path[0] == '\0' ? "the top level" : at->path);
        return ls_hint(d->err, "%s", replaced);
    }
    if (at->path[0] == '\0')
        (void)fail_at(d, key, "unknown key \"%.*s\"", SHOWN_MAX, key->text);
    else
        (void)fail_at(d, key, "unknown key \"%.*s\" in %s", SHOWN_MAX, key->text, at->path);
    const char *near = nearest_key(at->section, key->text);
    if (near != NULL)
        return ls_hint(d->err, "did you mean \"%s\"?", near);
    if (find_elsewhere(key->text, &other) == NULL)
        return ls_hint(d->err, "litestream.yml(5) lists the keys");
    return ls_hint(d->err, "\"%s\" belongs %s%s", key->text,
                   other == LS_IN_TOP ? "at the top level" : "in ", ls_section_name(other));
}

static ls_code add_warning(ls_config_warnings *w, const ls_err *what) {
    /* Grown to its maximum at once: there is at most one such list. */
    if (w->items == NULL)
        w->items = calloc(LS_CONFIG_WARNINGS_MAX, sizeof *w->items);
    if (w->items == NULL)
        return LS_ENOMEM;
    if (w->n == LS_CONFIG_WARNINGS_MAX) {
        w->more++;
        return LS_OK;
    }
    ls_config_warning *item = &w->items[w->n++];
    item->text = strdup(what->msg);
    item->hint = strdup(what->hint);
    return item->text == NULL || item->hint == NULL ? LS_ENOMEM : LS_OK;
}

static ls_code unknown_key(decoder *d, const ls_yaml_node *key, const place *at) {
    ls_code rc = fail_unknown(d, key, at);

    if (d->unknown == NULL)
        return rc;
    rc = add_warning(d->unknown, d->err);
    ls_err_clear(d->err);
    return rc == LS_OK ? LS_OK : ls_fail(d->err, rc, "%s: out of memory", d->name);
}

static ls_code decode_pair(decoder *d, const ls_yaml_item *item, const place *at, int depth) {
    const ls_key *key = ls_key_find(at->section, item->key->text);
    place here = *at;
    ls_code rc = count_step(d, item->value);

    if (rc != LS_OK)
        return rc;
    if (key == NULL) {
        /* Keys of one's own, to put anchors under. */
        if (at->section == LS_IN_TOP && ls_has_prefix(item->key->text, "x-"))
            return LS_OK;
        return unknown_key(d, item->key, at);
    }
    bool inherited = at->section == LS_IN_TOP && (key->where & LS_IN_REPLICA) != 0;
    if (inherited)
        here.base = &d->top->globals;
    rc = key->type == LS_KEY_MAP    ? decode_submap(d, key, item->value, &here, depth)
         : key->type == LS_KEY_LIST ? decode_list(d, key, item->value, &here, depth)
                                    : decode_value(d, key, item->value, &here);
    if (rc == LS_OK && inherited) /* what was decoded is not too much to walk over again */
        d->top->inherited = ls_yaml_hash(item->value, ls_yaml_hash(item->key, d->top->inherited));
    return rc;
}

static bool is_merge(const ls_yaml_item *item) {
    return item->key->plain && strcmp(item->key->text, "<<") == 0;
}

/* Of several merged maps the first one wins, so they are applied from the last. */
static ls_code decode_merge(decoder *d, const ls_yaml_node *value, const place *at, int depth) {
    const ls_yaml_node *maps[MERGES_MAX];
    size_t n = 0;
    ls_code rc = LS_OK;

    if (value->kind == LS_YAML_MAP)
        return decode_map(d, value, at, depth);
    if (value->kind != LS_YAML_LIST || value->n_items > MERGES_MAX)
        return wrong_kind(d, value, "<<", "a map or a short list of maps");
    for (const ls_yaml_item *i = value->items; i != NULL; i = i->next) {
        if (i->value->kind != LS_YAML_MAP)
            return wrong_kind(d, i->value, "<<", "a list of maps");
        maps[n++] = i->value;
    }
    while (rc == LS_OK && n > 0)
        rc = decode_map(d, maps[--n], at, depth);
    return rc;
}

static ls_code decode_map(decoder *d, const ls_yaml_node *node, const place *at, int depth) {
    ls_code rc = count_step(d, node);

    if (rc == LS_OK && depth == LS_YAML_MAX_DEPTH)
        rc = fail_at(d, node, "nested too deeply");
    /* Merged keys first: what the map itself says goes over them. */
    for (const ls_yaml_item *i = node->items; i != NULL && rc == LS_OK; i = i->next) {
        if (is_merge(i))
            rc = decode_merge(d, i->value, at, depth + 1);
    }
    for (const ls_yaml_item *i = node->items; i != NULL && rc == LS_OK; i = i->next) {
        if (!is_merge(i))
            rc = decode_pair(d, i, at, depth + 1);
    }
    return rc;
}

ls_code ls_raw_decode(const ls_yaml *tree, const char *name, ls_config_warnings *unknown,
                      ls_raw_top *top, ls_err *err) {
    decoder d = {.name = name, .unknown = unknown, .top = top, .err = err};
    place at = {.section = LS_IN_TOP, .base = top};

    *top = (ls_raw_top){0};
    if (tree->root == NULL || ls_yaml_is_null(tree->root))
        return LS_OK;
    if (tree->root->kind != LS_YAML_MAP)
        return wrong_kind(&d, tree->root, "the configuration", "a map");
    return decode_map(&d, tree->root, &at, 0);
}

void ls_raw_done(ls_raw_top *top) {
    while (top->last_setting != NULL) {
        ls_raw_setting *before = top->last_setting->made;
        free(top->last_setting);
        top->last_setting = before;
    }
    free(top->levels);
    free(top->dbs);
    *top = (ls_raw_top){0};
}
