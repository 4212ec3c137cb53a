/*
 * The settings of an S3 store understood; see s3_config.h. The tables of hosts and providers are
 * the reference's, since they decide where data lies.
 */
#include "backends/s3_config.h"

#include "backends/digest.h"
#include "backends/http.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PART_SIZE (5 << 20)
#define CONCURRENCY 5
#define CONCURRENCY_MAX 64
#define KEY_FILE_MAX 4096
#define SSE_KEY_SIZE 32

const ls_setting_key ls_s3_keys[] = {
    {.name = "path"},
    {.name = "bucket"},
    {.name = "region", .query = "region"},
    {.name = "endpoint", .query = "endpoint"},
    {.name = "access-key-id", .secret = true},
    {.name = "secret-access-key", .secret = true},
    {.name = "force-path-style",
     .query = "force-path-style|forcePathStyle",
     .type = LS_SETTING_BOOL},
    {.name = "sign-payload", .query = "sign-payload|signPayload", .type = LS_SETTING_BOOL},
    {.name = "require-content-md5",
     .query = "require-content-md5|requireContentMD5",
     .type = LS_SETTING_BOOL},
    {.name = "skip-verify", .query = "skip-verify|skipVerify", .type = LS_SETTING_BOOL},
    {.name = "storage-class", .query = "storage-class|storageClass"},
    {.name = "part-size", .query = "part-size|partSize", .type = LS_SETTING_SIZE},
    {.name = "concurrency", .query = "concurrency", .type = LS_SETTING_INT},
    {.name = "sse-customer-algorithm", .query = "sse-customer-algorithm|sseCustomerAlgorithm"},
    {.name = "sse-customer-key", .query = "sse-customer-key|sseCustomerKey", .secret = true},
    {.name = "sse-customer-key-md5", .query = "sse-customer-key-md5|sseCustomerKeyMD5"},
    {.name = "sse-customer-key-path"},
    {.name = "sse-kms-key-id", .query = "sse-kms-key-id|sseKmsKeyId"},
    {0},
};

static ls_code no_memory(ls_err *err) { return ls_fail(err, LS_ENOMEM, "no memory for settings"); }

static bool has_suffix(const char *text, const char *suffix) {
    size_t n = strlen(text);
    size_t m = strlen(suffix);
    return n >= m && strcasecmp(text + n - m, suffix) == 0;
}

/* ---- hosts of URLs ---- */

/* What a host tells; parts of it, or static. */
typedef struct place {
    char bucket[256], region[64], endpoint[320];
    const char *path_style; /* "true", "false"; NULL: says nothing */
} place;

/* [BUCKET.]PREFIX[REGION.]SUFFIX: the endpoint is the host without the bucket. */
static const struct {
    const char *prefix; /* in front of the region */
    const char *suffix;
    bool region;        /* there is one */
    const char *scheme; /* of the endpoint */
    const char *path_style;
} host_forms[] = {
    {"", ".digitaloceanspaces.com", true, "https://", "false"},
    {"s3.", ".backblazeb2.com", true, "https://", "true"},
    {"s3.", "filebase.com", false, "", NULL},
    {"s3.", ".scw.cloud", true, "", "false"},
};

/* BUCKET.s3.amazonaws.com and BUCKET.s3.REGION.amazonaws.com; the bucket may hold dots. */
static bool place_aws(const char *host, place *p) {
    static const char suffix[] = ".amazonaws.com";
    if (!has_suffix(host, suffix)) {
        return false;
    }
    size_t len = strlen(host) - strlen(suffix);
    const char *last = memrchr(host, '.', len);
    size_t tail = last != NULL ? len - (size_t)(last + 1 - host) : len;
    const char *region = "";
    size_t region_len = 0;
    if (last != NULL && !(tail == 2 && strncasecmp(last + 1, "s3", 2) == 0)) {
        region = last + 1;
        region_len = tail;
        len = (size_t)(last - host);
        last = memrchr(host, '.', len);
    }
    if (last == NULL || last == host || len - (size_t)(last + 1 - host) != 2 ||
        strncasecmp(last + 1, "s3", 2) != 0) {
        return false;
    }
    (void)snprintf(p->bucket, sizeof p->bucket, "%.*s", (int)(last - host), host);
    (void)snprintf(p->region, sizeof p->region, "%.*s", (int)region_len, region);
    return true;
}

