/*
 * A connection to an SFTP server by SSH (libssh): TCP, host key, login, the channel of SFTP.
 *
 * Nothing of ~/.ssh/config is used. A host key that is given is the only one taken, and only keys
 * of its type are asked for; without one known_hosts decides, and a host that is not in there is
 * taken with a warning, as the reference does, unless a file of known hosts was named. The server
 * has LS_SSH_TIMEOUT for each step; one that is silent for longer is lost. The socket has TCP
 * keepalive, so that a host that is gone is noticed while nothing is asked.
 */
#ifndef LS_BACKENDS_SSH_H
#define LS_BACKENDS_SSH_H

#include "backends/sftp_wire.h"
#include "engine/base/log.h"
#include "engine/base/text.h"

#define LS_SSH_TIMEOUT (30 * LS_SEC)
#define LS_SSH_PASSPHRASE_VARIABLE "LITESTREAM_SFTP_KEY_PASSPHRASE"

/* Texts stay the caller's; NULL where there is none. */
typedef struct ls_ssh_login {
    const char *host;
    int port;
    const char *user;
    const char *password;
    const char *key_path;    /* without password and key: the agent, then ~/.ssh/id_* */
    const char *host_key;    /* a line as in authorized_keys */
    const char *known_hosts; /* a file in which the host must be */
    int64_t timeout;         /* ns; 0: LS_SSH_TIMEOUT */
} ls_ssh_login;

/* LS_ECONFIG if the host key is no line of that form. */
LS_MUST ls_code ls_ssh_check(const ls_ssh_login *login, ls_err *err);

/* Connects. *unverified: the host's key was taken without knowing it. Errors name user, host and
 * port, never a secret: LS_EREMOTE, LS_EPERM for what is refused, LS_ECONFIG for a key file that is
 * of no use. */
LS_MUST ls_code ls_ssh_connect(const ls_ssh_login *login, ls_sftp_stream **stream, bool *unverified,
                               ls_err *err);

#endif
