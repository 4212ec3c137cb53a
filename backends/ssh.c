/* A connection to an SFTP server by SSH; see ssh.h. */
#include "backends/ssh.h"

#include "engine/base/clock.h"
#include "engine/base/file.h"

#include <errno.h>
#include <libssh/libssh.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY_FILE_MAX (256 * 1024)
#define METHODS_MAX 32 /* answers to keyboard-interactive questions */

typedef struct ssh_stream {
    ls_sftp_stream base;
    ssh_session session;
    ssh_channel channel;
    int timeout_ms;
    char *where; /* user@host:port */
} ssh_stream;

static ls_code fail_ssh(const ssh_stream *t, const char *what, ls_err *err) {
    return ls_fail(err, LS_EREMOTE, "%s: %s: %s", t->where, what, ssh_get_error(t->session));
}

/* ---- bytes ---- */

static ls_code ssh_send(ls_sftp_stream *s, const void *data, size_t len, ls_err *err) {
    ssh_stream *t = (ssh_stream *)s;
    while (len > 0) {
        int n = ssh_channel_write(t->channel, data, (uint32_t)len);
        if (n == 0) {
            return ls_fail(err, LS_EREMOTE, "%s: takes nothing any more", t->where);
        }
        if (n < 0) {
            return fail_ssh(t, "send", err);
        }
        data = (const char *)data + n;
        len -= (size_t)n;
    }
    return LS_OK;
}

static ls_code ssh_recv(ls_sftp_stream *s, void *data, size_t len, ls_err *err) {
    ssh_stream *t = (ssh_stream *)s;
    while (len > 0) {
        int n = ssh_channel_read_timeout(t->channel, data, (uint32_t)len, 0, t->timeout_ms);
        if (n == 0 && ssh_channel_is_eof(t->channel)) {
            return ls_fail(err, LS_EREMOTE, "%s: the server closed the connection", t->where);
        }
        if (n == 0) {
            return ls_fail(err, LS_EREMOTE, "%s: no answer for %d s", t->where,
                           t->timeout_ms / 1000);
        }
        if (n < 0) {
            return fail_ssh(t, "receive", err);
        }
        data = (char *)data + n;
        len -= (size_t)n;
    }
    return LS_OK;
}

static void stream_free(ssh_stream *t) {
    if (t->session != NULL) {
        ssh_disconnect(t->session);
        ssh_free(t->session); /* with its channels */
    }
    free(t->where);
    free(t);
}

static void ssh_close(ls_sftp_stream *s) { stream_free((ssh_stream *)s); }

/* ---- TCP ---- */

/* Waits until a connection is made or refused. */
static int await_connection(int fd, int timeout_ms) {
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int64_t end = ls_mono_ns(&ls_clock_system) + timeout_ms * LS_MS;
    for (;;) {
        int64_t left = (end - ls_mono_ns(&ls_clock_system)) / LS_MS;
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n > 0) {
            int result = 0;
            socklen_t len = sizeof result;
            return getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len) == 0 ? result : errno;
        }
        if (n == 0) {
            return ETIMEDOUT;
        }
        if (errno != EINTR) {
            return errno;
        }
    }
}

/* Best effort: a connection without them works too. */
static void set_socket_options(int fd) {
    static const struct {
        int level, name, value;
    } options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                   {IPPROTO_TCP, TCP_KEEPIDLE, 30},
                   {IPPROTO_TCP, TCP_KEEPINTVL, 10},
                   {IPPROTO_TCP, TCP_KEEPCNT, 3},
                   {IPPROTO_TCP, TCP_NODELAY, 1}}; /* else each packet waits for the last one */
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof options[i].value);
    }
}

/* A socket that is connected; -1, and *why an errno value. */
static int connect_address(const struct addrinfo *ai, int timeout_ms, int *why) {
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
    if (fd < 0) {
        *why = errno;
        return -1;
    }
    *why = 0;
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
        *why = errno == EINPROGRESS || errno == EINTR ? await_connection(fd, timeout_ms) : errno;
    }
    if (*why != 0) {
        (void)close(fd);
        return -1;
    }
    set_socket_options(fd);
    return fd;
}

static ls_code connect_tcp(const ls_ssh_login *login, const ssh_stream *t, int *fd, ls_err *err) {
    char port[16];
    struct addrinfo *list = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    (void)snprintf(port, sizeof port, "%d", login->port);
    int rc = getaddrinfo(login->host, port, &hints, &list);
    if (rc != 0) {
        ls_fail(err, LS_EREMOTE, "%s: %s", t->where, gai_strerror(rc));
        return ls_hint(err, "check host in the replica's configuration");
    }
    int why = 0;
    *fd = -1;
    for (const struct addrinfo *ai = list; ai != NULL && *fd < 0; ai = ai->ai_next) {
        *fd = connect_address(ai, t->timeout_ms, &why);
    }
    freeaddrinfo(list);
    if (*fd >= 0) {
        return LS_OK;
    }
    char text[128];
    ls_fail(err, LS_EREMOTE, "%s: connect: %s", t->where, strerror_r(why, text, sizeof text));
    return ls_hint(err, "check host and port, and that an SSH server runs there");
}

