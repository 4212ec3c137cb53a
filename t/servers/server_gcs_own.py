"""Google Cloud Storage: gcs_server.py, which asks for tokens and knows broken uploads, as the server
that can be installed (server_gcs.py) does not."""

import http.client
import json
import os
import sys
import urllib.parse

import servers

BUCKET = "bkt1"


class Server(servers.Base):
    name = "gcs_own"
    title = "own GCS server"

    def command(self):
        return [sys.executable, os.path.join(servers.HERE, "gcs_server.py"), str(self.port), BUCKET]

    def stores(self):
        # No credentials of this machine: HOME is empty, so the metadata server is asked.
        env = {"GCE_METADATA_HOST": self.address, "HOME": self.dir, "CLOUDSDK_CONFIG": "",
               "GOOGLE_APPLICATION_CREDENTIALS": "", "STORAGE_EMULATOR_HOST": ""}
        return [servers.Store("gs own server", "gs", {"bucket": BUCKET,
                                                      "endpoint": "http://" + self.address},
                              env=env, secrets=("ya29.",), fault_bytes=40000000,
                              able=("time=1", "copy", "objects", "bare", "many=2300",
                                    "big=40000000"))]

    def ask(self, method, target, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        c.request(method, target, body)
        return c.getresponse().read()

    def put_raw(self, key, data):
        self.ask("PUT", "/-/object?" + urllib.parse.quote(key, safe=""), data)

    def leftovers(self):
        return json.loads(self.ask("GET", "/-/uploads"))
