#!/usr/bin/env python3
"""A daemon with levels, snapshots and retention within seconds, seen from outside: what is on the
replica stays bounded and without holes, and every restore point is a prefix of what was committed,
whether the daemon stops, starts again or is killed at it.

LEVELS_SECONDS (25): how long is written; LEVELS_SEED (1).
"""
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon

SECONDS = float(os.environ.get("LEVELS_SECONDS", "25"))
rng = random.Random(int(os.environ.get("LEVELS_SEED", "1")))

CONFIG = """
levels: [{interval: 1s}, {interval: 3s}]
snapshot: {interval: %(snapshot)s, retention: 10s}
l0-retention: 5s
l0-retention-check-interval: 1s
verify-compaction: true
validation: {interval: 2s}
dbs:
  - path: %(db)s
    monitor-interval: 50ms
    checkpoint-interval: 2s
    replica: {path: %(replica)s, sync-interval: 50ms}
"""

daemon.need()


class Site:
    """A database whose rows are numbered in the order of their commits, and its daemon."""

    def __init__(self, name, snapshot="5s", blob=20, rows=0):
        self.dir = os.path.join(tap.scratch(), name)
        os.makedirs(self.dir)
        self.db, self.replica, self.out = (os.path.join(self.dir, n) for n in
                                           ("app.db", "replica", "out.db"))
        self.meta = os.path.join(self.dir, ".app.db-litestream")
        config = os.path.join(self.dir, "config.yml")
        tap.write(config, (CONFIG % {"db": self.db, "replica": self.replica,
                                     "snapshot": snapshot}).encode())
        self.daemon = daemon.Daemon(config, os.path.join(self.dir, "log"))
        self.blob, self.n = blob, 0
        self.app = sqlite3.connect(self.db, isolation_level=None, timeout=10,
                                   check_same_thread=False)
        self.app.execute("PRAGMA journal_mode=wal")
        self.app.execute("CREATE TABLE t(n INTEGER PRIMARY KEY, v BLOB)")
        if rows:
            self.app.execute("BEGIN")
            for _ in range(rows):
                self.row()
            self.app.execute("COMMIT")

    def row(self):
        self.n += 1
        self.app.execute("INSERT INTO t VALUES (?, randomblob(?))", (self.n, self.blob))

    def write(self, seconds, pause=0.02):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.row()
            time.sleep(pause)

    def files(self):
        """(level, min, max) of every file, as the command lists them."""
        r = tap.run(daemon.LITESTREAM, "ltx", "-level", "all", "file://" + self.replica)
        rows = [l.split() for l in r.stdout.decode().splitlines()[1:]]
        return [(int(r[0]), int(r[1], 16), int(r[2], 16)) for r in rows]

    def restored(self, txid=None):
        """Number of the last row of a restored database, None if its rows are no prefix."""
        r = daemon.restore(self.replica, self.out, "%016x" % txid if txid else None)
        if r.returncode != 0:
            print("#", r.stdout.decode(), r.stderr.decode(), flush=True)
            return None
        con = sqlite3.connect(self.out)
        count, last = con.execute("SELECT count(*), coalesce(max(n), 0) FROM t").fetchone()
        whole = con.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        con.close()
        return last if whole and count == last else None

    def caught_up(self):
        return tap.wait_for(lambda: self.restored() == self.n, 20)

    def log(self):
        return "\n".join(l[:300] for l in self.daemon.lines("")[-40:])

    def bad_lines(self):
        return [l for l in self.daemon.lines("level=") if "level=ERROR" in l or "level=WARN" in l]


def holes(files):
    """TXIDs above the oldest snapshot that no chain of files leads over."""
    cur = min(f[2] for f in files if f[0] == 9)
    end = max(f[2] for f in files)
    while cur < end:
        nexts = [f[2] for f in files if f[1] <= cur + 1 and f[2] > cur]
        if not nexts:
            return [cur + 1]
        cur = max(nexts)
    return []


def restore_points(s, files):
    """Restores at the snapshots and ten other restore points: TXIDs that are no prefixes in order."""
    snapshots = sorted(f[2] for f in files if f[0] == 9)
    ends = [int(t, 16) for t in daemon.txids(s.replica)]
    tried = sorted(set(snapshots) | set(rng.sample(ends, min(10, len(ends)))))
    bad, last = [], 0
    for txid in tried:
        got = s.restored(txid)
        if got is None or got < last:
            bad.append("%x: %s after %d" % (txid, got, last))
        else:
            last = got
    return tried, bad


