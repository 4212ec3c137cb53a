#!/usr/bin/env python3
"""Screens of litestream-tui as text: fixed data (the vectors' replica), sizes and keys. Those of
t/tui/screens begin with the arguments that make them:

    # SOURCE | VIEW | SIZE | KEYS | OPTIONS

SOURCE is a replica, or files, in the folder of the test; daemon:MODE, a scripted control server
(control.py); or config:NAME, a configuration without a daemon.

LS_SCREENS=write puts down what is printed now, to be read before it is committed."""

import csv
import json
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import control
import tap

TUI = os.path.join(tap.BUILD, "litestream-tui")
SCREENS = os.path.join(tap.SRC, "t", "tui", "screens")
work = tap.scratch()
pressed = set()


CONFIG = b"""dbs:
  - path: /srv/shop.db
    replica:
      path: /backups/shop
levels: [{interval: 30s}, {interval: 5m}, {interval: 1h}, {interval: 24h}]
snapshot: {interval: 24h, retention: 72h}
l0-retention: 10m
"""


def hex16(n):
    return "%016x" % n


def words(keys):
    """The keys that are pressed, as -keys takes them apart."""
    for word in keys.split():
        yield from [word] if word in known or len(word) == 1 else word.lstrip("'")


def tui(*args, **kw):
    return tap.run(TUI, *args, cwd=work, **kw)


def once(source, view, keys="", size="80x24", options=()):
    pressed.update(words(keys))
    args = ("-once", view, "-size", size, "-keys", keys, *options)
    kind, _, name = source.partition(":")
    if kind == "config":
        return tui(*args, "-config", name + ".yml")
    return daemon(name, *args)[0] if kind == "daemon" else tui(*args, source)


def daemon(mode, *args):
    """Runs the program beside a scripted control server; also what that was asked to do."""
    server = control.Server(os.path.join(work, "s"), mode)
    try:
        return tui(*args, "-socket", "s"), server.posts()
    finally:
        server.close()


def out(*args, **kw):
    r = once(*args, **kw)
    return r.stdout.decode() + r.stderr.decode()


def stamp(folder):
    """A listing's times are those of the headers, as Litestream leaves them."""
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as f:
                ms = struct.unpack(">q", f.read(40)[32:])[0]
            os.utime(os.path.join(path, name), ns=(ms * 10**6, ms * 10**6))


def make_trees():
    """A database with every kind of page, as an LTX file."""
    path = os.path.join(work, "trees.db")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA page_size = 512")
    db.execute("PRAGMA auto_vacuum = 2")
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, amount REAL, data BLOB)")
    db.execute("CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID")
    db.execute("CREATE INDEX t_name ON t (name)")
    db.execute("CREATE TABLE gone (v)")
    db.execute("BEGIN")
    for i in range(1, 61):
        db.execute("INSERT INTO t VALUES (?, ?, ?, ?)",
                   [i, "näme %d" % i, i / 4, b"\x00\xff" * (i % 5)])
        db.execute("INSERT INTO w VALUES (?, ?)", ["k%02d" % i, None if i % 2 else "it's"])
    db.execute("INSERT INTO t VALUES (100, ?, 0, NULL)", ["long " * 200])
    db.executemany("INSERT INTO gone VALUES (?)", [["x" * 400]] * 12)
    db.execute("COMMIT")
    db.execute("DROP TABLE gone")
    db.close()
    r = tap.run(os.path.join(tap.BUILD, "ltx"), "encode-db", "-o",
                os.path.join(work, "trees.ltx"), path)
    tap.ok(r.returncode == 0, "a database with all kinds of pages is encoded", r)


def encode(name, make):
    """A database that make() fills, as an LTX file."""
    path = os.path.join(work, name + ".db")
    db = sqlite3.connect(path, isolation_level=None)
    make(db)
    db.close()
    r = tap.run(os.path.join(tap.BUILD, "ltx"), "encode-db", "-o",
                os.path.join(work, name + ".ltx"), path)
    tap.ok(r.returncode == 0, "database %s is encoded" % name, r)


def fill_utf16(db):
    db.execute("PRAGMA encoding = 'UTF-16le'")
    db.execute("CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT)")
    db.executemany("INSERT INTO words (word) VALUES (?)", [["plain"], ["näme"], ["日本"], ["𝄞"]])


