#!/usr/bin/env python3
"""An HTTP server for tests, which answers as its paths say. Prints its port, ends when its standard
input does.

  /echo                    method, path, headers and the body's SHA-256 as JSON
  /status/N?key=K&times=T  status N for the first T requests of key K, then 200; always without times
  /after/N?key=K           503 with Retry-After: N once, then 200
  /drop?key=K&times=T      the connection is closed T times without an answer
  /big?size=N              N bytes, each its offset modulo 251
  /short?size=N            promises N bytes, sends half, closes
  /stall                   a part of an answer, then nothing until the client goes
  /hidden?key=K            401 with Digest and Basic as asked by the path /hidden/digest, /hidden/basic
  /stats                   connections and requests so far as JSON
"""

import base64
import hashlib
import json
import re
import threading
import urllib.parse

import loopback

counts = {}
stats = {"connections": 0, "requests": 0, "aborted": 0}
lock = threading.Lock()
USER, PASSWORD, REALM, NONCE = "user", "p:w", "test", "0123456789abcdef"


def count(key):
    with lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key]


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


class Handler(loopback.Handler):
    def setup(self):
        with lock:
            stats["connections"] += 1
        super().setup()

    def answer(self):
        with lock:
            stats["requests"] += 1
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.body = self.body_sent()
        kind = url.path.split("/")[1]
        handler = getattr(self, "on_" + kind, None)
        if handler is None:
            self.reply(404, b"no such path")
        else:
            handler(url.path)

    def is_first(self, default=10**9):
        return count(self.query.get("key", "")) <= int(self.query.get("times", default))

    def on_echo(self, path):
        out = {
            "method": self.command,
            "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "sha256": hashlib.sha256(self.body).hexdigest(),
            "length": len(self.body),
            "times": count(self.query.get("key", "")),
        }
        self.reply(200, json.dumps(out).encode(), {"X-Answer": " padded ", "X-Empty": ""})

    def on_status(self, path):
        status = int(path.split("/")[2])
        self.reply(status if self.is_first() else 200, b"body %d" % status)

    def on_after(self, path):
        if self.is_first(1):
            self.reply(503, b"", {"Retry-After": path.split("/")[2]})
        else:
            self.reply(200, b"later")

    def on_drop(self, path):
        if self.is_first(1):
            self.close_connection = True
        else:
            self.reply(200, self.body)

    def on_big(self, path):
        size = int(self.query["size"])
        start = 0
        match = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        if match:
            start = int(match[1])
            size = min(size, int(match[2]) + 1 if match[2] else size)
        self.send_response(206 if match else 200)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        block = bytes(i % 251 for i in range(251 * 256))
        try:
            while start < size:
                piece = block[start % 251 :][: size - start]
                self.wfile.write(piece)
                start += len(piece)
        except OSError:
            stats["aborted"] += 1
            self.close_connection = True

    def on_short(self, path):
        size = int(self.query["size"])
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(bytes(size // 2))
        self.close_connection = True

    def on_stall(self, path):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"part")
        self.wfile.flush()
        self.rfile.read(1)
        self.close_connection = True

    def digest_is_right(self, given):
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
        ha1 = md5(f"{USER}:{REALM}:{PASSWORD}")
        ha2 = md5(f"{self.command}:{fields.get('uri')}")
        parts = [ha1, NONCE, fields.get("nc"), fields.get("cnonce"), "auth", ha2]
        return fields.get("response") == md5(":".join(str(p) for p in parts))

    def on_hidden(self, path):
        given = self.headers.get("Authorization", "")
        basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if path.endswith("digest"):
            good = given.startswith("Digest ") and self.digest_is_right(given)
            ask = f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth"'
        else:
            good, ask = given == basic, f'Basic realm="{REALM}"'
        if good:
            self.on_echo(path)
        else:
            self.reply(401, b"who are you?", {"WWW-Authenticate": ask})

    def on_stats(self, path):
        self.reply(200, json.dumps(stats).encode())


loopback.serve(Handler)
