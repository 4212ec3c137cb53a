/* Help text and dispatch from the tables: see options.h. */
#include "cmd/options.h"

#include "engine/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WIDTH 80
#define NAMES_MAX 64

/* Breaks one paragraph into lines of at most WIDTH columns, each behind indent blanks. */
static void write_wrapped(const char *text, size_t len, int indent, FILE *out) {
    size_t column = 0;

    for (size_t i = 0; i < len;) {
        size_t word = strcspn(text + i, " \n");
        if (word > len - i)
            word = len - i;
        if (column == 0 || column + 1 + word + (size_t)indent > WIDTH) {
            fprintf(out, "%s%*s", column == 0 ? "" : "\n", indent, "");
            column = word;
        } else {
            fputc(' ', out);
            column += 1 + word;
        }
        fwrite(text + i, 1, word, out);
        i += word;
        i += strspn(text + i, " \n");
    }
    fputc('\n', out);
}

static void write_paragraphs(const char *text, int indent, FILE *out) {
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        size_t len = end == NULL ? strlen(text) : (size_t)(end - text);
        write_wrapped(text, len, indent, out);
        text += len + (end == NULL ? 0 : 2);
        if (*text != '\0')
            fputc('\n', out);
    }
}

void ls_help_program(const ls_program *program, FILE *out) {
    size_t width = 0;

    for (const ls_command *const *c = program->commands; *c != NULL; c++) {
        if (!(*c)->hidden && strlen((*c)->name) > width)
            width = strlen((*c)->name);
    }
    fprintf(out, "%s\n\nUsage:\n\n\t%s <command> [arguments]\n\nThe commands are:\n\n",
            program->about, program->name);
    for (const ls_command *const *c = program->commands; *c != NULL; c++) {
        if (!(*c)->hidden)
            fprintf(out, "\t%-*s%s%s\n", (int)width + 3, (*c)->name, (*c)->summary,
                    (*c)->run == NULL ? " (not in this version)" : "");
    }
    fprintf(out, "\nMore about a command: %s <command> -help\n", program->name);
}

static void help_option(const ls_option *o, FILE *out) {
    const char *def = o->shown != NULL ? o->shown() : o->def;

    fprintf(out, "\t-%s%s%s\n", o->name, o->arg == NULL ? "" : " ", o->arg == NULL ? "" : o->arg);
    write_wrapped(o->help, strlen(o->help), 12, out);
    if (o->later)
        fprintf(out, "%12sNot part of this version yet.\n", "");
    else if (def != NULL)
        fprintf(out, "%12sDefault: %s\n", "", def);
    fputc('\n', out);
}

void ls_help_command(const ls_program *program, const ls_command *command, FILE *out) {
    write_paragraphs(command->about, 0, out);
    if (command->run == NULL)
        fputs("\nIt is not part of this version yet.\n", out);
    fputs("\nUsage:\n\n", out);
    for (const char *const *u = command->usage; *u != NULL; u++)
        fprintf(out, "\t%s %s%s%s\n", program->name, command->name, **u == '\0' ? "" : " ", *u);
    fputc('\n', out);
    if (command->options != NULL && command->options->name != NULL) {
        fputs("Options:\n\n", out);
        for (const ls_option *o = command->options; o->name != NULL; o++)
            help_option(o, out);
    }
    if (command->examples == NULL)
        return;
    fputs("Examples:\n\n", out);
    for (const char *const *e = command->examples; *e != NULL; e++)
        fprintf(out, "\t$ %s\n", *e);
    fputc('\n', out);
}

const ls_command *ls_command_find(const ls_program *program, const char *name) {
    for (const ls_command *const *c = program->commands; *c != NULL; c++) {
        if (strcmp((*c)->name, name) == 0)
            return *c;
    }
    return NULL;
}

static void write_safe(const char *text, const char *keep, FILE *out) {
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < 0x20 || c == 0x7f) && strchr(keep, c) == NULL)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
}

void ls_write_safe(const char *text, FILE *out) { write_safe(text, "", out); }

void ls_report(const ls_err *err, FILE *out) {
    const char *hint = ls_err_hint(err);

    fputs("Error: ", out);
    write_safe(err->msg, "\n\t", out);
    fputc('\n', out);
    if (hint[0] != '\0') {
        fputs("hint: ", out);
        write_safe(hint, "\n\t", out);
        fputc('\n', out);
    }
}