/* Host before the suffix is [BUCKET.]PREFIXREGION. */
static bool place_form(const char *host, size_t i, place *p) {
    if (!has_suffix(host, host_forms[i].suffix)) {
        return false;
    }
    size_t len = strlen(host) - strlen(host_forms[i].suffix);
    const char *rest = host; /* where the endpoint begins */
    const char *region = "";
    size_t region_len = 0;
    if (host_forms[i].region) {
        const char *dot = memrchr(host, '.', len);
        region = dot != NULL ? dot + 1 : host;
        region_len = len - (size_t)(region - host);
        rest = region;
    } else {
        rest = host + len;
    }
    size_t prefix = strlen(host_forms[i].prefix);
    if ((size_t)(rest - host) < prefix || (host_forms[i].region && region_len == 0) ||
        strncasecmp(rest - prefix, host_forms[i].prefix, prefix) != 0) {
        return false;
    }
    rest -= prefix;
    if (rest > host && rest[-1] != '.') {
        return false;
    }
    (void)snprintf(p->bucket, sizeof p->bucket, "%.*s", rest > host ? (int)(rest - host - 1) : 0,
                   host);
    (void)snprintf(p->region, sizeof p->region, "%.*s", (int)region_len, region);
    (void)snprintf(p->endpoint, sizeof p->endpoint, "%s%s", host_forms[i].scheme, rest);
    p->path_style = host_forms[i].path_style;
    return true;
}

/* BUCKET.HOST:PORT of a server of one's own. */
static bool place_server(const char *host, int port, place *p) {
    if (port == 0 || strcasestr(host, ".com") != NULL) {
        return false;
    }
    size_t bucket = strcspn(host, ".");
    bool named = host[bucket] == '.';
    (void)snprintf(p->bucket, sizeof p->bucket, "%.*s", named ? (int)bucket : 0, host);
    (void)snprintf(p->endpoint, sizeof p->endpoint, "http://%s:%d",
                   named ? host + bucket + 1 : host, port);
    (void)snprintf(p->region, sizeof p->region, "%s", named ? "us-east-1" : "");
    p->path_style = "true";
    return true;
}

/* The fourth field of an ARN. */
static void region_of_arn(const char *arn, char *out, size_t size) {
    for (int i = 0; i < 3 && arn != NULL; i++) {
        arn = strchr(arn, ':');
        arn = arn != NULL ? arn + 1 : NULL;
    }
    (void)snprintf(out, size, "%.*s", arn != NULL ? (int)strcspn(arn, ":") : 0,
                   arn != NULL ? arn : "");
}

static bool is_arn(const char *bucket) { return strncasecmp(bucket, "arn:", 4) == 0; }

static void place_of(const ls_url *url, place *p) {
    *p = (place){0};
    if (is_arn(url->host)) {
        (void)snprintf(p->bucket, sizeof p->bucket, "%s", url->host);
        region_of_arn(url->host, p->region, sizeof p->region);
        return;
    }
    if (place_server(url->host, url->port, p)) {
        return;
    }
    if (url->port == 0 && place_aws(url->host, p)) {
        return;
    }
    for (size_t i = 0; url->port == 0 && i < sizeof host_forms / sizeof host_forms[0]; i++) {
        if (place_form(url->host, i, p)) {
            return;
        }
    }
    (void)snprintf(p->bucket, sizeof p->bucket, url->port != 0 ? "%s:%d" : "%s", url->host,
                   url->port);
}

/* ---- endpoints ---- */

/* The host of an endpoint with its port, in lower case, without scheme and prefix. */
static void endpoint_host(const char *endpoint, char *out, size_t size) {
    const char *host = strstr(endpoint, "://");
    host = host != NULL ? host + 3 : endpoint;
    size_t len = strcspn(host, "/?#");
    size_t n = 0;
    for (; n < len && n < size - 1; n++) {
        out[n] = (char)(host[n] >= 'A' && host[n] <= 'Z' ? host[n] + 32 : host[n]);
    }
    out[n] = '\0';
}

