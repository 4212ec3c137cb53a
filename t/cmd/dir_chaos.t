#!/usr/bin/env python3
"""A watched folder in which four processes create, write, rename, copy and delete databases, and
rename the folders below it, at random.

When they have ended the daemon's list is what is in the folder, and each database restores from its
own replica to what it is. Then everything is deleted, and the daemon has let go of all of it.

DIR_CHAOS_SECONDS (5), DIR_CHAOS_DATABASES (60), DIR_CHAOS_SEED (1); DIR_CHAOS_KEEP=1 leaves the
folder for a look. engine/store/dirs.c
"""

import contextlib
import http.client
import json
import multiprocessing
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import tap
import daemon

SECONDS = float(os.environ.get("DIR_CHAOS_SECONDS", "5"))
DATABASES = int(os.environ.get("DIR_CHAOS_DATABASES", "60"))
SEED = int(os.environ.get("DIR_CHAOS_SEED", "1"))
PROCESSES = 4
ENDS = ("", "-wal", "-shm")

CONFIG = """
levels: [{interval: 3s}]
socket: {enabled: true, path: %(dir)s/s}
dbs:
  - dir: %(dir)s/dbs
    pattern: "*.db"
    recursive: true
    watch: true
    monitor-interval: 50ms
    replica: {path: %(dir)s/replica, sync-interval: 50ms}
"""


class Hand:
    """One process. Its databases have names of their own, in folders of its own and in the root."""

    def __init__(self, root, number):
        self.root = root
        self.number = number
        self.rng = random.Random("%d/%d" % (SEED, number))
        self.done = dict.fromkeys(("create", "write", "rename", "delete", "copy", "folder"), 0)
        self.folders = [""] + ["h%d-%d" % (number, i) for i in range(2)]
        for folder in self.folders[1:]:
            os.mkdir(os.path.join(root, folder))
        self.there = []  # paths below the root
        self.count = 0

    def path(self, rel):
        return os.path.join(self.root, rel)

    def new_name(self):
        """Mostly one that was there before."""
        names = max(DATABASES // PROCESSES, 2)
        while True:
            rel = os.path.join(self.rng.choice(self.folders),
                               "p%d-%d.db" % (self.number, self.rng.randrange(2 * names)))
            if rel not in self.there:
                return rel

    def rows(self, rel, n):
        with contextlib.closing(sqlite3.connect(self.path(rel), timeout=30)) as db:
            db.execute("PRAGMA journal_mode=wal")
            db.execute("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, who, v)")
            for _ in range(n):
                self.count += 1
                db.execute("INSERT INTO t(who, v) VALUES (?, randomblob(300))",
                           ("%d/%d" % (self.number, self.count),))
            db.commit()

    def create(self):
        rel = self.new_name()
        self.rows(rel, self.rng.randrange(1, 20))
        self.there.append(rel)

    def write(self):
        self.rows(self.rng.choice(self.there), self.rng.randrange(1, 10))

    def rename(self):
        old, new = self.rng.choice(self.there), self.new_name()
        for end in ENDS:
            with contextlib.suppress(FileNotFoundError):
                os.rename(self.path(old) + end, self.path(new) + end)
        self.there[self.there.index(old)] = new

    def delete(self):
        rel = self.rng.choice(self.there)
        daemon.remove(self.path(rel), ENDS)
        self.there.remove(rel)

    def copy(self):
        """A file that is there in part for a while."""
        rel, aside = self.new_name(), self.path("aside%d" % self.number)
        with contextlib.closing(sqlite3.connect(self.path(self.rng.choice(self.there)), timeout=30)) as db:
            db.execute("VACUUM INTO ?", (aside,))
        data = tap.read(aside)
        os.unlink(aside)
        with open(self.path(rel), "wb") as f:
            cut = self.rng.randrange(len(data))
            f.write(data[:cut])
            f.flush()
            time.sleep(self.rng.random() / 5)
            f.write(data[cut:])
        self.there.append(rel)

    def folder(self):
        i = self.rng.randrange(1, len(self.folders))
        old, new = self.folders[i], "h%d-%d" % (self.number, self.rng.randrange(6))
        if os.path.exists(self.path(new)):
            return
        os.rename(self.path(old), self.path(new))
        self.folders[i] = new
        self.there = [os.path.join(new, os.path.basename(rel)) if os.path.dirname(rel) == old else rel
                      for rel in self.there]

    def choose(self):
        share = len(self.there) * PROCESSES / DATABASES
        if not self.there or (share < 1 and self.rng.random() < 0.4):
            return "create"
        if share > 1.2:
            return "delete"
        return self.rng.choices(("write", "rename", "delete", "copy", "folder"), (8, 3, 2, 2, 1))[0]

    def work(self, until):
        while time.time() < until:
            what = self.choose()
            getattr(self, what)()
            self.done[what] += 1
            time.sleep(self.rng.random() / 50)
        for rel in self.there:  # the last commit may be of a moment ago
            if self.rng.random() < 0.5:
                self.rows(rel, 1)


def run_hand(root, number, until, pipe):
    hand = Hand(root, number)
    hand.work(until)
    pipe.send((hand.done, sorted(hand.there)))
    pipe.close()


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.host)