/* ---- the host's key ---- */

/* Finds type and key in a line of authorized_keys, which may have options in front and a comment
 * behind. type gets the name. */
static bool split_key_line(const char *line, char type[64], const char **key, size_t *key_len) {
    const char *p = line;
    for (;;) {
        p += strspn(p, " \t\r\n");
        size_t len = strcspn(p, " \t\r\n");
        if (len == 0) {
            return false;
        }
        if (len < 64) {
            memcpy(type, p, len);
            type[len] = '\0';
        }
        p += len;
        if (len < 64 && ssh_key_type_from_name(type) != SSH_KEYTYPE_UNKNOWN) {
            p += strspn(p, " \t\r\n");
            *key = p;
            *key_len = strcspn(p, " \t\r\n");
            return *key_len > 0;
        }
    }
}

static ls_code parse_host_key(const char *line, char type[64], ssh_key *key, ls_err *err) {
    const char *text;
    size_t len;
    *key = NULL;
    if (split_key_line(line, type, &text, &len)) {
        char *base64 = strndup(text, len);
        if (base64 == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for host-key");
        }
        int rc = ssh_pki_import_pubkey_base64(base64, ssh_key_type_from_name(type), key);
        free(base64);
        if (rc == SSH_OK) {
            return LS_OK;
        }
    }
    ls_fail(err, LS_ECONFIG, "cannot parse sftp host key");
    return ls_hint(err, "host-key is a line as ssh-keyscan prints it, without the host: "
                        "\"ssh-ed25519 AAAA...\"");
}

ls_code ls_ssh_check(const ls_ssh_login *login, ls_err *err) {
    char type[64];
    ssh_key key = NULL;
    ls_code code =
        login->host_key != NULL ? parse_host_key(login->host_key, type, &key, err) : LS_OK;
    ssh_key_free(key);
    return code;
}

/* "ssh-ed25519 AAAA..." of the key that the server showed, for hints; "" without memory. */
static void key_line(ssh_key key, char *buf, size_t size) {
    char *base64 = NULL;
    buf[0] = '\0';
    if (ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK) {
        const char *name = ssh_key_type(key) == SSH_KEYTYPE_ECDSA_P256
                               ? "ecdsa-sha2-nistp256"
                               : ssh_key_type_to_char(ssh_key_type(key));
        (void)snprintf(buf, size, "%s %s", name, base64);
        ssh_string_free_char(base64);
    }
}

static ls_code refuse_host(const ssh_stream *t, ssh_key shown, const char *why, ls_err *err) {
    char line[256];
    key_line(shown, line, sizeof line);
    ls_fail(err, LS_EPERM, "%s: %s", t->where, why);
    return ls_hint(err, "make sure that it is the right server; the key that it showed is \"%s\"",
                   line);
}

/* What known_hosts says. */
static ls_code check_known(const ls_ssh_login *login, const ssh_stream *t, ssh_key shown,
                           bool *unverified, ls_err *err) {
    switch (ssh_session_is_known_server(t->session)) {
    case SSH_KNOWN_HOSTS_OK:
        return LS_OK;
    case SSH_KNOWN_HOSTS_CHANGED:
    case SSH_KNOWN_HOSTS_OTHER:
        return refuse_host(t, shown, "the host's key is another than in known_hosts", err);
    case SSH_KNOWN_HOSTS_ERROR:
        return fail_ssh(t, "read known_hosts", err);
    case SSH_KNOWN_HOSTS_NOT_FOUND:
    case SSH_KNOWN_HOSTS_UNKNOWN:
        break;
    }
    if (login->known_hosts != NULL) {
        return refuse_host(t, shown, "the host is not in the file of known-hosts", err);
    }
    *unverified = true;
    return LS_OK;
}

static ls_code check_host(const ls_ssh_login *login, const ssh_stream *t, ssh_key pinned,
                          bool *unverified, ls_err *err) {
    ssh_key shown = NULL;
    if (ssh_get_server_publickey(t->session, &shown) != SSH_OK) {
        return fail_ssh(t, "host key", err);
    }
    ls_code code = LS_OK;
    if (pinned == NULL) {
        code = check_known(login, t, shown, unverified, err);
    } else if (ssh_key_cmp(pinned, shown, SSH_KEY_CMP_PUBLIC) != 0) {
        code = refuse_host(t, shown, "the host's key is not the one of host-key", err);
    }
    ssh_key_free(shown);
    return code;
}

