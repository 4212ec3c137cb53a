#!/usr/bin/env python3
"""What users of the Go implementation lost data by, told again from outside with litestream
replicate.

Every story ends with a restore that gives what the database holds; where it says "continues", no
full snapshot but the first was needed. In brackets are ids of t/traps.list: #N is a report's number.
"""
import glob
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon
from daemon import Site, cp, remove, stories

META = "/data/.a.db-litestream"
LEVEL_FILE = re.compile(r"replica/ltx/[1-9]/[0-9a-f]{16}-[0-9a-f]{16}\.ltx$")


class Writer(threading.Thread):
    """Another connection that does one thing after another, as fast as it can, until it is told to
    end or has done n."""

    def __init__(self, s, act, n=None, pause=0.0):
        super().__init__()
        self.db, self.act, self.n, self.pause = s.db, act, n, pause
        self.done, self.failed, self.ending = 0, None, threading.Event()
        self.start()

    def run(self):
        app = sqlite3.connect(self.db, timeout=10, isolation_level=None)
        app.execute("PRAGMA wal_autocheckpoint=0")
        app.execute("PRAGMA synchronous=NORMAL")
        try:
            while not self.ending.is_set() and self.done != self.n:
                self.act(app, self.done)
                self.done += 1
                if self.pause:
                    time.sleep(self.pause)
        except sqlite3.Error as e:
            self.failed = e
        app.close()

    def end(self):
        """What went wrong, "" if nothing."""
        self.ending.set()
        self.join()
        return str(self.failed or "")


def add_row(app, i):
    app.execute("INSERT INTO t(v) VALUES (randomblob(?))", (300 + i % 500,))


def checkpoint_of_others(app, i):
    app.execute("PRAGMA busy_timeout=5")
    app.execute("PRAGMA wal_checkpoint(%s)" % ("PASSIVE", "FULL", "RESTART", "TRUNCATE")[i % 4]
                ).fetchall()


# ---- live ----

def log_is_held():
    s = Site()
    s.start()
    busy = []
    for _ in range(5):
        s.rows(3)
        s.reaches()
        s.rows(1)
        busy.append(s.checkpoint("TRUNCATE")[0])
    tap.equal(busy, [1] * 5, "[T5 E-B] nobody else can truncate the log while litestream runs")
    s.check("[T5 E-B2] and nothing is lost by trying: continues", fulls=1)
    s.close()


def writer_that_never_pauses():
    s = Site(pages=200)
    for i in range(3):
        s.start()
        w = Writer(s, add_row, 1500)
        w.join()
        rc = s.stop()
        tap.equal((rc, str(w.failed or ""), s.difference()), (0, "", ""),
                  "[T11 E-S] a writer that never pauses, run %d" % (i + 1))
    tap.ok(os.path.getsize(s.db + "-wal") < 20 << 20, "[T11 E-S] its log does not grow for ever",
           os.path.getsize(s.db + "-wal"))
    tap.equal(s.fulls(), 1, "[T11 E-S] and it continues")
    s.close()


def commits_while_it_checkpoints():
    s = Site(pages=20)
    s.start()
    w, c = Writer(s, add_row, 1500), Writer(s, checkpoint_of_others, pause=0.01)
    w.join()
    tap.equal((w.end(), c.end()), ("", ""), "[#1337] writer and checkpointer go through")
    s.check("[#1337 #1292] commits while litestream and others checkpoint: continues", fulls=1)
    s.close()


def large(s, rows=20000):
    """Some 15 MB with an index that random updates tear at."""
    s.sql("CREATE TABLE w(id INTEGER PRIMARY KEY, a INT, b TEXT)", "CREATE INDEX wa ON w(a, b)",
          "INSERT INTO w(a, b) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
          "WHERE i < %d) SELECT abs(random()) %% 1000, hex(randomblob(150)) FROM n" % rows)


def tear(app, i):
    app.execute("UPDATE w SET a = abs(random()) % 1000, b = hex(randomblob(150)) WHERE id % 1999 = ?",
                (i % 1999,))


def first_copy_of_a_busy_database():
    s = Site(pages=300)
    large(s)
    work = [Writer(s, tear, pause=0.002), Writer(s, add_row, pause=0.002),
            Writer(s, checkpoint_of_others, pause=0.02)]
    s.start(wait=False)
    arrived = tap.wait_for(lambda: len(s.stored()) > 3, 30)
    ends = [w.end() for w in work]
    tap.ok(arrived and not any(ends), "[#1309] the first copy ends while others write and checkpoint",
           "%s\n%s" % (ends, s.tail()))
    s.check("[#1309 #1166 #1164 #1220] and what is restored is whole, indexes too", errors=None)
    s.close()


