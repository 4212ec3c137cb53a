"""S3: versitygw over a folder. Checks signatures strictly, has conditional writes and deletes."""

import glob
import http.client
import os

import servers

MODULE, VERSION = "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"
KEY, SECRET, BUCKET = "AKIDTEST", "secretsecret", "bkt1"


class Server(servers.Base):
    name = "versitygw"
    title = "versitygw " + VERSION

    @classmethod
    def program(cls):
        return os.path.join(servers.cached(cls.name, VERSION), "versitygw")

    @classmethod
    def install(cls):
        servers.go_install(cls.name, VERSION, MODULE)

    @classmethod
    def find(cls):
        if not os.path.exists(cls.program()):
            raise servers.Missing("not installed: t/servers/servers.py install " + cls.name)

    def command(self):
        root = os.path.join(self.dir, "data")
        os.makedirs(os.path.join(root, BUCKET), exist_ok=True)
        return [self.program(), "--port", self.address, "--region", "us-east-1", "--keep-alive",
                "posix", root]

    def environment(self):
        return dict(os.environ, ROOT_ACCESS_KEY=KEY, ROOT_SECRET_KEY=SECRET)

    def answers(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        c.request("GET", "/")
        return c.getresponse().status == 403

    def stores(self):
        return [servers.Store("s3 versitygw", "s3", {
            "endpoint": "http://" + self.address, "bucket": BUCKET, "region": "us-east-1",
            "access-key-id": KEY, "secret-access-key": SECRET},
            # It takes the slash off a key that begins with one: no store without a path here.
            able=("exact", "copy", "objects", "many=2300", "big=12000000"),
            secrets=(SECRET,))]

    def put_raw(self, key, data):
        path = os.path.join(self.dir, "data", BUCKET, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)

    def leftovers(self):
        return glob.glob(os.path.join(self.dir, "data", BUCKET, ".sgwtmp", "multipart", "*", "*"))
