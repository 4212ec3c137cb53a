"""Google Cloud Storage: fake-gcs-server over a folder. It checks no credentials."""

import http.client
import json
import os
import urllib.parse

import servers

MODULE, VERSION = "github.com/fsouza/fake-gcs-server", "v1.56.1"
BUCKET = "bkt1"


class Server(servers.Base):
    name = "gcs"
    title = "fake-gcs-server " + VERSION

    @classmethod
    def program(cls):
        return os.path.join(servers.cached("fake-gcs-server", VERSION), "fake-gcs-server")

    @classmethod
    def install(cls):
        servers.go_install("fake-gcs-server", VERSION, MODULE)

    @classmethod
    def find(cls):
        if not os.path.exists(cls.program()):
            raise servers.Missing("not installed: t/servers/servers.py install " + cls.name)

    def command(self):
        root = os.path.join(self.dir, "data")
        os.makedirs(os.path.join(root, BUCKET), exist_ok=True)
        return [self.program(), "-scheme", "http", "-host", "127.0.0.1", "-port", str(self.port),
                "-backend", "filesystem", "-filesystem-root", root, "-log-level", "error",
                "-public-host", self.address, "-external-url", "http://" + self.address]

    def ask(self, method, target, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        c.request(method, target, body, headers or {})
        r = c.getresponse()
        return r.status, r.read()

    def answers(self):
        return self.ask("GET", "/storage/v1/b/" + BUCKET)[0] == 200

    def stores(self):
        return [servers.Store("gs fake-gcs-server", "gs", {"bucket": BUCKET},
                              env={"STORAGE_EMULATOR_HOST": self.address}, rewrite_host=True,
                              # It cannot go on with an upload that broke, and copies over all.
                              fault_bytes=7000000,
                              able=("time=1", "copy", "loose", "objects", "bare", "many=2300",
                                    "big=40000000"))]

    def put_raw(self, key, data):
        status, body = self.ask("POST", "/upload/storage/v1/b/%s/o?uploadType=media&name=%s" %
                                (BUCKET, urllib.parse.quote(key, safe="")), data)
        if status != 200:
            raise OSError("put %s: %d %s" % (key, status, body))

    def objects(self):
        """Every name."""
        status, body = self.ask("GET", "/storage/v1/b/%s/o" % BUCKET)
        return [item["name"] for item in json.loads(body).get("items", [])] if status == 200 else []
