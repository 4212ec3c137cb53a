#!/usr/bin/env python3
"""The page decoder of tui/btree.c and btree_record.c against SQLite: random databases, walked with
it by btree_walk, page by page against dbstat and row by row against SELECT."""

import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from randomdb import SIZES, make

WALK = os.path.join(tap.BUILD, "t", "tui", "btree_walk")
DATABASES = 112
work = tap.scratch()


def number(v):
    return "%.15g" % v


def shown(v):
    if v is None:
        return "NULL"
    if isinstance(v, bytes):
        return "x'" + v.hex() + "'"
    if isinstance(v, str):
        return "'" + v.replace("'", "''") + "'"
    return number(v) if isinstance(v, float) else str(v)


def walked(path):
    r = tap.run(WALK, path)
    if r.returncode != 0:
        return None, r.stderr.decode()
    return [line.split(" ") for line in r.stdout.decode().split("\n")[:-1]], ""


def check_pages(db, lines, size):
    """Every page as dbstat has it, and each page of the file once."""
    roots = dict(db.execute("SELECT rootpage, name FROM sqlite_schema WHERE rootpage > 0"))
    roots[1] = "sqlite_schema"
    got = {(roots[int(f[1])], int(f[2]), f[3], int(f[4]), int(f[5]))
           for f in lines if f[0] == "tree"}
    want = set()
    for name, pgno, kind, cells, unused in db.execute(
            "SELECT name, pageno, pagetype, ncell, unused FROM dbstat WHERE pagetype <> 'overflow'"):
        want.add((name, pgno, kind, cells, unused % 65536 if size == 65536 else unused))
    overflow = {int(f[1]) for f in lines if f[0] == "overflow"}
    free = [f for f in lines if f[0] in ("free", "trunk")]
    known = len(got) + len(overflow) + len(free) + sum(f[0] in ("map", "lock") for f in lines)
    return (got == want
            and overflow == {r[0] for r in db.execute(
                "SELECT pageno FROM dbstat WHERE pagetype = 'overflow'")}
            and len(free) == db.execute("PRAGMA freelist_count").fetchone()[0]
            and known == db.execute("PRAGMA page_count").fetchone()[0]), sorted(got ^ want)


def check_rows(db, lines):
    """Every row: what is on its page begins like the row, whole where nothing is elsewhere."""
    for name, columns in (("a", "id, NULL, x, y, z"), ("b", "0, k, v")):
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", [name]).fetchone()[0]
        got = [(int(f[2]), " ".join(f[3:])) for f in lines if f[0] == "row" and int(f[1]) == root]
        want = db.execute("SELECT %s FROM %s ORDER BY %s" %
                          (columns, name, "id" if name == "a" else "k")).fetchall()
        if len(got) != len(want):
            return False, "%s: %d rows, %d are there" % (name, len(got), len(want))
        for (rowid, text), row in zip(got, want):
            whole = "(" + ",".join(shown(v) for v in row[1:]) + ")"
            start = text.split("…")[0].rstrip(",")
            if rowid != row[0] or not (text == whole or ("…" in text and whole.startswith(start))):
                return False, (rowid, text[:200], row[0], whole[:200])
    return True, ""


def check_guesses(lines):
    """What has no mark is told apart by its look: trunks always, overflow pages nearly so."""
    trunks = [f for f in lines if f[0] == "trunk"]
    overflow = [f for f in lines if f[0] == "overflow"]
    right = sum(f[2] == "overflow" for f in overflow)
    return all(f[2] == "free-list" for f in trunks) and right >= 0.98 * len(overflow)


def check_maps(lines):
    """Pointer maps name the root of each tree, and what is free."""
    pointers = {int(f[1]): int(f[2]) for f in lines if f[0] == "pointer"}
    roots = {int(f[1]) for f in lines if f[0] == "tree"} - {1}
    free = {int(f[1]) for f in lines if f[0] in ("free", "trunk")}
    return not pointers or (all(pointers[r] == 1 for r in roots)
                            and all(pointers[p] == 2 for p in free))


bad = {"walk": [], "pages": [], "rows": [], "guesses": [], "maps": []}
seen = {"overflow": 0, "trunk": 0, "map": 0, "row": 0}
for seed in range(DATABASES):
    path = os.path.join(work, "%d.db" % seed)
    size = SIZES[seed % len(SIZES)]
    db = make(path, random.Random(seed), size)
    lines, why = walked(path)
    if lines is None:
        bad["walk"].append((seed, why))
        continue
    for what in seen:
        seen[what] += sum(f[0] == what for f in lines)
    for what, (good, detail) in (("pages", check_pages(db, lines, size)),
                                 ("rows", check_rows(db, lines)),
                                 ("guesses", (check_guesses(lines), "")),
                                 ("maps", (check_maps(lines), ""))):
        if not good:
            bad[what].append((seed, detail))
    db.close()
    os.unlink(path)

tap.ok(not bad["walk"], "%d random databases are walked without a flaw" % DATABASES, bad["walk"])
tap.ok(not bad["pages"], "kind, cells and free bytes of each page are dbstat's", bad["pages"][:3])
tap.ok(not bad["rows"], "the rows are those that SELECT gives", bad["rows"][:3])
tap.ok(not bad["guesses"], "free-list trunks and overflow pages are told apart", bad["guesses"])
tap.ok(not bad["maps"], "pointer maps name roots and free pages", bad["maps"])
tap.ok(min(seen.values()) > 20, "all kinds of pages were met", seen)
tap.done()
