/* The flag parser, help and dispatch over a table of commands made for this test. */
#include "cmd/options.h"
#include "engine/config/scalar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct demo_args {
    const char *config;
    const char *level;
    bool json;
    bool follow;
    int64_t parallelism;
    int64_t interval;
} demo_args;

static ls_code check_level(const char *value, ls_err *err) {
    if (strcmp(value, "all") == 0 || (value[0] >= '0' && value[0] <= '9' && value[1] == '\0'))
        return LS_OK;
    (void)ls_fail(err, LS_EINVALID, "level must be between 0 and 9");
    return ls_hint(err, "or all");
}

#define F(name) offsetof(demo_args, name)
static const ls_option demo_options[] = {
    {.name = "config", .type = LS_OPT_STRING, .field = F(config), .arg = "PATH", .help = "File."},
    {.name = "level",
     .type = LS_OPT_STRING,
     .field = F(level),
     .arg = "N",
     .def = "0",
     .help = "Level.",
     .check = check_level},
    {.name = "json", .type = LS_OPT_BOOL, .field = F(json), .help = "Prints JSON."},
    {.name = "f", .type = LS_OPT_BOOL, .field = F(follow), .help = "Follows.", .later = true},
    {.name = "parallelism",
     .type = LS_OPT_INT,
     .field = F(parallelism),
     .arg = "N",
     .def = "8",
     .help = "Threads."},
    {.name = "interval",
     .type = LS_OPT_DURATION,
     .field = F(interval),
     .arg = "D",
     .def = "1s",
     .help = "Pause."},
    {0},
};

static ls_code run_demo(const ls_invocation *in, ls_err *err) {
    const demo_args *a = in->args;

    if (a->json)
        return ls_fail(err, LS_EIO, "broken \x1b[31m");
    return ls_positionals_max(in, 1, err);
}

static const ls_command demo = {
    .name = "demo",
    .summary = "shows it",
    .usage = (const char *const[]){"[options] PATH", NULL},
    .about = "The demo command.",
    .options = demo_options,
    .examples = (const char *const[]){"prog demo x", NULL},
    .args_size = sizeof(demo_args),
    .run = run_demo,
};
static const ls_command later = {.name = "later",
                                 .summary = "comes",
                                 .usage = (const char *const[]){"", NULL},
                                 .about = "Later."};
static const ls_program prog = {.name = "prog",
                                .about = "prog is a test.",
                                .commands = (const ls_command *const[]){&demo, &later, NULL}};

typedef struct parsed {
    ls_code rc;
    demo_args args;
    ls_invocation in;
    bool help;
    ls_err err;
} parsed;

static char *argv_buf[16];

static parsed parse(const char *line) {
    static char copy[512];
    parsed p = {.err = LS_ERR_INIT};
    int argc = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *save = NULL, *w = strtok_r(copy, " ", &save); w != NULL;
         w = strtok_r(NULL, " ", &save))
        argv_buf[argc++] = w;
    p.rc = ls_options_parse(&prog, &demo, argc, argv_buf, &p.args, &p.in, &p.help, &p.err);
    return p;
}

static void test_forms(void **state) {
    (void)state;
    parsed p = parse("-config a --json -parallelism=0x10 --interval 1m30s x -json");
    assert_int_equal(p.rc, LS_OK);
    assert_string_equal(p.args.config, "a");
    assert_true(p.args.json);
    assert_int_equal(p.args.parallelism, 16);
    assert_int_equal(p.args.interval, 90000000000LL);
    assert_int_equal(p.in.n_pos, 2);
    assert_string_equal(p.in.pos[0], "x");
    assert_string_equal(p.in.pos[1], "-json");
    assert_true(ls_given(&p.in, "config"));
    assert_false(ls_given(&p.in, "level"));
}

static void test_defaults_and_end(void **state) {
    (void)state;
    parsed p = parse("-json=false -- -x");
    assert_int_equal(p.rc, LS_OK);
    assert_false(p.args.json);
    assert_null(p.args.config);
    assert_string_equal(p.args.level, "0");
    assert_int_equal(p.args.parallelism, 8);
    assert_int_equal(p.args.interval, 1000000000LL);
    assert_int_equal(p.in.n_pos, 1);
    assert_string_equal(p.in.pos[0], "-x");
    /* The space form does not exist for booleans; a lone dash is an argument. */
    p = parse("-json true");
    assert_int_equal(p.in.n_pos, 1);
    p = parse("- -json");
    assert_int_equal(p.in.n_pos, 2);
    assert_false(p.args.json);
}

static void test_help_flag(void **state) {
    (void)state;
    assert_true(parse("-h").help);
    assert_true(parse("--help").help);
    assert_false(parse("x -h").help);
}

