/* Connecting to an SSH server that is none: each attempt ends soon, with an error that names it.
 * Logins that work, and host keys, are tested by t/cmd/store_sftp.t. */
#include "backends/ssh.h"

#include "engine/base/clock.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A socket that listens on loopback and takes connections without ever saying a word. */
static int silent_server(int *port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static ls_ssh_login login_at(int port) {
    return (ls_ssh_login){.host = "127.0.0.1",
                          .port = port,
                          .user = "someone",
                          .password = "pass-word",
                          .timeout = 300 * LS_MS};
}

static void a_silent_server_is_given_up(void **state) {
    (void)state;
    int port;
    int fd = silent_server(&port);
    const ls_ssh_login login = login_at(port);
    ls_sftp_stream *stream;
    bool unverified;
    ls_err err = LS_ERR_INIT;
    int64_t before = ls_mono_ns(&ls_clock_system);
    assert_int_equal(ls_ssh_connect(&login, &stream, &unverified, &err), LS_EREMOTE);
    assert_true(ls_mono_ns(&ls_clock_system) - before < 20 * LS_SEC);
    assert_null(stream);
    assert_non_null(strstr(err.msg, "someone@127.0.0.1:"));
    assert_null(strstr(err.msg, "pass-word"));
    (void)close(fd);
}

static void nobody_listens(void **state) {
    (void)state;
    int port;
    (void)close(silent_server(&port));
    const ls_ssh_login login = login_at(port);
    ls_sftp_stream *stream;
    bool unverified;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_ssh_connect(&login, &stream, &unverified, &err), LS_EREMOTE);
    assert_non_null(strstr(err.msg, "connect: Connection refused"));
    assert_true(strlen(err.hint) > 0);
}

#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIMsK8pfBEUPFu1lQ0D1i5Q5VUF0eZyDjWHSGcfQ1vTQH"

static void lines_of_host_keys(void **state) {
    (void)state;
    static const struct {
        const char *line;
        ls_code code;
    } cases[] = {{"ssh-ed25519 " KEY, LS_OK},
                 {"ssh-ed25519 " KEY " root@host", LS_OK},
                 {"  ssh-ed25519\t" KEY "\n", LS_OK},
                 {"example.org ssh-ed25519 " KEY, LS_OK},
                 {"", LS_ECONFIG},
                 {"ssh-ed25519", LS_ECONFIG},
                 {KEY, LS_ECONFIG},
                 {"ssh-rsa " KEY, LS_ECONFIG},
                 {"ssh-ed25519 AAAA", LS_ECONFIG},
                 {"ssh-ed448 " KEY, LS_ECONFIG}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ls_ssh_login login = {.host_key = cases[i].line};
        ls_err err = LS_ERR_INIT;
        if (ls_ssh_check(&login, &err) != cases[i].code) {
            fail_msg("%s: %s", cases[i].line, err.msg);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(lines_of_host_keys),
    };
    return cmocka_run_group_tests_name("SSH connections", tests, NULL, NULL);
}
