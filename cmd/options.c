/* The flag parser over a command's table: see options.h. */
#include "cmd/options.h"

#include "engine/base/text.h"
#include "engine/config/scalar.h"

#include <string.h>

#define NAMES_MAX 64

static const ls_option *find_option(const ls_command *c, const char *name, size_t len) {
    for (const ls_option *o = c->options; o != NULL && o->name != NULL; o++) {
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    }
    return NULL;
}

bool ls_given(const ls_invocation *in, const char *name) {
    const ls_option *o = find_option(in->command, name, strlen(name));

    return o != NULL && ((in->given >> (o - in->command->options)) & 1) != 0;
}

/* Go's %q as far as values of flags need it; cut where it does not fit. */
static const char *quoted(const char *text, char *buf, size_t size) {
    size_t n = 0;

    buf[n++] = '"';
    for (; *text != '\0' && n + 6 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            buf[n++] = '\\';
        if (c >= 0x20 && c != 0x7f)
            buf[n++] = (char)c;
        else
            n += (size_t)snprintf(buf + n, size - n, "\\x%02x", c);
    }
    buf[n++] = '"';
    buf[n] = '\0';
    return buf;
}

static ls_code bad_value(const ls_option *o, const char *value, const char *why, ls_err *err) {
    char q[256];
    const char *form = o->type == LS_OPT_BOOL ? "invalid boolean value %s for -%s: %s"
                                              : "invalid value %s for flag -%s: %s";

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return ls_fail(err, LS_EINVALID, form, quoted(value, q, sizeof q), o->name, why);
#pragma GCC diagnostic pop
}

static ls_code set_int(const ls_option *o, const char *value, int64_t *field, ls_err *err) {
    ls_code rc = ls_int_parse(value, field);

    if (rc == LS_OK)
        return LS_OK;
    return bad_value(o, value, rc == LS_ELIMIT ? "value out of range" : "parse error", err);
}

static ls_code set_duration(const ls_option *o, const char *value, int64_t *field, ls_err *err) {
    ls_err inner = LS_ERR_INIT;

    if (ls_duration_parse(value, field, &inner) == LS_OK)
        return LS_OK;
    ls_code rc = bad_value(o, value, "parse error", err);
    if (inner.hint[0] != '\0')
        return ls_hint(err, "%s", inner.hint);
    return rc;
}

static ls_code set_string(const ls_option *o, const char *value, const char **field, ls_err *err) {
    ls_err inner = LS_ERR_INIT;

    *field = value;
    if (o->check == NULL || o->check(value, &inner) == LS_OK)
        return LS_OK;
    ls_code rc = bad_value(o, value, inner.msg, err);
    if (inner.hint[0] != '\0')
        return ls_hint(err, "%s", inner.hint);
    return rc;
}

static ls_code set_option(const ls_option *o, const char *value, void *args, ls_err *err) {
    char *field = (char *)args + o->field;

    switch (o->type) {
    case LS_OPT_BOOL:
        if (ls_go_bool_parse(value, (bool *)(void *)field))
            return LS_OK;
        return bad_value(o, value, "parse error", err);
    case LS_OPT_INT:
        return set_int(o, value, (int64_t *)(void *)field, err);
    case LS_OPT_DURATION:
        return set_duration(o, value, (int64_t *)(void *)field, err);
    case LS_OPT_STRING:
        return set_string(o, value, (const char **)(void *)field, err);
    }
    return ls_fail(err, LS_EINVALID, "option -%s has no type", o->name);
}

static ls_code set_defaults(const ls_command *c, void *args, ls_err *err) {
    memset(args, 0, c->args_size);
    for (const ls_option *o = c->options; o != NULL && o->name != NULL; o++) {
        if (o->def != NULL) {
            ls_code rc = set_option(o, o->def, args, err);
            if (rc != LS_OK)
                return ls_wrap(err, "default");
        }
    }
    return LS_OK;
}

