"""Key pairs of NATS and what they sign, by the openssl command."""

import base64
import hashlib
import json
import os
import subprocess
import time

KINDS = {"S": 18 << 3, "U": 20 << 3, "A": 0, "O": 14 << 3}


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
            crc &= 0xffff
    return crc.to_bytes(2, "little")


def base32(data):
    return base64.b32encode(data + crc16(data)).decode().rstrip("=")


def openssl(*args, **kw):
    return subprocess.run(("openssl",) + args, stdout=subprocess.PIPE, check=True, **kw).stdout


def url64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class KeyPair:
    def __init__(self, path, kind):
        self.path = path
        seed = openssl("pkey", "-in", path, "-outform", "DER")[-32:]
        public = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")[-32:]
        k = KINDS[kind]
        self.public = base32(bytes([k]) + public)
        self.seed = base32(bytes([KINDS["S"] | k >> 5, (k & 31) << 3]) + seed)

    @classmethod
    def new(cls, path, kind):
        """Made anew unless it is there."""
        if not os.path.exists(path):
            openssl("genpkey", "-algorithm", "ed25519", "-out", path)
        return cls(path, kind)

    def sign_bytes(self, data):
        with open(self.path + ".data", "wb") as f:
            f.write(data)
        return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", self.path + ".data")

    def sign_nonce(self, nonce):
        return url64(self.sign_bytes(nonce.encode()))

    def sign(self, subject, name, nats):
        """A JWT of this issuer."""
        body = {"iat": int(time.time()), "iss": self.public, "name": name, "sub": subject,
                "nats": dict(nats, version=2)}
        body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()[:32]) \
            .decode().rstrip("=")
        head = url64(b'{"typ":"JWT","alg":"ed25519-nkey"}')
        text = head + "." + url64(json.dumps(body).encode())
        return text + "." + url64(self.sign_bytes(text.encode()))
