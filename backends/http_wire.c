/*
 * One exchange over libcurl; see http_wire.h.
 *
 * A wire is a multi handle with one easy handle: that alone lets a body be pulled, by pausing the
 * transfer while its window is full. A paused transfer is not driven, so its time does not count as
 * slow.
 */
#include "backends/http_wire.h"

#include "engine/base/buf.h"
#include "engine/base/text.h"
#include "engine/litestream.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_MAX 32
#define CONNECTIONS_MAX 4L /* of one wire, to different hosts */
#define CHUNK_MAX 65536L
#define POLL_MS 1000
#define POLL_CANCEL_MS 50
#define CONNECT_MS 10000
#define SLOW_SECONDS 60L
#define HEADER_MAX 16384

struct ls_http_wire {
    CURLM *multi;
    CURL *easy;
    ls_http_wire *next; /* in the pool */
    char error[CURL_ERROR_SIZE];
    /* the exchange */
    struct curl_slist *headers;
    const ls_http_options *options;
    const ls_http_request *r;
    ls_http_answer *a;
    uint64_t sent; /* bytes of the request's body */
    int body_errno;
    ls_buf whole; /* a body that is kept */
    char *window; /* of one that is streamed; NULL: it is not, or nothing came yet */
    size_t len, pos;
    bool stream, paused, added, done;
    ls_code failed; /* by a callback */
    CURLcode result;
};

/* ---- the pool ---- */

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static ls_http_wire *idle;
static size_t n_idle;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode ready;
static CURLSH *share;
static pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];

static void lock_share(CURL *easy, curl_lock_data data, curl_lock_access access, void *arg) {
    (void)easy;
    (void)access;
    (void)arg;
    (void)pthread_mutex_lock(&share_locks[data]);
}

static void unlock_share(CURL *easy, curl_lock_data data, void *arg) {
    (void)easy;
    (void)arg;
    (void)pthread_mutex_unlock(&share_locks[data]);
}

/* Names and TLS sessions are known to all wires; without memory each has its own. */
static void start_curl(void) {
    ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++) {
        (void)pthread_mutex_init(&share_locks[i], NULL);
    }
    share = ready == CURLE_OK ? curl_share_init() : NULL;
    if (share != NULL) {
        (void)curl_share_setopt(share, CURLSHOPT_LOCKFUNC, lock_share);
        (void)curl_share_setopt(share, CURLSHOPT_UNLOCKFUNC, unlock_share);
        (void)curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
        (void)curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    }
}

static void free_wire(ls_http_wire *w) {
    if (w->easy != NULL) {
        curl_easy_cleanup(w->easy);
    }
    if (w->multi != NULL) {
        (void)curl_multi_cleanup(w->multi);
    }
    free(w);
}

static ls_http_wire *new_wire(void) {
    (void)pthread_once(&once, start_curl);
    ls_http_wire *w = ready == CURLE_OK ? calloc(1, sizeof *w) : NULL;
    if (w == NULL) {
        return NULL;
    }
    w->multi = curl_multi_init();
    w->easy = curl_easy_init();
    if (w->multi == NULL || w->easy == NULL) {
        free_wire(w);
        return NULL;
    }
    (void)curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
    ls_buf_init(&w->whole, LS_HTTP_BODY_MAX);
    return w;
}

ls_code ls_http_wire_get(ls_http_wire **w, ls_err *err) {
    (void)pthread_mutex_lock(&pool_lock);
    *w = idle;
    if (idle != NULL) {
        idle = idle->next;
        n_idle--;
    }
    (void)pthread_mutex_unlock(&pool_lock);
    if (*w == NULL) {
        *w = new_wire();
    }
    return *w != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for a connection");
}

