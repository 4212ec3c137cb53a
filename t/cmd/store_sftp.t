#!/usr/bin/env python3
"""litestream with a replica on an SFTP server: the whole story, and logins that are refused."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t", *f) for f in ((), ("support",), ("servers",))]
import tap
import daemon
import servers
import storestory
from server_sshd import PASSPHRASE

VARIABLE = "LITESTREAM_SFTP_KEY_PASSPHRASE"


def openssh():
    server = servers.start("sshd")
    store = server.stores()[0]
    story = storestory.Story(store, "backup/db")
    story.run()
    tap.ok(not server.leftovers(), "nothing is left of transfers", server.leftovers())

    other = server.settings("client_other")["key-path"]
    story.wrong("a key that is not known there", {"key-path": other}, "refused the login by key")
    story.wrong("another host key", {"host-key": server.host_key("rsa").replace("AAAAB", "AAAAC", 1)},
                "cannot parse sftp host key")
    foreign = tap.read(server.path("client.pub")).decode().strip()
    story.wrong("the host key of another host", {"host-key": foreign}, "not the one of host-key")
    story.wrong("a locked key", {"key-path": server.path("client_locked")}, "protected by a passphrase")
    story.wrong("a locked key and another passphrase", {"key-path": server.path("client_locked")},
                "cannot parse sftp key path", env={VARIABLE: "secret-but-wrong"})
    story.wrong("no key file", {"key-path": "/nowhere/key"}, "cannot read sftp key path")
    story.wrong("nobody listens", {"host": "127.0.0.1:1"}, "Connection refused")
    story.wrong("a known-hosts file without it", {"known-hosts": "/dev/null"},
                "not in the file of known-hosts", drop=("host-key",))
    logins(server, story)


def logins(server, story):
    """Ways in that work."""
    def lists(name, settings, **env):
        config = story.configure(settings, "login.yml")
        r = tap.run(daemon.LITESTREAM, "ltx", "-config", config, story.db,
                    env=dict(os.environ, HOME=story.dir, **env))
        text = (r.stdout + r.stderr).decode()
        tap.ok(r.returncode == 0 and PASSPHRASE not in text, name, text)
        return text

    for type_ in ("ed25519", "ecdsa", "rsa"):
        lists("a host key of type %s" % type_, server.settings(host_key=type_))
    lists("an RSA key", server.settings("client_rsa"))
    lists("a locked key with its passphrase", server.settings("client_locked"),
          **{VARIABLE: PASSPHRASE})
    text = lists("no host key", server.settings(host_key=None))
    tap.ok(text.count("sftp host key not verified") == 1, "is taken with a warning", text)
    known = os.path.join(story.dir, "known")
    tap.write(known, ("[127.0.0.1]:%d %s\n" % (server.port, server.host_key())).encode())
    text = lists("a file of known hosts", dict(server.settings(host_key=None), **{"known-hosts": known}))
    tap.ok("not verified" not in text, "is believed without a warning", text)
    without = server.settings()
    del without["key-path"]
    sock = os.path.join(story.dir, "agent")
    agent = subprocess.Popen(("ssh-agent", "-D", "-a", sock), stdout=subprocess.DEVNULL,
                             preexec_fn=servers.dies_with_parent)
    tap.wait_for(lambda: os.path.exists(sock))
    tap.run("ssh-add", server.path("client"), env=dict(os.environ, SSH_AUTH_SOCK=sock))
    lists("neither key nor password: the agent", without, SSH_AUTH_SOCK=sock)
    agent.kill()
    agent.wait()
    url = "sftp://%s@%s%s/backup/db?key-path=%s" % (server.user, server.address,
                                                   server.home("client"), server.path("client"))
    r = tap.run(daemon.LITESTREAM, "ltx", url, env=dict(os.environ, HOME=story.dir))
    tap.ok(r.returncode == 0 and r.stdout.count(b"\n") > 1, "a URL with an absolute path",
           (r.stdout + r.stderr).decode())


def rclone():
    server = servers.start("rclone")
    store = server.stores()[0]
    story = storestory.Story(store, "backup/db")
    story.run()
    story.wrong("another password", {"password": "secret-but-wrong"}, "refused the login by password")
    story.wrong("another user", {"user": "nobody"}, "refused the login by password")
    story.wrong("no user", {}, "user required for sftp replica", drop=("user",))


daemon.need()
openssh()
rclone()
tap.done()
