/*
 * Runs a fuzz target over files: replay FILE|FOLDER... (options of libFuzzer are passed over).
 * Folders are read with all below them. Says how many inputs there were.
 */
#include "t/fuzz/fuzz.h"

#include "engine/base/file.h"

#include <ftw.h>

#define MAX_INPUT (1024 * 1024)

static size_t inputs;
static size_t failed;

static void replay_file(const char *path) {
    ls_err err = LS_ERR_INIT;
    char *data = NULL;
    size_t len = 0;
    if (ls_read_file(path, MAX_INPUT, &data, &len, &err) != LS_OK) {
        fprintf(stderr, "%s\n", err.msg);
        failed++;
        return;
    }
    uint8_t *exact = malloc(len); /* without the NUL behind: a sanitizer sees a read past the end */
    if (exact != NULL || len == 0) {
        if (len > 0)
            memcpy(exact, data, len);
        LLVMFuzzerTestOneInput(exact, len);
        inputs++;
    }
    free(exact);
    free(data);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)ftw;
    if (type == FTW_F)
        replay_file(path);
    return type == FTW_F || type == FTW_D ? 0 : -1;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        if (nftw(argv[i], visit, 16, FTW_PHYS) != 0) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            failed++;
        }
    }
    printf("%zu inputs\n", inputs);
    return failed == 0 && inputs > 0 ? 0 : 1;
}
