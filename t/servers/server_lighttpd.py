"""WebDAV by lighttpd: without login, and with Digest below a path of its own."""

import hashlib
import os
import re
import shutil

import servers
import tap

USER, PASSWORD, REALM = "davuser", "dav-pass-word", "dav realm"
CONFIG = """
server.modules = ("mod_auth", "mod_authn_file", "mod_webdav")
server.document-root = "%(dir)s/data"
server.bind = "127.0.0.1"
server.port = %(port)d
server.upload-dirs = ("%(dir)s/uploads")
server.errorlog = "/dev/stderr"
webdav.activate = "enable"
webdav.is-readonly = "disable"
auth.backend = "htdigest"
auth.backend.htdigest.userfile = "%(dir)s/digests"
auth.require = ("/digest/" => ("method" => "digest", "realm" => "%(realm)s", "require" => "valid-user"))
"""


class Server(servers.Base):
    name = "lighttpd"
    title = "lighttpd mod_webdav"

    @classmethod
    def program(cls):
        return shutil.which("lighttpd") or "/usr/sbin/lighttpd"

    @classmethod
    def find(cls):
        if not os.path.exists(cls.program()) or \
                not os.path.exists("/usr/lib/lighttpd/mod_webdav.so"):
            raise servers.Missing("not installed: Debian packages lighttpd, lighttpd-mod-webdav")

    def path(self, name):
        return os.path.join(self.dir, name)

    def command(self):
        for name in ("data/digest", "uploads"):
            os.makedirs(self.path(name), exist_ok=True)
        tap.write(self.path("digests"), ("%s:%s:%s\n" % (USER, REALM, hashlib.md5(
            ("%s:%s:%s" % (USER, REALM, PASSWORD)).encode()).hexdigest())).encode())
        tap.write(self.path("lighttpd.conf"), (CONFIG % {
            "dir": self.dir, "port": self.port, "realm": REALM}).encode())
        return [self.program(), "-D", "-f", self.path("lighttpd.conf")]

    def settings(self):
        return {"webdav-url": "http://" + self.address + "/digest", "webdav-username": USER,
                "webdav-password": PASSWORD}

    def stores(self):
        open_url = {"webdav-url": "http://" + self.address}
        return [servers.Store("webdav lighttpd", "webdav", open_url, rewrite_host=True,
                              able=("copy", "bare", "many=500", "big=12000000")),
                servers.Store("webdav lighttpd, Digest", "webdav", self.settings(), network=False,
                              secrets=(PASSWORD,), able=("copy", "many=50", "big=3000000"))]

    def put_raw(self, key, data):
        for root in ("data", "data/digest"):
            path = os.path.join(self.path(root), key)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            tap.write(path, data)

    def leftovers(self):
        return [name for _, _, names in os.walk(self.path("data")) for name in names
                if re.search(r"\.ltx\..*-.*\.tmp$", name)]
