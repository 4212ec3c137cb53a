#!/usr/bin/env python3
"""A server that speaks what litestream needs of Alibaba Cloud OSS, strictly, with objects in memory.

usage: oss_server.py PORT BUCKET KEY-ID SECRET REGION

Path style. Refuses what the real service refuses: a signature that is not OSS4-HMAC-SHA256 over
exactly this request, a clock that is off by more than 15 minutes, a body that is not that of its
Content-MD5, deletion of several objects without one, parts of less than 100 KiB but the last, and
names that begin with '/'. Pages of listings are 100 keys unless max-keys says more. Below /-/ it
answers the tests: PUT /-/object?KEY stores an object under any name, GET /-/uploads lists uploads
that were not finished.
"""

import base64
import calendar
import ctypes
import hashlib
import hmac
import html
import json
import os
import re
import sys
import time
import uuid
from email.utils import formatdate
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import strict
from strict import Refused

CRC64 = r"""
#include <stddef.h>
#include <stdint.h>
uint64_t crc64(const unsigned char *p, size_t n) {
    static uint64_t table[256];
    for (int i = 0; table[1] == 0 || i < 256; i++) {
        uint64_t x = (uint64_t)(i & 255);
        for (int k = 0; k < 8; k++) x = x & 1 ? x >> 1 ^ 0xC96C5795D7870F42u : x >> 1;
        table[i & 255] = x;
    }
    uint64_t c = ~(uint64_t)0;
    while (n-- > 0) c = table[(c ^ *p++) & 255] ^ c >> 8;
    return ~c;
}
"""
PART_MIN = 100 * 1024
PAGE, PAGE_MAX, DELETE_MAX = 100, 1000, 1000
SKEW = 15 * 60
SIGNATURE = re.compile(r"OSS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/oss/aliyun_v4_request,\s*"
                       r"(?:AdditionalHeaders=([^,]*),\s*)?Signature=([0-9a-f]{64})$")


class Object:
    def __init__(self, data, headers, etag=None):
        self.data, self.time = data, time.time()
        self.etag = etag or hashlib.md5(data).hexdigest().upper()
        self.crc = str(crc64(data))
        self.type = headers.get("Content-Type") or "application/octet-stream"
        self.meta = {k.lower(): v for k, v in headers.items()
                     if k.lower().startswith("x-oss-meta-")}


objects = {}
uploads = {}
crc64 = None
bucket_name = key_id = secret = region_name = ""


