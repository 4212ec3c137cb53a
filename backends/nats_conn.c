/* A connection to a NATS server; see nats_conn.h. */
#include "backends/nats_conn.h"

#include "backends/nats_key.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <stdlib.h>
#include <string.h>

#define CA_FILES_MAX (4u << 20)
#define RECONNECT_BUFFER (8 << 20)
#define PING_MS 20000 /* how soon a server that is gone is noticed: after two of them */

/* ---- errors ---- */

static ls_code code_of(natsStatus status, jsErrCode js) {
    switch (status) {
    case NATS_NO_MEMORY:
        return LS_ENOMEM;
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
        return LS_EPERM;
    case NATS_INVALID_ARG:
    case NATS_ADDRESS_MISSING:
        return LS_ECONFIG;
    case NATS_NOT_FOUND:
        return js == 0 || js == JSNoMessageFoundErr ? LS_ENOTFOUND : LS_ECONFIG;
    default:
        return LS_EREMOTE;
    }
}

static ls_code hint_of(const ls_nats_login *login, natsStatus status, jsErrCode js, ls_err *err) {
    if (js == JSStreamNotFoundErr) {
        return ls_hint(err, "create the bucket first: nats object add %s", login->bucket);
    }
    if (js == JSNotEnabledErr || js == JSNotEnabledForAccountErr || status == NATS_NO_RESPONDERS) {
        return ls_hint(err, "the server must run JetStream (-js), and the account may use it");
    }
    if (status == NATS_CONNECTION_AUTH_FAILED) {
        return ls_hint(err,
                       "check user, password, token, key or creds file, and the account's limits");
    }
    if (status == NATS_SSL_ERROR) {
        return ls_hint(err, "check root-cas, client-cert and client-key, and the server's name in "
                            "its certificate");
    }
    return ls_hint(err, "check the server's address, and that it runs");
}

ls_code ls_nats_fail(const ls_nats_login *login, natsStatus status, jsErrCode js, ls_err *err,
                     const char *what) {
    natsStatus last = NATS_OK;
    const char *more = nats_GetLastError(&last);
    bool says_more = more != NULL && more[0] != '\0' && last == status &&
                     strcmp(more, natsStatus_GetText(status)) != 0;
    ls_fail(err, code_of(status, js), "%s: %s: %s%s%s", login->url, what,
            natsStatus_GetText(status), says_more ? ": " : "", says_more ? more : "");
    return hint_of(login, status, js, err);
}

/* ---- login ---- */

static natsStatus give_jwt(char **jwt, char **custom, void *arg) {
    const ls_nats_login *login = arg;
    (void)custom;
    *jwt = strdup(login->jwt);
    return *jwt != NULL ? NATS_OK : NATS_NO_MEMORY;
}

static const char *seed_of(const ls_nats_login *login) {
    return login->nkey != NULL && login->nkey[0] == 'S' ? login->nkey : login->seed;
}

static natsStatus sign_nonce(char **custom, unsigned char **signature, int *len, const char *nonce,
                             void *arg) {
    (void)custom;
    return nats_Sign(seed_of(arg), nonce, signature, len);
}

static ls_code set_nkey(const ls_nats_login *login, natsOptions *opts, natsStatus *s, ls_err *err) {
    char public[LS_NATS_PUBLIC_SIZE];
    const char *seed = seed_of(login);
    if (seed == NULL) {
        ls_fail(err, LS_ECONFIG, "nats: nkey without its seed");
        return ls_hint(err, "give the seed as nkey, or as seed beside the public key");
    }
    ls_code code = ls_nats_public_key(seed, public, err);
    if (code == LS_OK) {
        *s = natsOptions_SetNKey(opts, public, sign_nonce, (void *)(uintptr_t)login);
    }
    return code;
}

static ls_code set_login(const ls_nats_login *login, natsOptions *opts, natsStatus *s,
                         ls_err *err) {
    char public[LS_NATS_PUBLIC_SIZE];
    void *arg = (void *)(uintptr_t)login;
    if (login->jwt != NULL && login->seed != NULL) {
        *s = natsOptions_SetUserCredentialsCallbacks(opts, give_jwt, arg, sign_nonce, arg);
        return ls_nats_public_key(login->seed, public, err); /* else it fails at the nonce */
    }
    if (login->creds != NULL) {
        *s = natsOptions_SetUserCredentialsFromFiles(opts, login->creds, NULL);
    } else if (login->nkey != NULL) {
        return set_nkey(login, opts, s, err);
    } else if (login->username != NULL && login->password != NULL) {
        *s = natsOptions_SetUserInfo(opts, login->username, login->password);
    } else if (login->token != NULL) {
        *s = natsOptions_SetToken(opts, login->token);
    }
    return LS_OK;
}

/* ---- TLS ---- */

/* The library takes one text of authorities. */
static ls_code load_authorities(char **files, ls_buf *pem, ls_err *err) {
    ls_code code = LS_OK;
    for (size_t i = 0; code == LS_OK && files != NULL && files[i] != NULL; i++) {
        char *text;
        size_t len;
        code = ls_read_file(files[i], CA_FILES_MAX, &text, &len, err);
        if (code == LS_OK) {
            code = ls_buf_addf(pem, err, "%s\n", text);
            free(text);
        }
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "nats: root-cas");
}