def fill_large(db):
    db.execute("PRAGMA page_size = 65536")
    db.execute("CREATE TABLE t (v)")
    db.executemany("INSERT INTO t VALUES (?)", [[i] for i in range(50)])


def fill_freed(db):
    """Pages of the free list that still hold what they did."""
    db.execute("PRAGMA page_size = 512")
    db.execute("PRAGMA secure_delete = OFF")
    db.execute("CREATE TABLE kept (v)")
    db.execute("CREATE TABLE gone (v)")
    db.executemany("INSERT INTO gone VALUES (?)", [["row %d" % i] for i in range(200)])
    db.execute("DROP TABLE gone")


def part(name, keep):
    """The shop's replica with some of its files."""
    root = os.path.join(work, "shop")
    for folder, _, names in os.walk(root):
        for file in names:
            path = os.path.relpath(os.path.join(folder, file), root)
            if keep(path):
                to = os.path.join(work, name, path)
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.copy2(os.path.join(folder, file), to)


def make_sources():
    shutil.copytree(tap.vector("replica-a/replica"), os.path.join(work, "shop"))
    os.chmod(os.path.join(work, "shop"), 0o755)
    stamp(os.path.join(work, "shop"))
    gap = os.path.join(work, "gap")
    os.makedirs(os.path.join(gap, "ltx"))
    for level, names in (("9", ["0000000000000001-0000000000000058.ltx"]),
                         ("0", ["%016x-%016x.ltx" % (n, n) for n in range(0x57, 0x60)
                                if n not in (0x5b, 0x5c)])):
        os.mkdir(os.path.join(gap, "ltx", level))
        for name in names:
            shutil.copy(tap.vector("replica-a/replica/ltx/%s/%s" % (level, name)),
                        os.path.join(gap, "ltx", level, name))
    stamp(gap)
    thin = os.path.join(work, "thin")  # without most of level 0
    shutil.copytree(os.path.join(work, "shop"), thin)
    for name in os.listdir(os.path.join(thin, "ltx", "0")):
        if int(name[:16], 16) < 0x130:
            os.unlink(os.path.join(thin, "ltx", "0", name))
    damaged = os.path.join(work, "damaged")
    shutil.copytree(gap, damaged)
    path = os.path.join(damaged, "ltx", "0", "%016x-%016x.ltx" % (0x5a, 0x5a))
    data = bytearray(tap.read(path))
    data[120] ^= 0xff
    tap.write(path, bytes(data))
    stamp(damaged)
    part("only9", lambda path: path.startswith("ltx/9/"))
    part("no9", lambda path: path.startswith("ltx/0/") and "0001-" not in path)
    make_trees()
    encode("utf16", fill_utf16)
    encode("large", fill_large)
    encode("freed", fill_freed)
    shutil.copytree(tap.vector("corrupt"), os.path.join(work, "corrupt"))
    tap.write(os.path.join(work, "shop.yml"), CONFIG)
    os.mkdir(os.path.join(work, "empty"))
    tap.write(os.path.join(work, "alone.yml"), b"""
socket: {enabled: true, path: ./nobody.sock}
dbs:
  - {path: /nonexistent/shop.db, replica: {path: /nonexistent/r/shop}}
  - {path: /dev/null, replica: {url: "file:///nonexistent/r/null"}}
""")
    shutil.copytree(tap.vector("compact"), os.path.join(work, "compact"))
    for name in ("snap-ps512.v051", "snap-ps512.v052"):
        shutil.copy(tap.vector("ltx/%s.ltx" % name), os.path.join(work, name + ".ltx"))
    shutil.copy(tap.vector("corrupt/flip-payload.v051.ltx"), os.path.join(work, "flipped.ltx"))


def read_screen(name):
    head, _, text = tap.read(os.path.join(SCREENS, name)).decode().partition("\n")
    source, view, size, keys, options = [p.strip() for p in head[2:].split("|")]
    return head, source, view, size, keys, options.split(), text


