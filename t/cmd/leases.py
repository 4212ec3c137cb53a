"""The story of a lease, for lease.t and lease_s3.t: two daemons of two databases, by mistake with one
replica. Whatever happens to them, one of them writes, the other says whose the replica is, and a
restore gives the database of the one that writes.
"""

import json
import os
import signal
import socket
import sqlite3
import sys
import time

sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t", d) for d in ("", "support", "servers")]
import tap
import daemon

TTL = 3  # s
LONG = 60  # s that nothing here takes

CONFIG = """
lease: true
lease-ttl: %(ttl)ds
levels: [{interval: 1s}]
snapshot: {interval: 2s, retention: 1h}
socket: {enabled: true, path: %(socket)s}
shutdown-sync-timeout: 5s
dbs:
  - path: %(db)s
    monitor-interval: 50ms
    replica:
      sync-interval: 50ms
%(replica)s"""


def wait(condition, seconds=LONG):
    end = time.time() + seconds
    while not condition():
        if time.time() > end:
            return False
        time.sleep(0.05)
    return True


class Side:
    """A database and its daemon."""

    def __init__(self, name, replica):
        self.folder = tap.scratch()
        self.name = name
        self.db = os.path.join(self.folder, "app.db")
        self.socket = os.path.join(self.folder, "socket")
        self.config = os.path.join(self.folder, "litestream.yml")
        text = CONFIG % {"ttl": TTL, "socket": self.socket, "db": self.db, "replica": replica}
        tap.write(self.config, text.encode())
        self.daemon = daemon.Daemon(self.config, os.path.join(self.folder, "log"))
        self.app = sqlite3.connect(self.db, isolation_level=None, timeout=10)
        self.app.execute("PRAGMA journal_mode=wal")
        self.app.execute("CREATE TABLE t(n INTEGER PRIMARY KEY, side TEXT, v BLOB)")
        self.seen = 0

    def insert(self):
        self.app.execute("INSERT INTO t(side, v) VALUES (?, randomblob(900))", (self.name,))

    def owner(self):
        return "%s:%d" % (socket.gethostname(), self.daemon.process.pid)

    def start(self):
        self.seen = len(self.daemon.text())
        self.daemon.start()

    def news(self, text):
        """What the log says since the daemon started, or was asked last: lines with text in them."""
        return [line for line in self.daemon.text()[self.seen:].splitlines() if text in line]

    def restored(self):
        """Is a restore from the replica this database?"""
        out = os.path.join(self.folder, "out.db")
        daemon.remove(out)
        r = tap.run(daemon.LITESTREAM, "restore", "-config", self.config, "-o", out, self.db)
        return r.returncode == 0 and daemon.compare(self.db, out) == ""

    def writes(self):
        """A commit comes to be on the replica."""
        self.insert()
        return wait(self.restored)

    def status(self):
        r = tap.run(daemon.LITESTREAM, "status", "-json", "-config", self.config)
        live = json.loads(r.stdout)[0]["daemon"] if r.returncode == 0 else None
        return (live or {}).get("status")

    def refused(self, by):
        """It says so in a record of an error, which names the other one."""
        self.insert()
        return wait(lambda: [line for line in self.news("another writer holds the lease, uploads stop")
                             if "level=ERROR" in line and by in line and "hint=" in line])


