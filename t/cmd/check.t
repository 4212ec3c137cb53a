#!/usr/bin/env python3
"""litestream check: each precondition met and not met, and that looking harms nothing: no byte of a
database, of local state or of a replica is changed, whatever is left of its probe."""

import os
import sqlite3
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import signal
import subprocess
import tap
import daemon
from program import BIN, Result, as_json, config, litestream

daemon.need()
NAMES = ["sqlite", "twice", "daemon", "database", "meta", "space", "replica", "writer", "write", "clock"]


def check(text, *args, folder=None, **kw):
    """The run, and what was found: {name: (status, text, hint)} of the last database."""
    c = config(folder or d, text, "check.yml")
    r = litestream("check", "-config", c, "-json", *args, **kw)
    return r, {f["check"]: (f["status"], f["text"], f["hint"]) for f in as_json(r)["checks"]}


def one(db, replica, more=""):
    return "dbs: [{path: %s, replica: {path: %s}}]\n%s\n" % (db, replica, more)


def tree(*roots):
    """All that is there, with contents and times."""
    seen = {}
    for root in roots:
        for folder, _, files in os.walk(root):
            seen[folder] = None
            for name in files:
                path = os.path.join(folder, name)
                seen[path] = (tap.read(path), os.stat(path).st_mtime_ns)
    return seen


d = tap.scratch()
a, ra = d + "/a.db", d + "/ra"
app = sqlite3.connect(a, isolation_level=None)
app.execute("PRAGMA journal_mode=wal")
app.execute("CREATE TABLE t(x)")
app.execute("INSERT INTO t VALUES (1)")
c = config(d, one(a, ra))

# ---- all is well ----

r, found = check(one(a, ra))
tap.ok(r.rc == 0 and as_json(r)["ok"] is True and r.err == "", "all is well: exit 0", r)
tap.equal(list(found), ["config"] + NAMES, "every check is done, in order")
tap.equal({n: f[0] for n, f in found.items() if f[0] != "ok"},
          {n: f[0] for n, f in found.items() if n in ("sqlite", "daemon") and f[0] in ("warn", "skip")},
          "nothing is wrong, but maybe with the SQLite that is linked")
tap.equal([f["database"] for f in as_json(r)["checks"]], [None] * 4 + [a] * 7, "each names its database")
tap.ok(found["database"][1].startswith("WAL mode, ") and found["database"][1].endswith(" in pages of 4096"),
       "the database is in WAL mode", found["database"])
tap.equal(found["replica"][1], "file://%s is empty" % ra, "the replica is empty")
tap.ok(not os.path.exists(ra) and not os.path.exists(d + "/.a.db-litestream"),
       "no folder was made for good", os.listdir(d))
t = litestream("check", "-config", c)
lines = t.out.splitlines()
tap.ok(t.rc == 0 and lines[0] == "ok    config    %s: 1 databases" % c
       and "ok    write     %s: a probe was written, read, listed and removed" % a in lines
       and all(x[:6].strip() in ("ok", "warn", "skip", "") for x in lines), "as text, a line for each", t)
tap.equal(litestream("check", "-config", c, a).out, t.out, "one database of the configuration")
r = litestream("check", "-config", c, d + "/b.db")
tap.ok(r.rc == 1 and "Error: database not found in config: %s/b.db\n" % d in r.err, "one that is not in it", r)
r = litestream("check", "-config", c, a, a)
tap.ok(r.rc == 1 and r.out == "" and r.err.startswith("Error: too many arguments\n"), "too many arguments", r)
about = " ".join(litestream("check", "-help").out.split())
tap.equal([n for n in ["config"] + NAMES if n + ": " not in about], [], "help describes every check")

# ---- nothing is changed ----

tap.equal(litestream("replicate", "-once", "-force-snapshot", "-config", c).rc, 0, "a replica")
working = d + "/.a.db-litestream/ltx/0/%016x-%016x.ltx.tmp" % (7, 7)
tap.write(working, b"what a daemon is writing")
before = tree(d)
r, found = check(one(a, ra))
after = tree(d)
tap.ok(r.rc == 0 and found["write"][0] == "ok", "checked", r)
after.pop(d + "/check.yml")
before.pop(d + "/check.yml", None)
tap.equal(sorted(set(after) ^ set(before)) + [p for p in before if p in after and before[p] != after[p]], [],
          "[X-6] no byte, name or time of database, local state and replica is another one")
os.unlink(working)
tap.ok(found["meta"][1].startswith(d + "/.a.db-litestream, captured up to TXID 00") and
       found["replica"][1].startswith("file://%s, up to TXID 00" % ra), "it tells where they stand", found)
r, found = check(one(a, ra), "-no-write")
tap.ok(r.rc == 0 and found["write"] == ("skip", "left out, as was asked for", None), "-no-write", r)

