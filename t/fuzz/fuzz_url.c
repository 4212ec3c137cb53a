/*
 * Fuzz target: a text as a replica URL: its parts, the path of a file: URL, the settings that it
 * gives, the store that they open, and what is shown of it. No part escapes its place, and no
 * password is shown.
 */
#include "t/fuzz/fuzz.h"

#include "backends/settings.h"
#include "backends/url.h"

/* No "..", nothing empty between slashes. */
static void check_clean(const char *path) {
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        EXPECT(len > 0 && !(len == 2 && memcmp(path, "..", 2) == 0));
        path += len;
        EXPECT(path[0] == '\0' || path[1] != '\0');
        path += *path == '/';
    }
}

/* Long enough, not what is shown in its place, and nowhere else in the text: it cannot be there by
 * chance. */
static bool is_telling(const char *secret, const char *text) {
    if (secret == NULL || strlen(secret) < 4 || strstr("xxxxx", secret) != NULL)
        return false;
    const char *at = strstr(text, secret);
    return at == NULL || strstr(at + 1, secret) == NULL;
}

static void check_parts(const ls_url *u) {
    EXPECT(u->scheme != NULL && u->scheme[0] != '\0');
    EXPECT(u->scheme[strspn(u->scheme, "abcdefghijklmnopqrstuvwxyz0123456789+.-")] == '\0');
    EXPECT(u->host != NULL && u->path != NULL && u->path_raw != NULL);
    EXPECT(u->port >= 0 && u->port <= 65535);
    EXPECT(u->password == NULL || u->user != NULL);
    EXPECT(u->query == NULL || strchr(u->query, '#') == NULL);
    if (strcmp(u->scheme, "file") != 0 && strcmp(u->path, ".") != 0)
        check_clean(u->path);
}

static void check_shown(const char *text, const ls_url *u) {
    char *shown = ls_url_shown(text);
    ls_url again;
    ls_err err = LS_ERR_INIT;

    EXPECT(shown != NULL);
    EXPECT(!is_telling(u->password, text) || strstr(shown, u->password) == NULL);
    if (ls_url_parse(shown, &again, &err) == LS_OK)
        EXPECT((again.password == NULL || strcmp(again.password, "xxxxx") == 0) &&
               again.query == NULL);
    ls_url_done(&again);
    free(shown);
}

static void check_settings(const char *text, const ls_url *u) {
    ls_settings *settings = NULL;
    ls_storage *s = NULL;
    ls_err err = LS_ERR_INIT;

    ls_code rc = ls_settings_of_url(text, &settings, &err);
    EXPECT((rc == LS_OK) == (err.msg[0] == '\0'));
    EXPECT(rc != LS_OK || ls_settings_type(settings) != NULL);
    if (rc == LS_OK)
        rc = ls_storage_open(settings, NULL, &s, &err);
    EXPECT((rc == LS_OK) == (s != NULL));
    EXPECT(s == NULL || ls_is_url(ls_storage_url(s)));
    EXPECT(!is_telling(u->password, text) || strstr(err.msg, u->password) == NULL);
    ls_storage_free(s);
    ls_settings_free(settings);
}

static void check_file(const char *text) {
    char *path = NULL;
    ls_err err = LS_ERR_INIT;

    ls_code rc = ls_url_file_path(text, &path, &err);
    EXPECT((rc == LS_OK) == (path != NULL) && (rc == LS_OK) == (err.msg[0] == '\0'));
    if (path != NULL && path[0] == '/')
        check_clean(path + 1);
    free(path);
}

static int digit(char c) {
    const char *digits = "0123456789abcdefABCDEF", *at = c == '\0' ? NULL : strchr(digits, c);

    if (at == NULL)
        return -1;
    return (int)(at - digits) - (at - digits > 15 ? 6 : 0);
}

/* Decoding gives one byte for each escape, and refuses what is none. */
static void check_decode(const char *text, bool plus) {
    size_t escapes = 0, len = strlen(text);
    bool good = true;
    char *out = NULL;
    ls_err err = LS_ERR_INIT;

    for (const char *p = strchr(text, '%'); p != NULL; p = strchr(p + 1, '%')) {
        bool escape = digit(p[1]) >= 0 && digit(p[2]) >= 0;
        good = good && escape && !(p[1] == '0' && p[2] == '0');
        escapes++;
    }
    ls_code rc = ls_url_decode(text, len, plus, &out, &err);
    EXPECT(rc == LS_OK || err.msg[0] != '\0');
    if (good)
        EXPECT(rc == LS_OK && strlen(out) == len - 2 * escapes);
    if (rc == LS_OK && escapes == 0 && !plus)
        EXPECT(strcmp(out, text) == 0);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    ls_url url;
    ls_err err = LS_ERR_INIT;

    EXPECT(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    ls_code rc = ls_url_parse(text, &url, &err);
    EXPECT((rc == LS_OK) == (err.msg[0] == '\0'));
    if (rc == LS_OK) {
        check_parts(&url);
        check_shown(text, &url);
        check_settings(text, &url);
    }
    ls_url_done(&url);
    check_file(text);
    check_decode(text, false);
    check_decode(text, true);
    free(text);
    return 0;
}