def story(replica, folder):
    """replica: its settings, as YAML. folder: can the store tell who lives?"""
    daemon.need()
    a, b = Side("a", replica), Side("b", replica)
    a.start()
    tap.ok(a.writes(), "the first one replicates", a.daemon.text())
    tap.ok(a.news("lease acquired"), "and holds the lease", a.daemon.text())

    # ---- a second one ----

    b.start()
    tap.ok(b.refused(a.owner()), "a second one stops, and names the first", b.daemon.text())
    tap.ok(wait(lambda: b.status() == "error"), "its status is error", str(b.status()))
    tap.ok(a.writes() and b.daemon.running(), "the first goes on, and the second captures")
    r = tap.run(daemon.LITESTREAM, "sync", "-wait", "-timeout", "3", "-socket", b.socket, b.db)
    tap.ok(r.returncode == 1, "sync -wait of the second fails", (r.stdout + r.stderr).decode())
    time.sleep(TTL + 3)
    tap.ok(a.writes(), "also when the lease was renewed several times", a.daemon.text())
    tap.equal(b.daemon.stop(), 1, "the second ends with status 1, as its last sync failed")
    r = tap.run(daemon.LITESTREAM, "replicate", "-once", "-config", b.config)
    tap.ok(r.returncode == 1 and a.owner().encode() in r.stdout + r.stderr,
           "so does replicate -once, and names the first", (r.stdout + r.stderr).decode())
    r = tap.run(daemon.LITESTREAM, "check", "-json", "-no-write", "-config", b.config)
    tap.ok(a.owner() + " holds the lease" in r.stdout.decode(), "litestream check sees it",
           r.stdout.decode())
    tap.ok(a.restored(), "nothing of the second is on the replica")

    # ---- the first is killed ----

    b.start()
    tap.ok(b.refused(a.owner()), "a second one stops again", b.daemon.text())
    a.daemon.kill()
    killed = time.time()
    tap.ok(b.writes(), "the first is killed: the second takes over", b.daemon.text())
    tap.ok(folder or time.time() - killed > 1, "not before the lease has run out",
           "%.1f s" % (time.time() - killed))
    tap.ok(b.news("lease acquired")[-1:] and a.owner() in b.news("lease acquired")[-1],
           "and says from whom", b.daemon.text())
    a.start()
    tap.ok(a.refused(b.owner()), "the first comes back and is the second", a.daemon.text())
    tap.equal(b.daemon.stop(), 0, "the holder ends well")
    stopped = time.time()
    tap.ok(wait(lambda: a.news("lease acquired"), 2 * TTL), "who waited takes over at once",
           a.daemon.text())
    tap._note("taken %.1f s after the end of the other" % (time.time() - stopped))
    tap.ok(a.writes(), "and replicates", a.daemon.text())

    # ---- one is stopped by a command ----

    b.start()
    tap.ok(b.refused(a.owner()), "a second one stops, of those that were started again",
           b.daemon.text())
    r = tap.run(daemon.LITESTREAM, "stop", "-socket", a.socket, a.db)
    tap.ok(r.returncode == 0 and b.writes(), "the database of the first is stopped: the second "
           "takes over", (r.stdout + r.stderr).decode())
    a.seen = len(a.daemon.text())
    r = tap.run(daemon.LITESTREAM, "start", "-socket", a.socket, a.db)
    tap.ok(r.returncode == 0 and a.refused(b.owner()), "and keeps the replica when it is started",
           a.daemon.text())
    tap.equal(b.daemon.stop(), 0, "until it ends")
    tap.ok(a.writes(), "then the first goes on", a.daemon.text())

    # ---- the first stands still ----

    b.start()
    tap.ok(b.refused(a.owner()), "a second one stops once more", b.daemon.text())
    a.daemon.process.send_signal(signal.SIGSTOP)
    if folder:
        time.sleep(2 * TTL)
        tap.ok(not b.news("lease acquired"), "one that stands still is alive", b.daemon.text())
        a.daemon.process.send_signal(signal.SIGCONT)
        tap.ok(a.writes(), "and goes on when it can", a.daemon.text())
        tap.equal((a.daemon.stop(), b.daemon.stop()), (0, 0), "both end well, one after the other")
        tap.ok(b.restored(), "the replica is that of the last one")
        once = [tap.run(daemon.LITESTREAM, "replicate", "-once", "-config", side.config)
                for side in (a, b, a)]
        tap.ok([r.returncode for r in once] == [0, 0, 0] and a.restored(),
               "replicate -once lets the lease go", str(once))
        return
    tap.ok(b.writes(), "the first stands still: the second takes over", b.daemon.text())
    a.insert()
    a.daemon.process.send_signal(signal.SIGCONT)
    tap.ok(wait(lambda: [line for line in a.news("lease lost, uploads stop")
                         if "level=ERROR" in line and b.owner() in line]),
           "the first wakes up, and stops", a.daemon.text())
    tap.ok(b.writes(), "the second goes on", b.daemon.text())
    tap.ok(wait(lambda: a.status() == "error"), "the status of the first is error", str(a.status()))
    tap.equal((a.daemon.stop(), b.daemon.stop()), (1, 0), "the first ends with status 1")
    tap.ok(b.restored(), "the replica is the second's")


def network(near, far, proxy, faults):
    """The way of one daemon to the store is bad, and breaks. far: the replica by way of a proxy."""
    a, b = Side("a", far), Side("b", near)
    proxy.set(*faults)
    a.start()
    tap.ok(a.writes(), "replicates by a bad network", a.daemon.text())
    end = time.time() + 3 * TTL
    while time.time() < end:
        a.insert()
        time.sleep(0.2)
    tap.ok(wait(a.restored) and proxy.hits() > 3, "for longer than a lease lasts", a.daemon.text())
    tap.ok(not a.news("lease lost") and len(a.news("lease acquired")) == 1,
           "and takes itself for no other, whatever answers get lost", a.daemon.text())
    b.start()
    tap.ok(b.refused(a.owner()), "a second one is refused", b.daemon.text())
    proxy.set(type(faults[0])("refuse"))
    tap.ok(b.writes(), "the network breaks: the second takes over", b.daemon.text())
    a.insert()
    proxy.set()
    tap.ok(wait(lambda: [line for line in a.news("level=ERROR") if b.owner() in line]),
           "it is there again: the first names the second", a.daemon.text())
    tap.ok(b.writes() and not b.news("level=ERROR")[1:], "which goes on", b.daemon.text())
    tap.equal((a.daemon.stop(), b.daemon.stop()), (1, 0), "the first ends with status 1")
    tap.ok(b.restored(), "the replica is the second's")