/* Where an endpoint in a URL's query is plain HTTP unless it says otherwise. */
static bool is_local(const char *endpoint) {
    static const char *const prefixes[] = {"192.168.", "10.",   "172.16.", "172.17.", "172.18.",
                                           "172.19.",  "172.2", "172.30.", "172.31."};
    char host[256];
    endpoint_host(endpoint, host, sizeof host);
    host[strcspn(host, ":")] = '\0';
    if (strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
        has_suffix(host, ".local") || has_suffix(host, ".localhost")) {
        return true;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (ls_has_prefix(host, prefixes[i])) {
            return true;
        }
    }
    return false;
}

/* An endpoint of the query goes before that of the host, and has a scheme of its own rule. */
static ls_code take_endpoint(const char *queried, const place *p, ls_settings *settings,
                             ls_err *err) {
    if (queried == NULL || queried[0] == '\0') {
        return ls_settings_default(settings, "endpoint", p->endpoint, err);
    }
    const char *scheme = ls_is_url(queried) ? "" : is_local(queried) ? "http://" : "https://";
    char *full = ls_asprintf("%s%s", scheme, queried);
    ls_code code =
        full != NULL ? ls_settings_default(settings, "endpoint", full, err) : no_memory(err);
    free(full);
    return code;
}

ls_code ls_s3_from_url(const ls_url *url, ls_settings *settings, ls_err *err) {
    place p;
    char *queried = NULL;
    bool own = ls_settings_has(settings, "endpoint");
    place_of(url, &p);
    ls_code code = ls_url_query_get(url, "endpoint", &queried, err);
    if (code == LS_OK && !own && p.path_style != NULL && (queried == NULL || queried[0] == '\0')) {
        code = ls_settings_default(
            settings, "force-path-style",
            ls_url_query_has(url, "force-path-style|forcePathStyle") ? NULL : p.path_style, err);
    }
    if (code == LS_OK) {
        code = take_endpoint(queried, &p, settings, err);
    }
    if (code == LS_OK && !ls_url_query_has(url, "region")) {
        code = ls_settings_default(settings, "region", p.region, err);
    }
    if (code == LS_OK) {
        code = ls_settings_default(settings, "bucket", p.bucket, err);
    }
    free(queried);
    return code == LS_OK ? ls_settings_default(settings, "path", url->path, err) : code;
}

/* ---- providers ---- */

enum { PATH_STYLE = 1, TIGRIS = 2, FEW_PARTS = 4, EXACT = 8 };

static const struct {
    const char *host; /* the end of it, or all with EXACT */
    int rules;
} providers[] = {
    {"fly.storage.tigris.dev", TIGRIS | EXACT}, {"t3.storage.dev", TIGRIS | EXACT},
    {"s3.filebase.com", PATH_STYLE | EXACT},    {".r2.cloudflarestorage.com", FEW_PARTS},
    {".backblazeb2.com", PATH_STYLE},           {".supabase.co", PATH_STYLE},
};

static int rules_of(const char *endpoint) {
    static const char *const known[] = {
        ".amazonaws.com", ".digitaloceanspaces.com",   ".backblazeb2.com", ".filebase.com",
        ".scw.cloud",     ".r2.cloudflarestorage.com", "tigris.dev",       "t3.storage.dev",
        ".supabase.co"};
    char host[256];
    endpoint_host(endpoint, host, sizeof host);
    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++) {
        if ((providers[i].rules & EXACT) != 0 ? strcmp(host, providers[i].host) == 0
                                              : has_suffix(host, providers[i].host)) {
            return providers[i].rules;
        }
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strstr(host, known[i]) != NULL) {
            return 0;
        }
    }
    return strchr(host, ':') != NULL ? PATH_STYLE : 0;
}

/* ---- reading ---- */

static ls_code copy(const char *text, char **to, ls_err *err) {
    *to = text != NULL && text[0] != '\0' ? strdup(text) : NULL;
    return text == NULL || text[0] == '\0' || *to != NULL ? LS_OK : no_memory(err);
}