def normal(text, source):
    """Without what depends on where and when the test runs: the URL in command lines, and how they
    wrap; the time in a file that is made here."""
    if source in ("trees.ltx", "utf16.ltx", "large.ltx", "freed.ltx"):
        text = re.sub(r"20\d\d-\d\d-\d\dT\S*", "TIME", text)
        text = re.sub(r"checksum [0-9a-f]*", "checksum SUM", text)
    text = re.sub(r"(?m)^   \$ litestream(.*\n)((?:   \S.*\n)*)",
                  "   $ litestream ... URL\n", text)
    if "$ litestream" in text:  # how many lines it took decides how many are empty
        text = re.sub(r"\n{3,}", "\n\n", text)
    text = re.sub(r"\033\[([0-9;]*)m", r"⟨\1⟩", text)
    text = re.sub(r", next in \d+ \w+", ", next in TIME", text)
    text = re.sub(r"needs (\S+ \S+), free [0-9.]+ .?B", r"needs \1, free SIZE", text)
    return re.sub(r"file://\S*", "URL", text)


def check_screen(name):
    head, source, view, size, keys, options, want = read_screen(name)
    raw = out(source, view, keys, size, options)
    got = normal(raw, source)
    if os.environ.get("LS_SCREENS") == "write":
        tap.write(os.path.join(SCREENS, name), (head + "\n" + got).encode())
    if not tap.equal(got, want, "screen " + name):
        print("\n".join("# " + line for line in got.splitlines()))
    cols, rows = [int(n) for n in size.split("x")]
    raw = re.sub(r"\033\[[0-9;]*m", "", raw)
    fits = all(len(line) <= cols for line in raw.splitlines()) and raw.count("\n") == rows
    ascii_only = "-ascii" not in options or raw.isascii()
    if not fits or not ascii_only:
        tap.ok(False, "screen %s has its size and its characters" % name, raw)


def check_restore():
    """The form restores what the command line would, replaces nothing, and -readonly holds."""
    text = out("shop", "restore", "down down down down left up up enter ctrl-u 'got.db enter S")
    want = next(r for r in tap.vector_json("replica-a/expected.json")["restores"]
                if r.get("note") == "latest")
    good = os.path.exists(os.path.join(work, "got.db"))
    tap.ok("✓ restored" in text and good, "a restore by the form", text)
    tap.equal(good and tap.sha256(os.path.join(work, "got.db")), want["file_sha256"],
              "the restored file is the one that is expected")
    text = out("shop", "restore", "down down enter ctrl-u 'got.db enter end S k k k k enter")
    tap.ok("already exists" in text, "an existing file is not replaced", text)
    text = out("shop", "restore", "down down enter ctrl-u 'no.db enter S", options=["-readonly"])
    tap.ok("start: not with -readonly" in text and not os.path.exists(os.path.join(work, "no.db")),
           "-readonly refuses to restore", text)
    text = out("shop", "timeline", "g 5c enter r down enter ctrl-u 5b enter down enter "
               "ctrl-u 'by-txid.db enter left right up up left l h l down down down down down enter "
               "ctrl-u 2 enter down enter", size="120x30")
    tap.ok("-txid 000000000000005b" in text and "-parallelism 2" in text and "✓ restored" in text,
           "target and threads are typed", text)
    text = out("shop", "restore", "l l y", size="160x24")
    tap.ok("copied: litestream restore -integrity-check quick -o restored-13c.db file:///" in text,
           "the newest, as a command line to copy", text)


def check_replace():
    """A file that is there is replaced where that was chosen and its name was typed."""
    path = os.path.join(work, "old.db")
    tap.write(path, b"not a database")
    keys = "down down enter ctrl-u 'old.db enter down right "
    text = out("shop", "restore", keys)
    tap.ok("a file of 14 B is there" in text and "restore -force" in text, "it is told", text)
    text = out("shop", "restore", keys + "S 'odl.db enter", size="100x24")
    tap.ok("not started" in text and tap.read(path) == b"not a database",
           "another name replaces nothing", text)
    text = out("shop", "restore", keys + "S esc", size="100x24")
    tap.ok(tap.read(path) == b"not a database", "neither does escape", text)
    text = out("shop", "restore", keys + "S 'old.db enter Y", size="100x24")
    tap.ok("✓ restored" in text and tap.read(path)[:6] == b"SQLite", "its name does", text)
    tap.ok("copied: %s" % path in text, "Y copies the path", text)


