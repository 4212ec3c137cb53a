#!/usr/bin/env python3
"""A database that grows past 1 GiB and shrinks below again: the page that holds byte 0x40000000, where
SQLite has its locks, is never stored, and what is on either side of it is.

Pages have 65536 bytes, so that it is page 16385. Compared are, page by page, the database, what is
restored from the replica, and what is restored from one file into which all later files are merged.

CHAOS_SECONDS (4) of writing; with more than 10 all files are merged into a snapshot as well.
CHAOS_SEED (1): even ones are without auto_vacuum, so that nothing shrinks. CHAOS_KEEP=1 leaves the folder for a look.
"""
import glob
import mmap
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon
import dbcompare

SECONDS = float(os.environ.get("CHAOS_SECONDS", "4"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
PAGE = 65536
LOCK = 0x40000000 // PAGE + 1
BASE = 1060  # rows of 15 pages
MERGE = os.path.join(tap.BUILD, "t", "support", "ltxmerge")
CONFIG = """
dbs:
  - path: %(db)s
    monitor-interval: 20ms
    checkpoint-interval: 1s
    min-checkpoint-page-count: 100
    truncate-page-n: 1000
    replica: {url: "file://%(replica)s", sync-interval: 20ms}
"""

daemon.need()
if not os.path.exists(MERGE):
    tap.skip_all("ltxmerge is not built")
folder = tempfile.mkdtemp() if os.environ.get("CHAOS_KEEP") else tap.scratch()
db, replica, merged, out, config = (os.path.join(folder, n) for n in
                                    ("app.db", "replica", "merged", "out.db", "config.yml"))
tap.write(config, (CONFIG % {"db": db, "replica": replica}).encode())
rng = random.Random(SEED)


def pages(app):
    return app.execute("PRAGMA page_count").fetchone()[0]


def make(auto_vacuum):
    """Ends some pages before the lock page."""
    app = sqlite3.connect(db, timeout=20, isolation_level=None)
    for sql in ("page_size=%d" % PAGE, "auto_vacuum=%s" % auto_vacuum, "journal_mode=off",
                "synchronous=off"):
        app.execute("PRAGMA " + sql)
    app.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
    app.execute("BEGIN")
    app.execute("INSERT INTO t(v) WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c "
                "WHERE i < %d) SELECT zeroblob(%d) FROM c" % (BASE, 15 * PAGE))
    while pages(app) < LOCK - 30:
        app.execute("INSERT INTO t(v) VALUES(zeroblob(?))", (5 * PAGE,))
    app.execute("COMMIT")
    app.close()
    app = sqlite3.connect(db, timeout=20, isolation_level=None)
    app.execute("PRAGMA journal_mode=wal")
    app.execute("PRAGMA wal_autocheckpoint=0")
    return app


def write(app, until, wanted):
    """Grows over the lock page and back, with changes on either side. Counts the crossings."""
    above, crossings, grow = pages(app) > LOCK, 0, True
    while time.monotonic() < until or crossings < wanted:
        free = app.execute("PRAGMA freelist_count").fetchone()[0]
        if grow:
            grow = pages(app) < LOCK + 60
        else:
            grow = pages(app) < LOCK - 20 or free > 200
        app.execute("BEGIN IMMEDIATE")
        for _ in range(rng.randrange(1, 4)):
            if grow:
                app.execute("INSERT INTO t(v) VALUES(randomblob(?))",
                            (rng.randrange(10, 8 * PAGE),))
            else:
                app.execute("DELETE FROM t WHERE id > %d AND id IN "
                            "(SELECT id FROM t ORDER BY id DESC LIMIT ?)" % BASE,
                            (rng.randrange(1, 10),))
            if rng.random() < 0.3:
                app.execute("UPDATE t SET v = randomblob(length(v)) WHERE id = ?",
                            (rng.randrange(1, BASE + 1),))
        app.execute("ROLLBACK" if rng.random() < 0.1 else "COMMIT")
        if not grow:
            app.executescript("PRAGMA incremental_vacuum(%d)" % rng.randrange(1, 200))
        if rng.random() < 0.1:
            app.execute("PRAGMA wal_checkpoint(%s)"
                        % rng.choice(("PASSIVE", "FULL", "TRUNCATE"))).fetchall()
        if (pages(app) > LOCK) != above:
            above, crossings = not above, crossings + 1
        time.sleep(rng.uniform(0, 0.02))
    return crossings


def differences(a, b):
    """Pages that differ where they may not."""
    with open(a, "rb") as f, open(b, "rb") as g:
        if os.path.getsize(a) != os.path.getsize(b):
            return "%d and %d bytes" % (os.path.getsize(a), os.path.getsize(b))
        x, y = (mmap.mmap(h.fileno(), 0, access=mmap.ACCESS_READ) for h in (f, g))
        skipped = dbcompare.free_leaves(x, PAGE) | {LOCK}
        found = [n + 1 for n in range(len(x) // PAGE) if n + 1 not in skipped and
                 dbcompare.page_difference(x[n * PAGE:(n + 1) * PAGE], y[n * PAGE:(n + 1) * PAGE],
                                           n + 1) is not None]
        return "pages %s" % found if found else ""


def check(name, where):
    r = daemon.restore(where, out)
    tap.ok(r.returncode == 0 and not differences(db, out), name,
           r.stderr.decode() if r.returncode else differences(db, out))


def lock_page_files(names):
    """Which of the files hold the lock page, by the program that prints their pages."""
    found = []
    for name in names:
        r = tap.run(os.path.join(tap.BUILD, "ltx"), "dump", name)
        if r.returncode != 0 or any(line.split()[:1] == [str(LOCK).encode()]
                                    for line in r.stdout.splitlines()):
            found.append(name)
    return found


app = make("incremental" if SEED % 2 else "none")
tap.ok(LOCK - 40 < pages(app) < LOCK, "the database ends before the lock page", pages(app))
d = daemon.Daemon(config, os.path.join(folder, "log"))
d.start()
tap.ok(tap.wait_for(lambda: daemon.txids(replica), 60), "it is replicated")
# Without auto_vacuum it does not shrink.
wanted = 2 if app.execute("PRAGMA auto_vacuum").fetchone()[0] == 2 else 1
crossings = write(app, time.monotonic() + SECONDS, wanted)
print("# seed %d, crossings of the lock page: %d" % (SEED, crossings), flush=True)
app.execute("INSERT INTO t(v) VALUES(randomblob(?))", (150 * PAGE,))
tap.ok(pages(app) > LOCK, "it ends behind it", pages(app))
tap.equal(d.stop(), 0, "the daemon ends well")
tap.equal(d.lines("level=ERROR"), [], "and without errors")
app.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
app.close()

check("restored from every file: the same pages", replica)
names = sorted(glob.glob(os.path.join(replica, "ltx", "0", "*.ltx")))
first, later = names[0], names[1:]
tap.equal(lock_page_files(later), [], "no later file holds the lock page (%d)" % len(later))
os.makedirs(os.path.join(merged, "ltx", "0"))
os.makedirs(os.path.join(merged, "ltx", "1"))
os.link(first, os.path.join(merged, "ltx", "0", os.path.basename(first)))
target = "%s-%s" % (os.path.basename(later[0])[:16], os.path.basename(later[-1])[17:])
r = tap.run(MERGE, os.path.join(merged, "ltx", "1", target), *later)
tap.equal(r.returncode, 0, "later files are merged")
check("restored from the first and the merged file: the same pages", merged)
if SECONDS > 10:
    shutil.rmtree(merged)
    os.makedirs(os.path.join(merged, "ltx", "9"))
    r = tap.run(MERGE, os.path.join(merged, "ltx", "9", "%016x-%s" % (1, names[-1][-20:])), *names)
    tap.equal(r.returncode, 0, "all files are merged into a snapshot")
    check("restored from the snapshot: the same pages", merged)
tap.done(11 if SECONDS > 10 else 9)