static ls_code check_endpoint(const char *endpoint, ls_err *err) {
    ls_url url;
    ls_code code = ls_url_parse(endpoint, &url, err);
    bool http =
        code == LS_OK && (strcmp(url.scheme, "http") == 0 || strcmp(url.scheme, "https") == 0);
    if (code == LS_EINVALID || (code == LS_OK && (!http || url.host[0] == '\0' ||
                                                  url.user != NULL || url.query != NULL))) {
        code = ls_fail(err, LS_ECONFIG, "s3 endpoint must be like https://host:port");
    }
    ls_url_done(&url);
    return code;
}

/* With a scheme and without slashes at its end. */
static ls_code read_endpoint(const ls_settings *s, ls_s3_config *c, ls_err *err) {
    const char *text = ls_settings_text(s, "endpoint", NULL);
    const char *const env[] = {"LITESTREAM_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"};
    for (size_t i = 0; text == NULL && i < sizeof env / sizeof env[0]; i++) {
        text = getenv(env[i]);
        text = text != NULL && text[0] != '\0' ? text : NULL;
        c->path_style = text != NULL && i == 0;
    }
    if (text == NULL) {
        return LS_OK;
    }
    c->endpoint = ls_is_url(text) ? strdup(text) : ls_asprintf("https://%s", text);
    if (c->endpoint == NULL) {
        return no_memory(err);
    }
    size_t len = strlen(c->endpoint);
    while (len > 0 && c->endpoint[len - 1] == '/') {
        c->endpoint[--len] = '\0';
    }
    return check_endpoint(c->endpoint, err);
}

static ls_code read_region(const ls_settings *s, ls_s3_config *c, ls_err *err) {
    char arn[64] = "";
    const char *region = ls_settings_text(s, "region", NULL);
    if (is_arn(c->bucket)) {
        region_of_arn(c->bucket, arn, sizeof arn);
        region = arn[0] != '\0' ? arn : region;
    }
    if (region == NULL && c->endpoint != NULL) {
        region = "us-east-1";
    }
    return copy(region, &c->region, err);
}

static ls_code read_numbers(const ls_settings *s, int rules, ls_s3_config *c, ls_err *err) {
    int64_t threads =
        ls_settings_number(s, "concurrency", (rules & FEW_PARTS) != 0 ? 2 : CONCURRENCY);
    c->part_size = ls_settings_number(s, "part-size", PART_SIZE);
    c->part_size = c->part_size == 0 ? PART_SIZE : c->part_size;
    c->concurrency = (int)(threads <= 0                ? CONCURRENCY
                           : threads > CONCURRENCY_MAX ? CONCURRENCY_MAX
                                                       : threads);
    if (c->part_size < LS_S3_PART_MIN || (uint64_t)c->part_size > LS_S3_PART_MAX) {
        return ls_fail(err, LS_ECONFIG, "s3: part size must be at least %u bytes and at most 5 GiB",
                       LS_S3_PART_MIN);
    }
    return LS_OK;
}

/* ---- encryption ---- */

static bool is_private_ip(const char *host) {
    unsigned a, b, rest, more;
    char end;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0) {
        return true;
    }
    return sscanf(host, "%3u.%3u.%3u.%3u%c", &a, &b, &rest, &more, &end) == 4 &&
           (a == 127 || a == 10 || (a == 172 && b >= 16 && b <= 31) || (a == 192 && b == 168));
}

/* The key goes with each request. */
static ls_code check_way(const ls_s3_config *c, ls_err *err) {
    if (c->endpoint == NULL || !ls_has_prefix(c->endpoint, "http://")) {
        return LS_OK;
    }
    ls_url url;
    ls_code code = ls_url_parse(c->endpoint, &url, err);
    if (code == LS_OK && !is_private_ip(url.host)) {
        code = ls_fail(err, LS_ECONFIG,
                       "s3: sse-customer-key requires HTTPS endpoint (HTTP only "
                       "allowed for localhost/private networks)");
    }
    ls_url_done(&url);
    return code;
}

