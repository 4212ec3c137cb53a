/* ltx: looks into LTX files, checks them, applies them. See ltx(1). */
#include "cmd/ltx.h"

#include <signal.h>

int main(int argc, char **argv) {
    /* Whoever started this may ignore SIGPIPE; `ltx dump big.ltx | head` is to end quietly all the
     * same, and not to read the rest of the file. */
    (void)signal(SIGPIPE, SIG_DFL);
    return ls_program_main(&ls_ltx_program, argc, argv);
}
