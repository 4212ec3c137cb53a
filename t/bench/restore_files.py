#!/usr/bin/env python3
"""What a restore costs over 10, 1,000 and 10,000 level-0 files: it should go with the bytes, and the
memory with the size of the database alone.

usage: restore_files.py [-files N]... [-bin FOLDER]

A daemon writes the files while an application commits; folders with the first N of them are made of
links. Each N is restored three times, with a warm cache; the best counts.
"""
import argparse
import os
import shutil
import sqlite3
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import Daemon, Peak, bytes_of, remove, run

SETTINGS = """    monitor-interval: 1ms
    checkpoint-interval: 1h
"""
FAST = """levels: [{interval: 24h}]
l0-retention: 24h
snapshot: {interval: 24h, retention: 48h}
"""


def make_replica(work, binary, files):
    """A replica with so many level-0 files, and the folder of them."""
    db, replica = os.path.join(work, "app.db"), os.path.join(work, "replica")
    app = sqlite3.connect(db, isolation_level=None)
    app.execute("PRAGMA journal_mode=wal")
    app.execute("PRAGMA synchronous=off")
    app.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
    app.execute("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x<20000) "
                "INSERT INTO t SELECT x, randomblob(900) FROM n")
    daemon = Daemon(binary, work, [(db, replica)], SETTINGS, FAST,
                    "{url: 'file://%s', sync-interval: 1ms}")
    level0 = os.path.join(replica, "ltx", "0")
    n = 0
    while len(os.listdir(level0)) < files:
        for _ in range(50):
            n += 1
            app.execute("UPDATE t SET v = randomblob(900) WHERE id = ?", (n * 7919 % 20000 + 1,))
            time.sleep(0.001)
    daemon.stop()
    app.close()
    return replica


def first_files(replica, folder, n):
    os.makedirs(os.path.join(folder, "ltx", "0"))
    for name in sorted(os.listdir(os.path.join(replica, "ltx", "0")))[:n]:
        os.link(os.path.join(replica, "ltx", "0", name), os.path.join(folder, "ltx", "0", name))


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    p.add_argument("-files", action="append", type=int)
    p.add_argument("-bin", default=os.environ.get("LS_BUILD", "."))
    a = p.parse_args()
    counts = a.files or [10, 1000, 10000]
    binary = os.path.join(a.bin, "litestream")
    work = tempfile.mkdtemp(prefix="ls-bench-")
    try:
        replica = make_replica(work, binary, max(counts))
        print("%8s %9s %9s %9s %11s %9s" % ("files", "MB", "ms", "cpu ms", "us/file", "peak MB"))
        for n in counts:
            folder, out = os.path.join(work, "first%d" % n), os.path.join(work, "out.db")
            first_files(replica, folder, n)
            costs, peak = [], Peak()
            for _ in range(3):
                costs.append(run(binary, "restore", "-o", out, "file://" + folder, peak=peak))
                remove(out)
            wall, cpu = min(c.wall for c in costs), min(c.cpu for c in costs)
            print("%8d %9.1f %9.1f %9.1f %11.1f %9.1f"
                  % (n, bytes_of(folder) / 1e6, wall * 1e3, cpu * 1e3, wall * 1e6 / n, peak.mb),
                  flush=True)
    finally:
        shutil.rmtree(work)


main()