static ls_code unknown_flag(const ls_invocation *in, const char *name, size_t len, ls_err *err) {
    const char *names[NAMES_MAX + 1];
    char word[64];
    size_t n = 0;

    for (const ls_option *o = in->command->options; o != NULL && o->name != NULL; o++) {
        if (n < NAMES_MAX && !o->later)
            names[n++] = o->name;
    }
    names[n] = NULL;
    snprintf(word, sizeof word, "%.*s", len < sizeof word ? (int)len : (int)sizeof word - 1, name);
    (void)ls_fail(err, LS_EINVALID, "flag provided but not defined: -%s", word);
    const char *near = ls_nearest(word, names);
    if (near != NULL)
        return ls_hint(err, "did you mean -%s? all flags: %s %s -help", near, in->program->name,
                       in->command->name);
    return ls_hint(err, "all flags: %s %s -help", in->program->name, in->command->name);
}

/* One argument that starts with a dash, without its dashes. Moves *next past a value taken. */
static ls_code parse_flag(ls_invocation *in, const char *flag, int argc, char *const *argv,
                          int *next, void *args, bool *help, ls_err *err) {
    size_t len = strcspn(flag, "=");
    const char *value = flag[len] == '=' ? flag + len + 1 : NULL;
    const ls_option *o = find_option(in->command, flag, len);

    if (o == NULL) {
        *help = (len == 1 && *flag == 'h') || (len == 4 && memcmp(flag, "help", 4) == 0);
        return *help ? LS_OK : unknown_flag(in, flag, len, err);
    }
    if (value == NULL && o->type == LS_OPT_BOOL)
        value = "true";
    if (value == NULL && *next < argc)
        value = argv[(*next)++];
    if (value == NULL) {
        (void)ls_fail(err, LS_EINVALID, "flag needs an argument: -%s", o->name);
        return ls_hint(err, "-%s %s", o->name, o->arg == NULL ? "VALUE" : o->arg);
    }
    in->given |= UINT64_C(1) << (o - in->command->options);
    ls_code rc = set_option(o, value, args, err);
    if (rc == LS_OK && o->later && !(o->type == LS_OPT_BOOL && strcmp(value, "false") == 0)) {
        char what[80];
        snprintf(what, sizeof what, "-%s", o->name);
        return ls_not_yet(err, what);
    }
    return rc;
}

ls_code ls_options_parse(const ls_program *program, const ls_command *command, int argc,
                         char *const *argv, void *args, ls_invocation *in, bool *help,
                         ls_err *err) {
    int i = 0;

    *in = (ls_invocation){.program = program, .command = command, .args = args};
    *help = false;
    ls_code rc = set_defaults(command, args, err);
    while (rc == LS_OK && !*help && i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
        const char *arg = argv[i++];
        const char *flag = arg + (arg[1] == '-' ? 2 : 1);
        if (arg[1] == '-' && *flag == '\0')
            break;
        if (*flag == '\0' || *flag == '-' || *flag == '=') {
            rc = ls_fail(err, LS_EINVALID, "bad flag syntax: %s", arg);
            break;
        }
        rc = parse_flag(in, flag, argc, argv, &i, args, help, err);
    }
    in->pos = argv + i;
    in->n_pos = argc - i;
    return rc;
}

ls_code ls_positionals_max(const ls_invocation *in, int max, ls_err *err) {
    if (in->n_pos <= max)
        return LS_OK;
    (void)ls_fail(err, LS_EINVALID, "too many arguments");
    if (in->pos[max][0] == '-')
        return ls_hint(err, "%s stands behind an argument; flags go in front: %s %s -help",
                       in->pos[max], in->program->name, in->command->name);
    return ls_hint(err, "\"%s\" is one too many: %s %s -help", in->pos[max], in->program->name,
                   in->command->name);
}

ls_code ls_not_yet(ls_err *err, const char *what) {
    (void)ls_fail(err, LS_EUNSUPPORTED, "%s: not part of this version yet", what);
    return ls_hint(err, "the README lists what this version does");
}
