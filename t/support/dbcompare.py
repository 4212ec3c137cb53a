#!/usr/bin/env python3
"""Are two SQLite databases the same?

    dbcompare.py A B

Each is copied with its log, the copy's log is checkpointed; the originals are only read (nobody may
write meanwhile). Then three comparisons: integrity_check of each, what .dump prints (tables named
_litestream_* left out), and the pages byte by byte. Left out of the bytes is what may rightly
differ: leaf pages of the free list, the lock page, and in the header bytes 18 and 19 (journal mode),
24 to 27 (change counter) and 92 to 95 (the change counter that goes with it).

Status 0: the same; 1: different, or not a sound database, and stdout says in what; 2: not read.
"""

import itertools
import os
import re
import shutil
import sqlite3
import sys
import tempfile

IGNORED_HEADER = (range(18, 20), range(24, 28), range(92, 96))
OURS = re.compile(r'^(CREATE TABLE( IF NOT EXISTS)?|INSERT INTO) "?_litestream_')
SHOWN = 10  # differences of one kind


def checkpointed_copy(path, folder, name):
    """Path of a copy that holds what the log held too; its log is gone."""
    copy = os.path.join(folder, name)
    shutil.copyfile(path, copy)
    if os.path.exists(path + "-wal"):
        shutil.copyfile(path + "-wal", copy + "-wal")
    db = sqlite3.connect(copy, isolation_level=None)
    busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    db.close()
    if busy:
        raise OSError("%s: the copy's log could not be checkpointed" % path)
    return copy


def integrity(path, name):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    rows = [r[0] for r in db.execute("PRAGMA integrity_check(%d)" % SHOWN)]
    db.close()
    if rows == ["ok"]:
        return []
    return ["%s: integrity_check: %s" % (name, r) for r in rows]


def dump(path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    yield from (line for line in db.iterdump() if not OURS.match(line))
    db.close()


def compare_dumps(a, b):
    for n, (x, y) in enumerate(itertools.zip_longest(dump(a), dump(b)), 1):
        if x != y:
            return ["dump: statement %d differs: %.200s | %.200s" % (n, x, y)]
    return []


def get32(data, at):
    return int.from_bytes(data[at:at + 4], "big")


def page_size_of(data):
    size = int.from_bytes(data[16:18], "big")
    return 65536 if size == 1 else size


def free_leaves(data, page_size):
    """Page numbers of the free list's leaves: SQLite need not write what was in them."""
    leaves = set()
    trunk, count = get32(data, 32), len(data) // page_size
    for _ in range(count):
        if not 0 < trunk <= count:
            break
        at = (trunk - 1) * page_size
        n = min(get32(data, at + 4), page_size // 4 - 2)
        leaves.update(get32(data, at + 8 + 4 * i) for i in range(n))
        trunk = get32(data, at)
    return leaves


def page_difference(x, y, pgno):
    """Offset of the first byte that differs and matters; None if there is none."""
    if x == y:
        return None
    for at in range(len(x)):
        ignored = pgno == 1 and any(at in r for r in IGNORED_HEADER)
        if x[at] != y[at] and not ignored:
            return at
    return None


def compare_pages(a, b):
    with open(a, "rb") as f:
        x = f.read()
    with open(b, "rb") as f:
        y = f.read()
    size = page_size_of(x)
    if size != page_size_of(y) or len(x) != len(y):
        return ["pages: %d of %d bytes | %d of %d bytes"
                % (len(x) // size, size, len(y) // page_size_of(y), page_size_of(y))]
    skipped = free_leaves(x, size) | {0x40000000 // size + 1}
    found = []
    for pgno in range(1, len(x) // size + 1):
        part = slice((pgno - 1) * size, pgno * size)
        if pgno in skipped:
            continue
        at = page_difference(x[part], y[part], pgno)
        if at is not None:
            found.append("page %d of %d differs from its byte %d on" % (pgno, len(x) // size, at))
    if len(found) > SHOWN:
        found[SHOWN:] = ["and %d more pages" % (len(found) - SHOWN)]
    return found


def guarded(what, comparison, *args):
    try:
        return comparison(*args)
    except sqlite3.Error as e:
        return ["%s: not read to the end: %s" % (what, e)]


def compare(a, b, folder):
    x = checkpointed_copy(a, folder, "a")
    y = checkpointed_copy(b, folder, "b")
    found = guarded(a, integrity, x, a) + guarded(b, integrity, y, b)
    if os.path.getsize(x) == 0 or os.path.getsize(y) == 0:
        return found + (["one of them is empty"] if os.path.getsize(x) != os.path.getsize(y) else [])
    return found + guarded("dump", compare_dumps, x, y) + compare_pages(x, y)


def main():
    if len(sys.argv) != 3:
        print(__doc__.split("\n\n")[1].strip(), file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="dbcompare.") as folder:
            found = compare(sys.argv[1], sys.argv[2], folder)
    except OSError as e:
        print("dbcompare: %s" % e, file=sys.stderr)
        return 2
    except sqlite3.Error as e:
        found = ["not read to the end: %s" % e]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
