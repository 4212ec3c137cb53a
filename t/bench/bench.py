#!/usr/bin/env python3
"""Speed against lz4(1) doing the same work on the same bytes: ratios, not seconds, so that the
figures mean something on any machine.

usage: bench.py [-mb N] [-runs N] [-bin FOLDER] [-only NAME]...

  verify     ltx verify            | lz4 -t of the same pages
  encode     ltx encode-db         | lz4 -1 and sync
  replicate  first replication     | lz4 -1, a copy, sync of both
  restore    litestream restore    | lz4 -d and sync

Ours and theirs take turns; the best of the runs counts. A ratio above 1 says that ours takes that
many times as long. The database is half text, half random bytes, as page contents are neither.
"""
import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time


def make_db(path, mb):
    """A database of about mb megabytes."""
    rnd = random.Random(1)
    words = ["w%06x" % rnd.getrandbits(24) for _ in range(4096)]
    c = sqlite3.connect(path)
    c.execute("pragma synchronous = off")
    c.execute("create table t(id integer primary key, k text, v blob)")
    c.executemany("insert into t(k, v) values(?, ?)",
                  ((" ".join(rnd.choices(words, k=60)), rnd.randbytes(500))
                   for _ in range(mb * (1 << 20) // 1060)))
    c.commit()
    c.execute("pragma journal_mode = wal")
    c.close()


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def run(*argv):
    r = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if r.returncode != 0:
        sys.exit("%s: %s" % (" ".join(argv), r.stderr.decode()))


def lz4(*argv):
    run("lz4", "-q", "-f", *argv)


class Bench:
    def __init__(self, folder, work, mb):
        self.ltx = os.path.join(folder, "ltx")
        self.litestream = os.path.join(folder, "litestream")
        self.work = work
        self.db = self.at("app.db")
        make_db(self.db, mb)
        run(self.ltx, "encode-db", "-o", self.at("app.ltx"), self.db)
        lz4("-1", self.db, self.at("app.lz4"))

    def at(self, name):
        return os.path.join(self.work, name)

    def clean(self):
        """What a run before left; before each run, and not part of its time."""
        for name in ("out", "out.lz4", "copy.lz4", "replica", "live.db", "live.db-wal",
                     "live.db-shm", ".live.db-litestream", "restored.db"):
            path = self.at(name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)

    def prepare_replicate(self):
        shutil.copy(self.db, self.at("live.db"))
        sync(self.at("live.db"))

    def prepare_restore(self):
        if not os.path.isdir(self.at("source")):
            self.prepare_replicate()
            run(self.litestream, "replicate", "-once", self.at("live.db"),
                "file://" + self.at("source"))

    def ours_verify(self):
        run(self.ltx, "verify", self.at("app.ltx"))

    def theirs_verify(self):
        lz4("-t", self.at("app.lz4"))

    def ours_encode(self):
        run(self.ltx, "encode-db", "-o", self.at("out"), self.db)

    def theirs_encode(self):
        lz4("-1", self.db, self.at("out.lz4"))
        sync(self.at("out.lz4"))

    def ours_replicate(self):
        run(self.litestream, "replicate", "-once", self.at("live.db"),
            "file://" + self.at("replica"))

    def theirs_replicate(self):
        self.theirs_encode()
        shutil.copyfile(self.at("out.lz4"), self.at("copy.lz4"))
        sync(self.at("copy.lz4"))

    def ours_restore(self):
        run(self.litestream, "restore", "-o", self.at("restored.db"),
            "file://" + self.at("source"))

    def theirs_restore(self):
        lz4("-d", self.at("app.lz4"), self.at("out"))
        sync(self.at("out"))

    def measure(self, name, who):
        self.clean()
        getattr(self, "prepare_" + name, lambda: None)()
        start = time.monotonic()
        getattr(self, who + "_" + name)()
        return time.monotonic() - start


def compare(bench, name, runs):
    """Prints the line of one case."""
    best = {"ours": float("inf"), "theirs": float("inf")}
    for _ in range(runs):
        for who in best:
            best[who] = min(best[who], bench.measure(name, who))
    mb = os.path.getsize(bench.db) / 1e6
    print("%-10s %8.3f s %6.0f MB/s   lz4 %8.3f s %6.0f MB/s   ratio %.2f" %
          (name, best["ours"], mb / best["ours"], best["theirs"], mb / best["theirs"],
           best["ours"] / best["theirs"]), flush=True)


def main():
    cases = ["verify", "encode", "replicate", "restore"]
    p = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    p.add_argument("-mb", type=int, default=256)
    p.add_argument("-runs", type=int, default=5)
    p.add_argument("-bin", default=os.environ.get("LS_BUILD", "."))
    p.add_argument("-only", action="append", choices=cases)
    a = p.parse_args()
    work = tempfile.mkdtemp(prefix="ls-bench-")
    try:
        bench = Bench(a.bin, work, a.mb)
        print("database %.0f MB, as LTX %.0f MB, as lz4 %.0f MB; best of %d" %
              tuple([os.path.getsize(bench.at(n)) / 1e6 for n in ("app.db", "app.ltx", "app.lz4")] +
                    [a.runs]), flush=True)
        for name in a.only or cases:
            if name in ("replicate", "restore") and not os.access(bench.litestream, os.X_OK):
                print("%-10s no litestream in %s" % (name, a.bin))
                continue
            compare(bench, name, a.runs)
    finally:
        shutil.rmtree(work)


main()
