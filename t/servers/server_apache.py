"""WebDAV by Apache's mod_dav: Basic at the root, Digest below a path of its own."""

import base64
import hashlib
import os
import pwd
import re
import shutil

import servers
import tap

USER, PASSWORD, REALM = "davuser", "dav-pass-word", "dav realm"
MODULES = "/usr/lib/apache2/modules"
CONFIG = """
ServerRoot "%(dir)s"
ServerName 127.0.0.1
Listen %(address)s
%(user)s
PidFile "%(dir)s/httpd.pid"
ErrorLog /dev/stderr
LogLevel warn
%(modules)s
DocumentRoot "%(dir)s/data"
DavLockDB "%(dir)s/lock/DavLock"
AddDefaultCharset Off
KeepAlive On
MaxKeepAliveRequests 0
<Directory "%(dir)s">
  Dav On
  AuthName "%(realm)s"
  AuthType Basic
  AuthBasicProvider file
  AuthUserFile "%(dir)s/users"
  Require valid-user
</Directory>
Alias /digest "%(dir)s/digest"
<Directory "%(dir)s/digest">
  AuthType Digest
  AuthDigestProvider file
  AuthUserFile "%(dir)s/digests"
</Directory>
"""
NAMES = ("mpm_event", "unixd", "authz_core", "authn_core", "authn_file", "authz_user", "auth_basic",
         "auth_digest", "alias", "dav", "dav_fs")


class Server(servers.Base):
    name = "apache"
    title = "Apache mod_dav"

    @classmethod
    def program(cls):
        return shutil.which("apache2") or "/usr/sbin/apache2"

    @classmethod
    def find(cls):
        if not os.path.exists(cls.program()) or not os.path.exists(MODULES + "/mod_dav.so"):
            raise servers.Missing("not installed: Debian package apache2-bin")

    def path(self, name):
        return os.path.join(self.dir, name)

    def command(self):
        for name in ("data", "digest", "lock"):
            os.makedirs(self.path(name), exist_ok=True)
        tap.write(self.path("users"), ("%s:{SHA}%s\n" % (
            USER, base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode())).encode())
        tap.write(self.path("digests"), ("%s:%s:%s\n" % (USER, REALM, hashlib.md5(
            ("%s:%s:%s" % (USER, REALM, PASSWORD)).encode()).hexdigest())).encode())
        user = ""
        if os.getuid() == 0:  # it does not serve as root
            entry = pwd.getpwnam("www-data")
            user = "User #%d\nGroup #%d" % (entry.pw_uid, entry.pw_gid)
            os.chmod(self.dir, 0o755)
            for name in ("data", "digest", "lock"):
                os.chown(self.path(name), entry.pw_uid, entry.pw_gid)
        tap.write(self.path("httpd.conf"), (CONFIG % {
            "dir": self.dir, "address": self.address, "user": user, "realm": REALM,
            "modules": "\n".join("LoadModule %s_module %s/mod_%s.so" % (n, MODULES, n)
                                 for n in NAMES
                                 if os.path.exists("%s/mod_%s.so" % (MODULES, n)))}).encode())
        return [self.program(), "-DFOREGROUND", "-f", self.path("httpd.conf")]

    def settings(self, path=""):
        return {"webdav-url": "http://%s%s" % (self.address, path), "webdav-username": USER,
                "webdav-password": PASSWORD}

    def stores(self):
        able = ("copy", "bare")
        return [servers.Store("webdav Apache, Basic", "webdav", self.settings(), secrets=(PASSWORD,),
                              rewrite_host=True, able=able + ("many=1100", "big=12000000")),
                servers.Store("webdav Apache, Digest", "webdav", self.settings("/digest/a base"),
                              secrets=(PASSWORD,), network=False,
                              able=able + ("many=50", "big=3000000"))]

    def put_raw(self, key, data):
        for root in ("data", "digest/a base"):
            path = os.path.join(self.path(root), key)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            tap.write(path, data)
        if os.getuid() == 0:
            entry = pwd.getpwnam("www-data")
            for root in ("data", "digest"):
                for folder, _, _ in os.walk(self.path(root)):
                    os.chown(folder, entry.pw_uid, entry.pw_gid)

    def leftovers(self):
        return [name for _, _, names in os.walk(self.dir) for name in names
                if re.search(r"\.ltx\..*-.*\.tmp$", name)]