/* ---- login ---- */

static void wipe(char *text, size_t len) {
    if (text != NULL) {
        explicit_bzero(text, len);
        free(text);
    }
}

/* Called for a key that is locked when there is no passphrase. */
static int no_passphrase(const char *prompt, char *buf, size_t len, int echo, int verify,
                         void *asked) {
    (void)prompt, (void)buf, (void)len, (void)echo, (void)verify;
    *(bool *)asked = true;
    return -1;
}

static ls_code load_key(const char *path, ssh_key *key, ls_err *err) {
    char *text;
    size_t len;
    ls_code code = ls_read_file(path, KEY_FILE_MAX, &text, &len, err);
    if (code != LS_OK) {
        return ls_wrap(err, "sftp: cannot read sftp key path");
    }
    const char *passphrase = getenv(LS_SSH_PASSPHRASE_VARIABLE);
    bool asked = false;
    int rc = ssh_pki_import_privkey_base64(text, passphrase, no_passphrase, &asked, key);
    wipe(text, len);
    if (rc == SSH_OK) {
        return LS_OK;
    }
    ls_fail(err, LS_ECONFIG, "sftp: cannot parse sftp key path: %s%s", path,
            asked ? ": it is protected by a passphrase" : "");
    return ls_hint(err, asked || passphrase != NULL
                            ? "give the passphrase in the variable " LS_SSH_PASSPHRASE_VARIABLE
                            : "key-path names a private key of OpenSSH or in PEM form");
}

/* Answers each hidden question of the server by the password. */
static int login_by_questions(const ls_ssh_login *login, ssh_session session) {
    int rc = ssh_userauth_kbdint(session, NULL, NULL);
    for (int round = 0; rc == SSH_AUTH_INFO && round < METHODS_MAX; round++) {
        int n = ssh_userauth_kbdint_getnprompts(session);
        for (int i = 0; i < n; i++) {
            char echo = 0;
            (void)ssh_userauth_kbdint_getprompt(session, (unsigned)i, &echo);
            if (ssh_userauth_kbdint_setanswer(session, (unsigned)i, echo ? "" : login->password) !=
                0) {
                return SSH_AUTH_ERROR;
            }
        }
        rc = ssh_userauth_kbdint(session, NULL, NULL);
    }
    return rc;
}

static int login_by_password(const ls_ssh_login *login, ssh_session session, int methods) {
    int rc = SSH_AUTH_DENIED;
    if (methods & SSH_AUTH_METHOD_PASSWORD) {
        rc = ssh_userauth_password(session, NULL, login->password);
    }
    if (rc == SSH_AUTH_DENIED && (methods & SSH_AUTH_METHOD_INTERACTIVE)) {
        rc = login_by_questions(login, session);
    }
    return rc;
}

static ls_code login_refused(const ssh_stream *t, int rc, const char *tried, ls_err *err) {
    if (rc == SSH_AUTH_ERROR) {
        return fail_ssh(t, "login", err);
    }
    ls_fail(err, LS_EPERM, "%s: the server refused the login by %s", t->where, tried);
    return ls_hint(err, "check user, password and key-path, and ~/.ssh/authorized_keys there");
}

/* By key if there is one, by password if there is one; without either by what ssh would try. */
static ls_code log_in(const ls_ssh_login *login, const ssh_stream *t, ssh_key key, ls_err *err) {
    int rc = ssh_userauth_none(t->session, NULL);
    int methods = ssh_userauth_list(t->session, NULL);
    const char *tried = "password";
    if (rc == SSH_AUTH_DENIED && key != NULL) {
        tried = login->password != NULL ? "key and password" : "key";
        rc = ssh_userauth_publickey(t->session, NULL, key);
    } else if (rc == SSH_AUTH_DENIED && login->password == NULL) {
        tried = "the keys of the agent and of ~/.ssh";
        rc = ssh_userauth_publickey_auto(t->session, NULL, getenv(LS_SSH_PASSPHRASE_VARIABLE));
    }
    if ((rc == SSH_AUTH_DENIED || rc == SSH_AUTH_PARTIAL) && login->password != NULL) {
        rc = login_by_password(login, t->session, methods);
    }
    return rc == SSH_AUTH_SUCCESS ? LS_OK : login_refused(t, rc, tried, err);
}

/* ---- all of it ---- */

static bool set_option(ssh_session s, enum ssh_options_e name, const void *value) {
    return ssh_options_set(s, name, value) == SSH_OK;
}

/* RSA keys sign in several ways. */
static const char *key_algorithms(const char *type) {
    return strcmp(type, "ssh-rsa") == 0 ? "rsa-sha2-512,rsa-sha2-256,ssh-rsa" : type;
}

