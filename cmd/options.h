/*
 * Commands and their options as tables, and the parser, help text and dispatch that come from them.
 *
 * A program is a table of commands, a command a table of options that name fields of the command's
 * own argument struct. Flags follow Go's rules, which existing scripts rely on: -name, --name,
 * -name=v, -name v (not for booleans); "--" or the first argument that is no flag ends them.
 */
#ifndef LS_CMD_OPTIONS_H
#define LS_CMD_OPTIONS_H

#include "engine/base/error.h"

#include <stdint.h>
#include <stdio.h>

typedef enum ls_option_type {
    LS_OPT_BOOL,     /* bool */
    LS_OPT_INT,      /* int64_t */
    LS_OPT_DURATION, /* int64_t, nanoseconds */
    LS_OPT_STRING,   /* const char *; NULL if neither given nor defaulted */
} ls_option_type;

typedef struct ls_option {
    const char *name; /* without the dash; NULL ends a table */
    ls_option_type type;
    size_t field;     /* offsetof in the command's argument struct */
    const char *arg;  /* what help calls the value: "PATH"; NULL for booleans */
    const char *def;  /* default as one would type it; NULL: false, 0, none */
    const char *help; /* sentences */
    /* Checks a string value; its message goes behind `invalid value "x" for flag -name: `. NULL
     * for none. */
    ls_code (*check)(const char *value, ls_err *err);
    /* The default as help shows it, where it depends on the environment. NULL: def. */
    const char *(*shown)(void);
    bool later; /* known, but using it is an error: not part of this version yet */
} ls_option;

typedef struct ls_program ls_program;
typedef struct ls_command ls_command;

/* What a command is run with. */
typedef struct ls_invocation {
    const ls_program *program;
    const ls_command *command;
    const void *args; /* the command's argument struct, filled in */
    uint64_t given;   /* bit n: option n of the table was on the command line */
    char *const *pos; /* positional arguments */
    int n_pos;
    int *status; /* what the program exits with after a failure; 1 */
} ls_invocation;

struct ls_command {
    const char *name;
    const char *summary;         /* one line, lower case, as the list of commands shows it */
    const char *const *usage;    /* what may follow the name, one form each; ends with NULL */
    const char *about;           /* paragraphs, separated by an empty line */
    const ls_option *options;    /* ends with name NULL; at most 64; NULL: none */
    const char *const *examples; /* whole command lines; ends with NULL; NULL: none */
    size_t args_size;            /* size of the argument struct, at most LS_ARGS_MAX */
    /* NULL: not part of this version yet. A failure without a message is not reported again. */
    ls_code (*run)(const ls_invocation *in, ls_err *err);
    bool hidden; /* not listed in help */
};

#define LS_ARGS_MAX 512

struct ls_program {
    const char *name;
    const char *about;                 /* one line */
    const ls_command *const *commands; /* in the order of help; ends with NULL */
};

/* Parses argv (without program and command name) by the command's table into args (args_size bytes,
 * zeroed and defaulted first) and fills in. *help is set, and nothing else to be relied on, where
 * -h or -help stands. */
LS_MUST ls_code ls_options_parse(const ls_program *program, const ls_command *command, int argc,
                                 char *const *argv, void *args, ls_invocation *in, bool *help,
                                 ls_err *err);

/* Was the option on the command line? */
bool ls_given(const ls_invocation *in, const char *name);

/* LS_EINVALID "too many arguments" with more than max positionals, else LS_OK. */
LS_MUST ls_code ls_positionals_max(const ls_invocation *in, int max, ls_err *err);

/* "NAME: not part of this version yet", with a hint. */
LS_MUST ls_code ls_not_yet(ls_err *err, const char *what);

void ls_help_program(const ls_program *program, FILE *out);
void ls_help_command(const ls_program *program, const ls_command *command, FILE *out);

/* NULL if there is none of that name. */
const ls_command *ls_command_find(const ls_program *program, const char *name);

/* "Error: <message>", then "hint: <hint>" where there is one; control characters are shown as \xNN,
 * so that a file name or an LTX header cannot drive the terminal. */
void ls_report(const ls_err *err, FILE *out);

/* Text on one line: control characters are shown that way, line breaks and tabs too. */
void ls_write_safe(const char *text, FILE *out);

/* The whole of main(): finds the command, parses, runs, reports on standard error. Help asked for
 * exits 0; no command, unknown ones and every error 1. Checks that standard output was written. */
int ls_program_main(const ls_program *program, int argc, char *const *argv);

#endif
