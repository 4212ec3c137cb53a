#!/usr/bin/env python3
"""Writers, checkpointers and readers that do to a database what applications do, by seed.

    chaos.py run DB --seed N --duration S [options]   prints counters as JSON
    chaos.py check DB [--source DB]                   prints the last commit as JSON

Every process connects for itself and reconnects at random. A committed transaction adds the next
row to commits(seq, txt, sum): txt says who wrote it and what the table data then holds (rows, total
of their checksums), sum continues a CRC-32 over all txt from the first on. So any state of the
database says by itself which commit it is and whether it is whole, and with the source at hand
whether it is a prefix of what was written. What one process does depends on the seed and its
number, the interleaving on the machine.

SQLite up to 3.50.0 at least commits frames without checksums when a savepoint is rolled back whose
frames were written before the commit (small cache): the log is then broken for whoever reads it
from disk, SQLite after a crash included. --break-log lets that happen: without it, where SQLite is
older than 3.50.4, a savepoint is rolled back only under a cache that holds the transaction.

run ends with status 1 if a process failed or a reader ever saw a state that is not whole; check
if the database is not whole or not a prefix of the source.
"""

import argparse
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import zlib

MODES = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")
AUTO_VACUUM = {"none": 0, "full": 1, "incremental": 2}
TXT = re.compile(r"^(\d+) by (\S+): (\d+) rows (\d+)$")
GRACE = 60  # seconds that a process may take to end after its time is up


class Inconsistent(Exception):
    """The database is not in the state that its last commit describes."""


def connect(path, timeout_ms=1000, synchronous="normal"):
    db = sqlite3.connect(path, timeout=timeout_ms / 1000, isolation_level=None)
    db.execute("PRAGMA synchronous=" + synchronous)
    return db


def is_busy(error):
    text = str(error)
    return "locked" in text or "busy" in text


# ---- The commits and what they say ----


def last_commit(db):
    """seq, rows, total, sum of the last commit; zeros before the first."""
    row = db.execute("SELECT seq, txt, sum FROM commits ORDER BY seq DESC LIMIT 1").fetchone()
    if row is None:
        return 0, 0, 0, 0
    match = TXT.match(row[1])
    if match is None or int(match.group(1)) != row[0]:
        raise Inconsistent("commit %d says %r" % (row[0], row[1]))
    return row[0], int(match.group(3)), int(match.group(4)), row[2]


def add_commit(db, who, d_rows, d_total):
    seq, rows, total, chain = last_commit(db)
    txt = "%d by %s: %d rows %d" % (seq + 1, who, rows + d_rows, total + d_total)
    db.execute("INSERT INTO commits VALUES(?, ?, ?)",
               (seq + 1, txt, zlib.crc32(txt.encode(), chain)))
    return seq + 1


def check_tail(db):
    """In one read transaction: the data are what the last commit says. Returns its number."""
    seq, rows, total, _ = last_commit(db)
    got = db.execute("SELECT count(*), coalesce(sum(h), 0) FROM data").fetchone()
    if got != (rows, total):
        raise Inconsistent("commit %d says %d rows %d, there are %d rows %d"
                           % ((seq, rows, total) + got))
    return seq


def check_all(db):
    """check_tail, and every commit from the first on, and every row's own checksum."""
    db.execute("BEGIN")
    seq = check_tail(db)
    chain = 0
    for want, (got, txt, total) in enumerate(
            db.execute("SELECT seq, txt, sum FROM commits ORDER BY seq"), 1):
        chain = zlib.crc32(txt.encode(), chain)
        if got != want or total != chain:
            raise Inconsistent("commit %d is missing or not what was written (%r)" % (want, txt))
    for row, h, blob in db.execute("SELECT id, h, b FROM data"):
        if zlib.crc32(blob) != h:
            raise Inconsistent("row %d of data is damaged" % row)
    db.execute("COMMIT")
    return seq, chain


# ---- Writers ----