/* A file goes before a key. */
static ls_code read_key(const ls_settings *s, ls_s3_config *c, ls_err *err) {
    const char *path = ls_settings_text(s, "sse-customer-key-path", NULL);
    size_t len;
    if (path == NULL || path[0] == '\0') {
        return copy(ls_settings_text(s, "sse-customer-key", NULL), &c->sse_key, err);
    }
    const char *home = getenv("HOME");
    char *full = ls_has_prefix(path, "~/") && home != NULL ? ls_asprintf("%s%s", home, path + 1)
                                                           : strdup(path);
    if (full == NULL) {
        return no_memory(err);
    }
    char *text = NULL;
    ls_code code = ls_read_file(full, KEY_FILE_MAX, &text, &len, err);
    free(full);
    if (code != LS_OK) {
        return ls_wrap(err, "cannot read sse-customer-key-path \"%s\"", path);
    }
    size_t from = strspn(text, " \t\r\n");
    text[from + strcspn(text + from, " \t\r\n")] = '\0';
    code = copy(text + from, &c->sse_key, err);
    explicit_bzero(text, len);
    free(text);
    return code;
}

static ls_code check_key(const ls_settings *s, ls_s3_config *c, ls_err *err) {
    uint8_t key[3 * KEY_FILE_MAX / 4];
    char md5[LS_MD5_BASE64_SIZE];
    size_t len;
    if (strlen(c->sse_key) > KEY_FILE_MAX ||
        ls_base64_decode(c->sse_key, key, sizeof key, &len) != LS_OK) {
        return ls_fail(err, LS_ECONFIG, "s3: sse-customer-key must be valid base64");
    }
    ls_code code = LS_OK;
    if (len != SSE_KEY_SIZE) {
        code = ls_fail(err, LS_ECONFIG,
                       "s3: sse-customer-key must be 256-bit (32 bytes) when decoded, got %zu "
                       "bytes",
                       len);
    } else {
        code = ls_md5_base64(key, len, md5, err);
    }
    explicit_bzero(key, sizeof key);
    return code == LS_OK
               ? copy(ls_settings_text(s, "sse-customer-key-md5", md5), &c->sse_key_md5, err)
               : code;
}

static ls_code read_encryption(const ls_settings *s, ls_s3_config *c, ls_err *err) {
    const char *algorithm = ls_settings_text(s, "sse-customer-algorithm", "AES256");
    ls_code code = copy(ls_settings_text(s, "sse-kms-key-id", NULL), &c->kms_key, err);
    if (code == LS_OK) {
        code = read_key(s, c, err);
    }
    if (code != LS_OK || c->sse_key == NULL) {
        return code;
    }
    if (c->kms_key != NULL) {
        return ls_fail(err, LS_ECONFIG,
                       "s3: cannot use both sse-customer-key and sse-kms-key-id; "
                       "they are mutually exclusive");
    }
    if (strcmp(algorithm, "AES256") != 0) {
        return ls_fail(err, LS_ECONFIG, "s3: sse-customer-algorithm must be AES256, got \"%.40s\"",
                       algorithm);
    }
    code = check_key(s, c, err);
    return code == LS_OK ? check_way(c, err) : code;
}

/* ---- all ---- */

static ls_code read_names(const ls_settings *s, ls_s3_config *c, ls_err *err) {
    ls_code code = copy(ls_settings_text(s, "bucket", NULL), &c->bucket, err);
    if (code == LS_OK && c->bucket == NULL) {
        (void)ls_fail(err, LS_ECONFIG, "bucket required for s3 replica");
        code = ls_hint(err, "write s3://bucket/path, or the key bucket");
    }
    if (code == LS_OK) {
        c->path = strdup(ls_settings_text(s, "path", ""));
        code = c->path != NULL ? LS_OK : no_memory(err);
    }
    return code == LS_OK ? copy(ls_settings_text(s, "storage-class", NULL), &c->storage_class, err)
                         : code;
}

ls_code ls_s3_config_read(const ls_settings *s, ls_s3_config *c, ls_err *err) {
    *c = (ls_s3_config){0};
    ls_code code = read_names(s, c, err);
    if (code == LS_OK) {
        code = read_endpoint(s, c, err);
    }
    if (code == LS_OK) {
        code = read_region(s, c, err);
    }
    if (code != LS_OK) {
        return code;
    }
    int rules = c->endpoint != NULL ? rules_of(c->endpoint) : 0;
    bool by_url = ls_settings_has(s, "endpoint");
    c->path_style = ls_settings_bool(s, "force-path-style",
                                     by_url || c->path_style || (rules & PATH_STYLE) != 0);
    c->sign_payload = ls_settings_bool(s, "sign-payload", true);
    c->tigris = (rules & TIGRIS) != 0;
    c->content_md5 = ls_settings_bool(s, "require-content-md5", !c->tigris);
    c->skip_verify = ls_settings_bool(s, "skip-verify", false);
    code = read_numbers(s, rules, c, err);
    return code == LS_OK ? read_encryption(s, c, err) : code;
}

