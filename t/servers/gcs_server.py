#!/usr/bin/env python3
"""A server that speaks what litestream needs of Google Cloud Storage, strictly, with objects in
memory.

usage: gcs_server.py PORT BUCKET

Refuses what the real service refuses: a token that it has not given or has taken back, a CRC-32C
that is not that of the data, an object that is there already under ifGenerationMatch=0 (of copies
too), parts of a resumable upload that are no multiple of 256 KiB, leave a gap or come after its end.
It is also the metadata server that gives tokens, and takes each back after some requests. Copies of
more than a megabyte take two calls. Below /-/ it answers the tests: PUT /-/object?NAME stores an
object under any name, GET /-/uploads lists uploads that were not finished.
"""

import base64
import ctypes
import json
import os
import re
import sys
import time
import uuid
from urllib.parse import unquote

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import strict
from strict import Refused

CRC32C = r"""
#include <stddef.h>
#include <stdint.h>
uint32_t crc32c(const unsigned char *p, size_t n) {
    static uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t x = i;
        for (int k = 0; k < 8; k++) x = x & 1 ? x >> 1 ^ 0x82F63B78u : x >> 1;
        table[i] = x;
    }
    uint32_t c = ~(uint32_t)0;
    while (n-- > 0) c = table[(c ^ *p++) & 255] ^ c >> 8;
    return ~c;
}
"""
GRANULE = 256 * 1024
PAGE = 1000
COPY_AT_ONCE = 1 << 20
TOKEN_REQUESTS = 1000  # that a token is good for

objects, uploads, rewrites, tokens = {}, {}, {}, {}
bucket_name = ""
crc32c = None
generations = 0


def crc32c_text(data):
    return base64.b64encode(crc32c(data).to_bytes(4, "big")).decode()


class Object:
    def __init__(self, name, data, description):
        global generations
        generations += 1
        self.name, self.data, self.generation = name, data, generations
        self.metadata = description.get("metadata", {})
        self.type = description.get("contentType", "application/octet-stream")
        self.time = time.time()
        self.crc = crc32c_text(data)

    def json(self):
        return {"kind": "storage#object", "name": self.name, "bucket": bucket_name,
                "size": str(len(self.data)), "crc32c": self.crc, "contentType": self.type,
                "generation": str(self.generation), "metadata": self.metadata,
                "timeCreated": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.time))}


def store(name, data, description, exclusive):
    if exclusive and name in objects:
        raise Refused(412, "conditionNotMet", "At least one of the pre-conditions you specified did "
                      "not hold.")
    made = Object(name, data, description)
    if description.get("crc32c", made.crc) != made.crc:
        raise Refused(400, "invalid", "Provided CRC32C does not match calculated CRC32C.")
    objects[name] = made
    return made


