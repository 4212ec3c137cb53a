#!/usr/bin/env python3
"""restore -f: a database that others read is kept up with its replica. The reader must never see an
error or a count that goes back, the follower may be killed at any instant; and what the command
says meanwhile."""

import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import tap
from daemon import LITESTREAM, Site
from program import as_json, error, litestream, success

KILLS = int(os.environ.get("FOLLOW_KILLS", "200"))

# Counts rows, a connection that stays and one anew by turns, until its standard input ends.
READER = """
import select, sqlite3, sys, time
path = sys.argv[1]
stays = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=10)
reads = last = different = 0
while not select.select([sys.stdin], [], [], 0.001)[0]:
    db = stays if reads % 2 else sqlite3.connect(path, timeout=10)
    (n, newest), = db.execute("SELECT count(*), max(id) FROM t").fetchall()
    if db is not stays:
        db.close()
    if n < last or n != newest:
        sys.exit("%d rows after %d, newest %s" % (n, last, newest))
    different += n != last
    reads, last = reads + 1, n
print(reads, different, last)
"""


class Follower:
    def __init__(self, site, *args, interval="5ms"):
        self.site = site
        self.out = site.dir + "/copy.db"
        self.log = site.dir + "/follow.log"
        self.args = ("-f", "-follow-interval", interval) + args
        self.p = None

    def start(self, *args):
        with open(self.log, "ab") as log:
            self.p = subprocess.Popen(
                (LITESTREAM, "restore") + self.args + args +
                ("-o", self.out, "file://" + self.site.root),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def says(self, text):
        return tap.wait_for(lambda: text in self.text())

    def stop(self, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        try:
            return self.p.wait(10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            return None

    def rows(self):
        db = sqlite3.connect(self.out, timeout=10)
        n = db.execute("SELECT count(*) FROM t").fetchone()[0]
        db.close()
        return n

    def integrity(self):
        db = sqlite3.connect(self.out, timeout=10)
        text = db.execute("PRAGMA integrity_check").fetchone()[0]
        db.close()
        return text

    def reaches(self, seconds=20):
        """Has it what the application committed?"""
        want = self.site.sql("SELECT count(*) FROM t")[0][0]
        return tap.wait_for(lambda: os.path.exists(self.out) and self.rows() == want, seconds)


def site():
    s = Site()
    s.start()
    s.reaches()
    return s


class Writer:
    """Inserts in a thread of its own, in commits of a few rows and sometimes of many."""

    def __init__(self, s, pause=0.002):
        self.s, self.pause = s, pause
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        app = sqlite3.connect(self.s.db, timeout=10, isolation_level=None)
        app.execute("PRAGMA wal_autocheckpoint=0")
        n = 0
        while not self.end.wait(self.pause):
            n += 1
            app.execute("BEGIN")
            for _ in range(40 if n % 50 == 0 else 1):
                app.execute("INSERT INTO t(v) VALUES (randomblob(300))")
            app.execute("COMMIT")
        app.close()

    def stop(self):
        self.end.set()
        self.thread.join()


def reads_beside():
    s = site()
    f = Follower(s).start()
    tap.ok(f.says('msg="entering follow mode"'), "it says that it follows", f.text())
    reader = subprocess.Popen((sys.executable, "-c", READER, f.out), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    w = Writer(s)
    time.sleep(8)
    w.stop()
    good = f.reaches()
    out, err = reader.communicate(b"", 20)
    counts = [int(x) for x in out.split()] or [0, 0, 0]
    tap.ok(reader.returncode == 0 and counts[0] > 200 and counts[1] > 20,
           "[T23] a reader beside it sees no failure and no count that goes back",
           "%s %s" % (counts, err.decode()[-500:]))
    tap.ok(good and s.sql("SELECT count(*) FROM t")[0][0] == f.rows(), "it has every row",
           f.text()[-2000:])
    tap.equal(f.integrity(), "ok", "and is whole")
    tap.equal(f.stop(), 0, "SIGTERM ends it with status 0")
    text = f.text()
    tap.ok(re.search(r'level=INFO msg="entering follow mode" output=\S+ txid=[0-9a-f]{16} '
                     r'interval=5ms\n', text) and
           re.search(r'level=INFO msg="follow: applied updates" from_txid=[0-9a-f]{16} '
                     r'to_txid=[0-9a-f]{16}\n', text) and
           'level=INFO msg="follow mode stopped"' in text and "rror" not in text,
           "its log tells so, and of nothing wrong", text[-2000:])
    tap.equal(sorted(n for n in os.listdir(s.dir) if n.startswith("copy")),
              ["copy.db", "copy.db-txid"], "nothing but the TXID lies beside it")
    with open(f.out + "-txid") as sidecar:
        tap.equal(int(sidecar.read(), 16), max(s.stored()), "the TXID is the replica's newest")
    s.stop()


def killed():
    s = site()
    f = Follower(s, interval="1ms").start()
    f.says("entering follow mode")
    w = Writer(s, 0.004)
    rnd = random.Random(20)
    hot = last = 0
    wrong = []
    for i in range(KILLS):
        time.sleep(rnd.random() * 0.05)
        f.p.kill()
        f.p.wait()
        journal = f.out + "-journal"
        hot += os.path.exists(journal) and os.path.getsize(journal) > 0
        rows = f.rows()
        if rows < last or f.integrity() != "ok":
            wrong.append("kill %d: %d rows after %d, %s" % (i, rows, last, f.integrity()))
        last = rows
        f.start()
    w.stop()
    print("# %d kills, %d of them with a journal, %d rows" % (KILLS, hot, last), flush=True)
    tap.ok(not wrong, "[F-1] killed at %d instants: each time whole, and no row lost" % KILLS,
           "\n".join(wrong[:10]))
    tap.ok(f.reaches(), "and it goes on to the newest row", f.text()[-3000:])
    tap.equal(f.stop(signal.SIGINT), 0, "SIGINT ends it with status 0")
    text = f.text()
    tap.ok("resuming follow mode from crash recovery" in text and "rror" not in text,
           "it resumed each time", "\n".join(l for l in text.splitlines() if "rror" in l)[:2000])
    s.stop()


def reader_stays():
    s = site()
    f = Follower(s).start()
    f.says("entering follow mode")
    db = sqlite3.connect(f.out, timeout=10, isolation_level=None)
    before = db.execute("BEGIN").execute("SELECT count(*) FROM t").fetchone()[0]
    s.rows(30)
    tap.ok(f.says('level=WARN msg="follow: waiting for readers to end"') and
           "hint=" in f.text(), "[F-2] a reader that stays is told of", f.text())
    tap.ok(db.execute("SELECT count(*) FROM t").fetchone()[0] == before and f.rows() == before,
           "it and others read on meanwhile")
    tap.equal(f.stop(), 0, "the follower can be ended all the same")
    f.start()
    db.execute("COMMIT")
    tap.ok(f.reaches() and f.stop() == 0, "it goes on when the reader has ended", f.text())
    db.close()
    s.stop()


def gap():
    s = site()
    f = Follower(s).start()
    f.says("entering follow mode")
    f.reaches()
    f.stop()
    s.rows(3)
    s.reaches()
    s.rows(3)
    s.reaches()
    s.stop()
    level0 = s.root + "/ltx/0/"
    with open(f.out + "-txid") as sidecar:
        at = int(sidecar.read(), 16)
    name = "%016x-%016x.ltx" % (at + 1, at + 1)
    for level in os.listdir(s.root + "/ltx"):
        if level != "0":
            subprocess.run(("rm", "-rf", s.root + "/ltx/" + level), check=True)
    os.rename(level0 + name, s.dir + "/" + name)
    r = litestream("restore", "-f", "-o", f.out, "file://" + s.root)
    tap.ok(r.rc == 1 and "cannot resume follow mode: nothing leads on from TXID %016x: replica "
           "history has been pruned, the next file starts at TXID %016x" % (at, at + 2) in r.err and
           "\nhint: " in r.err, "a gap is an error that names it, not a wait", r)
    os.rename(s.dir + "/" + name, level0 + name)
    f.start()
    tap.ok(f.says("follow: applied updates") and f.stop() == 0, "and gone with the file", f.text())


def refusals():
    s = site()
    s.stop()
    url = "file://" + s.root
    out = s.dir + "/copy.db"
    error(litestream("restore", "-f", "-dry-run", "-o", out, url), "cannot use -dry-run with -f")
    error(litestream("restore", "-f", "-txid", "0000000000000001", "-o", out, url),
          "cannot use follow mode with -txid")
    error(litestream("restore", "-f", "-timestamp", "2030-01-01T00:00:00Z", "-o", out,
                     "-config", s.config, s.db), "cannot use follow mode with -timestamp")
    error(litestream("restore", "-f", "-follow-interval", "soon", "-o", out, url),
          'invalid value "soon" for flag -follow-interval: parse error')
    empty = "file://%s/nothing" % s.dir
    error(litestream("restore", "-f", "-o", out, empty), "no matching backup files available")
    tap.ok(not os.path.exists(out) and not os.path.exists(out + "-txid"), "nothing is left of it")
    r = litestream("restore", "-f", "-if-replica-exists", "-o", out, empty)
    tap.ok(r.rc == 0 and "no matching backups found" in r.out, "-if-replica-exists lets it pass", r)
    success(litestream("restore", "-o", out, url), "", "a plain restore")
    error(litestream("restore", "-f", "-o", out, url),
          "cannot resume follow mode: database exists but no -txid file found; delete the database "
          "to re-restore: " + out)
    r = litestream("restore", "-f", "-if-db-not-exists", "-o", out, url)
    tap.ok(r.rc == 0 and "database already exists, skipping" in r.out,
           "-if-db-not-exists does nothing where it exists", r)
    with open(s.dir + "/json", "wb") as text:
        p = subprocess.Popen((LITESTREAM, "restore", "-f", "-force", "-json", "-integrity-check",
                              "full", "-o", out, url), stdout=text, stderr=subprocess.PIPE)
        first = p.stderr.readline() + p.stderr.readline()
        p.send_signal(signal.SIGTERM)
        rc = (p.communicate(timeout=10), p.returncode)[1]
    r = litestream("version")
    r.out = tap.read(s.dir + "/json").decode()
    tap.ok(rc == 0 and as_json(r)["db_path"] == out and b"check passed" in first and
           b"entering follow mode" in first, "-force restores anew; -json says what", first)
    db = sqlite3.connect(out)
    db.execute("INSERT INTO t(v) VALUES ('mine')")
    db.commit()
    db.close()
    r = litestream("restore", "-f", "-o", out, url)
    tap.ok(r.rc == 1 and "was changed by another program" in r.err and "\nhint: delete it" in r.err,
           "[F-3] what somebody else wrote into it is noticed", r)


reads_beside()
killed()
reader_stays()
gap()
refusals()
tap.done()
