#!/usr/bin/env python3
"""To which table each page belongs, as tui/tables.c finds it in a replica, against dbstat of what
is restored: random databases of all page sizes, at several of their TXIDs, all pages at once and
those alone that a transaction changed."""

import os
import random
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from randomdb import SIZES, make

OWNERS = os.path.join(tap.BUILD, "t", "tui", "page_owners")
LITESTREAM = os.path.join(tap.BUILD, "litestream")
DATABASES = 24
work = tap.scratch()


def litestream(*args):
    r = tap.run(LITESTREAM, *args, cwd=work)
    if r.returncode != 0:
        tap.ok(False, "litestream " + " ".join(args), r)
    return r


def change(db, rnd, size):
    """What moves, grows, frees and empties pages."""
    what = rnd.randrange(5)
    if what == 0:
        db.execute("UPDATE a SET y = ? WHERE id %% %d = 0" % rnd.randrange(2, 9), ["u" * size])
    elif what == 1:
        db.execute("DELETE FROM b")
    elif what == 2:
        db.execute("CREATE TABLE IF NOT EXISTS extra (v)")
        db.executemany("INSERT INTO extra VALUES (?)", [[rnd.randbytes(size // 3)]] * 20)
    elif what == 3:
        db.execute("INSERT OR REPLACE INTO b VALUES ('k', ?)", ["w" * (3 * size)])
    else:
        db.execute("UPDATE a SET x = x WHERE id < 4")


def wanted(path):
    """The name and role of each page, by SQLite."""
    db = sqlite3.connect(path)
    pages = {}
    for name, pgno, kind in db.execute("SELECT name, pageno, pagetype FROM dbstat"):
        pages[pgno] = (name, "overflow" if kind == "overflow" else "tree")
    free = db.execute("PRAGMA freelist_count").fetchone()[0]
    count = db.execute("PRAGMA page_count").fetchone()[0]
    db.close()
    return pages, free, count


def owners(*args):
    r = tap.run(OWNERS, *args)
    if r.returncode != 0:
        return None, r.stderr.decode()
    lines = [line.split(" ", 2) for line in r.stdout.decode().splitlines()]
    return {int(f[0]): (f[2], f[1]) for f in lines}, ""


def check_moment(replica, txid, seen):
    """All pages as SQLite has them; those changed as among all."""
    out = os.path.join(work, "out.db")
    litestream("restore", "-txid", "%016x" % txid, "-force", "-o", out, "file://" + replica)
    pages, free, count = wanted(out)
    got, why = owners(replica, "%x" % txid, "all")
    if got is None:
        return why
    trees = {p: o for p, o in got.items() if o[1] in ("tree", "overflow")}
    if trees != pages:
        return "pages", sorted(set(trees.items()) ^ set(pages.items()))[:8]
    others = [o[1] for p, o in got.items() if p not in pages]
    if sum(o in ("free", "trunk") for o in others) != free or len(got) != count:
        return "others", others, free, count
    if "unknown" in others:
        return "unknown", others
    part, why = owners(replica, "%x" % txid, "changed")
    if part is None or not part:
        return "changed", why
    for o in got.values():
        seen[o[1]] = seen.get(o[1], 0) + 1
    bad = {p: o for p, o in part.items() if o != got[p] and o[1] != "unknown"}
    seen["changed"] = seen.get("changed", 0) + len(part)
    seen["lost"] = seen.get("lost", 0) + sum(o[1] == "unknown" for o in part.values())
    return ("changed", bad) if bad else None


def check_database(seed, seen):
    rnd = random.Random(seed)
    size = SIZES[seed % len(SIZES)]
    path, replica = os.path.join(work, "%d.db" % seed), os.path.join(work, "replica-%d" % seed)
    db = make(path, rnd, size)
    db.execute("PRAGMA journal_mode = WAL")
    for _ in range(4):
        litestream("replicate", "-once", path, "file://" + replica)
        change(db, rnd, size)
    db.close()
    folder = os.path.join(replica, "ltx", "0")
    last = max(int(name[17:33], 16) for name in os.listdir(folder))
    return [(seed, size, txid, bad) for txid in range(1, last + 1)
            for bad in [check_moment(replica, txid, seen)] if bad]


seen, bad = {}, []
for seed in range(DATABASES):
    bad += check_database(seed, seen)
tap.ok(not bad, "each page of %d databases belongs to the table that SQLite says" % DATABASES,
       bad[:3])
tap.ok(min(seen.get(role, 0) for role in ("tree", "overflow", "free", "trunk", "map")) > 20,
       "all roles were met", seen)
tap.ok(seen.get("changed", 0) > 200 and seen.get("lost", 0) == 0,
       "pages that changed are found without the others", seen)

replica = os.path.join(work, "replica-1")
few, why = owners(replica, "3", "all", "3")
tap.ok(few is not None and any(o[1] == "unknown" for o in few.values())
       and few[1][0] == "sqlite_schema",
       "a limit on reading leaves pages without a table, no error", why or few)
tap.done()