def log_of_the_same_size():
    s = Site(pages=30)
    s.start()
    sizes = []
    for _ in range(8):
        s.rows(14)
        s.reaches()
        sizes.append(os.path.getsize(s.db + "-wal"))
    tap.ok(len(set(sizes[-4:])) == 1, "[#1083] the log is used again from its top, its size stays",
           sizes)
    s.check("[#1083] and what is committed arrives: continues", fulls=1)
    s.close()


def pages_that_are_never_written():
    s = Site()
    s.start()
    for i in range(3):
        s.sql("BEGIN", "INSERT INTO u SELECT randomblob(3000), v FROM t", "DELETE FROM u")
        s.rows(30, 2000)
        s.sql("DELETE FROM t WHERE id > 20", "COMMIT")
        s.reaches()
    free = s.sql("PRAGMA freelist_count")[0][0]
    tap.ok(free > 5, "[#1323] the database has grown by pages that hold nothing", free)
    s.check("[#1323 #1199 #1198] new pages that no frame holds: continues", fulls=1)
    s.close()


def writers_do_not_wait():
    s = Site(pages=20)
    s.start()
    reader = sqlite3.connect(s.db, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM t").fetchall()

    def impatient(app, i):
        app.execute("PRAGMA busy_timeout=500")
        add_row(app, i)

    w = Writer(s, impatient, 400)
    w.join()
    tap.equal(w.end(), "", "[#724] checkpoints that a reader stops make no writer wait")
    reader.execute("COMMIT")
    reader.close()
    s.check("[#724] nothing is missing: continues", fulls=1)
    s.close()


def local_file_is_lost():
    s = Site()
    s.start()
    s.rows(2)
    s.reaches()
    s.block()
    for _ in range(3):
        n = len(s.local())
        s.rows(1)
        tap.wait_for(lambda: len(s.local()) > n)
    lost = s.local()[-2]
    os.unlink(s.dir + META + "/ltx/0/%016x-%016x.ltx" % (lost, lost))
    s.unblock()
    s.rows(1)
    s.check("[#1458] a local file is lost before its upload", errors=None)
    s.close()


def two_on_one_replica():
    a, b = Site(), Site()
    a.rows(30)
    b.root = a.root
    text = tap.read(b.config).decode().replace(b.dir + "/replica", a.root)
    tap.write(b.config, text.encode())
    a.start()
    b.start(wait=False)

    def named():
        a.rows(1)
        b.rows(1)
        return "another process seems to replicate to the same place" in a.text() + b.text()

    tap.ok(tap.wait_for(named, 20), "[#224 two writers] two databases on one replica: one stops",
           a.tail() + "\n" + b.tail())
    rcs = [a.stop(), b.stop()]
    tap.ok(rcs != [0, 0], "[#224 two writers] with an exit status that says so", rcs)
    restored, r = a.restore()
    same = [daemon.compare(x.db, restored) for x in (a, b)] if r.returncode == 0 else [str(r)]
    tap.ok("" in same, "[#224 two writers] and what is restored is one of them, whole",
           "\n".join(same)[:2000])
    a.close()
    b.close()


def restored_over_it():
    s = Site()
    s.rows(20)
    s.start()
    s.rows(40)
    s.reaches()
    first = s.stored()[0]
    s.close()
    r = tap.run(daemon.LITESTREAM, "restore", "-force", "-txid", "%016x" % first, "-o", s.db,
                "file://" + s.root)
    tap.equal((r.returncode, r.stderr), (0, b""), "[T8] litestream restore -force while it runs")
    s.open()
    tap.equal(s.sql("SELECT count(*) FROM t"), [(30,)], "[T8] the application has the older state")
    s.rows(3)
    s.check("[T8] restored over the database while running")
    s.close()


def what_it_leaves():
    s = Site()
    s.start()
    s.rows(3)
    s.reaches()
    tables = s.sql("SELECT name, sql FROM sqlite_schema WHERE name LIKE '\\_litestream%' ESCAPE '\\' "
                   "ORDER BY name")
    tap.equal([(name, " ".join(sql.split())) for name, sql in tables],
              [("_litestream_lock", "CREATE TABLE _litestream_lock (id INTEGER)"),
               ("_litestream_seq", "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)")],
              "[T40] the tables that the Go programs know")
    names = [os.path.relpath(os.path.join(path, n), s.dir)
             for root in (s.dir + META, s.root) for path, _, ns in os.walk(root) for n in ns]
    others = [n for n in names if not n.startswith(tuple("%s/ltx/0/" % root
                                                         for root in (META[1:], "replica")))]
    tap.equal(sorted(set(names) - set(others)), sorted("%s/ltx/0/%016x-%016x.ltx" % (root, n, n)
                                    for root in (META[1:], "replica") for n in s.stored()),
              "[T40] and the names of files at level 0, nothing else")
    tap.equal([n for n in others if not LEVEL_FILE.match(n)], [],
              "[T40] beside them compacted files and snapshots at the replica only")
    s.check("[T40] both are restored", fulls=1)
    s.close()


def lock_page():
    """The page at 1 GiB, which SQLite never uses, is crossed while litestream runs."""
    name = "[T39] the database grows past the lock page: continues"
    space = os.statvfs(tempfile.gettempdir())
    if space.f_bavail * space.f_frsize < 3 << 30:
        tap.skip(name, "less than 3 GiB free")
        return
    s = Site(create=False, interval="100ms")
    s.open()
    s.sql("PRAGMA page_size=65536", "PRAGMA journal_mode=off", "PRAGMA synchronous=off",
          "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)", "INSERT INTO t(v) VALUES (zeroblob(536870912))",
          "INSERT INTO t(v) VALUES (zeroblob(535822336))", "PRAGMA journal_mode=wal",
          "PRAGMA wal_autocheckpoint=0")
    s.start(wait=False)
    tap.wait_for(lambda: s.stored(), 60)
    pages = [s.sql("PRAGMA page_count")[0][0]]
    for _ in range(4):
        s.rows(2, 400000)
        tap.wait_for(lambda: s.local() and max(s.local()) == max(s.stored(), default=0))
    pages.append(s.sql("PRAGMA page_count")[0][0])
    rc = s.stop()
    out, r = s.restore()
    restored = sqlite3.connect(out)
    restored.execute("PRAGMA quick_check")
    got = restored.execute("SELECT count(*), sum(length(v)) FROM t").fetchall()
    rows = "SELECT id, v FROM t WHERE id > 2"
    same = restored.execute(rows).fetchall() == s.sql(rows)
    tap.equal((rc, r.returncode, got, same, s.fulls(), pages[0] < 16385 < pages[1]),
              (0, 0, s.sql("SELECT count(*), sum(length(v)) FROM t"), True, 1, True), name)
    restored.close()
    s.close()
    remove(out)
    remove(s.db)


# ---- around stops ----

def stopped(**kw):
    s = Site(**kw)
    s.start()
    s.rows(10)
    s.reaches()
    s.stop()
    return s


def application_leaves_first():
    s = Site()
    s.start()
    s.rows(5)
    s.reaches()
    s.close()
    rc = s.stop()
    tap.ok(rc == 0 and os.path.exists(s.db + "-wal"),
           "[T27] litestream closes last and leaves the log", rc)
    s.open()
    s.start()
    s.rows(3)
    s.check("[T27] and goes on in it: continues", fulls=1)
    s.close()


def stopped_at_once():
    s = Site()
    s.rows(5)
    s.start(wait=False)
    rc = s.stop()
    tap.equal((rc, s.difference()), (0, ""), "[#436] stopped the moment it has started: all is there")
    s.close()


def lock_is_held_at_the_start():
    s = Site()
    s.sql("BEGIN IMMEDIATE")
    s.start(wait=False)
    tried = tap.wait_for(lambda: "database is locked" in s.text())
    s.rows(2)
    s.sql("COMMIT")
    tap.ok(tried, "[T26] the tables cannot be made while a writer holds the lock", s.tail())
    s.check("[T26] and are made later", errors=None)
    s.close()


def restored_then_replicated():
    for lost in (False, True):
        s = Site()
        s.start()
        for _ in range(4):
            s.rows(5)
            s.reaches()
        s.stop()
        s.close()
        before = s.stored()
        out, r = s.restore("%016x" % before[1])
        remove(s.db)
        cp(out, s.db)
        if lost:
            shutil.rmtree(s.dir + META)
        s.open()
        s.start()
        s.rows(1)
        tap.ok(s.reaches() and max(s.stored()) > max(before),
               "[#781 #783] an older state is restored%s: its first commit arrives"
               % (", local files lost" if lost else ""), (before, s.stored()))
        s.check("[#781 #783] and is replicated, local files %s" % ("lost" if lost else "kept"))
        s.close()


def killed_in_the_first_copy():
    s = Site()
    large(s)
    s.start(wait=False)
    seen = tap.wait_for(lambda: glob.glob(s.dir + META + "/ltx/0/*.tmp"))
    s.kill()
    tap.ok(seen and not s.stored(), "[#753] killed while the first copy is made", s.stored())
    s.start()
    s.check("[#753] the next start brings it")
    tap.equal(s.stored()[0], 1, "[#753] as TXID 1")
    s.close()


def stale_log_at_the_target():
    s = stopped()
    target = s.dir + "/target.db"
    cp(s.db, target)
    old = sqlite3.connect(target, isolation_level=None)
    old.execute("PRAGMA wal_autocheckpoint=0")
    old.execute("DELETE FROM t")
    cp(target + "-wal", s.dir + "/old-wal")
    old.close()
    remove(target)
    cp(s.dir + "/old-wal", target + "-wal")
    r = tap.run(daemon.LITESTREAM, "restore", "-o", target, "file://" + s.root)
    tap.ok(r.returncode == 1 and b"target.db-wal" in r.stderr and not os.path.exists(target),
           "[T9 E-X] a log beside the target is no part of what is restored", r)
    r = tap.run(daemon.LITESTREAM, "restore", "-force", "-o", target, "file://" + s.root)
    tap.equal((r.returncode, daemon.compare(s.db, target)), (0, ""),
              "[T9 E-X] -force removes it")
    s.close()


CALL = re.compile(r'\d+ +(\w+)\((.*)\) += ')


def durable_at(lines, i):
    """The rename in a line of a trace: the file was synced before, and its folder is afterwards."""
    name = re.search(r'"([^"]*)", [^"]*"([^"]*)"', lines[i])
    old, new = (os.path.abspath(p) for p in name.groups())
    before = [m.group(2) for m in map(CALL.match, lines[:i]) if m and m.group(1) == "fsync"]
    follows = CALL.match(lines[i + 1]) if i + 1 < len(lines) else None
    return (any("<%s>" % old in s for s in before) and follows is not None
            and follows.group(1) == "fsync" and "<%s>" % os.path.dirname(new) in follows.group(2))


def renames_are_durable():
    s = Site()
    s.rows(3)
    trace = s.dir + "/trace"
    strace = ("strace", "-f", "-y", "-s", "4096", "-o", trace,
              "-e", "trace=rename,renameat,renameat2,fsync")
    probe = shutil.which("strace") and tap.run(*strace, "true")
    for what, args in (("level-0 files and uploads", ("replicate", "-once", s.db)),
                       ("a restore", ("restore", "-o", s.dir + "/out.db"))):
        name = "[#1344] the names of %s survive a power loss" % what
        if not probe or probe.returncode != 0:
            tap.skip(name, "strace cannot trace here")
            continue
        r = tap.run(*strace, daemon.LITESTREAM, *args, "file://" + s.root)
        lines = [line for line in tap.read(trace).decode().splitlines() if CALL.match(line)]
        renames = [i for i, line in enumerate(lines) if " rename" in line]
        tap.ok(r.returncode == 0 and renames and all(durable_at(lines, i) for i in renames), name,
               "\n".join(lines))
    s.close()


def stops_of_many():
    s = Site(timeout="1s")
    more = [s] + [Site() for _ in range(3)]
    text, end = tap.read(s.config).decode().split("shutdown-sync-timeout")
    for other in more[1:]:
        text += tap.read(other.config).decode().split("shutdown-sync-timeout")[0].split("dbs:\n")[1]
    tap.write(s.config, (text + "shutdown-sync-timeout" + end).encode())
    s.start()
    tap.wait_for(lambda: all(other.stored() for other in more))
    for other in more:
        other.block()
        other.rows(1)
    start = time.monotonic()
    rc = s.stop()
    took = time.monotonic() - start
    tap.ok(rc == 1 and took < 3.5, "[T35] four databases that cannot be uploaded end together", took)
    for other in more:
        other.unblock()
    s.start()
    tap.ok(tap.wait_for(lambda: all(other.quick_difference() == "" for other in more)),
           "[T35] and arrive after the next start", s.tail())
    tap.equal(s.stop(), 0, "[T35] which ends well")
    for other in more:
        other.close()


daemon.need()
stories(log_is_held, writer_that_never_pauses, commits_while_it_checkpoints,
        first_copy_of_a_busy_database, log_of_the_same_size, pages_that_are_never_written,
        writers_do_not_wait, what_it_leaves, lock_page, local_file_is_lost, two_on_one_replica, restored_over_it,
        application_leaves_first, stopped_at_once, lock_is_held_at_the_start, restored_then_replicated,
        killed_in_the_first_copy, stale_log_at_the_target, renames_are_durable, stops_of_many)
tap.done()
