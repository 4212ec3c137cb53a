/* litestream version: the release, and the SQLite that is linked. */
#include "cmd/litestream.h"

#include <curl/curlver.h>
#include <jansson.h>
#include <lz4.h>
#include <microhttpd.h>
#include <stddef.h>
#include <uv.h>
#include <yaml.h>

typedef struct version_args {
    bool verbose;
} version_args;

static const char *compiler(void) {
#ifdef __clang__
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

static void print_verbose(void) {
    printf("compiler %s\n", compiler());
    printf("libuv %s\n", uv_version_string());
    printf("lz4 %s\n", LZ4_versionString());
    printf("libyaml %s\n", yaml_get_version_string());
    printf("libmicrohttpd %s\n", MHD_get_version());
    printf("libcurl %s\n", LIBCURL_VERSION);
    printf("jansson %s\n", JANSSON_VERSION);
    printf("stores:");
    for (size_t i = 0; ls_store_schemes[i] != NULL; i++)
        printf(" %s", ls_store_schemes[i]->type);
    printf("\n");
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    const version_args *args = in->args;

    (void)err;
    /* The first line is the version alone: scripts read it. */
    printf("%s\n", ls_version());
    printf(
        "sqlite %s%s\n", ls_sqlite_version(),
        ls_sqlite_has_wal_reset_bug()
            ? " (older than 3.51.3: two connections that write and checkpoint at once can damage "
              "a database)"
            : "");
    if (args->verbose)
        print_verbose();
    return LS_OK;
}

static const ls_option options[] = {
    {.name = "verbose",
     .type = LS_OPT_BOOL,
     .field = offsetof(version_args, verbose),
     .help = "Also prints compiler, libraries and stores."},
    {0},
};

const ls_command ls_cmd_version = {
    .name = "version",
    .summary = "prints the binary version",
    .usage = (const char *const[]){"[options]", NULL},
    .about = "The version command prints the version in its first line and the SQLite that is "
             "linked in the second.",
    .options = options,
    .args_size = sizeof(version_args),
    .run = run,
};
