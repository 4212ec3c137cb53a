"""What servers of our own have in common: HTTP/1.1, and refusals as exceptions."""

import ctypes
import os
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


def compiled(source, name, result):
    """The function of this name, of bytes and their number, in C: in Python a part would take
    seconds."""
    with tempfile.TemporaryDirectory() as folder:
        file, library = os.path.join(folder, "c.c"), os.path.join(folder, "c.so")
        with open(file, "w", encoding="ascii") as f:
            f.write(source)
        subprocess.check_call([os.environ.get("CC", "cc").split()[-1], "-O2", "-shared", "-fPIC",
                               "-o", library, file])
        function = getattr(ctypes.CDLL(library), name)
    function.restype, function.argtypes = result, (ctypes.c_char_p, ctypes.c_size_t)
    return lambda data: function(bytes(data), len(data))


class Refused(Exception):
    def __init__(self, status, code, message=""):
        Exception.__init__(self, code)
        self.status, self.code, self.message = status, code, message


class Handler(BaseHTTPRequestHandler):
    """A kind defines route(path, query, data), and refusal(why): the body of an answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes, which would wait for each other
    server_version, sys_version = "strict", ""
    lock = threading.Lock()

    def log_message(self, format, *args):
        print("%s %s" % (time.strftime("%H:%M:%S"), format % args), flush=True)

    def reply(self, status, body=b"", headers=None, length=None, kind="application/xml"):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if body and "Content-Type" not in (headers or {}):
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            n = int(self.headers.get("Content-Length") or 0)
            data = self.rfile.read(n)
            if len(data) < n:
                raise ConnectionError("half a body")
            return data
        out = b""
        while True:
            n = int(self.rfile.readline().split(b";")[0], 16)
            if n == 0:
                while self.rfile.readline() not in (b"\r\n", b""):
                    pass
                return out
            out += self.rfile.read(n)
            self.rfile.readline()

    def handle_any(self):
        try:
            data = self.body()
        except (OSError, ValueError):
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        self.raw_query = parts.query
        query = {unquote(p.partition("=")[0]): unquote(p.partition("=")[2])
                 for p in parts.query.split("&") if p}
        try:
            self.route(parts.path, query, data)
        except Refused as why:
            self.refusal(why)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any


def serve(port, handler):
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    server.serve_forever()