class Handler(strict.Handler):
    server_version = "UploadServer"

    def refusal(self, why):
        if self.path.startswith(("/storage/", "/upload/", "/resumable/", "/-/", "/computeMetadata")):
            self.json({"error": {"code": why.status, "message": why.message,
                                 "errors": [{"reason": why.code}]}}, why.status)
        else:
            self.reply(why.status, "<?xml version='1.0'?><Error><Code>%s</Code><Message>%s</Message>"
                       "</Error>" % (why.code, why.message))

    def json(self, value, status=200, headers=None):
        self.reply(status, json.dumps(value), headers, kind="application/json")

    # ---- who may ----

    def give_token(self):
        if self.headers.get("Metadata-Flavor") != "Google":
            raise Refused(403, "forbidden", "Metadata-Flavor")
        token = "ya29." + uuid.uuid4().hex
        tokens[token] = TOKEN_REQUESTS
        self.json({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def check_token(self):
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        with self.lock:
            if kind != "Bearer" or tokens.get(token, 0) <= 0:
                raise Refused(401, "authError", "Invalid Credentials")
            tokens[token] -= 1

    # ---- requests ----

    def route(self, path, query, data):
        if path.startswith("/computeMetadata/v1/instance/service-accounts/default/token"):
            return self.give_token()
        if path == "/-/object":
            return self.json(store(unquote(self.raw_query), data, {}, False).json())
        if path == "/-/uploads":
            return self.json(sorted(u["name"] for u in uploads.values() if "made" not in u))
        if path.startswith("/resumable/"):
            with self.lock:
                return self.session(path[len("/resumable/"):], data)
        self.check_token()
        with self.lock:
            return self.authorized(path, query, data)

    def authorized(self, path, query, data):
        m = re.match(r"/(upload/)?storage/v1/b/([^/]+)/o(?:/([^/]+))?(?:/rewriteTo/b/([^/]+)/o/([^/]+))?$",
                     path)
        if m is None:
            bucket, _, name = unquote(path[1:]).partition("/")
            self.check_bucket(bucket, "NoSuchBucket")
            return self.read(name)
        upload, bucket, name, other, target = m.groups()
        self.check_bucket(unquote(bucket), "notFound")
        if upload:
            return self.upload(query, data)
        if target:
            self.check_bucket(unquote(other), "notFound")
            return self.rewrite(unquote(name), unquote(target), query)
        if name is None:
            return self.list(query)
        return self.delete(unquote(name)) if self.command == "DELETE" else self.describe(unquote(name))

    def check_bucket(self, name, code):
        if name != bucket_name:
            raise Refused(404, code, "The specified bucket does not exist.")

    def find(self, name, code="notFound"):
        if name not in objects:
            raise Refused(404, code, "No such object: %s/%s" % (bucket_name, name))
        return objects[name]

    def describe(self, name):
        self.json(self.find(name).json())

    def delete(self, name):
        self.find(name)
        del objects[name]
        self.reply(204)

    def list(self, query):
        start = max(query.get("startOffset", ""), query.get("pageToken", ""))
        names = sorted((n for n in objects if n.startswith(query.get("prefix", "")) and n >= start),
                       key=str.encode)
        page = min(int(query.get("maxResults", PAGE)), PAGE)
        answer = {"kind": "storage#objects", "items": [objects[n].json() for n in names[:page]]}
        if not names:
            del answer["items"]
        if len(names) > page:
            answer["nextPageToken"] = names[page]
        self.json(answer)

    def rewrite(self, name, target, query):
        found = self.find(name)
        if query.get("ifGenerationMatch") == "0" and target in objects:
            raise Refused(412, "conditionNotMet", "At least one of the pre-conditions you specified "
                          "did not hold.")
        token = query.get("rewriteToken")
        if len(found.data) > COPY_AT_ONCE and token is None:
            token = uuid.uuid4().hex
            rewrites[token] = (name, target)
            return self.json({"kind": "storage#rewriteResponse", "done": False, "rewriteToken": token,
                              "objectSize": str(len(found.data)), "totalBytesRewritten": "1048576"})
        if token is not None and rewrites.get(token) != (name, target):
            raise Refused(400, "invalid", "rewriteToken")
        made = store(target, found.data, {"metadata": found.metadata, "contentType": found.type}, False)
        return self.json({"kind": "storage#rewriteResponse", "done": True, "resource": made.json(),
                          "objectSize": str(len(found.data)),
                          "totalBytesRewritten": str(len(found.data))})

    # ---- uploads ----

    def upload(self, query, data):
        exclusive = query.get("ifGenerationMatch") == "0"
        if query.get("uploadType") == "resumable":
            name = uuid.uuid4().hex
            uploads[name] = {"name": query["name"], "description": json.loads(data), "data": b"",
                             "exclusive": exclusive}
            host = self.headers.get("Host")
            return self.json({}, headers={"Location": "http://%s/resumable/%s" % (host, name)})
        m = re.match(r"multipart/related; *boundary=(\S+)$", self.headers.get("Content-Type", ""))
        if query.get("uploadType") != "multipart" or m is None:
            raise Refused(400, "invalid", "uploadType")
        line = b"--" + m.group(1).encode()
        parts = (b"\r\n" + data).split(b"\r\n" + line)
        if len(parts) != 4 or parts[3].strip() != b"--":
            raise Refused(400, "invalid", "Malformed multipart body.")
        description = json.loads(parts[1].partition(b"\r\n\r\n")[2])
        made = store(query["name"], parts[2].partition(b"\r\n\r\n")[2], description, exclusive)
        return self.json(made.json())

    def session(self, name, data):
        upload = uploads.get(name)
        if upload is None:
            raise Refused(404, "notFound", "No such upload session.")
        if "made" in upload and self.command == "PUT":
            return self.json(upload["made"].json())
        if self.command == "DELETE":
            del uploads[name]
            return self.reply(499)
        m = re.match(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)$", self.headers.get("Content-Range", ""))
        if m is None:
            raise Refused(400, "invalid", "Content-Range")
        first, last, total = m.groups()
        if first is not None:
            self.take(upload, int(first), int(last), total, data)
        have = len(upload["data"])
        if total != "*" and have == int(total):
            return self.finish(name, upload)
        return self.reply(308, headers={"Range": "bytes=0-%d" % (have - 1)} if have else {})

    @staticmethod
    def take(upload, first, last, total, data):
        have = len(upload["data"])
        if len(data) != last - first + 1 or first > have or (total != "*" and last >= int(total)):
            raise Refused(400, "invalid", "a part that does not fit")
        if (last + 1) % GRANULE != 0 and (total == "*" or last + 1 != int(total)):
            raise Refused(400, "invalid", "a part that is no multiple of 256 KiB")
        upload["data"] += data[have - first:]

    def finish(self, name, upload):
        description = dict(upload["description"])
        m = re.search("crc32c=([^,]+)", self.headers.get("X-Goog-Hash", ""))
        if m:
            description["crc32c"] = m.group(1)
        upload["made"] = store(upload["name"], upload["data"], description, upload["exclusive"])
        upload["data"] = b""
        finished = [n for n, u in uploads.items() if "made" in u]
        for old in finished[:-50]:
            del uploads[old]
        self.json(upload["made"].json())

    # ---- the XML API ----

    def read(self, name):
        found = self.find(name, "NoSuchKey")
        size = len(found.data)
        headers = {"X-Goog-Hash": "crc32c=" + found.crc, "Content-Type": found.type,
                   "X-Goog-Generation": str(found.generation), "Accept-Ranges": "bytes"}
        m = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        if m is None:
            return self.reply(200, found.data, headers)
        first, last = int(m.group(1)), min(int(m.group(2) or size), size - 1)
        if first >= size or last < first:
            raise Refused(416, "InvalidRange", "The requested range cannot be satisfied.")
        headers["Content-Range"] = "bytes %d-%d/%d" % (first, last, size)
        return self.reply(206, found.data[first:last + 1], headers)


def main(args):
    global crc32c, bucket_name
    crc32c = strict.compiled(CRC32C, "crc32c", ctypes.c_uint32)
    bucket_name = args[1]
    strict.serve(int(args[0]), Handler)


if __name__ == "__main__":
    main(sys.argv[1:])