def ask(method, target, body=None):
    c = Unix(folder + "/s")
    c.request(method, target, json.dumps(body) if body is not None else None)
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, json.loads(text)


def listed():
    return sorted(d["path"] for d in ask("GET", "/list")[1]["databases"])


def content(path):
    """What is in a database; the tables of litestream are left out."""
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as db:
        check = db.execute("PRAGMA integrity_check").fetchall()
        return check, db.execute("SELECT * FROM t ORDER BY id").fetchall()


def compare(rel):
    """"" if the database's replica restores to what it is."""
    status, answer = ask("POST", "/sync", {"path": root + "/" + rel, "wait": True, "timeout": 30})
    if status != 200:
        return "%s: %s" % (rel, answer)
    out = folder + "/restored.db"
    r = daemon.restore(folder + "/replica/" + rel, out)
    if r.returncode != 0:
        return "%s: %s" % (rel, r.stderr.decode())
    want, got = content(root + "/" + rel), content(out)
    if want[0] != [("ok",)] or want != got:
        return "%s: %s, %d rows, restored %s, %d rows" % (rel, want[0], len(want[1]), got[0], len(got[1]))
    return ""


def open_files(pid):
    """Of the daemon, below the watched folder."""
    found = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(OSError):
            target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            if target.startswith(root + "/"):
                found.append(target)
    return found


def empty():
    """Deletes what is there; the daemon may be writing local files meanwhile."""
    for name in os.listdir(root):
        path = root + "/" + name
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    return os.listdir(root) == []


daemon.need()
folder = os.path.realpath(tempfile.mkdtemp() if os.environ.get("DIR_CHAOS_KEEP") else tap.scratch())
root = folder + "/dbs"
os.mkdir(root)
tap.write(folder + "/config.yml", (CONFIG % {"dir": folder}).encode())
print("# seed %d, %g s, %d databases, %s" % (SEED, SECONDS, DATABASES, folder), flush=True)
d = daemon.Daemon(folder + "/config.yml", folder + "/log")
d.start()
hands, until = [], time.time() + SECONDS
for number in range(PROCESSES):
    here, there = multiprocessing.Pipe(False)
    p = multiprocessing.Process(target=run_hand, args=(root, number, until, there))
    p.start()
    hands.append((p, here))
wanted, done = [], {}
for p, pipe in hands:
    counts, names = pipe.recv()
    p.join()
    wanted += names
    done = {k: done.get(k, 0) + n for k, n in counts.items()}
print("# %s" % ", ".join("%s %d" % item for item in done.items()), flush=True)
tap.ok(all(done.values()), "everything was done", done)
tap.ok(d.running(), "the daemon runs")
wanted = sorted(root + "/" + rel for rel in wanted)
tap.ok(tap.wait_for(lambda: listed() == wanted, 60), "the daemon has the databases of the folder",
       "missing %s\nleft over %s" % (sorted(set(wanted) - set(listed())), sorted(set(listed()) - set(wanted))))
bad = [text for text in (compare(path[len(root) + 1:]) for path in wanted) if text]
tap.ok(not bad, "each of them restores to what it is", "\n".join(bad))
tap.ok(tap.wait_for(empty, 20), "everything is deleted", os.listdir(root))
tap.ok(tap.wait_for(lambda: listed() == [], 60), "the daemon has none then", listed())
tap.ok(tap.wait_for(lambda: open_files(d.process.pid) == [], 20), "... and has no file of them open",
       open_files(d.process.pid))
tap.equal(d.stop(), 0, "it ends well")
tap.done()
