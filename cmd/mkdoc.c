/* mkdoc man|bash|zsh|fish litestream|ltx, mkdoc man litestream-tui|litestream.yml: see mkdoc.h. */
#include "cmd/mkdoc.h"

#include "cmd/litestream.h"
#include "cmd/ltx.h"

#include <string.h>

static void shell_or_man(const char *form, const ls_program *program) {
    if (strcmp(form, "man") == 0)
        ls_man_program(program);
    else if (strcmp(form, "bash") == 0)
        ls_complete_bash(program);
    else if (strcmp(form, "zsh") == 0)
        ls_complete_zsh(program);
    else
        ls_complete_fish(program);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fputs("usage: mkdoc man|bash|zsh|fish litestream|ltx|litestream-tui|litestream.yml\n",
              stderr);
        return 1;
    }
    if (strcmp(argv[2], "litestream.yml") == 0)
        ls_man_config();
    else if (strcmp(argv[2], "litestream-tui") == 0)
        ls_man_tui();
    else
        shell_or_man(argv[1], strcmp(argv[2], "ltx") == 0 ? &ls_ltx_program : &ls_litestream);
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 1;
}
