/* Listings of S3: the files of a level, and objects of other formats. */
#include "backends/paged.h"
#include "backends/s3_store.h"
#include "backends/xml.h"
#include "engine/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ls_code parse_size(const char *text, uint64_t *size, ls_err *err) {
    char *end;
    if (text[0] < '0' || text[0] > '9') {
        return ls_fail(err, LS_EREMOTE, "the listing has a size that is no number");
    }
    *size = strtoull(text, &end, 10);
    return *end == '\0' ? LS_OK
                        : ls_fail(err, LS_EREMOTE, "the listing has a size that is no number");
}

/* What is behind the prefix; other keys should not be there. */
static ls_code take_object(ls_s3_listing *p, ls_err *err) {
    size_t len = strlen(p->prefix);
    if (strncmp(p->key, p->prefix, len) != 0 || p->key[len] == '\0') {
        return LS_OK;
    }
    return p->fn(p->arg, p->key + len, p->size, p->modified_ms, err);
}

static ls_code take_element(void *arg, const char *path, const char *text, ls_err *err) {
    ls_s3_listing *p = arg;
    if (strcmp(path, "ListBucketResult/Contents/Key") == 0) {
        (void)snprintf(p->key, sizeof p->key, "%s", strlen(text) <= LS_S3_KEY_MAX ? text : "");
    } else if (strcmp(path, "ListBucketResult/Contents/Size") == 0) {
        return parse_size(text, &p->size, err);
    } else if (strcmp(path, "ListBucketResult/Contents/LastModified") == 0) {
        return ls_time_parse(text, &p->modified_ms, err);
    } else if (strcmp(path, "ListBucketResult/Contents") == 0) {
        return take_object(p, err);
    } else if (strcmp(path, "ListBucketResult") == 0) {
        p->any = true;
    } else if (strcmp(path, "ListBucketResult/IsTruncated") == 0) {
        p->truncated = strcmp(text, "true") == 0;
    } else if (strcmp(path, "ListBucketResult/NextContinuationToken") == 0 &&
               snprintf(p->token, sizeof p->token, "%s", text) >= (int)sizeof p->token) {
        return ls_fail(err, LS_EREMOTE, "the listing goes on with a token of more than %d bytes",
                       LS_S3_TOKEN_MAX);
    }
    return LS_OK;
}

ls_code ls_s3_read_listing(const char *data, size_t len, ls_s3_listing *p, ls_err *err) {
    ls_code code = ls_xml_read(data, len, take_element, p, err);
    if (code == LS_OK && !p->any) {
        (void)ls_fail(err, LS_EREMOTE, "the answer is no listing of a bucket");
        code = ls_hint(err, "check the endpoint");
    }
    if (code == LS_OK && p->truncated && p->token[0] == '\0') {
        code = ls_fail(err, LS_EREMOTE, "the listing is cut and does not say how to go on");
    }
    if (!p->truncated) {
        p->token[0] = '\0';
    }
    return code;
}

/* token "": the first page, from after (NULL: the start) on. */
static ls_code page_query(const char *prefix, const char *after, const char *token, char **query,
                          ls_err *err) {
    char *p = ls_http_encode(prefix, false);
    char *t = ls_http_encode(token[0] != '\0' ? token : after != NULL ? after : "", false);
    const char *how = token[0] != '\0' ? "&continuation-token="
                      : after != NULL  ? "&start-after="
                                       : "";
    *query = p != NULL && t != NULL ? ls_asprintf("list-type=2&prefix=%s%s%s", p, how, t) : NULL;
    free(t);
    free(p);
    return *query != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory to list");
}

static ls_code fetch_page(ls_s3 *s, ls_s3_listing *p, const char *after, const char *token,
                          ls_err *err) {
    ls_s3_call call;
    ls_http_answer a;
    char *query;
    ls_code code = page_query(p->prefix, after, token, &query, err);
    if (code != LS_OK) {
        return code;
    }
    code = ls_s3_call_init(&call, s, "GET", NULL, query, err);
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        code = ls_s3_read_listing(a.body, a.body_len, p, err);
        ls_http_answer_done(&a);
    }
    ls_s3_call_done(&call);
    free(query);
    if (code == LS_ENOTFOUND) { /* there is no such bucket, or no S3 */
        err->code = code = LS_EREMOTE;
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "s3: list objects page");
}

