"""Alibaba Cloud OSS: oss_server.py, as no server that can be installed is strict enough."""

import http.client
import json
import os
import sys
import urllib.parse

import servers

KEY, SECRET, BUCKET, REGION = "AKIDTEST", "secretsecret", "bkt1", "cn-hangzhou"


class Server(servers.Base):
    name = "oss"
    title = "own OSS server"

    def command(self):
        return [sys.executable, os.path.join(servers.HERE, "oss_server.py"), str(self.port), BUCKET,
                KEY, SECRET, REGION]

    def stores(self):
        return [servers.Store("oss own server", "oss", {
            "endpoint": "http://" + self.address, "bucket": BUCKET, "region": REGION,
            "access-key-id": KEY, "secret-access-key": SECRET},
            # A key never begins with a slash there: no store without a path.
            able=("exact", "copy", "objects", "many=2300", "big=20000000"),
            secrets=(SECRET,))]

    def ask(self, method, target, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        c.request(method, target, body)
        return c.getresponse().read()

    def put_raw(self, key, data):
        self.ask("PUT", "/-/object?" + urllib.parse.quote(key, safe=""), data)

    def leftovers(self):
        return json.loads(self.ask("GET", "/-/uploads"))