def signature(method, uri, query, headers, additional, payload, stamp, scope):
    request = "\n".join([method, quote(uri, safe="/~"), query, headers, additional, payload])
    text = "\n".join(["OSS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = ("aliyun_v4" + secret).encode()
    for word in scope.split("/"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), request


class Handler(strict.Handler):
    server_version = "AliyunOSS"

    # ---- in and out ----

    def xml(self, text, headers=None):
        self.reply(200, '<?xml version="1.0" encoding="UTF-8"?>\n' + text, headers)

    # ---- who may ----

    def check_time(self, stamp, date):
        try:
            at = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        except ValueError:
            raise Refused(403, "AccessDenied", "x-oss-date") from None
        if abs(time.time() - at) > SKEW:
            raise Refused(403, "RequestTimeTooSkewed")
        if stamp[:8] != date:
            raise Refused(403, "AccessDenied", "another date in the scope")

    def signed_headers(self, additional):
        names = {k.lower() for k in self.headers.keys()}
        names = sorted(n for n in names if n.startswith("x-oss-") or n in additional or
                       n in ("content-type", "content-md5"))
        return "".join("%s:%s\n" % (n, ",".join(v.strip() for v in self.headers.get_all(n)))
                       for n in names)

    def check_signature(self, path, query):
        m = SIGNATURE.match(self.headers.get("Authorization", ""))
        if m is None:
            raise Refused(403, "AccessDenied", "no OSS4 signature")
        who, date, region, additional, given = m.groups()
        if who != key_id:
            raise Refused(403, "InvalidAccessKeyId")
        if region != region_name:
            raise Refused(400, "InvalidArgument", "signed for another region")
        stamp = self.headers.get("x-oss-date") or ""
        self.check_time(stamp, date)
        payload = self.headers.get("x-oss-content-sha256")
        if payload is None:
            raise Refused(400, "InvalidArgument", "no x-oss-content-sha256")
        pairs = sorted((p.partition("=")[0], p.partition("=")[2]) for p in query.split("&") if p)
        wanted, request = signature(
            self.command, path, "&".join(k + ("=" + v if v else "") for k, v in pairs),
            self.signed_headers((additional or "").split(";")), additional or "", payload, stamp,
            "%s/%s/oss/aliyun_v4_request" % (date, region))
        if wanted != given:
            raise Refused(403, "SignatureDoesNotMatch", request.replace("\n", "|"))

    def check_digest(self, data):
        digest = self.headers.get("Content-MD5")
        if digest and base64.b64encode(hashlib.md5(data).digest()).decode() != digest:
            raise Refused(400, "InvalidDigest")

    # ---- requests ----

    def refusal(self, why):
        self.reply(why.status, "<Error><Code>%s</Code><Message>%s</Message></Error>" %
                   (why.code, escape(why.message)))

    def route(self, path, query, data):
        path = unquote(path)
        if path.startswith("/-/"):
            return self.of_tests(path, self.raw_query, data)
        bucket, _, key = path[1:].partition("/")
        self.check_signature("/%s/%s" % (bucket, key), self.raw_query)
        self.check_digest(data)
        if bucket != bucket_name:
            raise Refused(404, "NoSuchBucket")
        with self.lock:
            return self.of_bucket(key, query, data)

    def of_tests(self, path, query, data):
        if path == "/-/object":
            objects[unquote(query)] = Object(data, {})
        self.reply(200, json.dumps(sorted(u[0] for u in uploads.values())))

    def of_bucket(self, key, query, data):
        if key == "":
            return self.list(query) if self.command == "GET" else self.delete_several(query, data)
        if key.startswith("/"):
            raise Refused(400, "InvalidObjectName")
        if self.command == "POST":
            return self.begin(key, query) if "uploads" in query else self.complete(key, query, data)
        if self.command == "PUT":
            return self.part(query, data) if "partNumber" in query else self.put(key, data)
        if self.command == "DELETE":
            return self.abort(query) if "uploadId" in query else self.delete(key)
        return self.get(key)

    def list(self, query):
        if query.get("list-type") != "2":
            raise Refused(501, "NotImplemented")
        page = min(int(query.get("max-keys") or PAGE), PAGE_MAX)
        after = max(query.get("start-after", ""), query.get("continuation-token", ""))
        names = [k for k in sorted(objects, key=str.encode)
                 if k.startswith(query.get("prefix", "")) and k > after]
        encoded = (lambda k: quote(k, safe="")) if query.get("encoding-type") == "url" else escape
        items = "".join(
            "<Contents><Key>%s</Key><LastModified>%s.000Z</LastModified><ETag>\"%s\"</ETag>"
            "<Type>Normal</Type><Size>%d</Size><StorageClass>Standard</StorageClass></Contents>" %
            (encoded(k), time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(objects[k].time)),
             objects[k].etag, len(objects[k].data)) for k in names[:page])
        more = "<IsTruncated>false</IsTruncated>"
        if len(names) > page:
            more = ("<IsTruncated>true</IsTruncated><NextContinuationToken>%s"
                    "</NextContinuationToken>" % encoded(names[page - 1]))
        self.xml("<ListBucketResult><Name>%s</Name><EncodingType>%s</EncodingType>%s%s"
                 "</ListBucketResult>" % (bucket_name, query.get("encoding-type", ""), more, items))

    def delete_several(self, query, data):
        if "delete" not in query:
            raise Refused(501, "NotImplemented")
        if not self.headers.get("Content-MD5"):
            raise Refused(400, "MissingArgument", "Content-MD5")
        keys = [html.unescape(k) for k in re.findall("<Key>(.*?)</Key>", data.decode())]
        if not 0 < len(keys) <= DELETE_MAX:
            raise Refused(400, "MalformedXML")
        for key in keys:
            objects.pop(key, None)
        quiet = "<Quiet>true</Quiet>" in data.decode()
        encoded = (lambda k: quote(k, safe="")) if query.get("encoding-type") == "url" else escape
        gone = "" if quiet else "".join("<Deleted><Key>%s</Key></Deleted>" % encoded(k) for k in keys)
        self.xml("<DeleteResult>%s</DeleteResult>" % gone)

    def forbid_overwrite(self, key, headers):
        if headers.get("x-oss-forbid-overwrite") == "true" and key in objects:
            raise Refused(409, "FileAlreadyExists")

    def put(self, key, data):
        self.forbid_overwrite(key, self.headers)
        source = self.headers.get("x-oss-copy-source")
        if source is not None:
            return self.copy(key, unquote(source))
        objects[key] = made = Object(data, self.headers)
        self.reply(200, headers={"ETag": '"%s"' % made.etag, "x-oss-hash-crc64ecma": made.crc})

    def copy(self, key, source):
        bucket, _, name = source[1:].partition("/")
        if bucket != bucket_name or name not in objects:
            raise Refused(404, "NoSuchKey")
        old = objects[name]
        objects[key] = made = Object(old.data, {"Content-Type": old.type})
        made.meta = old.meta
        self.xml("<CopyObjectResult><ETag>\"%s\"</ETag></CopyObjectResult>" % made.etag,
                 {"x-oss-hash-crc64ecma": made.crc})

    def begin(self, key, query):
        self.forbid_overwrite(key, self.headers)
        upload = uuid.uuid4().hex.upper()
        uploads[upload] = (key, dict(self.headers.items()), {})
        encoded = quote(key, safe="") if query.get("encoding-type") == "url" else escape(key)
        self.xml("<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>%s"
                 "</UploadId></InitiateMultipartUploadResult>" % (bucket_name, encoded, upload))

    def part(self, query, data):
        if query.get("uploadId") not in uploads:
            raise Refused(404, "NoSuchUpload")
        number = int(query["partNumber"])
        if not 1 <= number <= 10000:
            raise Refused(400, "InvalidArgument", "partNumber")
        etag = hashlib.md5(data).hexdigest().upper()
        uploads[query["uploadId"]][2][number] = (etag, data)
        self.reply(200, headers={"ETag": '"%s"' % etag, "x-oss-hash-crc64ecma": str(crc64(data))})

    def complete(self, key, query, data):
        if query.get("uploadId") not in uploads:
            raise Refused(404, "NoSuchUpload")
        name, headers, parts = uploads[query["uploadId"]]
        if name != key:
            raise Refused(404, "NoSuchUpload")
        self.forbid_overwrite(key, headers)
        self.forbid_overwrite(key, self.headers)
        wanted = []
        for text in re.findall("<Part>(.*?)</Part>", data.decode(), re.DOTALL):
            number = int(re.search(r"<PartNumber>(\d+)<", text).group(1))
            wanted.append((number, html.unescape(re.search("<ETag>(.*?)<", text).group(1)).strip('"')))
        if not wanted or [n for n, _ in wanted] != sorted({n for n, _ in wanted}):
            raise Refused(400, "InvalidPartOrder")
        if any(n not in parts or parts[n][0] != etag for n, etag in wanted):
            raise Refused(400, "InvalidPart")
        if any(len(parts[n][1]) < PART_MIN for n, _ in wanted[:-1]):
            raise Refused(400, "EntityTooSmall")
        digests = b"".join(bytes.fromhex(etag) for _, etag in wanted)
        objects[key] = made = Object(b"".join(parts[n][1] for n, _ in wanted), headers,
                                     "%s-%d" % (hashlib.md5(digests).hexdigest().upper(), len(wanted)))
        del uploads[query["uploadId"]]
        self.xml("<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><ETag>\"%s\"</ETag>"
                 "</CompleteMultipartUploadResult>" % (bucket_name, escape(key), made.etag),
                 {"x-oss-hash-crc64ecma": made.crc})

    def abort(self, query):
        if uploads.pop(query["uploadId"], None) is None:
            raise Refused(404, "NoSuchUpload")
        self.reply(204)

    def delete(self, key):
        objects.pop(key, None)
        self.reply(204)

    def get(self, key):
        if key not in objects:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        found = objects[key]
        size = len(found.data)
        headers = {"ETag": '"%s"' % found.etag, "Last-Modified": formatdate(found.time, usegmt=True),
                   "x-oss-object-type": "Normal", "x-oss-hash-crc64ecma": found.crc,
                   "Content-Type": found.type}
        headers.update(found.meta)
        m = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        if self.command == "HEAD" or m is None:
            return self.reply(200, found.data, headers, length=size)
        first, last = int(m.group(1)), min(int(m.group(2) or size), size - 1)
        if first >= size or last < first:
            # Without this header the service ignores a range that it cannot give.
            if self.headers.get("x-oss-range-behavior") == "standard":
                raise Refused(416, "InvalidRange")
            return self.reply(200, found.data, headers)
        headers["Content-Range"] = "bytes %d-%d/%d" % (first, last, size)
        return self.reply(206, found.data[first:last + 1], headers)


def main(args):
    global crc64, bucket_name, key_id, secret, region_name
    crc64 = strict.compiled(CRC64, "crc64", ctypes.c_uint64)
    bucket_name, key_id, secret, region_name = args[1:]
    strict.serve(int(args[0]), Handler)


if __name__ == "__main__":
    main(sys.argv[1:])
