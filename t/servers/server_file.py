"""The store of folders, which needs no server: for the table of stores beside each other."""

import os

import servers
import tap


class Server(servers.Base):
    name = "file"
    title = "folders"

    def start(self):
        self.dir = tap.scratch()
        return self

    def stores(self):
        return [servers.Store("file", "file", {}, able=("time=1", "copy", "objects", "many=2300",
                                                        "big=20000000"), network=False)]

    def put_raw(self, key, data):
        path = os.path.join(self.dir, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        tap.write(path, data)