def check_follow():
    """Followed as restore -f does, to what is new; a second time from there."""
    path = os.path.join(work, "followed.db")
    keys = "down down enter ctrl-u 'followed.db enter down left S"
    text = out("shop", "restore", keys)
    tap.ok("✓ followed" in text and "TXID 000000000000013c" in text
           and os.path.exists(path + "-txid"), "a database is followed", text)
    text = out("shop", "restore", keys, size="100x24")
    tap.ok("✓ followed" in text and "restore -f -integrity-check quick" in text
           and "(*) latest" in text, "and taken up again", text)
    text = out("shop", "restore", keys[:-1] + "up up up left", size="100x24")
    tap.ok("(*) new file" in text and "(*) time" in text, "to the newest only", text)


def check_same_as_program():
    """What the form says it is the same as does the same."""
    text = out("shop", "timeline", "g 5c enter enter right down down enter ctrl-u 'ours.db enter "
               "S y", size="300x20")
    line = re.search(r"copied: litestream (.*)", text).group(1).split()
    line[line.index("ours.db")] = "theirs.db"
    r = tap.run(os.path.join(tap.BUILD, "litestream"), *line, cwd=work)
    path, ours = os.path.join(work, "theirs.db"), os.path.join(work, "ours.db")
    tap.ok(r.returncode == 0 and os.path.exists(path) and tap.sha256(path) == tap.sha256(ours),
           "the command line that is shown restores the same", (line, r))


def check_files():
    """What is written: the screen as text, the rows as JSON, nothing over what is there."""
    text = out("shop", "files", "/ 13a enter W 'rows.csv enter")
    with open(os.path.join(work, "rows.csv"), newline="") as f:
        rows = list(csv.reader(f))
    tap.ok("written to" in text and rows[0] == ["level", "min_txid", "max_txid", "size", "created"]
           and ["0", hex16(0x13a), hex16(0x13a)] == rows[1][:3] and len(rows) == 4, "as CSV", rows)
    out("shop", "files", "/ 13a enter W 'rows.txt enter")
    rows = tap.read(os.path.join(work, "rows.txt")).decode().splitlines()
    tap.ok(rows[0].split() == ["level", "min_txid", "max_txid", "size", "created"]
           and rows[1].split()[1] == hex16(0x13a) and len(rows) == 4, "as text", rows)
    for view in ("levels", "files", "points", "pages"):
        text = out("shop", view, "W 'rows-%s.json enter" % view)
        rows = json.loads(tap.read(os.path.join(work, "rows-%s.json" % view)))
        tap.ok("written to" in text and len(rows) >= 1, "rows of %s as JSON" % view, text)
    with open(os.path.join(work, "rows-files.json")) as f:
        rows = json.load(f)
    tap.ok(len(rows) == 334 and rows[0]["min_txid"] == "0000000000000001" and rows[0]["size"] == 765
           and rows[0]["created"] == "2026-11-21T09:21:23.676Z", "each file is in it", rows[:2])
    out("shop", "files", "w 'screen.txt enter")
    saved = tap.read(os.path.join(work, "screen.txt")).decode().splitlines()
    tap.equal(saved[:-1], out("shop", "files").splitlines()[:-1], "a screen as text")
    text = out("shop", "files", "w 'screen.txt enter", size="200x20")
    tap.ok("nothing is written over" in text, "an existing file is not written over", text)
    text = out("shop", "files", "w", options=["-readonly"])
    tap.ok("not with -readonly" in text, "-readonly writes nothing", text)


def check_verify():
    text = out("damaged", "verify", "v")
    tap.ok("NOT everything can be restored" in text and "bad_file" in text.replace("-", "_")
           and "hole" in text, "verify lists what it finds", text)
    text = out("shop", "verify", "V")
    tap.ok("✓ everything can be restored, and the newest point was" in text, "and restores", text)
    text = out("damaged", "verify", "v W 'found.json enter", size="100x30")
    with open(os.path.join(work, "found.json")) as f:
        found = json.load(f)
    tap.ok(len(found) >= 2 and all(f["finding"] and f["text"] for f in found),
           "findings as JSON", found)


def ask(keys, mode="normal", *options):
    """Presses keys in the view databases; the screen, and the last thing that the server was asked
    to do."""
    pressed.update(words(keys))
    r, posts = daemon(mode, "-once", "databases", "-size", "160x30", "-keys", keys, *options)
    return (r.stdout + r.stderr).decode(), posts


