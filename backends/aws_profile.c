/*
 * The files that AWS's programs share: ~/.aws/credentials with sections [NAME], ~/.aws/config with
 * [profile NAME] and [default]. They are kept as text and looked through for each value.
 */
#include "backends/aws_sources.h"
#include "engine/base/text.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20)

static ls_code file_path(const char *variable, const char *name, char **path, ls_err *err) {
    const char *env = ls_aws_env(variable);
    const char *home = ls_aws_env("HOME");
    *path = env != NULL    ? strdup(env)
            : home != NULL ? ls_asprintf("%s/.aws/%s", home, name)
                           : strdup("");
    return *path != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for credentials");
}

/* A file that is not there has no profiles. */
static ls_code read_file(const char *variable, const char *name, char **text, ls_err *err) {
    char *path;
    size_t len;
    *text = NULL;
    ls_code code = file_path(variable, name, &path, err);
    if (code == LS_OK && path[0] != '\0') {
        code = ls_read_file(path, FILE_MAX, text, &len, err);
        if (code == LS_ENOTFOUND) {
            ls_err_clear(err);
            code = LS_OK;
        }
    }
    free(path);
    return code;
}

ls_code ls_aws_files_read(ls_aws_files *files, ls_err *err) {
    *files = (ls_aws_files){0};
    ls_code code =
        read_file("AWS_SHARED_CREDENTIALS_FILE", "credentials", &files->credentials, err);
    return code == LS_OK ? read_file("AWS_CONFIG_FILE", "config", &files->config, err) : code;
}

void ls_aws_files_done(ls_aws_files *files) {
    if (files->credentials != NULL) {
        explicit_bzero(files->credentials, strlen(files->credentials));
    }
    if (files->config != NULL) {
        explicit_bzero(files->config, strlen(files->config));
    }
    free(files->credentials);
    free(files->config);
    *files = (ls_aws_files){0};
}

static size_t blanks(const char *text) { return strspn(text, " \t"); }

/* The length of what is at text, without blanks at its end. */
static size_t trimmed(const char *text, size_t len) {
    while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL) {
        len--;
    }
    return len;
}

/* Is this line the head of that section? */
static bool is_section(const char *line, const char *prefix, const char *name) {
    const char *p = line + 1 + blanks(line + 1);
    size_t n = strlen(prefix);
    if (n > 0) {
        if (strncmp(p, prefix, n) != 0 || blanks(p + n) == 0) {
            return false;
        }
        p += n + blanks(p + n);
    }
    n = strlen(name);
    return strncmp(p, name, n) == 0 && p[n + blanks(p + n)] == ']';
}

/* The text behind the line that begins the section; NULL if there is none. */
static const char *find_section(const char *text, const char *prefix, const char *name) {
    while (text != NULL && *text != '\0') {
        const char *line = text;
        size_t len = strcspn(text, "\n");
        text += len + (text[len] == '\n');
        if (line[0] == '[' && is_section(line, prefix, name)) {
            return text;
        }
    }
    return NULL;
}

static const char *in_config(const ls_aws_files *files, const char *profile) {
    const char *at = find_section(files->config, "profile", profile);
    return at == NULL && strcmp(profile, "default") == 0 ? find_section(files->config, "", profile)
                                                         : at;
}

/* The value of key between here and the next section. Lines that begin with a blank belong to the
 * key before. */
static const char *find_value(const char *text, const char *key, size_t *len) {
    size_t n = strlen(key);
    while (text != NULL && *text != '\0' && *text != '[') {
        size_t line = strcspn(text, "\n");
        size_t at = n + (strncmp(text, key, n) == 0 ? blanks(text + n) : 0);
        if (strncmp(text, key, n) == 0 && text[at] == '=') {
            at += 1 + blanks(text + at + 1);
            *len = at < line ? trimmed(text + at, line - at) : 0;
            return text + at;
        }
        text += line + (text[line] == '\n');
    }
    return NULL;
}

bool ls_aws_profile_exists(const ls_aws_files *files, const char *profile) {
    return find_section(files->credentials, "", profile) != NULL ||
           in_config(files, profile) != NULL;
}

ls_code ls_aws_profile_get(const ls_aws_files *files, const char *profile, const char *key,
                           char **value, ls_err *err) {
    size_t len = 0;
    const char *found = find_value(find_section(files->credentials, "", profile), key, &len);
    if (found == NULL || len == 0) {
        found = find_value(in_config(files, profile), key, &len);
    }
    *value = strndup(found != NULL ? found : "", found != NULL ? len : 0);
    return *value != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for credentials");
}