static void end_exchange(ls_http_wire *w) {
    if (w->added) {
        (void)curl_multi_remove_handle(w->multi, w->easy);
    }
    curl_easy_reset(w->easy);
    curl_slist_free_all(w->headers);
    free(w->window);
    ls_buf_done(&w->whole);
    w->headers = NULL;
    w->window = NULL;
    w->options = NULL;
    w->r = NULL;
    w->a = NULL;
    w->sent = 0;
    w->body_errno = 0;
    w->len = w->pos = 0;
    w->stream = w->paused = w->added = w->done = false;
    w->failed = LS_OK;
    w->result = CURLE_OK;
    w->error[0] = '\0';
}

void ls_http_wire_put(ls_http_wire *w) {
    if (w == NULL) {
        return;
    }
    end_exchange(w);
    (void)pthread_mutex_lock(&pool_lock);
    bool keep = n_idle < IDLE_MAX;
    if (keep) {
        w->next = idle;
        idle = w;
        n_idle++;
    }
    (void)pthread_mutex_unlock(&pool_lock);
    if (!keep) {
        free_wire(w);
    }
}

/* ---- what libcurl calls ---- */

static void drop_headers(ls_http_answer *a) {
    for (size_t i = 0; i < a->n_headers; i++) {
        free(a->headers[i].name);
        free(a->headers[i].value);
    }
    a->n_headers = 0;
}

/* "name: value\r\n"; what is no such line, or too much, is passed over. */
static bool add_header(ls_http_answer *a, const char *line, size_t len) {
    const char *colon = memchr(line, ':', len);
    size_t most = sizeof a->headers / sizeof a->headers[0];
    if (colon == NULL || colon == line || len > HEADER_MAX || a->n_headers == most) {
        return true;
    }
    const char *value = colon + 1;
    const char *end = line + len;
    while (value < end && strchr(" \t", *value) != NULL) {
        value++;
    }
    while (end > value && strchr(" \t\r\n", end[-1]) != NULL) {
        end--;
    }
    ls_http_header *h = &a->headers[a->n_headers];
    h->name = strndup(line, (size_t)(colon - line));
    h->value = strndup(value, (size_t)(end - value));
    if (h->name == NULL || h->value == NULL) {
        free(h->name);
        free(h->value);
        return false;
    }
    a->n_headers++;
    return true;
}

/* A status line begins another answer: that of 100 Continue or of a refused login came before. */
static size_t on_header(char *line, size_t size, size_t n, void *arg) {
    ls_http_wire *w = arg;
    if (n >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
        drop_headers(w->a);
    } else if (!add_header(w->a, line, n)) {
        w->failed = LS_ENOMEM;
        return 0;
    }
    return size * n;
}