SHOP = "/srv/app/shop.db"
GO = "down down down down down down enter"  # from the first line of a restore to its button
ACTIONS = [  # keys, what is asked, what the screen says
    ("s", [("/sync", {"path": SHOP})], "✓ synced local, TXID 2b7   $ litestream sync -socket s " + SHOP),
    ("S", [("/sync", {"path": SHOP, "wait": True})],
     "✓ synced, TXID 2b7, on the replica 2b7   $ litestream sync -wait -socket s " + SHOP),
    ("n", [("/snapshot", {"path": SHOP})], "✓ snapshot, TXID 2b7   $ curl --unix-socket s -d"),
    ("v", [("/verify", {"path": SHOP})],
     "✓ queued: job 4   $ litestream verify file:///backups/shop"),
    ("V", [("/verify", {"path": SHOP, "full": True})], "$ litestream verify -full file:///backups/shop"),
    ("u", [("/start", {"path": SHOP})], "✓ started, TXID 2b7   $ litestream start -socket s " + SHOP),
    ("d down enter", [("/stop", {"path": SHOP})], "✓ stopped, TXID 2b7"),
    ("d enter", [], "Databases  Activity"),
    ("d q", [], "Databases  Activity"),
    ("D k enter 'shop.db enter enter", [("/unregister", {"path": SHOP})], "✓ unregistered, TXID 2b7"),
    ("D down enter", [], "shop.db was not typed"),
    ("D k enter 'SHOP.DB enter down down enter", [], "shop.db was not typed"),
    ("D k enter 'shop.db esc down down enter", [], "shop.db was not typed"),
    ("X k enter 'shop.db enter enter", [("/stop", {"path": SHOP}), ("/start", {"path": SHOP})],
     "✓ 0 files removed; a full copy follows"),
    ("X down enter", [], "shop.db was not typed"),
    ("r down enter ctrl-u '/x.db enter " + GO,
     [("/restore", {"path": SHOP, "output": "/x.db", "integrity": "quick", "force": False})],
     "job 4 running"),
    ("r enter '2a9 enter down down right " + GO,
     [("/restore", {"path": SHOP, "output": SHOP + ".restored", "txid": "00000000000002a9",
                    "integrity": "full", "force": False})], "-txid 00000000000002a9"),
    ("r enter '2026-11-21T14:00:00Z enter down down left down " + GO,
     [("/restore", {"path": SHOP, "output": SHOP + ".restored", "integrity": "none", "force": False,
                    "timestamp": "2026-11-21T14:00:00.000Z"})],
     "-timestamp 2026-11-21T14:00:00.000Z -o"),
    ("r enter 'yesterday enter", [], "yesterday is neither a TXID nor a time"),
    ("r down down down right end enter", [], "shop.db was not typed"),
    ("r down down down right down enter 'shop.db enter enter",
     [("/restore", {"path": SHOP, "output": SHOP + ".restored", "integrity": "quick", "force": True})],
     "-force -o"),
    ("r end enter c", [("/restore", {"path": SHOP, "output": SHOP + ".restored", "integrity": "quick",
                                     "force": False}), ("/jobs/cancel", {"id": 4})], "✗ canceled"),
    ("a enter '/srv/x.db enter down enter 'file:///r/x enter end enter",
     [("/register", {"path": "/srv/x.db", "replica_url": "file:///r/x"})],
     "the databases of a running daemon are fixed"),
    ("a end enter", [], "a path and a replica URL are needed"),
    ("/ ctrl-u '2019 enter enter enter 6 t 3", [], "ftp"),
    ("y", [], "copied: " + SHOP),
    ("Y", [], "copied: 00000000000002b7"),
    ("D y", [], "copied: litestream unregister -socket s " + SHOP),
    ("s 7 / asked enter y", [("/sync", {"path": SHOP})], "copied: litestream sync -socket s " + SHOP),
    (": 'syn tab tab enter", [("/sync", {"path": SHOP, "wait": True})], "✓ synced"),
]


