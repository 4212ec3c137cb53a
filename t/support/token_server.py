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
import threading
import time

import loopback

state = {"n": 0, "last": None, "busy": 0}
lock = threading.Lock()


class Handler(loopback.Handler):
    def tell(self, value, status=200):
        self.reply(status, value if isinstance(value, bytes) else json.dumps(value))

    def token(self):
        self.tell({"access_token": "token-%d" % state["n"], "token_type": "Bearer",
                    "expires_in": 1 if self.path.startswith("/short") else 3599})

    def azure(self):
        """As the managed identity answers: numbers are texts."""
        self.tell({"access_token": "token-%d" % state["n"], "token_type": "Bearer",
                    "expires_in": "86399", "expires_on": str(int(time.time()) + 86399)})

    def route(self):
        path = self.path.split("?")[0]
        if path == "/impersonate":
            if not self.headers.get("Authorization", "").startswith("Bearer token-"):
                return self.tell({"error": {"status": "UNAUTHENTICATED", "message": "who?"}}, 401)
            until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
            return self.tell({"accessToken": "token-%d" % state["n"], "expireTime": until})
        if path == "/subject":
            return self.tell(b"subject-of-another")
        if path == "/subject.json":
            return self.tell({"id_token": "subject-of-another"})
        if path.startswith("/refuse"):
            return self.tell({"error": "invalid_grant", "error_description": "Not a valid grant."},
                              400)
        if path.startswith("/busy") and state["busy"] == 0:
            state["busy"] = 1
            return self.tell({}, 503)
        if path.startswith(("/metadata/identity", "/identity")):
            return self.azure()
        return self.token()

    def answer(self):
        body = self.body_sent().decode()
        with lock:
            if self.path == "/-/last":
                return self.tell(state["last"])
            if self.path == "/-/count":
                return self.tell(str(state["n"]).encode())
            state["n"] += 1
            state["last"] = {"method": self.command, "path": self.path, "body": body,
                             "headers": {k.lower(): v for k, v in self.headers.items()}}
            return self.route()


loopback.serve(Handler)