class Writer:
    def __init__(self, args, number):
        self.args = args
        self.who = "w%d" % number
        self.rng = random.Random("%d/%s" % (args.seed, self.who))
        self.n = dict.fromkeys(("commits", "rollbacks", "spills", "savepoints", "vacuums",
                                "incremental_vacuums", "tables", "busy", "reconnects"), 0)
        self.db = None
        self.open()

    def open(self):
        if self.db is not None:
            self.db.close()
            self.n["reconnects"] += 1
        self.db = connect(self.args.db, self.rng.choice((0, 100, 1000, 5000)),
                          self.args.synchronous)
        self.db.execute("PRAGMA wal_autocheckpoint=%d" % self.rng.choice((0, 50, 1000)))

    def insert(self, count, size):
        rows = []
        for _ in range(count):
            blob = self.rng.randbytes(self.rng.randrange(size))
            rows.append((zlib.crc32(blob), blob))
        self.db.executemany("INSERT INTO data(h, b) VALUES(?, ?)", rows)
        return len(rows), sum(h for h, _ in rows)

    def some_rows(self, count):
        top = self.db.execute("SELECT coalesce(max(id), 0) FROM data").fetchone()[0]
        return self.db.execute("SELECT id, h FROM data WHERE id >= ? ORDER BY id LIMIT ?",
                               (self.rng.randrange(top + 1), count)).fetchall()

    def delete(self, count):
        rows = self.some_rows(count)
        self.db.executemany("DELETE FROM data WHERE id = ?", [(i,) for i, _ in rows])
        return -len(rows), -sum(h for _, h in rows)

    def update(self, count):
        change = 0
        for i, h in self.some_rows(count):
            blob = self.rng.randbytes(self.rng.randrange(3000))
            self.db.execute("UPDATE data SET h = ?, b = ? WHERE id = ?",
                            (zlib.crc32(blob), blob, i))
            change += zlib.crc32(blob) - h
        return 0, change

    def change(self):
        rows = last_commit(self.db)[1]
        if rows > self.args.max_rows:
            return self.delete(self.rng.randrange(1, self.args.max_rows))
        kind = self.rng.random()
        if kind < 0.45:
            return self.insert(self.rng.randrange(1, 20), 2000)
        if kind < 0.50:
            return self.insert(1, 300000)
        if kind < 0.75:
            return self.update(self.rng.randrange(1, 20))
        return self.delete(self.rng.randrange(1, 12))

    def spill(self):
        """More changed pages than the cache may hold: SQLite writes them before the commit."""
        self.db.execute("PRAGMA cache_size=8")
        self.n["spills"] += 1
        a = self.insert(self.rng.randrange(100, 400), 1500)
        b = self.update(40)
        return a[0] + b[0], a[1] + b[1]

    def savepoint(self):
        if not self.args.break_log and sqlite3.sqlite_version_info < (3, 50, 4):
            self.db.execute("PRAGMA cache_size=-64000")
        self.db.execute("SAVEPOINT s")
        self.n["savepoints"] += 1
        delta = self.change()
        if self.rng.random() < 0.5:
            self.db.execute("ROLLBACK TO s")
            delta = 0, 0
        self.db.execute("RELEASE s")
        return delta

    def table(self):
        name = "x_%s_%d" % (self.who, self.rng.randrange(3))
        self.n["tables"] += 1
        if self.db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone():
            self.db.execute("DROP TABLE " + name)
        else:
            self.db.execute("CREATE TABLE %s(a INTEGER PRIMARY KEY, b TEXT, UNIQUE(b))" % name)
            self.db.executemany("INSERT INTO %s(b) VALUES(?)" % name,
                                [(self.rng.randbytes(40).hex(),)
                                 for _ in range(self.rng.randrange(200))])
        return 0, 0

    def transaction(self):
        self.db.execute("BEGIN IMMEDIATE" if self.rng.random() < 0.9 else "BEGIN EXCLUSIVE")
        rows = total = 0
        for _ in range(self.rng.randrange(1, 4)):
            kind = self.rng.random()
            part = (self.spill if kind < 0.06 else self.savepoint if kind < 0.2 else
                    self.table if kind < 0.26 else self.change)
            d = part()
            rows, total = rows + d[0], total + d[1]
        if self.rng.random() < 0.2:
            self.db.execute("ROLLBACK")
            self.n["rollbacks"] += 1
            return
        seq = add_commit(self.db, self.who, rows, total)
        self.db.execute("COMMIT")
        self.n["commits"] += 1
        if self.args.say:
            os.write(2, b"committed %d\n" % seq)

    def vacuum(self):
        if self.args.auto_vacuum == "incremental" and self.rng.random() < 0.7:
            # One step of it frees one page, and execute() makes no more.
            self.db.executescript("PRAGMA incremental_vacuum(%d)" % self.rng.randrange(1, 50))
            self.n["incremental_vacuums"] += 1
            return
        self.db.execute("VACUUM")
        self.n["vacuums"] += 1

    def step(self):
        kind = self.rng.random()
        if kind < 0.01:
            self.open()
        elif kind < 0.02:
            self.vacuum()
        else:
            self.transaction()

    def pause(self):
        time.sleep(self.rng.expovariate(self.args.rate))

    def close(self):
        self.db.close()


