/*
 * Which stores there are. A store that was left out at configure time keeps its name here, so that
 * its URLs are told from mistyped ones.
 */
#include "backends/schemes.h"

#include "engine/base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *const ls_store_types[] = {"file", "s3",   "gs",     "abs",     "oss",
                                      "sftp", "nats", "webdav", "webdavs", NULL};

const ls_store_scheme *const ls_store_schemes[] = {
    &ls_file_scheme,
#ifdef HAVE_S3
    &ls_s3_scheme,
#endif
#ifdef HAVE_GS
    &ls_gs_scheme,
#endif
#ifdef HAVE_ABS
    &ls_abs_scheme,
#endif
#ifdef HAVE_OSS
    &ls_oss_scheme,
#endif
#ifdef HAVE_SFTP
    &ls_sftp_scheme,
#endif
#ifdef HAVE_NATS
    &ls_nats_scheme,
#endif
#ifdef HAVE_WEBDAV
    &ls_webdav_scheme,
#endif
    NULL,
};

/* Is word, of len bytes, one of the words of list, which are set apart by '|'? */
bool ls_word_in(const char *list, const char *word, size_t len) {
    while (list != NULL) {
        size_t n = strcspn(list, "|");
        if (n == len && strncasecmp(list, word, len) == 0) {
            return true;
        }
        list = list[n] == '|' ? list + n + 1 : NULL;
    }
    return false;
}

const ls_store_scheme *ls_store_scheme_of(const char *type) {
    for (size_t i = 0; ls_store_schemes[i] != NULL; i++) {
        if (strcmp(ls_store_schemes[i]->type, type) == 0) {
            return ls_store_schemes[i];
        }
    }
    return NULL;
}

const ls_store_scheme *ls_store_scheme_of_url(const char *url) {
    size_t len = strcspn(url, ":");
    for (size_t i = 0; url[len] == ':' && ls_store_schemes[i] != NULL; i++) {
        if (ls_word_in(ls_store_schemes[i]->schemes, url, len)) {
            return ls_store_schemes[i];
        }
    }
    return NULL;
}

static ls_code hint_built(ls_err *err) {
    char names[128] = "";
    size_t len = 0;
    for (size_t i = 1; ls_store_schemes[i] != NULL; i++) {
        int n = snprintf(names + len, sizeof names - len, " %s", ls_store_schemes[i]->type);
        len += n > 0 ? (size_t)n : 0;
    }
    return ls_hint(err, "this build stores replicas in folders (file:///path)%s%s",
                   len > 0 ? " and in" : "", names);
}

ls_code ls_store_missing(const char *type, ls_err *err) {
    for (size_t i = 0; ls_store_types[i] != NULL; i++) {
        if (strcmp(type, ls_store_types[i]) == 0) {
            (void)ls_fail(err, LS_EUNSUPPORTED, "%s replicas are not part of this build",
                          ls_has_prefix(type, "webdav") ? "webdav" : type);
            return hint_built(err);
        }
    }
    const char *near = ls_nearest(type, ls_store_types);
    (void)ls_fail(err, LS_EINVALID, "unknown replica type in config: \"%s\"", type);
    if (near != NULL) {
        return ls_hint(err, "did you mean \"%s\"?", near);
    }
    return ls_hint(err, "known are: file s3 gs abs oss sftp nats webdav webdavs");
}
