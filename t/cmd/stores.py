"""The story of a store that is reached through a network, for store_*.t: a database that is written to
is replicated within seconds through all levels, by a daemon that is killed once and meets faults of
its network all the time; it is restored as of its end, of TXIDs and of moments.

STORE_SECONDS (8): how long is written.
"""

import calendar
import json
import os
import sqlite3
import sys
import time

sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t", d) for d in ("", "support", "servers")]
import tap
import daemon
import proxies
import servers
from proxies import Fault

SECONDS = float(os.environ.get("STORE_SECONDS", "8"))
SLACK = 2.5  # s from a commit to the header of its file, on a machine that is busy
PATH = "shop/db"

CONFIG = """
levels: [{interval: 1s}, {interval: 3s}]
snapshot: {interval: 3s, retention: 1h}
l0-retention: 1h
logging: {level: debug}
dbs:
  - path: %(db)s
    monitor-interval: 50ms
    replica:
      sync-interval: 50ms
%(replica)s"""


def seconds(text):
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + text[19:-1])


def moment_text(moment):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + ("%.3fZ" % (moment % 1))[1:]


class Story:
    def __init__(self, kind, number=0, env=None):
        """kind: of t/servers; number: which of its stores."""
        daemon.need()
        self.server = servers.start(kind)
        self.store = self.server.stores()[number]
        if tap.run(os.path.join(tap.BUILD, "t", "backends", "conform"), "--",
                   self.store.type).returncode == 77:
            tap.skip_all("no %s stores in this build" % self.store.type)
        os.environ.update(self.store.env)
        os.environ.update(env or {})
        self.proxy = proxies.Proxy(self.server.address, rewrite_host=self.store.rewrite_host)
        self.folder = tap.scratch()
        self.db = os.path.join(self.folder, "app.db")
        self.out = os.path.join(self.folder, "out.db")
        self.direct = self.write_config("direct.yml", self.store)
        self.faulty = self.write_config("faulty.yml", self.store.through(self.server,
                                                                         self.proxy.address))
        self.site = daemon.Daemon(self.faulty, os.path.join(self.folder, "log"))
        self.app = sqlite3.connect(self.db, isolation_level=None, timeout=10)
        self.app.execute("PRAGMA journal_mode=wal")
        self.app.execute("CREATE TABLE t(n INTEGER PRIMARY KEY, v BLOB)")
        self.commits = []  # when row n + 1 was committed
        self.shown = ""  # all that programs printed

    def write_config(self, name, store):
        path = os.path.join(self.folder, name)
        text = CONFIG % {"db": self.db, "replica": store.yaml(PATH, 6)}
        tap.write(path, text.encode())
        return path

    def write(self, for_seconds):
        end = time.time() + for_seconds
        while time.time() < end:
            self.app.execute("INSERT INTO t VALUES (?, randomblob(500))", (len(self.commits) + 1,))
            self.commits.append(time.time())
            time.sleep(0.02)

    def litestream(self, *args):
        r = tap.run(daemon.LITESTREAM, *args)
        out, err = r.stdout.decode(), r.stderr.decode()
        self.shown += out + err
        return r.returncode, out, err

    def restore(self, *args, config=None, url=None):
        """True if it succeeds; the database is self.out."""
        daemon.remove(self.out)
        where = ["-o", self.out] + ([url] if url else ["-config", config or self.direct, self.db])
        rc, out, err = self.litestream("restore", *args, *where)
        if rc != 0:
            tap._note(out + err)
        return rc == 0

    def restored(self, *args, **kw):
        """Rows of what a restore gives; None if it fails, or if a row is missing before the last."""
        if not self.restore(*args, **kw):
            return None
        c = sqlite3.connect(self.out)
        n, last, sound = c.execute("SELECT count(*), ifnull(max(n), 0), "
                                   "(SELECT * FROM pragma_integrity_check) FROM t").fetchone()
        c.close()
        return n if n == last and sound == "ok" else None

    def same(self, name, **kw):
        good = self.restore(**kw)
        why = daemon.compare(self.db, self.out) if good else "no restore"
        tap.equal(why, "", name)

    # ---- the parts of the story ----

    def replicate(self):
        self.proxy.set(Fault("lost", every=11), Fault("status", every=13, status=503),
                       Fault("request", every=17, methods=("PUT", "POST"), least=200),
                       Fault("answer", every=7, methods=("GET",), after=200),
                       Fault("delay", every=9, seconds=0.2))
        self.site.start()
        self.write(SECONDS / 2)
        tap.ok(self.site.kill(), "the daemon runs until it is killed", self.site.text())
        self.write(0.5)
        self.site.start()
        self.write(SECONDS / 2)
        tap.equal(self.site.stop(), 0, "it ends well after its last sync")
        tap.ok(self.proxy.hits() > 10, "its network failed now and then", str(self.proxy.hits()))

    def ends(self):
        self.same("a restore gives the same database")
        before = self.proxy.hits()
        self.proxy.set(Fault("answer", every=3, methods=("GET",), after=100), Fault("lost", every=8),
                       Fault("delay", every=5, seconds=0.1))
        self.same("so does one over a network that fails", config=self.faulty)
        tap.ok(self.proxy.hits() > 0, "which it did", str(before))
        self.proxy.set()

    def points(self):
        rc, out, err = self.litestream("restore-points", "-all", "-json", "-config", self.direct,
                                       self.db)
        found = json.loads(out) if rc == 0 else []
        tap.ok(len(found) > SECONDS, "restore-points lists them", out[:500] + err)
        return sorted(found, key=lambda p: p["txid"])

    def txids(self, points):
        chosen = points[::max(1, len(points) // 4)] + points[-1:]
        rows = [self.restored("-txid", p["txid"]) for p in chosen]
        tap.ok(None not in rows and rows == sorted(rows) and rows[-1] == len(self.commits),
               "each TXID gives a prefix of the commits", str(rows))

    def moments(self, points):
        first, last = seconds(points[0]["timestamp"]), seconds(points[-1]["timestamp"])
        wrong = []
        for i in range(1, 5):
            moment = first + (last - first) * i / 5
            text = moment_text(moment)
            n = self.restored("-timestamp", text)
            least = sum(t < moment - SLACK for t in self.commits)
            most = sum(t < moment for t in self.commits)
            known = [p for p in points if p["timestamp"] < text][-1]["txid"]
            by_txid = self.restored("-txid", known)
            if n is None or not least <= n <= most or n != by_txid:
                wrong.append("%s: %s rows, of %d to %d; %s by TXID" % (text, n, least, most, by_txid))
        tap.equal(wrong, [], "each moment gives what was committed until then")

    def files(self):
        rc, out, err = self.litestream("ltx", "-level", "all", "-config", self.direct, self.db)
        levels = {int(line.split()[0]) for line in out.splitlines()[1:]}
        tap.ok(rc == 0 and levels >= {0, 1, 2, 9}, "all levels have files", out[:300] + err)
        rc, out, err = self.litestream("verify", "-config", self.direct, self.db)
        tap.ok(rc == 0 and "other time" not in out + err, "verify finds everything right", out + err)

    def secrets(self):
        shown = self.site.text() + self.shown
        tap.equal([s for s in self.store.secrets if s in shown], [], "no secret is shown")

    def tell(self):
        self.replicate()
        self.ends()
        points = self.points()
        self.txids(points)
        self.moments(points)
        self.files()
        self.secrets()
