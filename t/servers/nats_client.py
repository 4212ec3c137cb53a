"""A small client of NATS and of its object store, written from the protocol's description: it makes
buckets for tests, and reads and writes objects as clients of another make do.
"""

import base64
import hashlib
import json
import os
import socket


class NatsError(Exception):
    pass


class Client:
    def __init__(self, port, tls=None, sign=None, **login):
        """tls: an ssl.SSLContext. sign: gives the signature of the server's nonce. login: fields of
        CONNECT."""
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.buf, self.count = b"", 0
        self.info = json.loads(self.line().split(b" ", 1)[1])
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="127.0.0.1")
        if sign is not None:
            login["sig"] = sign(self.info["nonce"])
        self.inbox = "_INBOX." + base64.b32encode(os.urandom(10)).decode()
        self.send("CONNECT %s\r\nSUB %s.* 1\r\nPING\r\n" % (json.dumps(
            dict(login, verbose=False, pedantic=False, headers=True, no_responders=True)),
            self.inbox))
        while True:
            line = self.line()
            if line.startswith(b"-ERR"):
                raise NatsError(line.decode())
            if line == b"PONG":
                return

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self):
        while b"\r\n" not in self.buf:
            self.more()
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise NatsError("closed")
        self.buf += data

    def bytes(self, n):
        while len(self.buf) < n + 2:
            self.more()
        data, self.buf = self.buf[:n], self.buf[n + 2:]
        return data

    def message(self):
        """Subject, headers and data of the next one."""
        while True:
            words = self.line().split()
            if words[0] == b"PING":
                self.send("PONG\r\n")
            elif words[0] == b"-ERR":
                raise NatsError(b" ".join(words).decode())
            elif words[0] == b"MSG":
                return words[1].decode(), b"", self.bytes(int(words[-1]))
            elif words[0] == b"HMSG":
                both = self.bytes(int(words[-1]))
                n = int(words[-2])
                return words[1].decode(), both[:n], both[n:]

    def request(self, subject, data=b"", headers=None):
        self.count += 1
        reply = "%s.%d" % (self.inbox, self.count)
        head = b"".join(b"%s: %s\r\n" % (k.encode(), v.encode()) for k, v in (headers or {}).items())
        if head:
            head = b"NATS/1.0\r\n" + head + b"\r\n"
            self.send(b"HPUB %s %s %d %d\r\n%s%s\r\n" % (
                subject.encode(), reply.encode(), len(head), len(head) + len(data), head, data))
        else:
            self.send(b"PUB %s %s %d\r\n%s\r\n" % (subject.encode(), reply.encode(), len(data), data))
        while True:
            where, status, answer = self.message()
            if where == reply:
                if b" 503" in status:
                    raise NatsError("no responders: " + subject)
                return answer

    def api(self, what, **body):
        answer = json.loads(self.request("$JS.API." + what, json.dumps(body).encode() if body else b""))
        if "error" in answer:
            raise NatsError("%s: %s" % (what, answer["error"].get("description")))
        return answer

    # ---- object stores ----

    def make_bucket(self, bucket):
        self.api("STREAM.CREATE.OBJ_" + bucket, name="OBJ_" + bucket,
                 subjects=["$O.%s.C.>" % bucket, "$O.%s.M.>" % bucket], retention="limits",
                 storage="file", discard="new", allow_rollup_hdrs=True, allow_direct=True,
                 max_msgs=-1, max_bytes=-1, num_replicas=1)

    @staticmethod
    def meta_subject(bucket, name):
        return "$O.%s.M.%s" % (bucket, base64.urlsafe_b64encode(name.encode()).decode())

    def put(self, bucket, name, data, sizes=(131072,), headers=None, **changes):
        """sizes: of the chunks, over and over. changes: of the description."""
        nuid = base64.b32encode(os.urandom(14)).decode()[:22]
        at = chunks = 0
        while at < len(data):
            n = sizes[chunks % len(sizes)]
            self.request("$O.%s.C.%s" % (bucket, nuid), data[at:at + n])
            at, chunks = at + n, chunks + 1
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
        info = {"name": name, "headers": headers or {}, "options": {"max_chunk_size": max(sizes)},
                "bucket": bucket, "nuid": nuid, "size": len(data), "mtime": "0001-01-01T00:00:00Z",
                "chunks": chunks, "digest": "SHA-256=" + digest}
        info.update(changes)
        self.request(self.meta_subject(bucket, name), json.dumps(info).encode(),
                     {"Nats-Rollup": "sub"})
        return info

    def last(self, bucket, subject):
        answer = self.api("STREAM.MSG.GET.OBJ_" + bucket, last_by_subj=subject)["message"]
        return base64.b64decode(answer.get("data", "")), answer["seq"]

    def describe(self, bucket, name):
        return json.loads(self.last(bucket, self.meta_subject(bucket, name))[0])

    def get(self, bucket, name):
        """The bytes, whose size and digest are checked."""
        info = self.describe(bucket, name)
        subject, seq, data = "$O.%s.C.%s" % (bucket, info["nuid"]), 1, b""
        for _ in range(info["chunks"]):
            m = self.api("STREAM.MSG.GET.OBJ_" + bucket, seq=seq, next_by_subj=subject)["message"]
            data, seq = data + base64.b64decode(m["data"]), m["seq"] + 1
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
        if len(data) != info["size"] or info["digest"] != "SHA-256=" + digest:
            raise NatsError("%s: other bytes than described" % name)
        return data

    def subjects(self, bucket, kind):
        """How many messages lie under each subject of descriptions (M) or chunks (C)."""
        answer = self.api("STREAM.INFO.OBJ_" + bucket, subjects_filter="$O.%s.%s.>" % (bucket, kind))
        return answer["state"].get("subjects") or {}

    def names(self, bucket):
        return sorted(base64.urlsafe_b64decode(s.rsplit(".", 1)[1]).decode()
                      for s in self.subjects(bucket, "M"))

    def orphans(self, bucket):
        """Subjects of chunks that no description names."""
        used = {"$O.%s.C.%s" % (bucket, self.describe(bucket, n).get("nuid")) for n in self.names(bucket)}
        return sorted(set(self.subjects(bucket, "C")) - used)