# What a kill may leave of the probe harms nothing, and is gone with the next check.
listing = litestream("ltx", "-level", "all", "-config", c, a).out
left = ra + "/litestream-check/ltx/0/%016x-%016x.ltx" % (1, 1)
os.makedirs(os.path.dirname(left))
tap.write(left, b"left by a kill")
tap.equal(litestream("ltx", "-level", "all", "-config", c, a).out, listing, "a probe that was left is not listed")
r = litestream("verify", "-full", "-config", c, a)
tap.equal(r.rc, 0, "[X-5] a probe that was left does not disturb a verify")
app.execute("INSERT INTO t VALUES (2)")
tap.equal(litestream("replicate", "-once", "-force-snapshot", "-enforce-retention", "-config", c).rc, 0,
          "[X-5] a probe that was left does not disturb replication and retention")
r = litestream("restore", "-config", c, "-o", d + "/restored.db", a)
tap.equal(r.rc == 0 and daemon.compare(a, d + "/restored.db"), "",
          "[X-5] a probe that was left does not disturb a restore")
tap.equal(check(one(a, ra))[1]["write"][0], "ok", "the next check replaces it")
tap.ok(not os.path.exists(ra + "/litestream-check"), "... and leaves nothing")

# ---- what is wrong is found ----


def finds(name, status, words, hint, text, *args, **kw):
    r, found = check(text, *args, **kw)
    status_found, said, hint_found = found.get(name, (None, "", None))
    want = 1 if "fail" in [f[0] for f in found.values()] else 0
    tap.ok(status_found == status and words in said and (hint or "") in (hint_found or "") and r.rc == want,
           "%s: %s: %s" % (name, status, words), r)


def made(name, data=b"", **kw):
    tap.write(d + "/" + name, data)
    return d + "/" + name


finds("config", "fail", ':1:1: unknown key "novel"', "litestream.yml(5) lists the keys", "novel: 1")
finds("config", "fail", "config file not found", "", "", "-config", d + "/none.yml")
finds("config", "warn", "1 databases; 1 keys have no effect", "", one(a, ra, "novel: 1"), "-allow-unknown-keys")
finds("config", "warn", "it names no databases", "", "")
finds("twice", "fail", "share one replica: ", "give each database its own",
      "dbs: [{path: %s, replica: {path: %s}}, {path: %s/z.db, replica: {path: %s}}]" % (a, ra, d, ra))
os.symlink(a, d + "/link.db")
finds("twice", "fail", "two databases are the same file: ", "name it once",
      "dbs: [{path: %s, replica: {path: %s}}, {path: %s/link.db, replica: {path: %s/r2}}]" % (a, ra, d, d))
finds("database", "fail", "No such file or directory", "check the path", one(d + "/none.db", d + "/r"))
finds("database", "ok", "it is restored at the start", "",
      "dbs: [{path: %s/none.db, restore-if-db-not-exists: true, replica: {path: %s}}]" % (d, ra))
finds("database", "fail", "it is not a file", "", one(d, d + "/r"))
finds("database", "fail", "it is not an SQLite database", "", one(made("x.db", b"x" * 5000), d + "/r"))
finds("database", "fail", "it is not an SQLite database", "", one(made("s.db", b"SQLite format 3\0"), d + "/r"))
finds("database", "warn", "it is empty", "when the application has written", one(made("e.db"), d + "/r"))
page = bytearray(tap.read(a)[:4096])
page[18] = page[19] = 1
finds("database", "warn", "not in WAL mode", "litestream turns WAL mode on", one(made("j.db", page), d + "/r"))
page[18] = page[19] = 3
finds("database", "fail", "newer than this SQLite knows", "", one(made("n.db", page), d + "/r"))
finds("meta", "fail", "is not a folder", "meta-path",
      "dbs: [{path: %s, meta-path: %s, replica: {path: %s}}]" % (a, made("blocked"), ra))
page[18] = page[19] = 2
large = made("large.db", page)
os.truncate(large, os.statvfs(d).f_bavail * os.statvfs(d).f_frsize * 2 + (1 << 30))
finds("space", "fail", "a snapshot may take", "free some space", one(large, d + "/r"))
os.unlink(large)
finds("replica", "fail", "s3x", "did you mean", one(a, ra).replace("path: %s}" % ra, "url: 's3x://b/c'}"))
finds("replica", "fail", "blocked", "", one(a, d + "/blocked/r"))
for name in ("writer", "write", "clock"):
    finds(name, "skip", "the replica cannot be read", "", one(a, d + "/blocked/r"))
finds("write", "ok", "a probe was written", "", one(a, ra).replace("path: %s}" % ra, "url: 'file://%s/?x=1'}" % ra))
tap.ok(not os.path.exists(ra + "/litestream-check"), "... and removed")

