"""SFTP by rclone: a server of another make than OpenSSH's, which checks passwords.

It knows neither posix-rename nor the other extensions of OpenSSH's.
"""

import os
import shutil

import servers
import tap

USER, PASSWORD = "sftpuser", "sftp-pass-word"


class Server(servers.Base):
    name = "rclone"
    title = "rclone serve sftp"

    @classmethod
    def find(cls):
        if not shutil.which("rclone"):
            raise servers.Missing("not installed: Debian package rclone")

    def command(self):
        data = os.path.join(self.dir, "data")
        os.makedirs(data, exist_ok=True)
        return ["rclone", "serve", "sftp", data, "--addr", self.address, "--user", USER, "--pass",
                PASSWORD, "--config", os.path.join(self.dir, "rclone.conf"), "--cache-dir",
                os.path.join(self.dir, "cache"), "--vfs-cache-mode", "writes",
                "--vfs-write-back", "0", "--dir-cache-time", "0"]

    def environment(self):
        return dict(os.environ, HOME=self.dir)

    def settings(self):
        return {"host": self.address, "user": USER, "password": PASSWORD}

    def stores(self):
        return [servers.Store("sftp rclone, password", "sftp", self.settings(), http=False,
                              env={"HOME": self.dir}, secrets=(PASSWORD,),
                              able=("time=1000", "many=300", "big=12000000"))]

    def put_raw(self, key, data):
        path = os.path.join(self.dir, "data", key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        tap.write(path, data)
