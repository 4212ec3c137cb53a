"""Azure Blob Storage: Azurite. Checks shared keys and SAS tokens."""

import base64
import hashlib
import hmac
import http.client
import os
import re
import time
import urllib.parse
from email.utils import formatdate

import servers

VERSION = "3.35.0"
ACCOUNT, CONTAINER = "devstoreaccount1", "cont1"
# That of the emulator's documentation, the same everywhere.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
API = "2021-12-02"


def mac(text):
    return base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256)
                            .digest()).decode()


def sas(container=CONTAINER, permissions="racwdl"):
    """A SAS token for a container, valid for a day."""
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
    name = "/blob/%s/%s" % (ACCOUNT, container)
    text = "\n".join([permissions, "", end, name, "", "", "", API, "c", "", "", "", "", "", "", ""])
    return urllib.parse.urlencode({"sv": API, "sr": "c", "sp": permissions, "se": end,
                                   "sig": mac(text)})


class Server(servers.Base):
    name = "azurite"
    title = "Azurite " + VERSION

    @classmethod
    def program(cls):
        return os.path.join(servers.cached("azurite", VERSION), "node_modules", "azurite", "dist",
                            "src", "blob", "main.js")

    @classmethod
    def install(cls):
        servers.npm_install("azurite", VERSION)

    @classmethod
    def find(cls):
        if not os.path.exists(cls.program()):
            raise servers.Missing("not installed: t/servers/servers.py install " + cls.name)

    def command(self):
        return [os.path.join(servers.node(), "node"), self.program(), "--silent",
                "--disableTelemetry", "--skipApiVersionCheck", "--blobHost", "127.0.0.1",
                "--blobPort", str(self.port), "--location", os.path.join(self.dir, "data")]

    def ask(self, method, path, query=None, body=b"", headers=None):
        """A request signed with the account's key: status and body."""
        sent = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": API}
        sent.update(headers or {})
        lines = "".join("%s:%s\n" % (k, sent[k]) for k in sorted(sent))
        resource = "/%s/%s%s" % (ACCOUNT, ACCOUNT, path)
        resource += "".join("\n%s:%s" % (k, query[k]) for k in sorted(query or {}))
        text = "%s\n\n\n%s\n\n\n\n\n\n\n\n\n%s%s" % (method, len(body) or "", lines, resource)
        sent["Authorization"] = "SharedKey %s:%s" % (ACCOUNT, mac(text))
        sent["Content-Length"] = str(len(body))
        target = "/%s%s" % (ACCOUNT, path)
        if query:
            target += "?" + urllib.parse.urlencode(query)
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        c.request(method, target, body, sent)
        r = c.getresponse()
        return r.status, r.read()

    def prepare(self):
        status, body = self.ask("PUT", "/" + CONTAINER, {"restype": "container"})
        if status != 201:
            raise servers.Missing("no container: %d %s" % (status, body))

    @property
    def endpoint(self):
        return "http://%s/%s" % (self.address, ACCOUNT)

    def stores(self):
        base = {"endpoint": self.endpoint, "bucket": CONTAINER, "account-name": ACCOUNT}
        able = ("time=1", "copy", "objects", "bare")
        return [servers.Store("abs Azurite", "abs", dict(base, **{"account-key": KEY}),
                              able=able + ("many=5300", "big=20000000"), secrets=(KEY,)),
                servers.Store("abs Azurite, SAS", "abs", dict(base, **{"sas-token": sas()}),
                              able=able + ("many=20", "big=5000000"), secrets=("sig=",),
                              network=False)]  # no faults: that was all seen above

    def put_raw(self, key, data):
        status, body = self.ask("PUT", "/%s/%s" % (CONTAINER, key), body=data,
                                headers={"x-ms-blob-type": "BlockBlob"})
        if status != 201:
            raise OSError("put %s: %d %s" % (key, status, body))

    def objects(self):
        """Every name."""
        _, body = self.ask("GET", "/" + CONTAINER, {"restype": "container", "comp": "list"})
        return re.findall(r"<Name>([^<]*)</Name>", body.decode())
