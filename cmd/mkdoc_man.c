/* Manual pages of programs, in mdoc(7). */
#include "cmd/mkdoc.h"

#include <ctype.h>
#include <string.h>

#define DATE "November 21, 2026"
#define WIDTH 72

typedef struct pair {
    const char *name, *text;
} pair;

void ls_mdoc_begin(const char *title, const char *section, const char *name, const char *about) {
    printf(".\\\" Made from the program's tables; edits are lost.\n");
    printf(".Dd %s\n.Dt %s %s\n.Os\n.Sh NAME\n.Nm %s\n.Nd ", DATE, title, section, name);
    ls_mdoc_text(about);
}

static void put_char(char c) {
    if (c == '\\')
        fputs("\\e", stdout);
    else if (c == '"')
        fputs("\\(dq", stdout);
    else if (c == '~')
        fputs("\\(ti", stdout);
    else if (c == '^')
        fputs("\\(ha", stdout);
    else
        putchar(c);
}

/* A dash in front is a flag's, not a hyphen. */
static void put_word(const char *word, size_t len, bool first) {
    if (first && (*word == '.' || *word == '\''))
        fputs("\\&", stdout);
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '-' && (i == 0 || word[i - 1] == '-'))
            fputs("\\-", stdout);
        else
            put_char(word[i]);
    }
}

void ls_mdoc_text(const char *text) {
    size_t column = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " \n");
        if (column + 1 + len > WIDTH && column > 0) {
            putchar('\n');
            column = 0;
        }
        if (column > 0)
            putchar(' ');
        put_word(text, len, column == 0);
        column += 1 + len;
        char last = len > 0 ? text[len - 1] : ' ';
        text += len;
        bool paragraph = strncmp(text, "\n\n", 2) == 0;
        text += strspn(text, " \n");
        if (paragraph || *text == '\0' || strchr(".:?", last) != NULL) {
            putchar('\n');
            column = 0;
        }
        if (paragraph)
            fputs(".Pp\n", stdout);
    }
}

/* Is this word a macro's name, two or three letters with a capital first? */
static bool looks_like_macro(const char *word) {
    size_t len = strlen(word);

    return len >= 2 && len <= 3 && isupper((unsigned char)word[0]);
}

void ls_mdoc_macro(const char *macro, const char *arg) {
    printf(".%s ", macro);
    if (looks_like_macro(arg))
        fputs("\\&", stdout);
    put_word(arg, strlen(arg), false);
    putchar('\n');
}

void ls_mdoc_example(const char *const *lines) {
    fputs(".Bd -literal -offset indent\n", stdout);
    for (; *lines != NULL; lines++) {
        put_word(*lines, strlen(*lines), true);
        putchar('\n');
    }
    fputs(".Ed\n", stdout);
}

void ls_mdoc_option(const ls_option *o) {
    printf(".It Fl ");
    put_word(o->name, strlen(o->name), false);
    if (o->arg != NULL)
        printf(" Ar %s", o->arg);
    putchar('\n');
    ls_mdoc_text(o->help);
    if (o->later) {
        ls_mdoc_text("Not part of this version yet.");
    } else if (o->def != NULL) {
        fputs("Default:\n", stdout);
        ls_mdoc_macro("Cm", o->def);
    }
}

/* "[options] DB_PATH REPLICA_URL" as macros. */
static void print_usage(const ls_program *program, const ls_command *command, const char *usage) {
    printf(".D1 Nm %s Cm %s", program->name, command->name);
    while (*usage != '\0') {
        size_t len = strcspn(usage, " ");
        bool optional = usage[0] == '[' && usage[len - 1] == ']';
        fputs(optional ? " Oo Ar " : " Ar ", stdout);
        put_word(usage + optional, len - 2 * optional, false);
        fputs(optional ? " Oc" : "", stdout);
        usage += len + strspn(usage + len, " ");
    }
    putchar('\n');
}

static void print_command(const ls_program *program, const ls_command *command) {
    printf(".Ss %s %s\n", program->name, command->name);
    ls_mdoc_text(command->about);
    if (command->run == NULL)
        ls_mdoc_text("It is not part of this version yet.");
    fputs(".Pp\n", stdout);
    for (const char *const *u = command->usage; *u != NULL; u++)
        print_usage(program, command, *u);
    if (command->options == NULL || command->options->name == NULL)
        return;
    fputs(".Bl -tag -width Ds\n", stdout);
    for (const ls_option *o = command->options; o->name != NULL; o++)
        ls_mdoc_option(o);
    fputs(".El\n", stdout);
}

static void print_pairs(const char *heading, const char *macro, const pair *pairs) {
    printf(".Sh %s\n.Bl -tag -width Ds\n", heading);
    for (; pairs->name != NULL; pairs++) {
        printf(".It %s %s\n", macro, pairs->name);
        ls_mdoc_text(pairs->text);
    }
    fputs(".El\n", stdout);
}

static void print_environment(void) {
    static const pair environment[] = {
        {"LITESTREAM_CONFIG", "The configuration file, where no -config is given."},
        {"LOG_LEVEL", "Least level that is logged; counts more than the configuration, less than "
                      "-log-level."},
        {"NO_COLOR", "Where it is set and not empty, a pretty log is not coloured."},
        {"LITESTREAM_ACCESS_KEY_ID", "Copied to AWS_ACCESS_KEY_ID, if that is not set."},
        {"LITESTREAM_SECRET_ACCESS_KEY", "Copied to AWS_SECRET_ACCESS_KEY, if that is not set."},
        {NULL, NULL},
    };
    static const pair files[] = {
        {"/etc/litestream.yml", "The configuration; see litestream.yml(5)."},
        {".NAME-litestream", "Beside each database: transactions captured, as LTX files below "
                             "ltx/0."},
        {NULL, NULL},
    };

    print_pairs("ENVIRONMENT", "Ev", environment);
    print_pairs("FILES", "Pa", files);
}

static void print_examples(const ls_program *program) {
    fputs(".Sh EXAMPLES\n", stdout);
    for (const ls_command *const *c = program->commands; *c != NULL; c++) {
        if ((*c)->hidden || (*c)->examples == NULL)
            continue;
        ls_mdoc_example((*c)->examples);
    }
}

void ls_man_program(const ls_program *program) {
    bool daemon = strcmp(program->name, "litestream") == 0;

    ls_mdoc_begin(daemon ? "LITESTREAM" : "LTX", "1", program->name,
                  daemon ? "replicate SQLite databases" : "look into LTX files");
    fputs(".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar options\n.Op Ar arguments\n.Sh DESCRIPTION\n",
          stdout);
    ls_mdoc_text(program->about);
    fputs(".Pp\n", stdout);
    ls_mdoc_text(
        "Options are written -name, --name, -name=value or, but for those without a value, "
        "-name value. They stand between the command and its arguments; -- or the first "
        "argument ends them. -help prints what a command takes.");
    fputs(".Sh COMMANDS\n", stdout);
    for (const ls_command *const *c = program->commands; *c != NULL; c++) {
        if (!(*c)->hidden)
            print_command(program, *c);
    }
    if (daemon)
        print_environment();
    fputs(".Sh EXIT STATUS\n", stdout);
    ls_mdoc_text(
        "0 on success and where help was asked for, 1 after any error. An error is told on "
        "standard error, and in the line below it what to do next.");
    print_examples(program);
    printf(".Sh SEE ALSO\n%s",
           daemon ? ".Xr ltx 1 ,\n.Xr sqlite3 1 ,\n.Xr litestream.yml 5\n" : ".Xr litestream 1\n");
}
