#!/usr/bin/env python3
"""Replicas of version 0.3 in an S3 bucket, on a real server: restored as of their end and of every
moment, and compared with what version 0.3 and SQLite made of them (t/vectors/v03-a)."""

import calendar
import concurrent.futures
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t", d) for d in ("", "cmd", "support", "servers")]
import tap
import daemon
import servers
from program import as_json, config, error, left_out, litestream, replica

daemon.need()
if "s3" in left_out():
    tap.skip_all("no s3 stores in this build")
server = servers.start("versitygw")
store = server.stores()[0]
S3 = {"AWS_ACCESS_KEY_ID": store.settings["access-key-id"],
      "AWS_SECRET_ACCESS_KEY": store.settings["secret-access-key"]}
URL = "s3://%s/shop/%%s?endpoint=%s&region=us-east-1" % (store.settings["bucket"], server.address)
BUCKET = os.path.join(server.dir, "data", store.settings["bucket"])

d = tap.scratch()
out = d + "/out.db"
folder, expected = replica(d, "v03-a")
url = URL % "db"


def upload(name, times):
    """The replica below a path of the bucket, its objects' times given; and how many there are."""
    for f in expected["files"]:
        key = os.path.join("shop", name, os.path.relpath(f["path"], "replica"))
        server.put_raw(key, tap.read(os.path.join(folder, os.path.relpath(f["path"], "replica"))))
        t = times(f["mtime_ns"])
        os.utime(os.path.join(BUCKET, key), ns=(t, t))
    return len(expected["files"])


def restored(where, *args):
    """SHA-256 of what a restore gives; None with what it printed."""
    if os.path.exists(out):
        os.remove(out)
    r = litestream("restore", "-o", out, *args, where, env=S3)
    if r.rc == 0:
        return tap.sha256(out), r
    return None, r


# S3 tells times in whole seconds: each millisecond of the replica is a second here.
FIRST = min(f["mtime_ns"] for f in expected["files"]) // 10**6


def stretched(ms):
    return FIRST // 1000 + ms - FIRST


def text(seconds, fraction=""):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"


def recorded(moment):
    """Milliseconds of a moment of the recorded restores."""
    whole, fraction = moment.rstrip("Z").split(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(fraction[:3])


n = upload("db", lambda ns: stretched(ns // 10**6) * 10**9)
tap.ok(n > 100, "a replica of %d objects" % n)

# ---- every restore that was recorded ----

ran = 0
for case in expected["expected"]:
    if "-generation" in case["args"]:
        continue  # an option that versions since 0.5 lack
    ran += 1
    args = [text(stretched(recorded(a))) if a[:2] == "20" else a for a in case["args"]]
    got, r = restored(url, *args)
    label = "%s %s" % (" ".join(case["args"]) or "the end:", case["note"] or "")
    if case["ok"]:
        tap.ok(got == case["file_sha256"] and r.out == r.err == "", label, r)
    else:
        tap.ok(got is None and r.err.startswith("Error: timestamp does not exist\nhint: the replica "
                                                "reaches from "), label, r)
tap.ok(ran >= 20, "all of the recorded restores were tried")

# ---- every other moment, as a folder gives it ----

moments = sorted({f["mtime_ns"] // 10**6 for f in expected["files"]})


def both(ms):
    """What the bucket and the folder give as of an object's time, each under a name of its own."""
    shas = []
    for i, (where, moment) in enumerate(((url, text(stretched(ms))),
                                         ("file://" + folder, text(ms // 1000, ".%03d" % (ms % 1000))))):
        o = "%s/%d-%d.db" % (d, ms, i)
        r = litestream("restore", "-o", o, "-timestamp", moment, where, env=S3)
        shas.append(tap.sha256(o) if r.rc == 0 else repr(r))
    return shas


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    pairs = list(pool.map(both, moments))
tap.equal([(ms, p) for ms, p in zip(moments, pairs) if p[0] != p[1]], [],
          "[V3-S3-1] each of %d moments gives the same as from a folder" % len(moments))
tap.ok(len({p[0] for p in pairs}) > len(moments) // 2, "most of which differ", len({p[0] for p in pairs}))

# ---- by the second, as buckets have it ----

upload("real", lambda ns: ns)
latest = expected["expected"][0]["file_sha256"]
got, r = restored(URL % "real")
tap.ok(got == latest, "with its own times: the end", r)
j = as_json(litestream("restore-points", "-json", URL % "real", env=S3))
tap.equal(j["v0.3"], {"from": text(FIRST // 1000, ".000"), "to": text(moments[-1] // 1000, ".000")},
          "restore-points tells from when to when, in whole seconds")
got, r = restored(URL % "real", "-timestamp", text(moments[-1] // 1000))
tap.ok(got == latest, "the end by its second", r)

# ---- what else a restore does ----

c = config(d, "dbs:\n- path: %s/a.db\n  replica:\n%s" % (d, store.yaml("shop/db", 4)))
r = litestream("restore", "-config", c, "-json", "-integrity-check", "full", d + "/a.db")
tap.ok(r.rc == 0 and as_json(r)["txid"] == "" and tap.sha256(d + "/a.db") == latest,
       "by a configuration, as JSON, with a check", r)
os.remove(out)
error(litestream("restore", "-o", out, "-txid", "0000000000000001", url, env=S3),
      "no matching backup files available")
r = litestream("restore", "-dry-run", "-json", "-o", out, url, env=S3)
tap.ok(r.rc == 0 and as_json(r)["format"] == "v0.3" and not os.path.exists(out), "-dry-run tells the objects", r)
gone = os.path.join(BUCKET, "shop/db/generations/cff07dc93e15e57d/wal/00000008_00004080.wal.lz4")
os.remove(os.path.join(BUCKET, "shop/db/generations/cff07dc93e15e57d/snapshots/00000008.snapshot.lz4"))
os.remove(gone)
got, r = restored(url)
tap.ok(got is None and r.err.startswith("Error: missing WAL segment: expected generations/cff07dc93e15e57d/wal/"
                                        "00000008_00004080.wal.lz4, got ") and not os.path.exists(out),
       "a missing segment is named", r)
before = r.err.split("-timestamp ")[1].strip()
tap.ok(restored(url, "-timestamp", before)[0] is not None, "and how far one gets works", before)
server.stop()
tap.done()
