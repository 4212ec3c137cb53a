/* Shell completion from the tables: commands, then each command's options, then files. */
#include "cmd/mkdoc.h"

#include <string.h>

static bool shown(const ls_command *c) { return !c->hidden && c->run != NULL; }

static const ls_option *first_option(const ls_command *c) {
    static const ls_option none = {0};

    return c->options == NULL ? &none : c->options;
}

/* Text within single quotes of a shell; brackets and colons would mean something to zsh. */
static void put_quoted(const char *text, bool zsh) {
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (zsh && strchr("[]:", *text) != NULL)
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void put_commands(const ls_program *program) {
    for (const ls_command *const *c = program->commands; *c != NULL; c++) {
        if (shown(*c))
            printf("%s ", (*c)->name);
    }
    printf("help");
}

void ls_complete_bash(const ls_program *program) {
    const char *name = program->name;

    printf("# bash completion for %s\n_%s() {\n    local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
           "    if ((COMP_CWORD == 1)); then\n        words='",
           name, name);
    put_commands(program);
    printf("'\n    elif [[ $cur == -* ]]; then\n        case ${COMP_WORDS[1]} in\n");
    for (const ls_command *const *c = program->commands; *c != NULL; c++) {
        if (!shown(*c))
            continue;
        printf("        %s) words='", (*c)->name);
        for (const ls_option *o = first_option(*c); o->name != NULL; o++) {
            if (!o->later)
                printf("-%s ", o->name);
        }
        printf("-help' ;;\n");
    }
    printf("        esac\n    fi\n"
           "    if [[ -n $words ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
           "    else\n"
           "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
           "    fi\n}\n"
           "complete -o filenames -F _%s %s\n",
           name, name);
}

void ls_complete_zsh(const ls_program *program) {
    printf("#compdef %s\n\nlocal -a commands\ncommands=(\n", program->name);
    for (const ls_command *const *c = program->commands; *c != NULL; c++) {
        if (!shown(*c))
            continue;
        printf("  '%s:", (*c)->name);
        put_quoted((*c)->summary, true);
        printf("'\n");
    }
    printf(")\nif ((CURRENT == 2)); then\n  _describe command commands\n  return\nfi\n"
           "case $words[2] in\n");
    for (const ls_command *const *c = program->commands; *c != NULL; c++) {
        if (!shown(*c))
            continue;
        printf("%s)\n  _arguments \\\n", (*c)->name);
        for (const ls_option *o = first_option(*c); o->name != NULL; o++) {
            if (o->later)
                continue;
            printf("    '-%s[", o->name);
            put_quoted(o->help, true);
            printf("]%s%s%s' \\\n", o->arg == NULL ? "" : ":", o->arg == NULL ? "" : o->arg,
                   o->arg == NULL ? "" : ":_files");
        }
        printf("    '*:file:_files'\n  ;;\n");
    }
    printf("esac\n");
}

void ls_complete_fish(const ls_program *program) {
    const char *name = program->name;

    printf("# fish completion for %s\n", name);
    for (const ls_command *const *c = program->commands; *c != NULL; c++) {
        if (!shown(*c))
            continue;
        printf("complete -c %s -n __fish_use_subcommand -f -a %s -d '", name, (*c)->name);
        put_quoted((*c)->summary, false);
        printf("'\n");
        for (const ls_option *o = first_option(*c); o->name != NULL; o++) {
            if (o->later)
                continue;
            printf("complete -c %s -n '__fish_seen_subcommand_from %s' -o %s%s -d '", name,
                   (*c)->name, o->name, o->arg == NULL ? "" : " -r");
            put_quoted(o->help, false);
            printf("'\n");
        }
    }
}
