#!/usr/bin/env python3
"""A database that is written to, replicated to an S3 server within seconds through all levels, by a
daemon that is killed once: restored as of its end, of TXIDs and of moments; seen by the commands.

STORE_SECONDS (12): how long is written.
"""
import calendar
import json
import os
import sqlite3
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t", d) for d in ("", "support", "servers")]
import tap
import daemon
import servers

SECONDS = float(os.environ.get("STORE_SECONDS", "12"))
SLACK = 1.5  # s from a commit to the header of its file, on a machine that is busy

CONFIG = """
levels: [{interval: 1s}, {interval: 3s}]
snapshot: {interval: 4s, retention: 1h}
l0-retention: 1h
dbs:
  - path: %(db)s
    monitor-interval: 50ms
    replica:
      sync-interval: 50ms
%(replica)s"""

daemon.need()
server = servers.start("versitygw")
store = server.stores()[0]
os.environ.update(AWS_ACCESS_KEY_ID=store.settings["access-key-id"],
                  AWS_SECRET_ACCESS_KEY=store.settings["secret-access-key"])
URL = "s3://%s/shop/db?endpoint=%s&region=us-east-1" % (store.settings["bucket"], server.address)

folder = tap.scratch()
db, out = os.path.join(folder, "app.db"), os.path.join(folder, "out.db")
config = os.path.join(folder, "litestream.yml")
tap.write(config, (CONFIG % {"db": db, "replica": store.yaml("shop/db", 6)}).encode())
site = daemon.Daemon(config, os.path.join(folder, "log"))
app = sqlite3.connect(db, isolation_level=None, timeout=10)
app.execute("PRAGMA journal_mode=wal")
app.execute("CREATE TABLE t(n INTEGER PRIMARY KEY, v BLOB)")
commits = []  # when row n + 1 was committed


def write(seconds):
    end = time.time() + seconds
    while time.time() < end:
        app.execute("INSERT INTO t VALUES (?, randomblob(500))", (len(commits) + 1,))
        commits.append(time.time())
        time.sleep(0.02)


def litestream(*args):
    r = tap.run(daemon.LITESTREAM, *args)
    return r.returncode, r.stdout.decode(), r.stderr.decode()


def restored(*args, url=URL):
    """Rows of what a restore gives; None if it fails, or if a row is missing before the last."""
    daemon.remove(out)
    rc, stdout, stderr = litestream("restore", *args, "-o", out, url)
    if rc != 0:
        return tap._note(stdout + stderr)
    c = sqlite3.connect(out)
    n, last, sound = c.execute("SELECT count(*), ifnull(max(n), 0), "
                               "(SELECT * FROM pragma_integrity_check) FROM t").fetchone()
    c.close()
    return n if n == last and sound == "ok" else None


def files():
    rc, stdout, stderr = litestream("ltx", "-level", "all", URL)
    tap.ok(rc == 0 and stderr == "", "ltx lists the replica", stdout + stderr)
    return [(int(l.split()[0]), l.split()[1], l.split()[2]) for l in stdout.splitlines()[1:]]


site.start()
write(SECONDS / 2)
tap.ok(site.kill(), "the daemon runs until it is killed", site.text())
write(0.5)
site.start()
write(SECONDS / 2)
tap.equal(site.stop(), 0, "it ends well after its last sync")

tap.equal(restored(), len(commits), "a restore by URL with query has every row")
tap.equal(daemon.compare(db, out), "", "and is the same database")
tap.equal(restored(url="s3://%s.%s/shop/db" % (store.settings["bucket"], server.address)),
          len(commits), "so has one by a URL of host and port")
daemon.remove(out)
rc, stdout, stderr = litestream("restore", "-config", config, "-o", out, db)
tap.ok(rc == 0 and daemon.compare(db, out) == "", "and one by the configuration", stdout + stderr)

levels = {level for level, _, _ in files()}
tap.ok(levels >= {0, 1, 2, 9}, "all levels have files", str(levels))
names = [os.path.relpath(os.path.join(d, f), server.dir) for d, _, fs in os.walk(server.dir)
         for f in fs if f.endswith(".ltx")]
tap.ok(all(n.startswith("data/bkt1/shop/db/000") for n in names) and names,
       "objects have the reference's names", "\n".join(names[:10]))

# ---- restore points ----

rc, stdout, stderr = litestream("restore-points", "-all", "-json", URL)
points = json.loads(stdout) if rc == 0 else []
tap.ok(len(points) > SECONDS, "restore-points lists them", stdout[:500] + stderr)
points.sort(key=lambda p: p["txid"])
rows = [restored("-txid", p["txid"]) for p in points[::max(1, len(points) // 6)] + points[-1:]]
tap.ok(None not in rows and rows == sorted(rows) and rows[-1] == len(commits),
       "each TXID gives a prefix of the commits", str(rows))


def seconds(text):
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + text[19:-1])


first, last = seconds(points[0]["timestamp"]), seconds(points[-1]["timestamp"])
wrong = []
for i in range(1, 7):
    moment = first + (last - first) * i / 7
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + ("%.3fZ" % (moment % 1))[1:]
    n = restored("-timestamp", text)
    least = sum(t < moment - SLACK for t in commits)
    most = sum(t < moment for t in commits)
    known = [p for p in points if p["timestamp"] < text][-1]["txid"]
    by_txid = restored("-txid", known)
    if n is None or not least <= n <= most or n != by_txid:
        wrong.append("%s: %s rows, of %d to %d; %s by TXID" % (text, n, least, most, by_txid))
tap.equal(wrong, [], "each moment gives what was committed until then")

# ---- the other commands ----

rc, stdout, stderr = litestream("verify", URL)
tap.ok(rc == 0 and "other time" not in stdout + stderr, "verify finds everything right",
       stdout + stderr)
rc, stdout, stderr = litestream("restore", "-o", out, URL.replace("region", "regoin"))
tap.ok(rc == 1 and 'unknown query key "regoin"' in stderr and "region" in stderr,
       "a mistyped key of the query is an error", stderr)
os.environ["AWS_SECRET_ACCESS_KEY"] = "mistyped-secret"
rc, stdout, stderr = litestream("ltx", URL)
tap.ok(rc == 1 and "SignatureDoesNotMatch" in stderr and "hint: check the secret key" in stderr,
       "a wrong key is told, with what to do", stderr)
shown = site.text() + stderr
tap.ok("mistyped-secret" not in shown and store.settings["secret-access-key"] not in shown,
       "no secret is shown", shown)
server.stop()
rc, stdout, stderr = litestream("ltx", URL.replace("&region", "&concurrency=1&region"))
tap.ok(rc == 1 and server.address in stderr, "a server that is away is named", stderr)
tap.done()
