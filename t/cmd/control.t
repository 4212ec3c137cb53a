#!/usr/bin/env python3
"""A running daemon by its control socket: every command, what it does to a replica, metrics, events,
jobs, a configuration that is read again, and a daemon that is gone, stopped, there twice, or not
ours. cmd/serve.c cmd/reread.c"""

import atexit
import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import tap
import daemon
from program import BIN, as_json, litestream

daemon.need()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def end_with_me(d):
    """A script that breaks off leaves no daemon."""
    atexit.register(lambda: d.running() and d.kill())
    return d


class Unix(http.client.HTTPConnection):
    """HTTP on the socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Controlled(daemon.Site):
    """A site whose daemon has a socket and serves metrics."""

    def __init__(self, **kw):
        super().__init__(**kw)
        self.socket = self.dir + "/s"
        end_with_me(self.daemon)
        self.port = free_port()
        with open(self.config, "a") as f:
            f.write('socket: {enabled: true, path: %s}\naddr: "127.0.0.1:%d"\n' % (self.socket, self.port))

    def ctl(self, command, *args, **kw):
        return litestream(command, "-socket", self.socket, *args, **kw)

    def json(self, command, *args):
        """What it prints; where it failed that has none of the keys asked for."""
        r = self.ctl(command, "-json", *args)
        return as_json(r) if r.rc == 0 else {"failed": r}

    def ask(self, method, target, body=None):
        """Status and JSON."""
        c = Unix(self.socket)
        c.request(method, target, json.dumps(body) if body is not None else None)
        r = c.getresponse()
        text = r.read().decode()
        c.close()
        return r.status, json.loads(text) if text[:1] in "{[" else text

    def metrics(self):
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.port, timeout=20) as r:
            return r.read().decode()

    def metric(self, name):
        for line in self.metrics().splitlines():
            if line.startswith(name + " ") or line.startswith(name + "{"):
                return float(line.rsplit(" ", 1)[1])
        return None

    def job(self, number):
        return [j for j in self.ask("GET", "/jobs")[1]["jobs"] if j["id"] == number][0]

    def ends(self, number):
        tap.wait_for(lambda: self.job(number)["status"] not in ("queued", "running"), 60)
        return self.job(number)


def make(path, rows):
    """Adds rows to a database, which may be new."""
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as db:
        db.execute("PRAGMA journal_mode=wal")
        db.execute("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v)")
        for _ in range(rows):
            db.execute("INSERT INTO t(v) VALUES (randomblob(500))")
        db.commit()


def dump(path):
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as db:
        return "\n".join(db.iterdump())


def restored(s, root):
    """What a replica restores to, as text."""
    out = s.dir + "/restored.db"
    r = litestream("restore", "-force", "-integrity-check", "full", "-o", out, "file://" + root)
    return dump(out) if r.rc == 0 else r


def commands():
    # An hour: nothing happens by itself after the first write.
    s = Controlled(interval="1h")
    s.start(wait=False)
    tap.ok(tap.wait_for(lambda: s.ctl("info").rc == 0), "info answers", s.tail())
    tap.equal(s.json("info").get("pid"), s.daemon.process.pid, "... of this process")
    tap.equal(oct(os.stat(s.socket).st_mode & 0o777), "0o600", "the socket is private")
    tap.equal(s.count('msg="control socket listening" system=server path=%s' % s.socket), 1,
              "the log names the socket")
    tap.ok(tap.wait_for(lambda: s.ctl("sync", "-wait", s.db).rc == 0, 20), "sync -wait succeeds", s.tail())
    tap.equal(s.difference(), "", "... and then the replica has what is committed")
    s.rows(5)
    j = s.json("sync", "-wait", s.db)
    tap.ok(j.get("replica_txid") == j.get("txid") == max(s.stored()),
           "sync -wait uploads at once what the interval would hold for an hour", j)
    tap.equal(s.difference(), "", "... all of it")
    row = s.json("list")["databases"][0]
    tap.ok(row["path"] == s.db and row["status"] == "replicating" and "last_sync_at" in row, "list", row)
    tap.equal(s.ask("GET", "/txid?path=" + s.db), (200, {"txid": j["txid"]}), "/txid")
    again = s.json("sync", s.db)
    tap.ok("replica_txid" not in again and again.get("txid", 0) >= j["txid"],
           "sync without -wait", again)
    live = as_json(litestream("status", "-json", "-config", s.config))[0]["daemon"]
    tap.ok(live is not None and live["status"] == "replicating" and live["lag_ms"] == 0,
           "status -json has what the daemon says", live)

    # ---- stop, start ----
    s.rows(3)
    j = s.json("stop", s.db)
    tap.ok((j.get("status"), j.get("state")) == ("stopped", "stopped"), "stop", j)
    tap.equal(s.difference(), "", "stop syncs a last time")
    tap.equal(s.json("stop", s.db).get("status"), "already_stopped", "stop again")
    tap.equal(s.json("list")["databases"][0]["status"], "stopped", "it stays listed")
    tap.equal(s.ask("POST", "/sync", {"path": s.db})[0], 409, "sync of a stopped one is refused")
    tap.equal(s.checkpoint("TRUNCATE")[0], 0, "the application may truncate its log meanwhile")
    s.rows(4)
    tap.equal(s.json("start", s.db).get("status"), "started", "start")
    tap.ok(s.ctl("sync", "-wait", s.db).rc == 0, "sync after a start", s.tail())
    tap.equal(s.difference(), "", "what was written meanwhile is on the replica")
    tap.equal(s.json("start", s.db).get("status"), "already_running", "start again")

    # ---- register, unregister ----
    other = s.dir + "/other.db"
    root = s.dir + "/other-replica"
    make(other, 7)
    j = s.json("register", "-replica", "file://" + root, other)
    tap.ok(j.get("status") == "registered" and j.get("db_path") == other, "register", j)
    tap.ok(s.ctl("sync", "-wait", other).rc == 0, "sync -wait of a registered database", s.tail())
    tap.equal(restored(s, root), dump(other), "... and then its replica has what is committed")
    r = s.ctl("register", "-replica", "file://" + root, other)
    tap.ok(r.rc == 0 and "status: already registered" in r.out, "register again", r)
    tap.equal([d["path"] for d in s.json("list")["databases"]], [s.db, other], "both are listed")
    r = s.ctl("register", "-replica", "file://" + root, s.dir + "/third.db")
    tap.ok(r.rc == 1 and "share one replica" in r.err and "hint: " in r.err,
           "a replica that another database has is refused", r)
    r = s.ctl("register", "-replica", "s3x://b/x", s.dir + "/third.db")
    tap.ok(r.rc == 1 and "invalid replica url" in r.err, "a wrong URL is refused", r)
    make(other, 5)
    j = s.json("unregister", other)
    tap.ok(j.get("status") == "unregistered" and j.get("final_txid", 0) > 1, "unregister", j)
    tap.equal(restored(s, root), dump(other), "... syncs a last time")
    tap.equal(s.json("unregister", other).get("status"), "already_unregistered", "unregister again")
    tap.equal([d["path"] for d in s.json("list")["databases"]], [s.db], "the list is as before")
    make(other, 5)
    tap.ok(dump(other) != restored(s, root), "what is written then stays here")
    tap.equal(s.json("register", "-replica", "file://" + root, other).get("status"), "registered",
              "register once more")
    tap.ok(s.ctl("sync", "-wait", other).rc == 0, "sync -wait", s.tail())
    tap.equal(restored(s, root), dump(other), "... goes on where it was")
    s.json("unregister", other)
    s.check("a daemon that was told all this ends well", errors=None)
    tap.ok(not os.path.exists(s.socket), "its socket is gone")
    r = s.ctl("info")
    tap.ok(r.rc == 1 and "failed to connect to control socket" in r.err, "info says that it is gone", r)


def reloading():
    s = Controlled()
    other, third = s.dir + "/other.db", s.dir + "/third.db"
    make(other, 3)
    make(third, 3)
    s.start()
    with open(s.config) as f:
        before = f.read()

    def write(text):
        with open(s.config, "w") as f:
            f.write(text)

    def listed():
        return [d["path"] for d in s.json("list")["databases"]]

    def entry(path):
        return "  - {path: %s, replica: {path: %s-replica, sync-interval: 50ms}}\n" % (path, path)

    assert "dbs:\n" in before, before
    both = before.replace("dbs:\n", "dbs:\n" + entry(other), 1)
    write(both)
    s.daemon.process.send_signal(signal.SIGHUP)
    tap.ok(tap.wait_for(lambda: listed() == [s.db, other]), "SIGHUP: a new database is there", s.tail())
    tap.ok(s.ctl("sync", "-wait", other).rc == 0, "... and is replicated", s.tail())
    tap.equal(restored(s, other + "-replica"), dump(other), "... all of it")
    write(both + "\nunknown-key: 1\n")
    s.daemon.process.send_signal(signal.SIGHUP)
    tap.ok(tap.wait_for(lambda: s.count("everything goes on as before") == 1),
           "a configuration with an error changes nothing, and the log says so", s.tail())
    tap.ok(s.count('unknown key \\"unknown-key\\"') == 1 and s.count("hint=") >= 1,
           "... with the error and a hint", s.tail())
    r = s.ask("POST", "/reload", {})
    tap.ok(r[0] == 400 and "unknown-key" in r[1]["error"] and "hint" in r[1], "/reload says it too", r)
    tap.equal(listed(), [s.db, other], "the list is as before")
    make(other, 4)
    write(before.replace("dbs:\n", "dbs:\n" + entry(third), 1).replace(
        "127.0.0.1:%d" % s.port, "127.0.0.1:1"))
    status, j = s.ask("POST", "/reload", {})
    tap.ok(status == 200 and (j["added"], j["removed"], j["kept"]) == (1, 1, 1), "/reload", j)
    tap.ok(tap.wait_for(lambda: listed() == [s.db, third]), "the one that is not named is gone", s.tail())
    tap.equal(restored(s, other + "-replica"), dump(other), "... after a last sync")
    tap.equal(s.count("a changed setting counts after a restart only"), 1, "addr needs a restart")
    write(before.replace("dbs:\n", "dbs:\n" + entry(third).replace("third.db-replica", "moved"), 1))
    status, j = s.ask("POST", "/reload", {})
    tap.ok(status == 200 and (j["changed"], j["kept"]) == (1, 1), "one has another replica", j)
    tap.ok(tap.wait_for(lambda: s.ctl("sync", "-wait", third).rc == 0), "... and starts there", s.tail())
    tap.equal(restored(s, s.dir + "/moved"), dump(third), "... whole")
    s.check("the daemon ends well", errors=None)


def inspection():
    s = Controlled()
    s.start()
    status, health = s.ask("GET", "/readyz")
    tap.ok(tap.wait_for(lambda: s.ask("GET", "/readyz")[0] == 200), "the daemon becomes ready", health)
    tap.equal(s.ask("GET", "/healthz"), (200, {"status": "ok"}), "it is healthy")
    status, d = s.ask("GET", "/database?path=" + s.db)
    tap.ok(status == 200 and d["replica_url"] == "file://" + s.root and d["page_size"] == 4096
           and d["db_size"] > 0, "/database", d)
    label = '{db="%s"}' % s.db
    tap.ok(tap.wait_for(lambda: s.metric("litestream_replica_txid" + label) == max(s.stored())),
           "metrics tell the replica's TXID")
    tap.equal(s.metric("litestream_replica_lag_seconds" + label), 0, "... that it is not behind")
    tap.ok(s.metric("litestream_sync_count" + label) > 0, "... and how many syncs there were")
    tap.ok(s.metric("process_resident_memory_bytes") > 1e6, "... and the memory")

    # ---- events ----
    c = Unix(s.socket)
    c.request("GET", "/events")
    stream = c.getresponse()
    s.rows(1)
    kinds, numbers = set(), []
    end = time.monotonic() + 30
    while not {"capture", "upload"} <= kinds and time.monotonic() < end:
        line = stream.readline().decode()
        if line == "":
            break
        if line.startswith("data: "):
            e = json.loads(line[6:])
            kinds.add(e["kind"])
            numbers.append(e["number"])
    tap.ok({"capture", "upload"} <= kinds, "a commit is told as events", kinds)
    tap.equal(numbers, sorted(set(numbers)), "... in order")
    c.close()

    # ---- jobs ----
    status, snap = s.ask("POST", "/snapshot", {"path": s.db})
    tap.ok(status == 200 and s.stored(9)[-1:] == [snap["txid"]], "a snapshot is written", snap)
    status, job = s.ask("POST", "/verify", {"path": s.db, "full": True})
    ended = s.ends(job["id"])
    tap.ok(status == 202 and ended["status"] == "done" and ended["result"]["ok"], "verify", ended)
    tap.equal(s.metric("litestream_last_verify_ok" + label), 1, "metrics tell of the verify")
    out = s.dir + "/restored-by-job.db"
    status, job = s.ask("POST", "/restore", {"path": s.db, "output": out, "integrity": "full"})
    ended = s.ends(job["id"])
    tap.ok(status == 202 and ended["status"] == "done", "restore", ended)
    tap.equal(daemon.compare(s.db, out), "", "... gives what is committed")
    status, refused = s.ask("POST", "/restore", {"path": s.db, "output": s.db, "force": True})
    tap.equal(status, 409, "a database that is replicated is not replaced")
    s.check("the daemon ends well")


def trouble():
    s = Controlled()
    s.start()

    # ---- a second daemon ----
    second = s.dir + "/second.yml"
    tap.write(second, ('dbs: [{path: %s/2.db, replica: {path: %s/r2}}]\n'
                       'socket: {enabled: true, path: %s}\naddr: "127.0.0.1:%d"\n'
                       % (s.dir, s.dir, s.socket, s.port)).encode())
    d = end_with_me(daemon.Daemon(second, s.dir + "/log2"))
    d.start()
    tap.ok(tap.wait_for(lambda: len(d.lines("failed to start control server")) == 1
                        and len(d.lines("cannot start metrics server")) == 1),
           "a second daemon on the same socket and address says so", d.text())
    tap.ok("level=ERROR" in d.lines("failed to start control server")[0]
           and "another litestream answers on" in d.text() and d.running(), "... and goes on", d.text())
    tap.equal(s.json("info").get("pid"), s.daemon.process.pid, "the first one still has the socket")
    tap.equal(d.stop(), 0, "the second ends well")
    tap.equal(s.json("info").get("pid"), s.daemon.process.pid, "... and leaves the first one's socket")

    # ---- a daemon that is stopped ----
    s.daemon.process.send_signal(signal.SIGSTOP)
    r = s.ctl("list", "-timeout", "1")
    tap.ok(r.rc == 1 and "no answer from the daemon at" in r.err, "a stopped process", r)
    tap.equal(as_json(litestream("status", "-json", "-config", s.config))[0]["daemon"], None,
              "status goes without it")
    s.daemon.process.send_signal(signal.SIGCONT)
    tap.ok(s.ctl("list").rc == 0, "it goes on")

    # ---- permission ----
    os.chmod(s.socket, 0)
    os.chmod(s.dir, 0o711)
    if os.geteuid() != 0:
        r = s.ctl("info")
    else:
        p = subprocess.run([BIN, "info", "-socket", s.socket], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=65534)
        r = p.stderr.decode()
    tap.ok("Permission denied" in str(r) and "hint: run this as the user of the daemon" in str(r),
           "others may not", r)
    os.chmod(s.socket, 0o600)

    # ---- killed: the socket stays, and is replaced ----
    s.kill()
    r = s.ctl("info")
    tap.ok(r.rc == 1 and "Connection refused" in r.err, "a killed daemon's socket", r)
    s.start()
    tap.equal(s.json("info").get("pid"), s.daemon.process.pid, "the next start replaces it")
    s.stop()

    # ---- something else is there ----
    tap.write(s.socket, b"mine")
    s.start()
    tap.ok(tap.wait_for(lambda: len(s.daemon.lines("socket path exists but is not a socket")) == 1)
           and "level=WARN" in s.daemon.lines("socket path exists but is not a socket")[0],
           "a file at the socket's path is not replaced", s.tail())
    tap.equal(tap.read(s.socket), b"mine", "... nor touched")
    s.check("replication goes on without a socket", errors=None)


def ends_while_asked():
    """Streams and idle connections do not hold up the end of a daemon."""
    s = Controlled()
    s.start()
    c, idle = Unix(s.socket), Unix(s.socket)
    c.request("GET", "/events")
    stream = c.getresponse()
    idle.connect()
    tap.equal(s.stop(), 0, "a daemon ends while a stream is open")
    stream.read()
    tap.ok(True, "and with it the stream")
    c.close()
    idle.close()


daemon.stories(commands, reloading, inspection, trouble, ends_while_asked)
tap.done()
