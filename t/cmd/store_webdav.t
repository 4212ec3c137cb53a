#!/usr/bin/env python3
"""litestream with a replica on WebDAV servers: the whole story on Apache and lighttpd, logins that
are refused, and a server that answers in unusual ways."""
import http.server
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t", *f) for f in ((), ("support",), ("servers",))]
import tap
import daemon
import loopback
import servers
import storestory
from server_apache import PASSWORD, USER


def apache():
    server = servers.start("apache")
    basic, digest = server.stores()
    story = storestory.Story(basic, "backup/a db")
    story.run()
    tap.ok(not server.leftovers(), "nothing is left of transfers", server.leftovers())
    for name, store in (("Basic", basic), ("Digest", digest)):
        wrong = storestory.Story(store, "backup/a db")
        wrong.wrong(name + ", another password", {"webdav-password": "secret-but-wrong"},
                    "answers 401 to PROPFIND")
        wrong.wrong(name + ", no login", {}, "answers 401 to PROPFIND",
                    drop=("webdav-username", "webdav-password"))
    story.wrong("nobody listens", {"webdav-url": "http://127.0.0.1:1/"}, "onnect")
    story.wrong("no WebDAV URL", {"webdav-url": "ftp://127.0.0.1/"}, "must begin with http")
    r = tap.run(daemon.LITESTREAM, "ltx", "webdav://%s:%s@%s/backup/a%%20db" % (
        USER, PASSWORD, server.address))
    text = (r.stdout + r.stderr).decode()
    tap.ok(r.returncode == 0 and text.count("\n") > 1 and PASSWORD not in text, "a URL with login", text)


def lighttpd():
    server = servers.start("lighttpd")
    story = storestory.Story(server.stores()[1], "backup/db")
    story.run()
    tap.ok(not server.leftovers(), "nothing is left of transfers", server.leftovers())


class Odd(http.server.BaseHTTPRequestHandler):
    """Knows no MOVE and no COPY, no ranges and no conditions; its prefixes are unusual and its
    answers to PUT, MKCOL and DELETE are 204 and 200."""

    protocol_version = "HTTP/1.1"
    files, folders, lock = {}, {"/"}, threading.Lock()

    def answer(self, status, body=b""):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def take(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_PUT(self):
        data = self.take()
        with self.lock:
            there = self.path.rsplit("/", 1)[0] + "/" in self.folders
            if there:
                self.files[self.path] = data
        self.answer(204 if there else 409)

    def do_MKCOL(self):
        path = self.path.rstrip("/") + "/"
        with self.lock:
            parent = path.rstrip("/").rsplit("/", 1)[0] + "/"
            good = parent in self.folders
            if good:
                self.folders.add(path)
        self.answer(200 if good else 409)

    def do_GET(self):
        data = self.files.get(self.path)
        self.answer(404 if data is None else 200, data or b"")

    do_HEAD = do_GET

    def do_DELETE(self):
        with self.lock:
            gone = self.files.pop(self.path, None)
        self.answer(404 if gone is None else 200)

    def do_PROPFIND(self):
        self.take()
        if self.path not in self.folders:
            return self.answer(404)
        with self.lock:
            names = [(p, len(d)) for p, d in self.files.items() if p.rsplit("/", 1)[0] + "/" == self.path]
        item = ("<x:response><x:href>http://else.where%s</x:href><x:propstat><x:status>HTTP/1.1 200 OK"
                "</x:status><x:prop>%s</x:prop></x:propstat></x:response>")
        body = "<x:multistatus xmlns:x='DAV:'>" + item % (
            self.path, "<x:resourcetype><x:collection/></x:resourcetype>")
        for path, size in names:
            body += item % (path.replace("-", "%2D"), "<x:resourcetype/><x:getcontentlength>%d"
                            "</x:getcontentlength><x:getlastmodified>%s</x:getlastmodified>" %
                            (size, self.date_time_string()))
        self.answer(207, (body + "</x:multistatus>").encode())

    def log_message(self, *args):
        pass


def odd():
    url = {"webdav-url": "http://127.0.0.1:%d" % loopback.start(Odd)}
    story = storestory.Story(servers.Store("webdav without MOVE and ranges", "webdav", url), "db")
    story.run()
    tap.ok(not [p for p in Odd.files if p.endswith(".tmp")], "no temporary files stay there", "")


daemon.need()
apache()
lighttpd()
odd()
tap.done()
