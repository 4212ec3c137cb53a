#!/usr/bin/env python3
"""How fast it is, held against goals. Ratios to lz4(1) doing the same work on the same bytes mean
something on any machine; ours and theirs take turns in one run, and the best of the runs counts.

usage: bench.py [-quick] [-mb N] [-runs N] [-bin FOLDER] [-only CASE]...

  verify     ltx verify                        | lz4 -t of the same bytes
  encode     ltx encode-db                     | lz4 -1 and sync
  replicate  first replication                 | lz4 -1 of the database
  restore    litestream restore                | lz4 -d, a copy and sync
  lone       a lone commit until it is on the replica | fsync
  uploads    files on the replica while an application writes without a pause
  memory     anonymous memory: of an idle daemon, and in the largest jobs
  idle       processor time of a daemon with nothing to do
  commit     the application's commits         | the same without litestream

-quick takes small sizes and few runs: the figures are rough then. The status is 0 whether a goal is
met or not.
"""
import argparse
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (TICK_MS, Cost, Daemon, Peak, anonymous_kb, bytes_of, fsync_ms, make_db, objects,
                     ourselves, percentile, remove, run, sync)

# What is measured with: full size, and quick.
SIZES = {"mb": (256, 48), "runs": (5, 3), "large_mb": (1000, 128), "log_mb": (800, 96),
         "idle_s": (60, 15), "commit_runs": (10, 4), "commits": (1500, 500), "lone": (20, 8),
         "uploads_s": (20, 8)}


