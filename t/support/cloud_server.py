#!/usr/bin/env python3
"""What AWS has beside S3 and S3's odder answers, for tests: one HTTP server that answers by path.

Prints its port, ends when its standard input does. GET /_log gives the requests since the last /_log
as JSON, POST /_set sets what is answered next: a JSON object with

  s3      list of answers to the next requests to /bkt...: {status, headers, body, date_ahead}; when it
          is empty, a small S3 answers, which keeps objects in memory and checks nothing
  sts     list of answers to the next POSTs to /sts/
  lives   seconds that the keys which are given out are good for

/sts/           AssumeRole and AssumeRoleWithWebIdentity: keys named after the role
/container      keys of a container, with the Authorization that was sent in the log
/latest/...     a machine's service of version 2
"""

import hashlib
import json
import re
import threading
import time
import urllib.parse
from email.utils import formatdate
from xml.sax.saxutils import escape

import loopback

lock = threading.Lock()
state = {"s3": [], "sts": [], "lives": 3600}
log = []
objects = {}
uploads = {}
given = [0]


def keys(name):
    """Keys that differ each time."""
    given[0] += 1
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + state["lives"]))
    return "%s-%d" % (name, given[0]), "secret-%d" % given[0], "token-%d" % given[0], ends


class Handler(loopback.Handler):
    def date_time_string(self, timestamp=None):
        return formatdate(time.time() + getattr(self, "ahead", 0), usegmt=True)

    def answer(self):
        self.ahead = 0
        body = self.body_sent()
        path, _, query = self.path.partition("?")
        if path == "/_log":
            with lock:
                text, log[:] = json.dumps(log), []
            return self.reply(200, text)
        if path == "/_set":
            with lock:
                state.update(json.loads(body))
            return self.reply(200)
        with lock:
            log.append({"method": self.command, "path": path, "query": query,
                        "headers": {k.lower(): v for k, v in self.headers.items()},
                        "body": re.sub(rb"[^ -~\n]", b"?", body[:65536]).decode()})
        if path.startswith("/sts/"):
            return self.sts(urllib.parse.parse_qs(body.decode()))
        if path.startswith("/container"):
            return self.json_keys("container", "Token")
        if path.startswith("/latest/"):
            return self.machine(path)
        return self.s3(path, query, body)

    # ---- keys ----

    def json_keys(self, name, token):
        ident, secret, session, ends = keys(name)
        self.reply(200, json.dumps({"Code": "Success", "AccessKeyId": ident,
                                    "SecretAccessKey": secret, token: session,
                                    "Expiration": ends}))

    def sts(self, form):
        with lock:
            canned = state["sts"].pop(0) if state["sts"] else None
        if canned:
            return self.reply(canned["status"], canned.get("body", ""))
        ident, secret, session, ends = keys(form["RoleArn"][0].split("/")[-1])
        action = form["Action"][0]
        return self.reply(200, "<%sResponse><%sResult><Credentials><AccessKeyId>%s</AccessKeyId>"
                          "<SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken>"
                          "<Expiration>%s</Expiration></Credentials></%sResult></%sResponse>"
                          % (action, action, ident, secret, session, ends, action, action))

    def machine(self, path):
        if path == "/latest/api/token":
            return self.reply(200, "machine-token")
        if self.headers.get("X-Aws-Ec2-Metadata-Token") != "machine-token":
            return self.reply(401)
        if path.endswith("/security-credentials/"):
            return self.reply(200, "machine-role")
        return self.json_keys(path.split("/")[-1], "Token")

    # ---- a small S3 ----

    def s3(self, path, query, body):
        with lock:
            canned = state["s3"].pop(0) if state["s3"] else None
        if canned:
            self.ahead = canned.get("date_ahead", 0)
            return self.reply(canned["status"], canned.get("body", ""), canned.get("headers"))
        key = urllib.parse.unquote(path[1:])
        q = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if "list-type" in q:
            return self.listing(key, q)
        if "delete" in q:
            bucket = key.rstrip("/")
            for name in re.findall("<Key>(.*?)</Key>", body.decode()):
                objects.pop(bucket + "/" + name, None)
            return self.reply(200, "<DeleteResult/>")
        if "uploads" in q or "uploadId" in q:
            return self.multipart(key, q, body)
        return self.whole(key, body)

    def listing(self, bucket, q):
        prefix = bucket.rstrip("/") + "/" + q["prefix"]
        names = sorted(k for k in objects if k.startswith(prefix))
        items = "".join("<Contents><Key>%s</Key><Size>%d</Size><LastModified>2030-01-01T00:00:00Z"
                        "</LastModified></Contents>"
                        % (escape(n.split("/", 1)[1]), len(objects[n][0])) for n in names)
        self.reply(200, "<ListBucketResult><IsTruncated>false</IsTruncated>%s</ListBucketResult>"
                   % items)

    def meta(self):
        return {k: v for k, v in self.headers.items() if k.lower().startswith("x-amz-meta-")}

    def source(self):
        name = urllib.parse.unquote(self.headers["X-Amz-Copy-Source"])
        data = objects[name][0]
        match = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("X-Amz-Copy-Source-Range", ""))
        return data[int(match[1]):int(match[2]) + 1] if match else data

    def put(self, key, data, meta):
        if self.headers.get("If-None-Match") == "*" and key in objects:
            return self.reply(412, "<Error><Code>PreconditionFailed</Code></Error>")
        objects[key] = (data, meta)
        etag = '"%s"' % hashlib.md5(data).hexdigest()
        self.reply(200, "<R><ETag>%s</ETag></R>" % escape(etag), {"ETag": etag})

    def whole(self, key, body):
        if self.command == "PUT":
            return self.put(key, self.source() if "X-Amz-Copy-Source" in self.headers else body,
                            self.meta())
        if key not in objects:
            return self.reply(404, "<Error><Code>NoSuchKey</Code></Error>")
        data, meta = objects[key]
        match = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        if match and self.command == "GET":
            data = data[int(match[1]):int(match[2]) + 1 if match[2] else None]
            return self.reply(206, data, meta)
        return self.reply(200, data, dict(meta, **{"Last-Modified": formatdate(1893456000, usegmt=True)}))

    def multipart(self, key, q, body):
        if "uploads" in q:
            uploads["up/1"] = ({}, self.meta())
            return self.reply(200, "<R><UploadId>up/1</UploadId></R>")
        parts, meta = uploads.get(q["uploadId"], ({}, {}))
        if self.command == "PUT":
            data = self.source() if "X-Amz-Copy-Source" in self.headers else body
            parts[int(q["partNumber"])] = data
            etag = '"%s"' % hashlib.md5(data).hexdigest()
            return self.reply(200, "<R><ETag>%s</ETag></R>" % escape(etag), {"ETag": etag})
        if self.command == "DELETE":
            uploads.pop(q["uploadId"], None)
            return self.reply(204)
        if q["uploadId"] not in uploads:
            return self.reply(404, "<Error><Code>NoSuchUpload</Code></Error>")
        uploads.pop(q["uploadId"])
        return self.put(key, b"".join(parts[n] for n in sorted(parts)), meta)


loopback.serve(Handler)