static ls_code set_tls(const ls_nats_login *login, natsOptions *opts, natsStatus *s, ls_err *err) {
    ls_buf pem;
    ls_buf_init(&pem, CA_FILES_MAX);
    ls_code code = load_authorities(login->root_cas, &pem, err);
    if (code == LS_OK && pem.len > 0) {
        *s = natsOptions_SetCATrustedCertificates(opts, ls_buf_str(&pem));
    }
    if (code == LS_OK && *s == NATS_OK && login->client_cert != NULL) {
        *s = natsOptions_LoadCertificatesChain(opts, login->client_cert, login->client_key);
    }
    if (code == LS_OK && *s == NATS_OK &&
        (login->tls || pem.len > 0 || login->client_cert != NULL)) {
        *s = natsOptions_SetSecure(opts, true);
    }
    ls_buf_done(&pem);
    return code;
}

/* ---- connecting ---- */

/* The library would print otherwise. */
static void no_print(natsConnection *nc, natsSubscription *sub, natsStatus status, void *arg) {
    (void)nc, (void)sub, (void)status, (void)arg;
}

static natsStatus set_manner(const ls_nats_login *login, natsOptions *opts) {
    natsStatus s = natsOptions_SetURL(opts, login->url);
    s = s == NATS_OK ? natsOptions_SetName(opts, "litestream") : s;
    s = s == NATS_OK ? natsOptions_SetTimeout(opts, login->timeout_ms) : s;
    s = s == NATS_OK ? natsOptions_SetPingInterval(opts, PING_MS) : s;
    s = s == NATS_OK ? natsOptions_SetMaxPingsOut(opts, 2) : s;
    s = s == NATS_OK ? natsOptions_SetMaxReconnect(opts, login->max_reconnects) : s;
    s = s == NATS_OK ? natsOptions_SetReconnectWait(opts, login->reconnect_wait_ms) : s;
    s = s == NATS_OK ? natsOptions_SetReconnectBufSize(opts, RECONNECT_BUFFER) : s;
    s = s == NATS_OK ? natsOptions_SetFailRequestsOnDisconnect(opts, true) : s;
    return s == NATS_OK ? natsOptions_SetErrorHandler(opts, no_print, NULL) : s;
}

static ls_code connect_with(const ls_nats_login *login, natsOptions *opts, ls_nats_bucket *b,
                            ls_err *err) {
    natsStatus s = set_manner(login, opts);
    ls_code code = s == NATS_OK ? set_login(login, opts, &s, err) : LS_OK;
    if (code == LS_OK && s == NATS_OK) {
        code = set_tls(login, opts, &s, err);
    }
    if (code != LS_OK) {
        return code;
    }
    if (s == NATS_OK) {
        s = natsConnection_Connect(&b->nc, opts);
    }
    if (s == NATS_SECURE_CONNECTION_REQUIRED && natsOptions_SetSecure(opts, true) == NATS_OK) {
        s = natsConnection_Connect(&b->nc, opts);
    }
    return s == NATS_OK ? LS_OK : ls_nats_fail(login, s, 0, err, "connect");
}

static ls_code find_bucket(ls_nats_bucket *b, ls_err *err) {
    jsOptions opts;
    (void)jsOptions_Init(&opts);
    opts.Wait = b->login->timeout_ms;
    natsStatus s = natsConnection_JetStream(&b->js, b->nc, &opts);
    jsErrCode js = 0;
    jsStreamInfo *info = NULL;
    if (s == NATS_OK) {
        s = js_GetStreamInfo(&info, b->js, b->stream, NULL, &js);
    }
    jsStreamInfo_Destroy(info);
    if (s == NATS_OK) {
        return LS_OK;
    }
    ls_nats_fail(b->login, s, js, err, "look for the bucket");
    return ls_wrap(err, "nats bucket %s", b->login->bucket);
}

ls_code ls_nats_bucket_open(const ls_nats_login *login, ls_nats_bucket **out, ls_err *err) {
    natsOptions *opts = NULL;
    ls_nats_bucket *b = calloc(1, sizeof *b);
    *out = NULL;
    if (b == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to connect to %s", login->url);
    }
    atomic_init(&b->users, 1);
    b->login = login;
    b->stream = ls_asprintf("OBJ_%s", login->bucket);
    ls_code code = b->stream != NULL && natsOptions_Create(&opts) == NATS_OK
                       ? connect_with(login, opts, b, err)
                       : ls_fail(err, LS_ENOMEM, "no memory to connect to %s", login->url);
    natsOptions_Destroy(opts);
    if (code == LS_OK) {
        code = find_bucket(b, err);
    }
    if (code != LS_OK) {
        ls_nats_bucket_release(b);
        return code;
    }
    *out = b;
    return LS_OK;
}

void ls_nats_bucket_hold(ls_nats_bucket *b) { atomic_fetch_add(&b->users, 1); }

void ls_nats_bucket_release(ls_nats_bucket *b) {
    if (b == NULL || atomic_fetch_sub(&b->users, 1) != 1) {
        return;
    }
    jsCtx_Destroy(b->js);
    natsConnection_Destroy(b->nc);
    free(b->stream);
    free(b);
}

void ls_nats_unsubscribe(const ls_nats_bucket *b, natsSubscription *sub) {
    if (sub == NULL) {
        return;
    }
    (void)natsSubscription_Unsubscribe(sub);
    (void)natsConnection_FlushTimeout(b->nc, b->login->timeout_ms);
    natsSubscription_Destroy(sub);
}

bool ls_nats_bucket_ready(const ls_nats_bucket *b) {
    int64_t end = ls_mono_ns(&ls_clock_system) + b->login->timeout_ms * LS_MS;
    for (;;) {
        natsConnStatus status = natsConnection_Status(b->nc);
        if (status == NATS_CONN_STATUS_CONNECTED) {
            return true;
        }
        if (status == NATS_CONN_STATUS_CLOSED || ls_mono_ns(&ls_clock_system) > end) {
            return status != NATS_CONN_STATUS_CLOSED;
        }
        (void)ls_pause(5 * LS_MS, NULL);
    }
}