# ---- a run that is not disturbed, and starts after it ----

s = Site("run")
s.daemon.start()
s.write(SECONDS)
tap.ok(s.caught_up(), "what was committed is on the replica", s.log())
files = s.files()
per = {level: [f for f in files if f[0] == level] for level in (0, 1, 2, 9)}
print("# files per level: %s, newest TXID %d" %
      ({k: len(v) for k, v in per.items()}, max(f[2] for f in files)), flush=True)
tap.ok(0 < len(per[0]) <= 20 * 10, "level 0 holds what is younger than its retention, and little more",
       len(per[0]))
tap.ok(3 <= len(per[1]) <= SECONDS + 5, "[T16] level 1 got a file a second at most", len(per[1]))
tap.ok(2 <= len(per[2]) <= SECONDS / 3 + 3, "level 2 got a file each three seconds at most", len(per[2]))
tap.ok(2 <= len(per[9]) <= 5, "[T17] snapshots older than their retention are gone", per[9])
tap.ok(len(per[0]) < max(f[2] for f in files) / 2, "most of level 0 is gone", len(per[0]))
tap.equal(holes(files), [], "no TXID is missing above the oldest snapshot")
tap.ok(len(os.listdir(s.meta + "/ltx/0")) <= len(per[0]) + 40, "local files went with them",
       len(os.listdir(s.meta + "/ltx/0")))
tap.equal(s.daemon.stop(), 0, "it ends well")
tap.equal(s.restored(), s.n, "the newest state is restored")
tried, bad = restore_points(s, s.files())
tap.ok(not bad, "%d restore points are prefixes in order" % len(tried), "\n".join(bad))
tap.equal(s.bad_lines(), [], "nothing was warned of")

s.daemon.start()
time.sleep(4)
tap.equal(s.daemon.stop(), 0, "a start with nothing to do ends well")
made = [l.split("msg=", 1)[1] for l in s.daemon.lines('msg="compaction complete"')]
keys = [tuple(w for w in l.split() if w.startswith(("level=", "txid.min=", "txid.max="))) for l in made]
tap.ok(len(keys) > 10 and len(keys) == len(set(keys)), "[T34] nothing was compacted twice",
       len(keys) - len(set(keys)))
s.app.close()

# ---- killed at it ----

k = Site("kill", snapshot="1s", blob=3000, rows=4000)
writer = threading.Thread(target=k.write, args=(9, 0.01))
writer.start()
kills = 0
while writer.is_alive():
    k.daemon.start()
    time.sleep(rng.uniform(0.1, 1.4))
    kills += k.daemon.kill()
writer.join()
k.daemon.start()
tap.ok(kills >= 5, "the daemon was killed again and again", kills)
tap.ok(k.caught_up(), "[T33] and catches up", k.log())
before = {f[2] for f in k.files() if f[0] == 9}
k.row()
tap.ok(tap.wait_for(lambda: {f[2] for f in k.files() if f[0] == 9} - before, 10),
       "snapshots are made again", k.log())
tap.equal(k.daemon.stop(), 0, "it ends well")
tap.equal([n for _, _, names in os.walk(k.meta) for n in names if n.endswith(".tmp")], [],
          "no temporary file is left")
tap.equal(k.restored(), k.n, "the newest state is restored")
files = k.files()
tap.equal(holes(files), [], "no TXID is missing above the oldest snapshot")
tried, bad = restore_points(k, files)
tap.ok(not bad, "%d restore points are prefixes in order" % len(tried), "\n".join(bad))
tap.equal([l for l in k.bad_lines() if "level=ERROR" in l], [], "no errors were logged")
k.app.close()

# ---- a first replication shares its bytes ----

f = Site("first", snapshot="1h", blob=50000, rows=1000)
f.daemon.start()
one = ["%s/ltx/%d/0000000000000001-0000000000000001.ltx" % (f.replica, level) for level in (0, 1, 9)]
tap.ok(tap.wait_for(lambda: all(os.path.exists(p) for p in one), 20),
       "the first file is on levels 0, 1 and 9", f.log())
used = int(subprocess.run(("du", "-sk", f.replica), stdout=subprocess.PIPE, check=True)
           .stdout.split()[0]) * 1024
size = os.path.getsize(one[0])
tap.ok(size > 40e6 and used <= 1.1 * size, "and takes the place of one", "%d of %d" % (used, size))
tap.equal(f.daemon.stop(), 0, "it ends well")
tap.equal(f.restored(), f.n, "the newest state is restored")
f.app.close()
tap.done(27)