/* ---- a level ---- */

static ls_code add_file(void *arg, const char *name, uint64_t size, int64_t modified_ms,
                        ls_err *err) {
    return ls_page_add(arg, name, size, modified_ms, err);
}

static ls_code fetch_level(ls_page *to, const char *token, ls_err *err) {
    ls_s3 *s = (ls_s3 *)ls_page_storage(to);
    ls_s3_listing *p = calloc(1, sizeof *p);
    char *prefix = ls_s3_level_prefix(s, ls_page_level(to));
    char *after = prefix != NULL && ls_page_seek(to) > 0
                      ? ls_asprintf("%s%016" PRIx64, prefix, ls_page_seek(to))
                      : NULL;
    ls_code code = LS_OK;
    if (p == NULL || prefix == NULL || (ls_page_seek(to) > 0 && after == NULL)) {
        code = ls_fail(err, LS_ENOMEM, "no memory to list level %d", ls_page_level(to));
    }
    if (code == LS_OK) {
        p->prefix = prefix;
        p->fn = add_file;
        p->arg = to;
        code = fetch_page(s, p, after, token, err);
    }
    if (code == LS_OK && p->token[0] != '\0') {
        code = ls_page_more(to, p->token, err);
    }
    free(after);
    free(prefix);
    free(p);
    return code;
}

ls_code ls_s3_list(ls_storage *st, int level, ls_txid seek, ls_storage_iter **it, ls_err *err) {
    const ls_page_source source = {.s = st, .fetch = fetch_level};
    return ls_paged_list(&source, level, seek, it, err);
}

/* ---- objects of other formats ---- */

typedef struct objects {
    const char *folder;
    ls_object_fn fn;
    void *arg;
} objects;

static ls_code give_object(void *arg, const char *name, uint64_t size, int64_t modified_ms,
                           ls_err *err) {
    const objects *o = arg;
    char key[LS_OBJECT_KEY_MAX + 1];
    int n = snprintf(key, sizeof key, "%s/%s", o->folder, name);
    if (n >= (int)sizeof key || !ls_object_key_valid(key)) {
        return LS_OK;
    }
    const ls_object object = {.key = key, .size = size, .modified_ms = modified_ms};
    return o->fn(o->arg, &object, err);
}

static ls_code each_page(ls_s3 *s, ls_s3_listing *p, ls_err *err) {
    char token[LS_S3_TOKEN_MAX] = "";
    do {
        p->truncated = false;
        p->token[0] = '\0';
        ls_code code = fetch_page(s, p, NULL, token, err);
        if (code != LS_OK) {
            return code;
        }
        if (p->token[0] != '\0' && strcmp(p->token, token) == 0) {
            return ls_fail(err, LS_EREMOTE, "the listing gives the same page again");
        }
        (void)snprintf(token, sizeof token, "%s", p->token);
    } while (token[0] != '\0');
    return LS_OK;
}

ls_code ls_s3_each_object(ls_storage *st, const char *folder, ls_object_fn fn, void *arg,
                          ls_err *err) {
    ls_s3 *s = (ls_s3 *)st;
    objects o = {folder, fn, arg};
    ls_s3_listing *p = calloc(1, sizeof *p);
    char *root = ls_s3_object_key(s, folder);
    char *prefix = root != NULL ? ls_asprintf("%s/", root) : NULL;
    ls_code code = LS_OK;
    if (p == NULL || prefix == NULL) {
        code = ls_fail(err, LS_ENOMEM, "no memory to list %s", folder);
    } else {
        p->prefix = prefix;
        p->fn = give_object;
        p->arg = &o;
        code = each_page(s, p, err);
    }
    free(prefix);
    free(root);
    free(p);
    return code;
}