static void test_errors(void **state) {
    static const struct {
        const char *line, *msg, *hint;
    } cases[] = {
        {"-bogus", "flag provided but not defined: -bogus", "all flags: prog demo -help"},
        {"-leval 1", "flag provided but not defined: -leval",
         "did you mean -level? all flags: prog demo -help"},
        {"-config", "flag needs an argument: -config", "-config PATH"},
        {"---json", "bad flag syntax: ---json", NULL},
        {"-=1", "bad flag syntax: -=1", NULL},
        {"-json=maybe", "invalid boolean value \"maybe\" for -json: parse error", NULL},
        {"-parallelism abc", "invalid value \"abc\" for flag -parallelism: parse error", NULL},
        {"-parallelism 9223372036854775808",
         "invalid value \"9223372036854775808\" for flag -parallelism: value out of range", NULL},
        {"-interval abc", "invalid value \"abc\" for flag -interval: parse error", NULL},
        {"-level 10", "invalid value \"10\" for flag -level: level must be between 0 and 9",
         "or all"},
        {"-f", "-f: not part of this version yet", NULL},
        {"-level \x01\"",
         "invalid value \"\\x01\\\"\" for flag -level: level must be between 0 and 9", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parsed p = parse(cases[i].line);
        assert_int_not_equal(p.rc, LS_OK);
        assert_string_equal(p.err.msg, cases[i].msg);
        if (cases[i].hint != NULL)
            assert_string_equal(ls_err_hint(&p.err), cases[i].hint);
    }
    assert_int_equal(parse("-f=false").rc, LS_OK);
}

static void test_positionals(void **state) {
    (void)state;
    parsed p = parse("a b");
    assert_int_equal(ls_positionals_max(&p.in, 2, &p.err), LS_OK);
    assert_int_equal(ls_positionals_max(&p.in, 1, &p.err), LS_EINVALID);
    assert_string_equal(p.err.msg, "too many arguments");
    assert_string_equal(p.err.hint, "\"b\" is one too many: prog demo -help");
    p = parse("a -json");
    assert_int_equal(ls_positionals_max(&p.in, 1, &p.err), LS_EINVALID);
    assert_string_equal(p.err.hint,
                        "-json stands behind an argument; flags go in front: prog demo -help");
}

static char *captured(void (*write)(FILE *)) {
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(f);
    write(f);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void write_program_help(FILE *f) { ls_help_program(&prog, f); }
static void write_command_help(FILE *f) { ls_help_command(&prog, &demo, f); }
static void write_error(FILE *f) {
    ls_err err = LS_ERR_INIT;
    (void)ls_fail(&err, LS_EIO, "read a\x1b[31mb\nc");
    (void)ls_hint(&err, "look");
    ls_report(&err, f);
}

static void write_name(FILE *f) { ls_write_safe("a\nb\tc\x7f\xc3\xa4", f); }

static void test_texts(void **state) {
    (void)state;
    char *text = captured(write_program_help);
    assert_string_equal(text, "prog is a test.\n\nUsage:\n\n\tprog <command> [arguments]\n\n"
                              "The commands are:\n\n\tdemo    shows it\n"
                              "\tlater   comes (not in this version)\n\n"
                              "More about a command: prog <command> -help\n");
    free(text);
    text = captured(write_command_help);
    assert_non_null(strstr(text, "\tprog demo [options] PATH\n"));
    assert_non_null(strstr(text, "\t-interval D\n            Pause.\n            Default: 1s\n"));
    assert_non_null(strstr(text, "\t-f\n            Follows.\n            Not part of"));
    assert_non_null(strstr(text, "\t$ prog demo x\n"));
    free(text);
    text = captured(write_error);
    assert_string_equal(text, "Error: read a\\x1b[31mb\nc\nhint: look\n");
    free(text);
    text = captured(write_name);
    assert_string_equal(text, "a\\x0ab\\x09c\\x7f\xc3\xa4");
    free(text);
}

static void test_ints(void **state) {
    static const struct {
        const char *text;
        ls_code rc;
        int64_t value;
    } cases[] = {
        {"0", LS_OK, 0},
        {"-1", LS_OK, -1},
        {"+7", LS_OK, 7},
        {"0600", LS_OK, 384},
        {"0o600", LS_OK, 384},
        {"0x_1F", LS_OK, 31},
        {"0b101", LS_OK, 5},
        {"1_000", LS_OK, 1000},
        {"1__0", LS_EINVALID, 0},
        {"1_", LS_EINVALID, 0},
        {"_1", LS_EINVALID, 0},
        {"0x", LS_EINVALID, 0},
        {"", LS_EINVALID, 0},
        {"-", LS_EINVALID, 0},
        {"08", LS_EINVALID, 0},
        {"12a", LS_EINVALID, 0},
        {"0_7", LS_OK, 7},
        {" 1", LS_EINVALID, 0},
        {"9223372036854775807", LS_OK, INT64_MAX},
        {"-9223372036854775808", LS_OK, INT64_MIN},
        {"9223372036854775808", LS_ELIMIT, 0},
        {"-9223372036854775809", LS_ELIMIT, 0},
        {"99999999999999999999999", LS_ELIMIT, 0},
        {"99999999999999999999999x", LS_EINVALID, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t v = 0;
        assert_int_equal(ls_int_parse(cases[i].text, &v), cases[i].rc);
        if (cases[i].rc == LS_OK)
            assert_true(v == cases[i].value);
    }
}

static void test_bools(void **state) {
    bool v;

    (void)state;
    assert_true(ls_go_bool_parse("T", &v) && v);
    assert_true(ls_go_bool_parse("0", &v) && !v);
    assert_false(ls_go_bool_parse("yes", &v));
    assert_true(ls_yaml_bool_parse("yes", &v) && v);
    assert_true(ls_yaml_bool_parse("Off", &v) && !v);
    assert_false(ls_yaml_bool_parse("1", &v));
    assert_false(ls_yaml_bool_parse("tRue", &v));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),       cmocka_unit_test(test_defaults_and_end),
        cmocka_unit_test(test_help_flag),   cmocka_unit_test(test_errors),
        cmocka_unit_test(test_positionals), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_ints),        cmocka_unit_test(test_bools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