os.makedirs(d + "/dbs/sub")
whole = tap.read(d + "/restored.db")
tap.write(d + "/dbs/sub/x.db", whole)
folder = "dbs: [{dir: %s/dbs, pattern: '*.db', recursive: true, replica: {path: %s/rd}}]" % (d, d)
finds("database", "ok", "WAL mode", "", folder, d + "/dbs/sub/x.db")
finds("replica", "ok", "file://%s/rd/sub/x.db is empty" % d, "", folder, d + "/dbs/sub/x.db")
finds("write", "ok", "a probe was written", "", folder, d + "/dbs/sub/x.db")
tap.ok(not os.path.exists(d + "/rd"), "... and nothing left of it")
tap.write(d + "/dbs/y.db", whole)
tap.write(d + "/dbs/z.db", b"no database")
r, found = check(folder)
names = [f["database"] for f in as_json(r)["checks"] if f["check"] == "write" and f["status"] == "ok"]
tap.ok(r.rc == 0 and sorted(names) == [d + "/dbs/sub/x.db", d + "/dbs/y.db"], "all databases of a folder", r)

# ---- another writer, and another clock ----

os.rename(d + "/.a.db-litestream", d + "/away")
finds("writer", "warn", "nothing was captured here", "does another machine write", one(a, ra))
os.rename(d + "/away", d + "/.a.db-litestream")
level0 = ra + "/ltx/0"
newest = sorted(os.listdir(level0))[-1]
ahead = level0 + "/%016x-%016x.ltx" % (0x999, 0x999)
os.link(level0 + "/" + newest, ahead)
finds("writer", "warn", "the replica is at TXID 0000000000000999, ahead of what was captured here",
      "does another machine write", one(a, ra))
times = os.stat(ahead)
os.utime(ahead, (time.time() + 60, time.time() + 60))
finds("clock", "warn", "the replica's newest file is 5", "NTP", one(a, ra))
os.utime(ahead, (time.time() + 3600, time.time() + 3600))
finds("clock", "fail", "the replica's newest file is 59m", "NTP", one(a, ra))
os.utime(ahead, ns=(times.st_atime_ns, times.st_mtime_ns))
os.unlink(ahead)

# ---- a daemon ----

sock = d + "/s"
with_socket = one(a, ra, "socket: {enabled: true, path: %s}" % sock)
finds("daemon", "ok", "none answers on " + sock, "", with_socket)
p = daemon.Daemon(config(d, with_socket), d + "/log")
p.start()
tap.ok(tap.wait_for(lambda: litestream("sync", "-wait", "-socket", sock, a).rc == 0), "a daemon runs", p.text())
finds("daemon", "ok", "litestream answers on %s and has 1 databases" % sock, "", with_socket)
finds("writer", "ok", "the daemon that answers replicates this database", "a second one must not", with_socket)
finds("write", "ok", "a probe was written", "", with_socket)
p.process.send_signal(signal.SIGSTOP)
finds("daemon", "warn", "no answer from the daemon at", "", with_socket)
p.process.send_signal(signal.SIGCONT)
app.execute("INSERT INTO t VALUES (3)")
tap.equal(p.stop(), 0, "it ends well")
tap.equal([x for x in p.text().splitlines() if "ERROR" in x or "WARN" in x], [], "... and saw nothing of it")
os.unlink(d + "/restored.db")
r = litestream("restore", "-config", c, "-o", d + "/restored.db", a)
tap.equal(r.rc == 0 and daemon.compare(a, d + "/restored.db"), "", "... all that was committed is restored")

# ---- another user ----


def as_nobody(text):
    """The same by a user who may read the configuration, but nothing of the databases."""
    c = config(d, text, "nobody.yml")
    argv = [BIN, "check", "-config", c, "-json"]
    if os.geteuid() == 0:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           user=65534, group=65534, extra_groups=[])
    else:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    r = Result(p)
    return r, {f["check"]: f for f in as_json(r)["checks"]}


os.chmod(d, 0o755)
os.chmod(d + "/nobody.yml" if os.path.exists(d + "/nobody.yml") else c, 0o644)
app.close()
os.chmod(a, 0o444)
r, found = as_nobody(one(a, ra))
if os.geteuid() != 0:
    os.chmod(d, 0o555)
    r, found = as_nobody(one(a, ra))
tap.ok(r.rc == 1 and found["database"]["status"] == "fail" and "Permission denied" in found["database"]["text"]
       and "as the user of the database" in found["database"]["hint"], "a database that may only be read", r)
os.chmod(d, 0o755)
os.chmod(a, 0o666)
os.chmod(d + "/.a.db-litestream", 0o555)
os.mkdir(d + "/readable", 0o555)
r, found = as_nobody(one(a, d + "/readable"))
tap.ok(found["meta"]["status"] == "fail" and "Permission denied" in found["meta"]["text"],
       "local state that may only be read", r)
tap.ok(found["write"]["status"] == "fail" and "Permission denied" in found["write"]["text"]
       and found["write"]["text"].startswith("write a probe: "), "a replica that may only be read", r)
os.chmod(d + "/.a.db-litestream", 0o755)
tap.done()
