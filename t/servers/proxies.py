"""A proxy between litestream and a server that does what networks and busy services do.

    proxy = proxies.Proxy(server.address)                  # HTTP; Proxy(..., http=False): bytes
    proxy.set(proxies.Fault("lost", every=7))

Counted are requests (HTTP) or connections (bytes). What can happen to one:

    refuse    the connection ends before anything was sent on
    request   half of the request reaches the server, then both connections end
    lost      the request is carried out, its answer never comes
    answer    the connection ends after the first `after` bytes of the answer's body
    status    the answer is `status`, with Retry-After where `retry_after` is set; nothing is sent on
    corrupt   a byte of the answer's body, or, with to_server, of the request's, is another one
    delay     everything waits for `seconds` first
    drop      bytes only: the connection ends when `after` bytes came from the server, or, with
              to_server, when so many were sent to it
    flip      bytes only: the byte behind so many is another one

Faults come each n-th time, or by chance from a seed; the bytes that are spoilt are chosen by it too.
"""

import random
import re
import socket
import threading
import time

BODY_MAX = 256 << 20


class Fault:
    def __init__(self, kind, every=1, methods=None, times=None, after=0, status=503,
                 retry_after=None, seconds=0.0, to_server=False, least=0, chance=None, path=None,
                 seed=1):
        """every: the n-th of those that it applies to, and each n-th after it; chance: instead,
        how likely each is struck. methods: of HTTP, None for all. path: expression that the
        request's line must have. times: no more than so often. least: applies to requests with a
        body of so many bytes."""
        self.kind, self.every, self.methods, self.times = kind, every, methods, times
        self.after, self.status, self.retry_after = after, status, retry_after
        self.seconds, self.to_server, self.least = seconds, to_server, least
        self.chance, self.path, self.random = chance, path, random.Random(seed)
        self.seen = self.hits = 0

    def strikes(self, method, length, line):
        if (self.methods and method not in self.methods) or length < self.least:
            return False
        if self.path and not re.search(self.path, line):
            return False
        self.seen += 1
        struck = self.seen % self.every == 0 if self.chance is None else \
            self.random.random() < self.chance
        if not struck or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


