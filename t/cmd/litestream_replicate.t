#!/usr/bin/env python3
"""litestream replicate: the daemon as scripts and service managers see it."""

import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import BIN, config, litestream

d = tap.scratch()


def path(*names):
    return os.path.join(d, *names)


class Daemon:
    """A running litestream replicate; its two outputs in files."""

    def __init__(self, *args, **env):
        e = {k: v for k, v in os.environ.items() if not k.startswith(("LITESTREAM_", "LOG_LEVEL"))}
        e.update(env)
        self.out_path, self.err_path = path("daemon.out"), path("daemon.err")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.p = subprocess.Popen([BIN, "replicate", *args], stdin=subprocess.DEVNULL,
                                      stdout=out, stderr=err, env=e)

    out = property(lambda self: tap.read(self.out_path).decode())
    err = property(lambda self: tap.read(self.err_path).decode())

    def shows(self, text, where="out", seconds=20):
        return tap.wait_for(lambda: text in getattr(self, where) or self.p.poll() is not None,
                            seconds) and text in getattr(self, where)

    def end(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        try:
            self.p.wait(60)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        return self.p.returncode

    def __repr__(self):
        return "rc=%r\nstdout:\n%s\nstderr:\n%s" % (self.p.returncode, self.out, self.err)


def write(db, sql, *args):
    c = sqlite3.connect(db, timeout=20)
    c.execute(sql, *args)
    c.commit()
    c.close()


def rows(db):
    c = sqlite3.connect(db, timeout=20)
    n = c.execute("select count(*) from t").fetchone()[0]
    c.close()
    return n


def restored(url, name="restored.db"):
    for suffix in ["", "-wal", "-shm"]:
        if os.path.exists(path(name) + suffix):
            os.remove(path(name) + suffix)
    r = litestream("restore", "-o", path(name), url)
    return rows(path(name)) if r.rc == 0 else repr(r)


def ordinary(text):
    """No line but those about failures may hold the word that scripts look for."""
    return [line for line in text.splitlines() if "error" in line.lower()]


a, ra = path("a.db"), "file://" + path("ra")
write(a, "create table t(x)")
write(a, "insert into t values (1)")

# ---- by arguments ----
p = Daemon(a, ra)
tap.ok(p.shows("ltx file uploaded"), "a database is replicated", p)
lines = p.out.splitlines()
tap.ok(lines[0].endswith(" level=INFO msg=litestream version=%s level=INFO"
                         % litestream("version").out.splitlines()[0]),
       "the first line names the version and the level", p)
tap.ok([line.split("msg=")[1] for line in lines if "monitor" in line] == [
    '"starting compaction monitor" system=store level=1 interval=30s',
    '"starting compaction monitor" system=store level=2 interval=5m0s',
    '"starting compaction monitor" system=store level=3 interval=1h0m0s',
    '"starting compaction monitor" system=store level=9 interval=24h0m0s',
    '"starting L0 retention monitor" system=store interval=15s retention=5m0s'],
       "the schedules are told", p)
tap.ok(any(line.endswith('msg="initialized db" path=' + a) for line in lines) and
       any(line.endswith('msg="replicating to" type=file sync-interval=1s path=' + path("ra"))
           for line in lines), "then what goes where", p)
write(a, "insert into t values (2)")
uploads = tap.wait_for(lambda: p.out.count("ltx file uploaded") >= 2, 20)
tap.ok(uploads and restored(ra) == 2, "a commit arrives on the replica while it runs", p)
write(a, "insert into t values (3)")
tap.equal(p.end(), 0, "SIGTERM: exit 0")
tap.ok('msg="signal received, litestream shutting down" signal=terminated' in p.out
       and p.out.endswith('msg="litestream shut down"\n') and p.err == "", "and says so", p)
tap.equal(restored(ra), 3, "what was committed just before is on the replica")
tap.equal(ordinary(p.out), [], "no ordinary line holds the word error")
for i in range(20):
    p = Daemon(a, ra)
    p.shows("msg=litestream")
    if p.end(signal.SIGINT) != 0:
        break
tap.equal(p.p.returncode, 0, "SIGINT: exit 0, from the first line on")
codes = set()
for i in range(10):
    p = Daemon(a, ra)
    p.shows("replicating to")
    p.p.send_signal(signal.SIGTERM)
    time.sleep(0.002 * i)
    codes.add(p.end())
tap.ok(codes <= {0, 1}, "a second signal, however late, does not kill it", codes)
write(a, "insert into t values (4)")
p = Daemon(a, ra)
count = len(os.listdir(path("ra/ltx/0")))
tap.ok(tap.wait_for(lambda: restored(ra) == 4, 20), "a new start goes on", p)
p.p.kill()
p.p.wait()
tap.equal(restored(ra), 4, "SIGKILL: the replica is whole")

# ---- by configuration ----
b = path("b.db")
c = config(d, """
mcp-addr: ":9090"
logging: {type: json, stderr: true, level: info}
dbs:
  - path: %s
    restore-if-db-not-exists: true
    replica: {url: "%s", sync-interval: 100ms}
  - path: %s
    restore-if-db-not-exists: true
    replica: {path: %s}
""" % (b, ra, path("later.db"), path("rl")))
p = Daemon("-config", c)
tap.ok(p.shows('"path":"%s"' % path("rl"), "err"), "two databases", p)
tap.equal(p.out, "", "logging.stderr moves the log")
records = [json.loads(line) for line in p.err.splitlines()]
tap.ok(all({"time", "level", "msg"} <= set(r) for r in records), "logging.type makes it JSON", p)
messages = [(r["msg"], r.get("path")) for r in records]
tap.equal([(r["key"], r["level"]) for r in records if "not part of this version" in r["msg"]],
          [("mcp-addr", "WARN")], "settings without effect are named")
tap.ok(("attempting restore before replication", b) in messages
       and ("restore completed", b) in messages and rows(b) == 4,
       "a missing database is restored first", p)
tap.ok(("no backup found, starting fresh", path("later.db")) in messages,
       "without a backup it is waited for", p)
write(path("later.db"), "create table t(x)")
tap.ok(tap.wait_for(lambda: restored("file://" + path("rl")) == 0, 20),
       "a database that appears later is replicated", p)
tap.equal(p.end(), 0, "exit 0")

pretty = config(d, """
logging: {type: pretty, source: true}
dbs: [{path: %s, replica: {path: %s}}]
""" % (a, path("rp")), "pretty.yml")
r = litestream("replicate", "-once", "-config", pretty)
tap.ok(r.rc == 0 and re.search(r"^\d\d:\d\d:\d\d INF replica/replica\.c:\d+ ltx file uploaded "
                               r"system=store db=a\.db replica=file level=0 minTXID=", r.out, re.M)
       and "\x1b" not in r.out, "logging.type: pretty, with places in the source", r)
p = Daemon("-restore-if-db-not-exists", "-log-level", "debug", b, "file://" + path("rb"))
tap.ok(p.shows('msg="database exists, skipping restore" path=' + b),
       "-restore-if-db-not-exists leaves what is there", p)
tap.ok("level=INFO msg=litestream" in p.out and " level=debug\n" in p.out,
       "-log-level counts", p)
p.end()
p = Daemon(b, "file://" + path("rb"), LOG_LEVEL="error")
tap.wait_for(lambda: os.path.isdir(path("rb/ltx/0")), 20)
p.end()
tap.equal(p.out, "", "LOG_LEVEL=error silences it")
p = Daemon("-config", config(d, "logging: {level: error}\n", "e.yml"), LOG_LEVEL="info")
tap.ok(p.shows("no databases specified in configuration"), "no databases: it says so", p)
tap.ok(p.p.poll() is None and " level=error\n" in p.out, "and keeps running", p)
tap.equal(p.end(), 0, "until it is told to end")

# ---- once ----
write(a, "insert into t values (5)")
r = litestream("replicate", "-once", a, ra)
tap.ok(r.rc == 0 and restored(ra) == 5 and 'msg="one-shot replication complete"' in r.out,
       "-once uploads what there is and ends", r)


def snapshots(root):
    return sorted(os.listdir(os.path.join(root, "ltx", "9")))


r = litestream("replicate", "-once", "-force-snapshot", a, ra)
tap.ok(r.rc == 0 and 'msg="taking snapshot" path=%s' % a in r.out and restored(ra) == 5
       and snapshots(path("ra"))[-1][17:33] == max(n[17:33] for n in os.listdir(path("ra", "ltx", "0"))),
       "-force-snapshot writes one of the newest TXID", r)
write(a, "insert into t values (6)")
litestream("replicate", "-once", "-force-snapshot", a, ra)
before = snapshots(path("ra"))
for name in before:
    os.utime(path("ra", "ltx", "9", name), times=(time.time() - 7200,) * 2)
write(a, "insert into t values (7)")
short = config(d, "snapshot: {retention: 1h}\ndbs: [{path: %s, replica: {path: %s}}]\n" % (a, path("ra")))
r = litestream("replicate", "-once", "-force-snapshot", "-enforce-retention", "-config", short)
tap.ok(r.rc == 0 and 'msg="enforcing retention" path=%s' % a in r.out and restored(ra) == 7
       and len(before) > 1 and snapshots(path("ra"))[:-1] == before[-1:]
       and snapshots(path("ra"))[-1] not in before,
       "-enforce-retention leaves the newest that is too old, and the new one", r)
for flag in ("-force-snapshot", "-enforce-retention"):
    r = litestream("replicate", flag, a, ra)
    tap.ok(r.rc == 1 and r.err.startswith("Error: cannot specify %s flag without -once\n" % flag),
           "%s is for -once" % flag, r)
r = litestream("replicate", "-once", path("none.db"), ra)
tap.ok(r.rc == 1 and path("none.db") in r.err
       and r.err.endswith("hint: check the path; -once does not wait for a database\n"),
       "-once wants the database to be there", r)
r = litestream("replicate", "-once", "sqlite3://" + a, ra)
tap.ok(r.rc == 0 and "path=%s\n" % a in r.out, "sqlite3:// in front of a path is passed over", r)

# ---- more databases than the usual limit of descriptors allows for ----
os.mkdir(path("many"))
many = [path("many", "%d.db" % i) for i in range(12)]
for name in many:
    write(name, "create table t(x)")
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
p = Daemon("-config", config(d, "dbs:\n" + "".join(
    "  - {path: %s, replica: {path: %s-r}}\n" % (name, name) for name in many)))
resource.setrlimit(resource.RLIMIT_NOFILE, limits)
tap.ok(tap.wait_for(lambda: p.out.count("ltx file uploaded") == len(many), 20),
       "the soft limit of open files is raised", p)
tap.equal(p.end(), 0, "for %d databases" % len(many))

# ---- a replica that cannot be written to at the end ----
tap.write(path("blocked"), b"")
p = Daemon("-config", config(d, "shutdown-sync-timeout: 1s\nshutdown-sync-interval: 100ms\n"
                             "dbs: [{path: %s, replica: {path: %s/r}}]" % (a, path("blocked"))))
tap.ok(p.shows("level=ERROR"), "an upload that fails is logged", p)
tap.ok(" hint=" in p.out, "with a hint", p)
tap.equal(p.end(), 1, "a last sync that failed: exit 1")
tap.ok(p.err.startswith("Error: ") and "\nhint: " in p.err, "and it is said why", p)
tap.done()