# ---- Checkpointers and readers ----


class Checkpointer:
    def __init__(self, args, number):
        self.args = args
        self.rng = random.Random("%d/c%d" % (args.seed, number))
        self.n = dict.fromkeys([m.lower() for m in MODES] + ["complete", "blocked", "busy"], 0)
        self.db = connect(args.db, synchronous=args.synchronous)

    def step(self):
        if self.rng.random() < 0.1:
            self.db.close()
            self.db = connect(self.args.db, self.rng.choice((0, 50, 1000)), self.args.synchronous)
        mode = self.rng.choice(MODES)
        self.n[mode.lower()] += 1
        blocked, log, done = self.db.execute("PRAGMA wal_checkpoint(%s)" % mode).fetchone()
        self.n["blocked"] += blocked != 0
        self.n["complete"] += blocked == 0 and log == done

    def pause(self):
        time.sleep(self.rng.expovariate(self.args.checkpoint_rate))

    def close(self):
        self.db.close()


class Reader:
    def __init__(self, args, number):
        self.args = args
        self.rng = random.Random("%d/r%d" % (args.seed, number))
        self.n = dict.fromkeys(("short_reads", "long_reads", "busy"), 0)
        self.db = connect(args.db)

    def step(self):
        if self.rng.random() < 0.05:
            self.db.close()
            self.db = connect(self.args.db)
        long = self.rng.random() < 0.05
        self.db.execute("BEGIN")
        first = check_tail(self.db)
        if long:
            time.sleep(self.rng.uniform(0.1, 2))
            if check_tail(self.db) != first:
                raise Inconsistent("a read transaction saw commit %d, then another" % first)
        self.db.execute("COMMIT")
        self.n["long_reads" if long else "short_reads"] += 1

    def pause(self):
        time.sleep(self.rng.expovariate(10))

    def close(self):
        self.db.close()


ROLES = {"writer": Writer, "checkpointer": Checkpointer, "reader": Reader}
stopped = False


def stop(*_):
    global stopped
    stopped = True


def work(args):
    """One process: steps until its time is up, it is told to stop or its parent is gone."""
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    actor = ROLES[args.role](args, args.number)
    while time.monotonic() < args.until and not stopped and os.getppid() == parent:
        try:
            actor.step()
        except sqlite3.OperationalError as e:
            if not is_busy(e):
                raise
            actor.n["busy"] += 1
            if actor.db.in_transaction:
                actor.db.execute("ROLLBACK")
        actor.pause()
    actor.close()
    print(json.dumps(actor.n))
    return 0


# ---- The whole ----


def prepare(args):
    fresh = not os.path.exists(args.db) or os.path.getsize(args.db) == 0
    db = connect(args.db, 5000)
    if fresh:
        db.execute("PRAGMA page_size=%d" % args.page_size)
        db.execute("PRAGMA auto_vacuum=%d" % AUTO_VACUUM[args.auto_vacuum])
    db.execute("PRAGMA journal_mode=wal")
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TABLE IF NOT EXISTS commits(seq INTEGER PRIMARY KEY, txt TEXT, sum INTEGER)")
    db.execute("CREATE TABLE IF NOT EXISTS data(id INTEGER PRIMARY KEY, h INTEGER, b BLOB)")
    db.execute("CREATE INDEX IF NOT EXISTS data_h ON data(h)")
    db.execute("COMMIT")
    first = last_commit(db)[0]
    db.close()
    return first