static ls_code set_options(const ls_ssh_login *login, const ssh_stream *t, const char *key_type,
                           ls_err *err) {
    const bool no = false;
    const int on = 1;
    const long seconds = t->timeout_ms / 1000;
    const long rest_us = t->timeout_ms % 1000 * 1000L;
    const unsigned port = (unsigned)login->port;
    ssh_session s = t->session;
    bool good =
        set_option(s, SSH_OPTIONS_PROCESS_CONFIG, &no) &&
        set_option(s, SSH_OPTIONS_HOST, login->host) && set_option(s, SSH_OPTIONS_PORT, &port) &&
        set_option(s, SSH_OPTIONS_USER, login->user) &&
        set_option(s, SSH_OPTIONS_TIMEOUT, &seconds) &&
        set_option(s, SSH_OPTIONS_TIMEOUT_USEC, &rest_us) &&
        set_option(s, SSH_OPTIONS_NODELAY, &on) &&
        (key_type == NULL || set_option(s, SSH_OPTIONS_HOSTKEYS, key_algorithms(key_type))) &&
        (login->known_hosts == NULL || (set_option(s, SSH_OPTIONS_KNOWNHOSTS, login->known_hosts) &&
                                        set_option(s, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null")));
    return good ? LS_OK : fail_ssh(t, "options", err);
}

/* libssh has the descriptor from ssh_connect on and closes it. */
static ls_code start_ssh(const ls_ssh_login *login, const ssh_stream *t, ls_err *err) {
    int fd;
    ls_code code = connect_tcp(login, t, &fd, err);
    if (code != LS_OK) {
        return code;
    }
    if (!set_option(t->session, SSH_OPTIONS_FD, &fd)) {
        (void)close(fd);
        return fail_ssh(t, "options", err);
    }
    if (ssh_connect(t->session) != SSH_OK) {
        if (ssh_get_fd(t->session) < 0) {
            (void)close(fd);
        }
        fail_ssh(t, "connect", err);
        return ls_hint(err, "check host and port, and that an SSH server runs there; if host-key "
                            "is set, that the server has a key of this type");
    }
    return LS_OK;
}

static ls_code open_channel(ssh_stream *t, ls_err *err) {
    t->channel = ssh_channel_new(t->session);
    if (t->channel == NULL || ssh_channel_open_session(t->channel) != SSH_OK) {
        return fail_ssh(t, "open a channel", err);
    }
    if (ssh_channel_request_sftp(t->channel) != SSH_OK) {
        fail_ssh(t, "start SFTP", err);
        return ls_hint(err, "the server must offer the subsystem sftp to this user");
    }
    return LS_OK;
}

static ls_code connect_all(const ls_ssh_login *login, ssh_stream *t, ssh_key pinned,
                           const char *pinned_type, bool *unverified, ls_err *err) {
    ssh_key key = NULL;
    ls_code code = login->key_path != NULL ? load_key(login->key_path, &key, err) : LS_OK;
    if (code == LS_OK) {
        code = set_options(login, t, pinned != NULL ? pinned_type : NULL, err);
    }
    if (code == LS_OK) {
        code = start_ssh(login, t, err);
    }
    if (code == LS_OK) {
        code = check_host(login, t, pinned, unverified, err);
    }
    if (code == LS_OK) {
        code = log_in(login, t, key, err);
    }
    ssh_key_free(key);
    return code == LS_OK ? open_channel(t, err) : code;
}

ls_code ls_ssh_connect(const ls_ssh_login *login, ls_sftp_stream **stream, bool *unverified,
                       ls_err *err) {
    char type[64] = "";
    ssh_key pinned = NULL;
    ssh_stream *t = calloc(1, sizeof *t);
    *stream = NULL;
    *unverified = false;
    if (t == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to connect to %s", login->host);
    }
    t->base = (ls_sftp_stream){.send = ssh_send, .recv = ssh_recv, .close = ssh_close};
    t->timeout_ms = (int)((login->timeout > 0 ? login->timeout : LS_SSH_TIMEOUT) / LS_MS);
    t->where = ls_asprintf("%s@%s:%d", login->user, login->host, login->port);
    t->session = ssh_new();
    ls_code code = t->where != NULL && t->session != NULL
                       ? LS_OK
                       : ls_fail(err, LS_ENOMEM, "no memory to connect to %s", login->host);
    if (code == LS_OK && login->host_key != NULL) {
        code = parse_host_key(login->host_key, type, &pinned, err);
    }
    if (code == LS_OK) {
        code = connect_all(login, t, pinned, type, unverified, err);
    }
    ssh_key_free(pinned);
    if (code != LS_OK) {
        stream_free(t);
        return code;
    }
    *stream = &t->base;
    return LS_OK;
}
