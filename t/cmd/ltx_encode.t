#!/usr/bin/env python3
"""ltx encode-db: what comes out is the database, and it comes out whole or not at all."""
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap

LTX = os.path.join(tap.BUILD, "ltx")
D = tap.scratch()


def encode(out, db, **kw):
    return tap.run(LTX, "encode-db", "-o", out, db, **kw)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def files():
    return sorted(os.listdir(D))


def sparse_db(path, page_size, pages):
    """A database of zero pages but for its header: large, and quick to make."""
    head = bytearray(100)
    head[:16] = b"SQLite format 3\0"
    head[16:20] = struct.pack(">HBB", 1 if page_size == 65536 else page_size, 1, 1)
    head[28:32] = struct.pack(">I", pages)
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(page_size * pages)


def check_round_trip():
    for name in ("chain-ps512-step0", "chain-ps512-step4", "chain-ps4096-step0",
                 "chain-ps4096-step5"):
        db = tap.vector("db/%s.db" % name)
        out, back = D + "/rt.ltx", D + "/rt.db"
        before = int(time.time() * 1000) - 1
        r = encode(out, db)
        tap.equal((r.returncode, r.stdout + r.stderr), (0, b""), "encode-db of " + name)
        row = json.loads(tap.run(LTX, "list", "-json", out).stdout)
        tap.ok((row["flags"], int(row["min_txid"], 16), int(row["max_txid"], 16), row["pages"],
                row["post_apply"]) ==
               (0, 1, 1, os.path.getsize(db) // row["page_size"],
                tap.run(LTX, "checksum", db).stdout.decode().strip()) and
               before <= row["timestamp_ms"] <= time.time() * 1000, "... is a snapshot of TXID 1",
               row)
        r = tap.run(LTX, "apply", "-db", back, out)
        tap.ok(r.returncode == 0 and tap.read(back) == tap.read(db), "... and the database again",
               r.stderr)
        os.unlink(back)
        os.unlink(out)
    out = tap.run("sh", "-c", '"$1" encode-db -o - "$2" | cat', "sh", LTX, db).stdout
    tap.write(back + ".ltx", out)
    tap.run(LTX, "apply", "-db", back, back + ".ltx")
    tap.ok(tap.read(back) == tap.read(db), "-o - writes to standard output")
    os.unlink(back)
    os.unlink(back + ".ltx")


def check_modes():
    db, out = tap.vector("db/chain-ps512-step0.db"), D + "/mode.ltx"
    encode(out, db, umask=0)
    tap.equal(mode(out), 0o600, "a new file is private")
    for m in (0o644, 0o640, 0o600):
        os.chmod(out, m)
        tap.write(out, b"old")
        encode(out, db, umask=0o077)
        tap.ok(mode(out) == m and os.path.getsize(out) > 1000, "a replaced one keeps %o" % m)
    tap.equal(files(), ["mode.ltx"], "no temporary file stays")
    os.unlink(out)


def check_same():
    db = D + "/same.db"
    shutil.copy(tap.vector("db/chain-ps512-step0.db"), db)
    os.chmod(db, 0o600)
    os.link(db, D + "/hard")
    os.symlink("same.db", D + "/soft")
    before = tap.read(db)
    for out in ("same.db", "hard", "soft"):
        r = encode(D + "/" + out, db)
        tap.ok(r.returncode == 1 and tap.read(db) == before and
               b"input and output files are the same" in r.stderr, "output = input: " + out, r)
    os.mkfifo(D + "/fifo")
    for out, text in ((D + "/fifo", b"not a regular file"), (D, b"not a regular file"),
                      (D + "/no/x", b"No such file"), ("", b"required: -o PATH")):
        r = encode(out, db)
        tap.ok(r.returncode == 1 and text in r.stderr, "output refused: " + os.path.basename(out), r)
    tap.equal(files(), ["fifo", "hard", "same.db", "soft"], "nothing was left behind")
    for name in files():
        os.unlink(D + "/" + name)


def check_bad_input():
    good = tap.read(tap.vector("db/chain-ps512-step0.db"))
    out = D + "/out.ltx"
    tap.write(out, b"old")
    for name, data, text in (("an empty file", b"", "empty"),
                             ("a header cut short", good[:99], ""),
                             ("no database", b"x" * 5000, ""),
                             ("a database cut short", good[:1000], "page 2"),
                             ("a page size of 3", good[:16] + b"\0\3" + good[18:], "")):
        tap.write(D + "/in.db", data)
        r = encode(out, D + "/in.db")
        tap.ok(r.returncode == 1 and tap.read(out) == b"old" and text in r.stderr.decode() and
               r.stdout == b"" and files() == ["in.db", "out.ltx"],
               name + ": an error, and the old output stays", r)
    r = encode(out, D + "/none.db")
    tap.ok(r.returncode == 1 and b"Error: open DB file: open " in r.stderr, "no database at all", r)
    tap.write(D + "/in.db", good)
    tap.write(D + "/in.db-wal", b"x")
    r = encode(out, D + "/in.db")
    tap.ok(r.returncode == 0 and b"warning: " in r.stderr and b"in.db-wal" in r.stderr,
           "a log beside the database is named", r)
    for name in files():
        os.unlink(D + "/" + name)


def check_large():
    """Past 1 GiB there is a page that is in no file and no checksum."""
    db, out = D + "/large.db", D + "/large.ltx"
    sparse_db(db, 65536, 16387)
    r = encode(out, db)
    row = json.loads(tap.run(LTX, "list", "-json", out).stdout)
    tap.ok(r.returncode == 0 and row["pages"] == 16386 and row["commit"] == 16387,
           "the lock page is left out", (r, row))
    sum_ = tap.run(LTX, "checksum", db).stdout.decode().strip()
    tap.equal(sum_, row["post_apply"], "... of the checksum too")
    r = tap.run(LTX, "dump", "-page", "16385", "-raw", out)
    tap.equal((r.returncode, r.stdout), (1, b""), "... and of the index")
    os.unlink(out)
    return db, out


def start(db, out):
    """encode-db of a large database, at work."""
    p = subprocess.Popen([LTX, "encode-db", "-o", out, db], stderr=subprocess.PIPE)
    at_work = tap.wait_for(lambda: os.path.exists(out + ".tmp") and
                           os.path.getsize(out + ".tmp") > 0)
    return p, at_work


def check_interrupted(db, out):
    for sig in (signal.SIGINT, signal.SIGTERM):
        p, at_work = start(db, out)
        p.send_signal(sig)
        err = p.communicate(timeout=60)[1]
        tap.ok(at_work and p.returncode == 1 and b"interrupted" in err and files() == ["large.db"],
               "%s: it stops and leaves nothing" % sig.name, (p.returncode, err, files()))
    p, at_work = start(db, out)
    os.utime(db)
    err = p.communicate(timeout=60)[1]
    tap.ok(at_work and p.returncode == 1 and b"changed while it was read" in err and
           files() == ["large.db"], "a database that is written to gives no file", err)


check_round_trip()
check_modes()
check_same()
check_bad_input()
check_interrupted(*check_large())
tap.done(13 + 5 + 8 + 7 + 3 + 3)