void ls_s3_config_done(ls_s3_config *c) {
    if (c->sse_key != NULL) {
        explicit_bzero(c->sse_key, strlen(c->sse_key));
    }
    free(c->bucket);
    free(c->path);
    free(c->region);
    free(c->endpoint);
    free(c->storage_class);
    free(c->kms_key);
    free(c->sse_key);
    free(c->sse_key_md5);
    *c = (ls_s3_config){0};
}

/* ---- addresses ---- */

/* No label of a name: what certificates do not cover, and addresses that have no names below. */
static bool must_be_in_path(const char *bucket, const char *host) {
    size_t digits = strspn(host, "0123456789.");
    bool ip = host[0] == '[' || host[digits] == '\0' || host[digits] == ':';
    return ip || strchr(bucket, '.') != NULL;
}

/* arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME: NAME-ACCOUNT in front of the host. */
static ls_code access_point_url(const ls_s3_config *c, const char *region, const char *suffix,
                                char **url, ls_err *err) {
    const char *name = strrchr(c->bucket, '/');
    const char *end = strstr(c->bucket, ":accesspoint/");
    const char *account = end != NULL ? memrchr(c->bucket, ':', (size_t)(end - c->bucket)) : NULL;
    if (account == NULL || name == NULL || name < end) {
        return ls_fail(err, LS_ECONFIG, "invalid s3 access point arn: %s", c->bucket);
    }
    const char *host = c->endpoint != NULL ? strstr(c->endpoint, "://") + 3 : NULL;
    *url = host != NULL ? ls_asprintf("%.*s%s-%.*s.%s", (int)(host - c->endpoint), c->endpoint,
                                      name + 1, (int)(end - account - 1), account + 1, host)
                        : ls_asprintf("https://%s-%.*s.s3-accesspoint.%s.%s", name + 1,
                                      (int)(end - account - 1), account + 1, region, suffix);
    return *url != NULL ? LS_OK : no_memory(err);
}

ls_code ls_s3_bucket_url(const ls_s3_config *c, const char *region, char **url, ls_err *err) {
    const char *suffix = ls_has_prefix(region, "cn-") ? "amazonaws.com.cn" : "amazonaws.com";
    if (is_arn(c->bucket)) {
        return access_point_url(c, region, suffix, url, err);
    }
    char *bucket = ls_http_encode(c->bucket, false);
    if (bucket == NULL) {
        return no_memory(err);
    }
    if (c->endpoint != NULL) {
        const char *host = strstr(c->endpoint, "://") + 3;
        *url = c->path_style || must_be_in_path(c->bucket, host)
                   ? ls_asprintf("%s/%s", c->endpoint, bucket)
                   : ls_asprintf("%.*s%s.%s", (int)(host - c->endpoint), c->endpoint, bucket, host);
    } else {
        *url = c->path_style || strchr(c->bucket, '.') != NULL
                   ? ls_asprintf("https://s3.%s.%s/%s", region, suffix, bucket)
                   : ls_asprintf("https://%s.s3.%s.%s", bucket, region, suffix);
    }
    free(bucket);
    return *url != NULL ? LS_OK : no_memory(err);
}

char *ls_s3_copy_source(const ls_s3_config *c, const char *key) {
    char *text = is_arn(c->bucket) ? ls_asprintf("%s/object/%s", c->bucket, key)
                                   : ls_asprintf("%s/%s", c->bucket, key);
    char *encoded = text != NULL ? ls_http_encode(text, true) : NULL;
    free(text);
    return encoded;
}

bool ls_s3_odd_path(const char *path) {
    if (path[0] == '\0' || path[0] == '/') {
        return true;
    }
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        size_t len = strcspn(part, "/");
        if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && strncmp(part, "..", 2) == 0)) {
            return true;
        }
    }
    return false;
}