class Head:
    """First line and headers of a request or an answer."""

    def __init__(self, raw):
        self.first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        self.headers = [line.split(":", 1) for line in lines if ":" in line]

    def get(self, name):
        for n, v in self.headers:
            if n.lower() == name:
                return v.strip()
        return None

    def replace(self, name, change):
        self.headers = [[n, " " + change(v.strip())] if n.lower() == name else [n, v]
                        for n, v in self.headers]

    def remove(self, name):
        self.headers = [h for h in self.headers if h[0].lower() != name]

    def raw(self):
        lines = [self.first] + [n + ":" + v for n, v in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Wire:
    """A socket that is read by lines and by numbers of bytes."""

    def __init__(self, sock):
        self.sock, self.file = sock, sock.makefile("rb")

    def head(self):
        raw = b""
        while not raw.endswith(b"\r\n\r\n"):
            line = self.file.readline(65536)
            if not line:
                return None
            raw += line
        return Head(raw)

    def pieces(self, head, has_body=True, to_end=False):
        """The body as it came, in pieces; chunks keep their lengths around them."""
        length = head.get("content-length")
        if not has_body:
            return
        if "chunked" in (head.get("transfer-encoding") or "").lower():
            yield from self.chunks()
        elif length is not None:
            left = int(length)
            while left > 0:
                data = self.file.read1(min(left, 65536))
                if not data:
                    raise ConnectionError("ended early")
                left -= len(data)
                yield data
        elif to_end:
            yield from iter(lambda: self.file.read1(65536), b"")

    def chunks(self):
        while True:
            line = self.file.readline(1024)
            if not line:
                raise ConnectionError("ended early")
            n = int(line.split(b";")[0], 16)
            yield line + self.file.read(n + 2)
            if n == 0:
                return

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        for close in (lambda: self.sock.shutdown(socket.SHUT_RDWR), self.file.close,
                      self.sock.close):
            try:
                close()
            except OSError:
                pass


class Proxy:
    """Runs in threads of the test's process."""

    def __init__(self, target, http=True, rewrite_host=False):
        """rewrite_host: what the client sends as host, and what the server says of itself, are
        replaced, for servers that know their address. Not for requests whose host is signed."""
        host, port = target.rsplit(":", 1)
        self.target, self.http, self.rewrite_host = (host, int(port)), http, rewrite_host
        self.faults, self.requests, self.lock = [], 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.target_address = target
        threading.Thread(target=self.accept, daemon=True).start()

    def set(self, *faults):
        with self.lock:
            self.faults, self.requests = list(faults), 0

    def hits(self):
        with self.lock:
            return sum(f.hits for f in self.faults)

    def choose(self, method="", length=0, line=""):
        with self.lock:
            self.requests += 1
            struck = [f for f in self.faults if f.strikes(method, length, line)]
        return struck[0] if struck else None

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            serve = self.serve_http if self.http else self.serve_bytes
            threading.Thread(target=self.serve, args=(serve, sock), daemon=True).start()

    def serve(self, serve, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client, server = Wire(sock), None
        try:
            upstream = socket.create_connection(self.target, 10)
            upstream.settimeout(None)
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = Wire(upstream)
            serve(client, server)
        except (OSError, ValueError):
            pass
        finally:
            client.close()
            if server is not None:
                server.close()

    # ---- HTTP ----

    def serve_http(self, client, server):
        while self.exchange(client, server):
            pass

    def exchange(self, client, server):
        """One request and its answer; False: the connection ends."""
        head = client.head()
        if head is None:
            return False
        method = head.first.split(" ")[0]
        fault = self.choose(method, int(head.get("content-length") or 0), head.first)
        kind = fault.kind if fault else None
        if kind == "refuse":
            return False
        if head.get("expect"):
            client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            head.remove("expect")
        if self.rewrite_host:
            head.replace("host", lambda v: self.target_address)
            head.replace("destination", lambda v: v.replace(self.address, self.target_address))
        if kind == "delay":
            time.sleep(fault.seconds)
        if kind == "request":
            return self.half(client, server, head)
        body = b"".join(client.pieces(head))
        if kind == "status":
            client.send(self.refusal(fault))
            return True
        if kind == "corrupt" and fault.to_server:
            body, fault = self.spoil(body, fault), None
        server.send(head.raw() + body)
        return self.answer(client, server, method, fault)

    def half(self, client, server, head):
        server.send(head.raw())
        wanted = int(head.get("content-length") or 0) // 2
        for piece in client.pieces(head):
            server.send(piece[:wanted])
            wanted -= len(piece)
            if wanted <= 0:
                break
        return False

    @staticmethod
    def refusal(fault):
        later = "" if fault.retry_after is None else "Retry-After: %s\r\n" % fault.retry_after
        return ("HTTP/1.1 %d Refused\r\n%sContent-Length: 0\r\n\r\n" %
                (fault.status, later)).encode()

    def answer(self, client, server, method, fault):
        head = server.head()
        while head is not None and head.first.split(" ")[1] == "100":
            head = server.head()
        if head is None:
            return False
        status = int(head.first.split(" ")[1])
        if self.rewrite_host:
            head.replace("location", lambda v: v.replace(self.target_address, self.address))
        has_body = method != "HEAD" and status not in (204, 304)
        ends = has_body and head.get("content-length") is None and \
            "chunked" not in (head.get("transfer-encoding") or "").lower()
        kind = fault.kind if fault else None
        if kind in ("lost", "corrupt"):
            body = b"".join(server.pieces(head, has_body, True))
            if kind == "lost":
                return False
            client.send(head.raw() + self.spoil(body, fault))
            return not ends
        client.send(head.raw())
        left = fault.after if kind == "answer" else None
        for piece in server.pieces(head, has_body, True):
            if left is not None and len(piece) > left:
                client.send(piece[:left])
                return False
            left = None if left is None else left - len(piece)
            client.send(piece)
        closes = "close" in (head.get("connection") or "").lower()
        return not ends and not closes and kind != "answer"

    @staticmethod
    def spoil(body, fault):
        """By default the byte in the middle; by chance any, and any of its bits."""
        at, bits = len(body) // 2, 0x55
        if fault.chance is not None and body:
            at, bits = fault.random.randrange(len(body)), fault.random.randrange(1, 256)
        return body[:at] + bytes(b ^ bits for b in body[at:at + 1]) + body[at + 1:]

    # ---- bytes ----

    def serve_bytes(self, client, server):
        fault = self.choose()
        if fault and fault.kind == "refuse":
            return
        if fault and fault.kind == "delay":
            time.sleep(fault.seconds)
        later = fault if fault and fault.kind in ("drop", "flip") else None
        up = threading.Thread(target=self.copy, daemon=True, args=(
            client, server, later if later and later.to_server else None))
        up.start()
        self.copy(server, client, later if later and not later.to_server else None)
        up.join()

    @staticmethod
    def copy(source, target, fault):
        """Until one of both ends, or the fault comes after so many bytes."""
        left = fault.after if fault else None
        try:
            while True:
                data = source.file.read1(65536)
                if not data:
                    break
                if left is not None and len(data) > left:
                    if fault.kind == "drop":
                        target.send(data[:left])
                        break
                    data = data[:left] + bytes([data[left] ^ 0x55]) + data[left + 1:]
                    left = None
                left = None if left is None else left - len(data)
                target.send(data)
        except (OSError, ValueError):
            pass
        source.close()
        target.close()

    def close(self):
        self.listener.close()