static ls_code unknown_command(const ls_program *program, const char *name, ls_err *err) {
    const char *names[NAMES_MAX + 1];
    size_t n = 0;

    for (const ls_command *const *c = program->commands; *c != NULL && n < NAMES_MAX; c++) {
        if (!(*c)->hidden)
            names[n++] = (*c)->name;
    }
    names[n] = NULL;
    if (name[0] == '-')
        (void)ls_fail(err, LS_EINVALID, "flag provided but not defined: %s", name);
    else
        (void)ls_fail(err, LS_EINVALID, "%s %s: unknown command", program->name, name);
    const char *near = ls_nearest(name + strspn(name, "-"), names);
    if (near != NULL)
        return ls_hint(err, "did you mean: %s %s", program->name, near);
    return ls_hint(err, "list the commands with: %s help", program->name);
}

static bool is_help_flag(const char *arg) {
    return strcmp(arg, "-h") == 0 || strcmp(arg, "-help") == 0 || strcmp(arg, "--help") == 0 ||
           strcmp(arg, "--h") == 0;
}

static ls_code run_command(const ls_program *program, const ls_command *command, int argc,
                           char *const *argv, int *status, ls_err *err) {
    union {
        max_align_t align;
        char bytes[LS_ARGS_MAX];
    } args;
    ls_invocation in;
    bool help;
    ls_code rc = LS_OK;

    if (command->run == NULL) {
        if (argc == 0 || !is_help_flag(argv[0]))
            return ls_not_yet(err, command->name);
        ls_help_command(program, command, stdout);
        return LS_OK;
    }
    rc = ls_options_parse(program, command, argc, argv, &args, &in, &help, err);
    if (rc != LS_OK)
        return rc;
    in.status = status;
    if (!help)
        return command->run(&in, err);
    ls_help_command(program, command, stdout);
    return LS_OK;
}

static ls_code run_help(const ls_program *program, int argc, char *const *argv, ls_err *err) {
    if (argc == 0) {
        ls_help_program(program, stdout);
        return LS_OK;
    }
    const ls_command *command = ls_command_find(program, argv[0]);
    if (command == NULL)
        return unknown_command(program, argv[0], err);
    ls_help_command(program, command, stdout);
    return LS_OK;
}

static ls_code dispatch(const ls_program *program, int argc, char *const *argv, int *status,
                        ls_err *err) {
    if (strcmp(argv[1], "help") == 0)
        return run_help(program, argc - 2, argv + 2, err);
    if (is_help_flag(argv[1]))
        return run_help(program, 0, NULL, err);
    const ls_command *command = ls_command_find(program, argv[1]);
    if (command == NULL)
        return unknown_command(program, argv[1], err);
    return run_command(program, command, argc - 2, argv + 2, status, err);
}

/* Output that did not reach its file (full disk, closed pipe) must not look like success. */
static ls_code flush_stdout(ls_err *err) {
    bool failed = ferror(stdout) != 0;

    if (fflush(stdout) != 0)
        return ls_fail_errno(err, errno, "write standard output");
    return failed ? ls_fail(err, LS_EIO, "write standard output") : LS_OK;
}

/* A standard descriptor that whoever started this has closed would be given to the next file that
 * is opened, a database for one, and what is printed would be written into it. Read-only, so that
 * printing still fails. */
static void hold_descriptors(void) {
    int fd;

    do {
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    } while (fd >= 0 && fd <= 2);
    if (fd > 2)
        (void)close(fd);
}

int ls_program_main(const ls_program *program, int argc, char *const *argv) {
    ls_err err = LS_ERR_INIT;
    ls_err flush_err = LS_ERR_INIT;
    int status = 1;
    ls_code rc;

    hold_descriptors();
    if (argc < 2) {
        ls_help_program(program, stdout);
        return 1;
    }
    rc = dispatch(program, argc, argv, &status, &err);
    ls_code flushed = flush_stdout(&flush_err);
    if (rc != LS_OK && err.msg[0] != '\0')
        ls_report(&err, stderr);
    else if (rc == LS_OK && flushed != LS_OK)
        ls_report(&flush_err, stderr);
    if (rc != LS_OK)
        return status;
    return flushed == LS_OK ? 0 : 1;
}