def check_actions():
    """Each action asks the daemon for exactly what it says; what is cancelled asks for nothing."""
    for keys, want, says in ACTIONS:
        text, posts = ask("/ app/shop enter " + keys)
        tap.ok(posts == want and says in text, "an action: " + keys, (posts, text))
    for keys in ("s", "S", "n", "r", "u", "d", "a", "D", "X", ": 'reset enter", ": 'sync enter",
                 "7 c", "ctrl-u / ctrl-u 'events enter c"):
        text, posts = ask("/ app/shop enter " + keys, "normal", "-readonly")
        tap.ok(posts == [] and "not with -readonly" in text, "-readonly refuses %s" % keys, text)
    for keys in ("s", "v", "u", "d down enter", "n"):
        text, posts = ask("/ app/shop enter " + keys, "refusing")
        tap.ok(len(posts) == 1 and "the disk is full - hint: free some space" in text,
               "a refusal is shown with its hint: " + keys, text)


def check_databases_written():
    """Rows of databases and activity, as they are shown."""
    out("daemon:normal", "databases", "/ app/ enter W 'dbs.json enter 7 W 'act.csv enter")
    with open(os.path.join(work, "dbs.json")) as f:
        rows = json.load(f)
    tap.ok([r["path"] for r in rows] == ["/srv/app/%s.db" % n for n in
                                         ("billing", "events", "shop", "users", "new")]
           and rows[0]["behind"] == 41 and rows[0]["lag_ms"] == 180000
           and "403" in rows[0]["error"] and rows[2]["txid"] == hex16(0x2b7), "databases as JSON", rows)
    with open(os.path.join(work, "act.csv"), newline="") as f:
        rows = list(csv.reader(f))
    tap.ok(rows[0] == ["time", "kind", "database", "well", "what"] and len(rows) == 11
           and rows[1][1] == "restore" and rows[4][3] == "no", "activity as CSV", rows)


def check_many():
    """100,000 files: read, filtered and put in order within the time of a few screens."""
    folder = os.path.join(work, "many", "ltx", "0")
    os.makedirs(folder)
    for n in range(1, 100001):
        os.close(os.open(os.path.join(folder, "%016x-%016x.ltx" % (n, n)),
                         os.O_CREAT | os.O_WRONLY))
    text = out("many", "files", "o o o O / 1869 end")
    tap.ok("file 18 of 18 shown" in text and "▸ L0     0000000000001869" in text,
           "100,000 files are filtered and put in order", text)
    shutil.rmtree(os.path.join(work, "many"))


def check_errors():
    r = once("shop", "nosuch")
    tap.ok(r.returncode == 1 and b"no view nosuch" in r.stderr, "an unknown view is refused", r)
    r = once("snap-ps512.v051.ltx", "timeline")
    tap.ok(r.returncode == 1 and b"only of a replica" in r.stderr,
           "an LTX file has no timeline", r)
    r = once("shop", "files", size="80")
    tap.ok(r.returncode == 1 and b"invalid size" in r.stderr, "a size is COLSxROWS", r)
    r = tui("shop")
    tap.ok(r.returncode == 1 and b"hint: for scripts: litestream-tui -once" in r.stderr,
           "no terminal is an error with a hint", r)
    r = tui("nosuch")
    tap.ok(r.returncode == 1 and b"nosuch" in r.stderr, "what is not there is an error", r)
    tap.equal(once("shop", "levels", "Q").stdout, b"", "Q quits")
    tap.equal(once("shop", "levels", "q").stdout, b"", "q quits the first view")
    tap.equal(once("shop", "help", "/ ctrl-c").stdout, b"", "ctrl-c quits even while typing")


def check_keys():
    """Every key of the table was pressed above."""
    left = sorted((known | singles) - pressed)
    tap.equal(left, [], "each key of the help was pressed by some test")


def table_of_keys():
    text = tui("-once", "help", "-size", "140x150", os.path.join(work, "empty")).stdout.decode()
    keys = set()
    for line in text.splitlines()[2:]:
        if line[1:2] == " " and line[2:3].strip():
            keys.update(line[2:20].split() if len(line) > 20 else [])
    return keys


make_sources()
keys = table_of_keys()
known = {k for k in keys if len(k) > 1} | {"bs", "ctrl-u"}
singles = {k for k in keys if len(k) == 1}
tap.ok(len(keys) > 50, "help lists the keys", keys)
for name in sorted(os.listdir(SCREENS)):
    check_screen(name)
check_restore()
check_replace()
check_follow()
check_same_as_program()
check_files()
check_verify()
check_many()
check_actions()
check_databases_written()
check_errors()
check_keys()
tap.done()