class Bench:
    def __init__(self, folder, work, sizes):
        self.ltx = os.path.join(folder, "ltx")
        self.litestream = os.path.join(folder, "litestream")
        self.work = work
        self.size = sizes
        self.made = False
        self.missed = []

    def at(self, name):
        return os.path.join(self.work, name)

    def once(self, db, replica, peak=None):
        return run(self.litestream, "replicate", "-once", db, "file://" + replica, peak=peak)

    def database(self):
        """The database that the comparisons with lz4 share, in its three forms."""
        if not self.made:
            make_db(self.at("app.db"), self.size["mb"])
            run(self.ltx, "encode-db", "-o", self.at("app.ltx"), self.at("app.db"))
            self.lz4("-1", self.at("app.db"), self.at("app.lz4"))
            self.made = True
            self.note("database %.0f MB, as LTX %.0f MB, as lz4 %.0f MB" % tuple(
                os.path.getsize(self.at(n)) / 1e6 for n in ("app.db", "app.ltx", "app.lz4")))
        return self.at("app.db")

    @staticmethod
    def lz4(*argv):
        return run("lz4", "-q", "-f", *argv)

    # ---- the table ----

    @staticmethod
    def note(text):
        print("  " + text, flush=True)

    def goal(self, name, figure, limit, unit=""):
        """A line of the table; limit None: no goal, for information."""
        word = "" if limit is None else "met" if figure <= limit else "MISSED"
        if word == "MISSED":
            self.missed.append(name)
        print("%-46s %9.2f %-3s %9s  %s" % (name, figure, unit,
                                            "" if limit is None else "%.2f" % limit, word),
              flush=True)

    # ---- against lz4 ----

    def best(self, ours, theirs, clean=()):
        """Both in turns; the least of each, by clock and by processor apart."""
        least = {}
        for _ in range(self.size["runs"]):
            for name, work in (("ours", ours), ("theirs", theirs)):
                remove(*(self.at(c) for c in clean))
                cost = work()
                old = least.get(name, cost)
                least[name] = Cost(min(cost.wall, old.wall), min(cost.cpu, old.cpu))
        a, b = least["ours"], least["theirs"]
        mb = os.path.getsize(self.at("app.db")) / 1e6
        self.note("ours %.3f s, cpu %.3f s, %.0f MB/s; lz4 %.3f s, cpu %.3f s, %.0f MB/s" %
                  (a.wall, a.cpu, mb / a.wall, b.wall, b.cpu, mb / b.wall))
        return a.wall / b.wall, a.cpu / b.cpu

    def verify(self):
        self.database()
        wall, cpu = self.best(lambda: run(self.ltx, "verify", self.at("app.ltx")),
                              lambda: self.lz4("-t", self.at("app.lz4")))
        self.goal("ltx verify / lz4 -t: time", wall, 1.2, "x")
        self.goal("ltx verify / lz4 -t: processor", cpu, 1.2, "x")

    def encode(self):
        db = self.database()
        wall, cpu = self.best(
            lambda: run(self.ltx, "encode-db", "-o", self.at("out"), db),
            lambda: self.lz4("-1", db, self.at("out.lz4")) +
            ourselves(lambda: sync(self.at("out.lz4"))), ("out", "out.lz4"))
        self.goal("ltx encode-db / lz4 -1, sync: time", wall, None, "x")
        self.goal("ltx encode-db / lz4 -1, sync: processor", cpu, None, "x")

    def live(self):
        """A fresh copy of the database, as an application has it."""
        db = self.at("live.db")
        remove(db, db + "-wal", db + "-shm", self.at(".live.db-litestream"), self.at("replica"))
        shutil.copy(self.database(), db)
        sync(db)
        return db

    def replicate(self):
        db = self.database()

        def ours():
            live = self.live()
            return self.once(live, self.at("replica"))

        wall, cpu = self.best(ours, lambda: self.lz4("-1", db, self.at("out.lz4")), ("out.lz4",))
        self.goal("first replication / lz4 -1: processor", cpu, 2.4, "x")
        self.goal("first replication / lz4 -1: time", wall, None, "x")
        self.goal("bytes on the replica / lz4 -1",
                  bytes_of(self.at("replica")) / os.path.getsize(self.at("app.lz4")), 1.1, "x")

    def restore(self):
        replica = self.at("source")
        self.once(self.live(), replica)

        def theirs():
            unpacked = self.lz4("-d", self.at("app.lz4"), self.at("out"))
            copied = run("cp", self.at("out"), self.at("copy"))
            return unpacked + copied + ourselves(lambda: sync(self.at("copy")))

        wall, cpu = self.best(
            lambda: run(self.litestream, "restore", "-o", self.at("restored.db"),
                        "file://" + replica),
            theirs, ("restored.db", "out", "copy"))
        self.goal("restore / lz4 -d, cp, fsync: time", wall, 1.8, "x")
        self.goal("restore / lz4 -d, cp, fsync: processor", cpu, 1.8, "x")
        remove(*(self.at(n) for n in ("restored.db", "out", "copy")))

    # ---- a daemon ----

    def folder(self, name):
        """A new folder with a small database: its path, and of the replica."""
        path = self.at(name)
        remove(path)
        os.mkdir(path)
        db = os.path.join(path, "app.db")
        app = self.connect(db)
        app.execute("create table t(id integer primary key, v blob)")
        app.execute("insert into t(v) values(randomblob(400))")
        app.close()
        return path, db, os.path.join(path, "replica")

    @staticmethod
    def connect(db, synchronous="normal"):
        app = sqlite3.connect(db, timeout=10, isolation_level=None)
        app.execute("pragma journal_mode = wal")
        app.execute("pragma synchronous = " + synchronous)
        return app

    def lone(self):
        path, db, replica = self.folder("lone")
        daemon = Daemon(self.litestream, path, [(db, replica)])
        app, lags, fsyncs = self.connect(db), [], []
        for _ in range(self.size["lone"]):
            fsyncs.append(fsync_ms(path))
            time.sleep(1.5)
            before = len(objects(replica))
            app.execute("insert into t(v) values(randomblob(200))")
            start = time.monotonic()
            while len(objects(replica)) == before and time.monotonic() - start < 5:
                time.sleep(0.0002)
            lags.append((time.monotonic() - start) * 1e3)
        app.close()
        daemon.stop()
        fsync = statistics.median(fsyncs)
        self.note("fsync %.2f ms; the slowest commit took %.2f ms" % (fsync, max(lags)))
        self.goal("lone commit on the replica, median", statistics.median(lags), 5 + 10 * fsync,
                  "ms")

    def uploads(self):
        """An application that writes about 8 MB a second, so that checkpoints are due all the
        time."""
        path, db, replica = self.folder("uploads")
        daemon = Daemon(self.litestream, path, [(db, replica)])
        app, before = self.connect(db), len(objects(replica))
        time.sleep(2)
        start = time.monotonic()
        while time.monotonic() - start < self.size["uploads_s"]:
            app.execute("insert into t(v) values(randomblob(8000))")
            time.sleep(0.001)
        seconds, files = time.monotonic() - start, len(objects(replica)) - before
        app.close()
        daemon.stop()
        self.note("%d files in %.1f s; sync-interval 1s, two at once now and then" %
                  (files, seconds))
        self.goal("uploads under load, a second", files / seconds, (seconds + 2) / seconds)

    def memory_of_daemon(self):
        path, db, replica = self.folder("memory")
        daemon = Daemon(self.litestream, path, [(db, replica)])
        app = self.connect(db)
        for _ in range(20):
            app.execute("insert into t(v) values(randomblob(2000))")
            time.sleep(0.05)
        daemon.settle()
        self.goal("anonymous memory, one database", anonymous_kb(daemon.p.pid) / 1024, 12, "MB")
        app.close()
        daemon.stop()

    def memory_of_transaction(self):
        """One transaction of many pages while the daemon runs."""
        path, db, replica = self.folder("memory")
        daemon = Daemon(self.litestream, path, [(db, replica)])
        app = self.connect(db)
        peak = Peak()
        with peak.watching(daemon.p.pid):
            app.execute("begin")
            for _ in range(self.size["log_mb"]):
                app.execute("insert into t(v) values(zeroblob(1000000))")
            app.execute("commit")
            log = os.path.getsize(db + "-wal") / 1e6
            daemon.settle(5)
        app.close()
        daemon.stop()
        self.goal("anonymous memory, %.0f MB of log" % log, peak.mb, 24, "MB")

    def memory(self):
        self.memory_of_daemon()
        self.memory_of_transaction()
        remove(self.at("memory"))
        db, replica = self.at("large.db"), self.at("large")
        remove(db, replica)
        make_db(db, self.size["large_mb"])
        mb, peak = os.path.getsize(db) / 1e6, Peak()
        self.once(db, replica, peak)
        self.goal("anonymous memory, first replication, %.0f MB" % mb, peak.mb, 24, "MB")
        remove(db, db + "-wal", db + "-shm", self.at(".large.db-litestream"))
        peak = Peak()
        run(self.litestream, "restore", "-o", db, "file://" + replica, peak=peak)
        self.goal("anonymous memory, restore, %.0f MB" % mb, peak.mb, 24, "MB")
        remove(db, replica)

    def idle(self):
        path, db, replica = self.folder("idle")
        daemon = Daemon(self.litestream, path, [(db, replica)])
        time.sleep(6)
        before = daemon.cpu_ms()
        time.sleep(self.size["idle_s"])
        used = daemon.cpu_ms() - before
        daemon.stop()
        self.note("%.2f ms; a tick is %.0f ms" % (used, TICK_MS))
        self.goal("processor time, %d s idle, whole ticks" % self.size["idle_s"], used // TICK_MS, 0)

    # ---- what the application notices ----

    def commits(self, synchronous, replicated):
        """p50 and p99 of commits with a pause between them, ms."""
        path, db, replica = self.folder("commit")
        daemon = Daemon(self.litestream, path, [(db, replica)]) if replicated else None
        app, times = self.connect(db, synchronous), []
        for _ in range(self.size["commits"]):
            start = time.perf_counter()
            app.execute("insert into t(v) values(randomblob(2000))")
            times.append((time.perf_counter() - start) * 1e3)
            time.sleep(0.002)
        app.close()
        if daemon is not None:
            daemon.stop()
        return percentile(times, 0.5), percentile(times, 0.99)

    def commit(self):
        for synchronous in ("normal", "full"):
            runs = {False: [], True: []}
            for _ in range(self.size["commit_runs"]):
                for replicated in runs:
                    runs[replicated].append(self.commits(synchronous, replicated))
            p50, p99 = ([statistics.median(r[i] for r in runs[x]) for x in (False, True)]
                        for i in (0, 1))
            self.note("synchronous=%s: p50 %.3f ms alone, %.3f with; p99 %.3f alone, %.3f with" %
                      (synchronous, *p50, *p99))
            self.goal("p99 of commits with / without, %s" % synchronous.upper(), p99[1] / p99[0],
                      1.1, "x")


CASES = ("verify", "encode", "replicate", "restore", "lone", "uploads", "memory", "idle", "commit")


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    p.add_argument("-quick", action="store_true")
    p.add_argument("-mb", type=int)
    p.add_argument("-runs", type=int)
    p.add_argument("-bin", default=os.environ.get("LS_BUILD", "."))
    p.add_argument("-only", action="append", choices=CASES)
    a = p.parse_args()
    sizes = {name: both[a.quick] for name, both in SIZES.items()}
    sizes.update((n, getattr(a, n)) for n in ("mb", "runs") if getattr(a, n) is not None)
    work = tempfile.mkdtemp(prefix="ls-bench-")
    try:
        bench = Bench(a.bin, work, sizes)
        print("%-46s %9s %-3s %9s" % ("goal", "figure", "", "limit"))
        for name in a.only or CASES:
            getattr(bench, name)()
        print("missed: %s" % ("; ".join(bench.missed) or "none"))
    finally:
        shutil.rmtree(work)


main()