def start(args, role, number, until):
    argv = [sys.executable, os.path.abspath(__file__), "work", args.db, "--role", role,
            "--number", str(number), "--until", repr(until), "--seed", str(args.seed),
            "--rate", str(args.rate), "--checkpoint-rate", str(args.checkpoint_rate),
            "--max-rows", str(args.max_rows), "--auto-vacuum", args.auto_vacuum,
            "--synchronous", args.synchronous]
    argv += ["--break-log"] if args.break_log else []
    argv += ["--say"] if args.say else []
    return role, subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)


def collect(children, until, totals):
    """Adds up what the processes counted; False if one failed or had to be killed."""
    good = True
    for role, child in children:
        try:
            out, _ = child.communicate(timeout=max(0, until - time.monotonic()) + GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            out, _ = child.communicate()
        if child.returncode != 0:
            print("chaos: a %s ended with status %d" % (role, child.returncode), file=sys.stderr)
            good = False
            continue
        for name, n in json.loads(out).items():
            totals.setdefault(role, {}).setdefault(name, 0)
            totals[role][name] += n
    return good


def run(args):
    first = prepare(args)
    until = time.monotonic() + args.duration
    children = []
    for role, count in (("writer", args.writers), ("checkpointer", args.checkpointers),
                        ("reader", args.readers)):
        children += [start(args, role, i, until) for i in range(count)]

    def pass_on(*_):
        for _, child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    totals = {"seed": args.seed, "duration": args.duration}
    good = collect(children, until, totals)
    db = connect(args.db, 5000)
    totals["first"] = first
    totals["last"], _ = check_all(db)
    db.close()
    if good and totals["last"] - first != totals.get("writer", {}).get("commits", 0):
        print("chaos: commits are missing", file=sys.stderr)
        good = False
    print(json.dumps(totals))
    return 0 if good else 1


def check(args):
    db = connect(args.db)
    seq, chain = check_all(db)
    if args.source and seq > 0:
        source = connect(args.source, 5000)
        row = source.execute("SELECT sum FROM commits WHERE seq = ?", (seq,)).fetchone()
        if row is None or row[0] != chain:
            raise Inconsistent("commit %d is not the source's" % seq)
        source.close()
    db.close()
    print(json.dumps({"seq": seq, "sum": chain}))
    return 0


def arguments():
    top = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    sub = top.add_subparsers(dest="command", required=True)
    for name in ("run", "work"):
        p = sub.add_parser(name)
        p.add_argument("db")
        p.add_argument("--seed", type=int, default=1)
        p.add_argument("--duration", type=float, default=10, help="seconds")
        p.add_argument("--page-size", type=int, default=4096)
        p.add_argument("--auto-vacuum", choices=AUTO_VACUUM, default="none")
        p.add_argument("--writers", type=int, default=3)
        p.add_argument("--checkpointers", type=int, default=2)
        p.add_argument("--readers", type=int, default=2)
        p.add_argument("--rate", type=float, default=30, help="transactions/s of each writer")
        p.add_argument("--checkpoint-rate", type=float, default=5, help="per s and process")
        p.add_argument("--max-rows", type=int, default=3000, help="in the table data")
        p.add_argument("--break-log", action="store_true", help="see above")
        p.add_argument("--synchronous", choices=("off", "normal", "full"), default="normal")
        p.add_argument("--say", action="store_true", help="each commit on standard error")
        p.add_argument("--role", choices=ROLES, help=argparse.SUPPRESS)
        p.add_argument("--number", type=int, help=argparse.SUPPRESS)
        p.add_argument("--until", type=float, help=argparse.SUPPRESS)
    p = sub.add_parser("check")
    p.add_argument("db")
    p.add_argument("--source")
    return top.parse_args()


def main():
    args = arguments()
    try:
        return {"run": run, "work": work, "check": check}[args.command](args)
    except (Inconsistent, sqlite3.Error) as e:
        print("chaos: %s: %s" % (args.command, e), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
