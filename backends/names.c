/* Names of objects; see names.h. */
#include "backends/names.h"

#include "engine/base/file.h"

#include <stdlib.h>
#include <string.h>

char *ls_name_root(const char *path) {
    char *clean = path[0] != '\0' ? ls_path_clean(path) : strdup(".");
    char *root = NULL;
    if (clean != NULL && strcmp(clean, ".") == 0) {
        root = strdup("");
    } else if (clean != NULL) {
        root = ls_asprintf("%s%s", clean, clean[strlen(clean) - 1] == '/' ? "" : "/");
    }
    free(clean);
    return root;
}
