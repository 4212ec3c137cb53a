#!/usr/bin/env python3
"""Answers as the services do that give tokens for Google's and Azure's stores. Prints its port, ends
when its standard input does.

Each answer is a new token; which one and what was asked is told by GET /-/last (the last request as
JSON: method, path, headers, body) and GET /-/count (requests so far). What it gives:
  /token, /sts, */oauth2/v2.0/token, /identity, /metadata/identity/oauth2/token,
  /computeMetadata/...     access_token and expires_in (/short/token: of one second)
  /impersonate             accessToken and expireTime, if a token of its own is sent along
  /subject, /subject.json  the token of another identity provider
  /refuse/...              status 400 with error and error_description
  /busy/...                503 at the first request, then a token
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

state = {"n": 0, "last": None, "busy": 0}
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, value, status=200):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def token(self):
        self.reply({"access_token": "token-%d" % state["n"], "token_type": "Bearer",
                    "expires_in": 1 if self.path.startswith("/short") else 3599})

    def azure(self):
        """As the managed identity answers: numbers are texts."""
        self.reply({"access_token": "token-%d" % state["n"], "token_type": "Bearer",
                    "expires_in": "86399", "expires_on": str(int(time.time()) + 86399)})

    def route(self):
        path = self.path.split("?")[0]
        if path == "/impersonate":
            if not self.headers.get("Authorization", "").startswith("Bearer token-"):
                return self.reply({"error": {"status": "UNAUTHENTICATED", "message": "who?"}}, 401)
            until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
            return self.reply({"accessToken": "token-%d" % state["n"], "expireTime": until})
        if path == "/subject":
            return self.reply(b"subject-of-another")
        if path == "/subject.json":
            return self.reply({"id_token": "subject-of-another"})
        if path.startswith("/refuse"):
            return self.reply({"error": "invalid_grant", "error_description": "Not a valid grant."},
                              400)
        if path.startswith("/busy") and state["busy"] == 0:
            state["busy"] = 1
            return self.reply({}, 503)
        if path.startswith(("/metadata/identity", "/identity")):
            return self.azure()
        return self.token()

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        with lock:
            if self.path == "/-/last":
                return self.reply(state["last"])
            if self.path == "/-/count":
                return self.reply(str(state["n"]).encode())
            state["n"] += 1
            state["last"] = {"method": self.command, "path": self.path, "body": body,
                             "headers": {k.lower(): v for k, v in self.headers.items()}}
            return self.route()

    do_GET = do_POST = answer


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


main()