static long status_of(const ls_http_wire *w) {
    long status = 0;
    (void)curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t keep(ls_http_wire *w, const char *data, size_t n) {
    ls_err ignored = LS_ERR_INIT;
    w->failed = ls_buf_add(&w->whole, data, n, &ignored);
    return w->failed == LS_OK ? n : 0;
}

static size_t fill_window(ls_http_wire *w, const char *data, size_t n) {
    if (w->window == NULL) {
        w->window = malloc(LS_HTTP_WINDOW);
    }
    if (w->window == NULL || n > LS_HTTP_WINDOW) {
        w->failed = LS_ENOMEM;
        return 0;
    }
    if (w->len + n > LS_HTTP_WINDOW) {
        w->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    memcpy(w->window + w->len, data, n);
    w->len += n;
    return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
    ls_http_wire *w = arg;
    (void)size; /* always 1 */
    long status = w->stream ? status_of(w) : 0;
    return status == 200 || status == 206 || status == 207 ? fill_window(w, data, n)
                                                           : keep(w, data, n);
}

static size_t body_left(const ls_http_wire *w, size_t most) {
    uint64_t left = w->r->body_len - w->sent;
    return left < most ? (size_t)left : most;
}

static size_t on_send(char *buf, size_t size, size_t n, void *arg) {
    ls_http_wire *w = arg;
    size_t len = body_left(w, size * n);
    if (w->r->body != NULL) {
        memcpy(buf, (const char *)w->r->body + w->sent, len);
    } else if (len > 0) {
        ssize_t got = pread(w->r->body_fd, buf, len, (off_t)(w->r->body_off + w->sent));
        if (got <= 0) {
            w->body_errno = got < 0 ? errno : EIO;
            return CURL_READFUNC_ABORT;
        }
        len = (size_t)got;
    }
    w->sent += len;
    return len;
}

/* A body is sent again after a login, or on another connection. */
static int on_seek(void *arg, curl_off_t offset, int origin) {
    ls_http_wire *w = arg;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > w->r->body_len) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    w->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)arg;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- options ---- */

static const char *env_of(const char *upper, const char *lower) {
    const char *value = getenv(lower);
    if (value == NULL || value[0] == '\0') {
        value = getenv(upper);
    }
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The host of a URL, with its port and without userinfo, into buf. */
static const char *host_of(const char *url, char *buf, size_t size) {
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    size_t len = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', len);
    if (at != NULL) {
        len -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    (void)snprintf(buf, size, "%.*s", (int)(len < 512 ? len : 512), host);
    return buf;
}

static bool is_loopback(const char *host) {
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    return (len == 9 && strncasecmp(host, "localhost", 9) == 0) || ls_has_prefix(host, "127.") ||
           ls_has_prefix(host, "[::1]");
}

/* As Go: by scheme, in both cases of letters, never for this machine. */
static void set_proxy(CURL *easy, const char *url, bool none) {
    char host[600];
    bool tls = ls_has_prefix(url, "https:");
    const char *proxy =
        tls ? env_of("HTTPS_PROXY", "https_proxy") : env_of("HTTP_PROXY", "http_proxy");
    if (none || proxy == NULL || is_loopback(host_of(url, host, sizeof host))) {
        (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
        return;
    }
    const char *except = env_of("NO_PROXY", "no_proxy");
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, except != NULL ? except : "");
    (void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static void set_tls(CURL *easy, const ls_http_options *o) {
    const char *file = o->ca_file;
    if (file == NULL) {
        file = env_of("AWS_CA_BUNDLE", "SSL_CERT_FILE");
    }
    const char *dir = env_of("SSL_CERT_DIR", "SSL_CERT_DIR");
    if (file != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, file);
    }
    if (dir != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, dir);
    }
    if (o->skip_verify) {
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void set_login(CURL *easy, const ls_http_options *o) {
    if (o->user != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC | CURLAUTH_DIGEST);
        (void)curl_easy_setopt(easy, CURLOPT_USERNAME, o->user);
        (void)curl_easy_setopt(easy, CURLOPT_PASSWORD, o->password != NULL ? o->password : "");
    }
}

static bool has_body(const ls_http_request *r) {
    return r->body != NULL || r->body_fd >= 0 || strcmp(r->method, "PUT") == 0 ||
           strcmp(r->method, "POST") == 0;
}

static void set_method(ls_http_wire *w) {
    const ls_http_request *r = w->r;
    if (strcmp(r->method, "HEAD") == 0) {
        (void)curl_easy_setopt(w->easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (has_body(r)) {
        (void)curl_easy_setopt(w->easy, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(w->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_len);
        (void)curl_easy_setopt(w->easy, CURLOPT_READFUNCTION, on_send);
        (void)curl_easy_setopt(w->easy, CURLOPT_READDATA, w);
        (void)curl_easy_setopt(w->easy, CURLOPT_SEEKFUNCTION, on_seek);
        (void)curl_easy_setopt(w->easy, CURLOPT_SEEKDATA, w);
        (void)curl_easy_setopt(w->easy, CURLOPT_UPLOAD_BUFFERSIZE, CHUNK_MAX);
    }
    (void)curl_easy_setopt(w->easy, CURLOPT_CUSTOMREQUEST, r->method);
}

static ls_code set_headers(ls_http_wire *w, ls_err *err) {
    for (size_t i = 0; i < w->r->n_headers; i++) {
        const ls_http_header *h = &w->r->headers[i];
        char *line = h->value[0] != '\0' ? ls_asprintf("%s: %s", h->name, h->value)
                                         : ls_asprintf("%s;", h->name);
        struct curl_slist *list = line != NULL ? curl_slist_append(w->headers, line) : NULL;
        if (line != NULL) {
            explicit_bzero(line, strlen(line));
        }
        free(line);
        if (list == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for a request");
        }
        w->headers = list;
    }
    (void)curl_easy_setopt(w->easy, CURLOPT_HTTPHEADER, w->headers);
    return LS_OK;
}

static void set_callbacks(ls_http_wire *w) {
    (void)curl_easy_setopt(w->easy, CURLOPT_ERRORBUFFER, w->error);
    (void)curl_easy_setopt(w->easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(w->easy, CURLOPT_HEADERDATA, w);
    (void)curl_easy_setopt(w->easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(w->easy, CURLOPT_WRITEDATA, w);
    (void)curl_easy_setopt(w->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
}

static ls_code set_up(ls_http_wire *w, ls_err *err) {
    const ls_http_options *o = w->options;
    int64_t connect = o->connect_timeout > 0 ? o->connect_timeout / LS_MS : CONNECT_MS;
    if (curl_easy_setopt(w->easy, CURLOPT_URL, w->r->url) != CURLE_OK) {
        return ls_fail(err, LS_ENOMEM, "no memory for a request");
    }
    (void)curl_easy_setopt(w->easy, CURLOPT_SHARE, share);
    (void)curl_easy_setopt(w->easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(w->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(w->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(w->easy, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(w->easy, CURLOPT_USERAGENT, "litestream");
    (void)curl_easy_setopt(w->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect);
    (void)curl_easy_setopt(w->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(w->easy, CURLOPT_LOW_SPEED_TIME, SLOW_SECONDS);
    (void)curl_easy_setopt(w->easy, CURLOPT_BUFFERSIZE, CHUNK_MAX);
    (void)curl_easy_setopt(w->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    set_callbacks(w);
    set_proxy(w->easy, w->r->url, o->no_proxy);
    set_tls(w->easy, o);
    set_login(w->easy, o);
    set_method(w);
    return set_headers(w, err);
}

/* ---- going on ---- */

static bool goes_better_later(CURLcode code) {
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PROXY:
        return true;
    default:
        return false;
    }
}

static void hint_result(CURLcode code, ls_err *err) {
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY) {
        (void)ls_hint(err, "check the name, and that this machine can resolve it");
    } else if (code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT) {
        (void)ls_hint(err, "check that the server is up and that nothing blocks the way to it");
    } else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        (void)ls_hint(err, "name the file of the certificate authority with SSL_CERT_FILE");
    }
}

/* Why the exchange ended; LS_OK if it ended well. */
static ls_code outcome(const ls_http_wire *w, ls_err *err) {
    char host[600];
    if (w->result == CURLE_OK) {
        return LS_OK;
    }
    (void)host_of(w->r->url, host, sizeof host);
    if (w->failed == LS_ELIMIT) {
        return ls_fail(err, LS_ELIMIT, "%s: answer of more than %u bytes", host, LS_HTTP_BODY_MAX);
    }
    if (w->failed == LS_ENOMEM || w->result == CURLE_OUT_OF_MEMORY) {
        return ls_fail(err, LS_ENOMEM, "%s: no memory for an answer", host);
    }
    if (w->body_errno != 0) {
        return ls_fail_errno(err, w->body_errno, "%s: read what is to be sent", host);
    }
    (void)ls_fail(err, LS_EREMOTE, "%s: %s", host,
                  w->error[0] != '\0' ? w->error : curl_easy_strerror(w->result));
    hint_result(w->result, err);
    return LS_EREMOTE;
}

static void look_for_end(ls_http_wire *w) {
    int left;
    const CURLMsg *msg;
    while ((msg = curl_multi_info_read(w->multi, &left)) != NULL) {
        if (msg->msg == CURLMSG_DONE && msg->easy_handle == w->easy) {
            w->done = true;
            w->result = msg->data.result;
        }
    }
}

/* Goes on until something came, the transfer is paused or done. */
static ls_code step(ls_http_wire *w, ls_err *err) {
    int running = 0;
    if (ls_canceled(w->options->cancel)) {
        return ls_fail(err, LS_ECANCELED, "canceled");
    }
    CURLMcode code = curl_multi_perform(w->multi, &running);
    if (code == CURLM_OK) {
        look_for_end(w);
        if (!w->done && !w->paused && w->len == w->pos) {
            int ms = w->options->cancel != NULL ? POLL_CANCEL_MS : POLL_MS;
            code = curl_multi_poll(w->multi, NULL, 0, ms, NULL);
        }
    }
    return code == CURLM_OK ? LS_OK : ls_fail(err, LS_EREMOTE, "%s", curl_multi_strerror(code));
}

static ls_code finish_answer(ls_http_wire *w, bool *again, ls_err *err) {
    /* What came of a stream is read before its reader learns how it ended. */
    ls_code code = w->done && w->len == 0 ? outcome(w, err) : LS_OK;
    *again = code == LS_EREMOTE && goes_better_later(w->result);
    if (code != LS_OK) {
        return code;
    }
    w->a->status = (int)status_of(w);
    w->a->body_len = w->whole.len;
    if (w->whole.len > 0) {
        w->a->body = ls_buf_steal(&w->whole);
    }
    return LS_OK;
}

ls_code ls_http_wire_start(ls_http_wire *w, const ls_http_options *options,
                           const ls_http_request *r, bool stream, ls_http_answer *a, bool *again,
                           ls_err *err) {
    *again = false;
    end_exchange(w);
    w->options = options;
    w->r = r;
    w->a = a;
    w->stream = stream;
    ls_code code = set_up(w, err);
    if (code != LS_OK) {
        return code;
    }
    if (curl_multi_add_handle(w->multi, w->easy) != CURLM_OK) {
        return ls_fail(err, LS_ENOMEM, "no memory for a request");
    }
    w->added = true;
    while (code == LS_OK && !w->done && w->len == 0) {
        code = step(w, err);
    }
    return code == LS_OK ? finish_answer(w, again, err) : code;
}

int64_t ls_http_wire_retry_after(const ls_http_wire *w) {
    curl_off_t seconds = 0;
    (void)curl_easy_getinfo(w->easy, CURLINFO_RETRY_AFTER, &seconds);
    return seconds > 0 ? seconds : 0;
}

void ls_http_wire_move(ls_http_wire *w, const ls_http_request *r, ls_http_answer *a) {
    w->r = r;
    w->a = a;
}

/* The window is empty: what comes next may be written to its start. */
static ls_code refill(ls_http_wire *w, ls_err *err) {
    w->len = w->pos = 0;
    ls_code code = LS_OK;
    while (code == LS_OK && w->len == 0 && !w->done) {
        if (w->paused) {
            w->paused = false;
            (void)curl_easy_pause(w->easy, CURLPAUSE_CONT);
        }
        if (w->len == 0) {
            code = step(w, err);
        }
    }
    return code;
}

ls_code ls_http_wire_read(ls_http_wire *w, void *buf, size_t len, size_t *got, ls_err *err) {
    *got = 0;
    ls_code code = w->pos == w->len ? refill(w, err) : LS_OK;
    if (code == LS_OK && w->pos == w->len) {
        code = outcome(w, err);
    }
    if (code != LS_OK || len == 0) {
        return code;
    }
    *got = w->len - w->pos < len ? w->len - w->pos : len;
    if (*got > 0) {
        memcpy(buf, w->window + w->pos, *got);
        w->pos += *got;
    }
    return LS_OK;
}
