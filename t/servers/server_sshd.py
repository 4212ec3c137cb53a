"""SFTP: OpenSSH's server, run by whoever runs the tests, with keys of its own.

It takes two client keys: one without and one with a passphrase. Only root could let it check
passwords; that is what server_rclone.py is for.
"""

import getpass
import os
import re
import shutil

import servers
import tap

PASSPHRASE = "sesame-of-the-key"
CONFIG = """
Port %(port)d
ListenAddress 127.0.0.1
%(host_keys)s
AuthorizedKeysFile %(dir)s/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
MaxStartups 100
LogLevel VERBOSE
Subsystem sftp internal-sftp
"""


def keygen(path, type_, passphrase=""):
    servers.run("ssh-keygen", "-q", "-t", type_, "-N", passphrase, "-C", "test", "-f", path)


class Server(servers.Base):
    name = "sshd"
    title = "OpenSSH's sshd"
    user = getpass.getuser()

    @classmethod
    def program(cls):
        return shutil.which("sshd") or "/usr/sbin/sshd"

    @classmethod
    def find(cls):
        if not os.path.exists(cls.program()) or not shutil.which("ssh-keygen"):
            raise servers.Missing("not installed: Debian packages openssh-server, openssh-client")

    def make_keys(self):
        for type_ in ("ed25519", "ecdsa", "rsa"):
            keygen(self.path("host_" + type_), type_)
        keygen(self.path("client"), "ed25519")
        keygen(self.path("client_rsa"), "rsa")
        keygen(self.path("client_locked"), "ed25519", PASSPHRASE)
        keygen(self.path("client_other"), "ed25519")
        tap.write(self.path("authorized_keys"), b"".join(
            b'command="internal-sftp -d %s" ' % self.home(n).encode() +
            tap.read(self.path(n + ".pub")) for n in ("client", "client_rsa", "client_locked")))

    def home(self, key):
        """The folder in which a session by that key begins."""
        path = self.path("home_" + key)
        os.makedirs(path, exist_ok=True)
        return path

    def path(self, name):
        return os.path.join(self.dir, name)

    def host_key(self, type_="ed25519"):
        """The line for host-key."""
        return " ".join(tap.read(self.path("host_%s.pub" % type_)).decode().split()[:2])

    def command(self):
        if not os.path.exists(self.path("client")):
            self.make_keys()
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        keys = "\n".join("HostKey " + self.path("host_" + t) for t in ("rsa", "ecdsa", "ed25519"))
        tap.write(self.path("sshd_config"), (CONFIG % {"port": self.port, "host_keys": keys,
                                                       "dir": self.dir}).encode())
        return [self.program(), "-D", "-e", "-f", self.path("sshd_config")]

    def settings(self, key="client", host_key="ed25519"):
        values = {"host": self.address, "user": self.user, "key-path": self.path(key)}
        if host_key:
            values["host-key"] = self.host_key(host_key)
        return values

    def stores(self):
        return [servers.Store("sftp OpenSSH", "sftp", self.settings(), http=False,
                              able=("time=1000", "copy", "many=2300", "big=40000000")),
                servers.Store("sftp OpenSSH, RSA, one by one", "sftp",
                              dict(self.settings("client_rsa", "rsa"),
                                   **{"concurrent-writes": "false"}), http=False, network=False,
                              able=("time=1000", "copy", "many=20", "big=3000000"))]

    def put_raw(self, key, data):
        for home in ("client", "client_rsa"):
            path = os.path.join(self.home(home), key)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            tap.write(path, data)

    def leftovers(self):
        return [name for _, _, names in os.walk(self.dir) for name in names
                if re.search(r"\.ltx\..*-.*\.tmp$", name)]
