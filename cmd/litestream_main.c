/* main of litestream. */
#include "cmd/litestream.h"

#include <signal.h>
#include <stdlib.h>

/* Credentials by the program's own names, for stores and children that know Amazon's. */
static void copy_credential(const char *from, const char *to) {
    const char *value = getenv(from);

    if (value != NULL && getenv(to) == NULL)
        (void)setenv(to, value, 0);
}

int main(int argc, char **argv) {
    /* `litestream ltx ... | head` is to end quietly, whatever whoever started this ignores. */
    (void)signal(SIGPIPE, SIG_DFL);
    copy_credential("LITESTREAM_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID");
    copy_credential("LITESTREAM_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY");
    return ls_program_main(&ls_litestream, argc, argv);
}
