#!/usr/bin/env python3
"""The checkers that other tests lean on find what they are there to find."""
import json
import os
import shutil
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["LS_SRC"], "t"))
import tap

SUPPORT = os.path.join(tap.SRC, "t", "support")
DIR = tap.scratch()


def path(name):
    return os.path.join(DIR, name)


def chaos(*args):
    return tap.run(sys.executable, os.path.join(SUPPORT, "chaos.py"), *args)


def compare(a, b):
    return tap.run(sys.executable, os.path.join(SUPPORT, "dbcompare.py"), path(a), path(b))


def copy_with(name, *statements):
    """A copy of the first database, changed by SQL."""
    shutil.copyfile(path("a.db"), path(name))
    db = sqlite3.connect(path(name), isolation_level=None)
    for sql in statements:
        db.execute(sql)
    db.close()
    return name


def copy_edited(name, *edits):
    """A copy of the first database with bytes changed (the journal mode to delete)."""
    data = bytearray(tap.read(path("a.db")))
    for at in edits:
        data[at] ^= 3
    tap.write(path(name), data)
    return name


r = chaos("run", path("a.db"), "--seed", "7", "--duration", "3", "--auto-vacuum", "incremental",
          "--page-size", "1024", "--rate", "100")
n = json.loads(r.stdout)
tap.equal(r.returncode, 0, "chaos.py ends well")
tap.ok(n["writer"]["commits"] > 20 and n["last"] == n["writer"]["commits"], "it counts commits", n)
tap.ok(all(n["writer"][k] > 0 for k in ("rollbacks", "savepoints", "spills")),
       "transactions are rolled back, have savepoints, and spill", n)
tap.ok(all(n["checkpointer"][m] > 0 for m in ("passive", "full", "restart", "truncate")),
       "the log is checkpointed in every mode", n)
tap.ok(n["reader"]["short_reads"] > 0, "readers read", n)

r = chaos("check", path("a.db"), "--source", path("a.db"))
tap.equal((r.returncode, json.loads(r.stdout)["seq"]), (0, n["last"]), "check passes a whole one")
last = "(SELECT max(seq) FROM commits)"
for name, sql, what in (
        ("gap.db", ("DELETE FROM commits WHERE seq = 3",), "a commit is missing"),
        ("torn.db", ("DELETE FROM commits WHERE seq = " + last,), "data are newer than the commits"),
        ("row.db", ("UPDATE data SET b = x'00' WHERE id = (SELECT max(id) FROM data)",),
         "a row was changed"),
        ("txt.db", ("UPDATE commits SET txt = replace(txt, 'w', 'v') WHERE seq = 5",),
         "a commit was changed")):
    r = chaos("check", path(copy_with(name, *sql)))
    tap.ok(r.returncode == 1 and b"chaos: check: " in r.stderr, "check fails when " + what, r)
r = chaos("run", path("other.db"), "--seed", "8", "--duration", "3", "--rate", "100")
tap.equal(r.returncode, 0, "another database")
r = chaos("check", path("other.db"), "--source", path("a.db"))
tap.ok(r.returncode == 1 and b"is not the source's" in r.stderr, "check fails on no prefix", r)

size = 1024
shutil.copyfile(path("a.db"), path("b.db"))
r = compare("a.db", "b.db")
tap.equal((r.returncode, r.stdout), (0, b""), "a copy is the same")
r = compare("a.db", copy_edited("head.db", 18, 19, 24, 27, 92, 95))
tap.equal((r.returncode, r.stdout), (0, b""), "what may differ in the header may differ")
for at in (28, 40, 60, 96):
    r = compare("a.db", copy_edited("head.db", at))
    tap.ok(r.returncode == 1 and r.stdout != b"", "byte %d may not" % at, r)
db = sqlite3.connect(path("a.db"))
page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'commits'").fetchone()[0]
db.close()
r = compare("a.db", copy_edited("page.db", page * size - 3))
tap.ok(r.returncode == 1 and b"page %d of" % page in r.stdout, "a changed page is named", r)
r = compare("a.db", copy_with("row.db", "UPDATE commits SET txt = 'x' WHERE seq = 4"))
tap.ok(r.returncode == 1 and b"dump: statement" in r.stdout, "a changed row is named", r)
r = compare("a.db", copy_with("ours.db", "CREATE TABLE _litestream_seq(id INTEGER, seq INTEGER)",
                              "INSERT INTO _litestream_seq VALUES(1, 1)"))
tap.ok(r.returncode == 1 and b"dump" not in r.stdout, "_litestream_ tables are in no dump", r)

copy_with("free.db", "PRAGMA journal_mode=delete", "DELETE FROM data")
db = sqlite3.connect(path("free.db"))
free = db.execute("PRAGMA freelist_count").fetchone()[0]
db.close()
data = bytearray(tap.read(path("free.db")))
trunk = int.from_bytes(data[32:36], "big")
at = (trunk - 1) * size
leaf = int.from_bytes(data[at + 8:at + 12], "big")
tap.ok(free > 10 and leaf > 1, "there is a free list")
data[(leaf - 1) * size + 50] ^= 0xff
tap.write(path("leaf.db"), data)
r = compare("free.db", "leaf.db")
tap.equal((r.returncode, r.stdout), (0, b""), "a leaf of the free list may differ")
data[at + size - 1] ^= 0xff
tap.write(path("leaf.db"), data)
r = compare("free.db", "leaf.db")
tap.ok(r.returncode == 1 and b"page %d of" % trunk in r.stdout, "a trunk of it may not", r)

shutil.copyfile(path("a.db"), path("wal.db"))
writer = sqlite3.connect(path("wal.db"), isolation_level=None)
writer.execute("PRAGMA wal_autocheckpoint=0")
writer.execute("UPDATE commits SET txt = 'x' WHERE seq = 4")
before = tap.read(path("wal.db")), tap.read(path("wal.db-wal"))
r = compare("a.db", "wal.db")
tap.ok(r.returncode == 1 and b"dump" in r.stdout, "what the log holds counts", r)
r = compare("row.db", "wal.db")
tap.ok(r.returncode == 0, "and makes two databases the same", r)
tap.equal((tap.read(path("wal.db")), tap.read(path("wal.db-wal"))), before,
          "the originals are only read")
writer.close()
tap.equal(compare("a.db", "none.db").returncode, 2, "a database that is not there is an error")
tap.done(28)
