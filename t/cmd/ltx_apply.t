#!/usr/bin/env python3
"""ltx apply and checksum: the recorded chains step by step, and what must leave a database alone."""
import fcntl
import os
import shutil
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap

LTX = os.path.join(tap.BUILD, "ltx")
MANIFEST = tap.vector_json("manifest.json")
D = tap.scratch()


def apply(db, *files):
    return tap.run(LTX, "apply", "-db", db, *files, cwd=tap.VECTORS)


def check_chains():
    chains = [c for c in MANIFEST["apply_chains"] if c["cli"] == "ltx head"]
    tap.equal(len(chains), 8, "eight chains are recorded")
    for i, c in enumerate(chains):
        db = "%s/chain%d.db" % (D, i)
        wrong = []
        for step in c["steps"]:
            r = apply(db, step["file"])
            if (r.returncode, r.stdout, tap.sha256(db)) != (step["rc"], b"", step["db_sha256"]):
                wrong.append((step["file"], r))
        name = "%s, %s, written by %s" % (c["chain"], c["variant"], c["files_written_by"])
        tap.ok(wrong == [] and len(c["steps"]) == 6, "file by file: " + name, wrong)
        db = "%s/once%d.db" % (D, i)
        r = apply(db, *[step["file"] for step in c["steps"]])
        tap.equal((r.returncode, r.stdout + r.stderr, tap.sha256(db)),
                  (0, b"", c["steps"][-1]["db_sha256"]), "all at once: " + name)


def check_checksums():
    for db in MANIFEST["databases"]:
        if db["file"] is None:
            continue
        r = tap.run(LTX, "checksum", tap.vector(db["file"]))
        tap.equal(r.stdout.decode(), db["rolling_checksum"] + "\n", "checksum of " + db["name"])


def check_folder():
    os.mkdir(D + "/files")
    for n in range(1, 7):
        shutil.copy(tap.vector("ltx/chain-ps4096-tx%d-nc.v051.ltx" % n),
                    "%s/files/%016x-%016x.ltx" % (D, n, n))
    r = apply(D + "/folder.db", D + "/files")
    tap.equal((r.returncode, r.stderr, tap.sha256(D + "/folder.db")),
              (0, b"", tap.sha256(tap.vector("db/chain-ps4096-step5.db"))), "a folder of files")
    r = apply(D + "/folder.db", D + "/files/%016x-%016x.ltx" % (6, 6))
    tap.ok(r.returncode == 0, "a file without checksums may be applied again", r.stderr)


def unchanged(name, db, files, text):
    """The run fails with the text, and the database is as it was before."""
    before = tap.read(db) if os.path.exists(db) else None
    r = apply(db, *files)
    after = tap.read(db) if os.path.exists(db) else None
    tap.ok(r.returncode == 1 and text in r.stderr.decode() and r.stdout == b"" and before == after,
           name, "%s\nunchanged: %s" % (r, before == after))


def check_refused():
    tx = ["ltx/chain-ps512-tx%d.v051.ltx" % n for n in range(0, 7)]
    nc = ["ltx/chain-ps512-tx%d-nc.v052.ltx" % n for n in range(0, 7)]
    db = D + "/r.db"
    tap.equal(apply(db, tx[1], tx[2]).returncode, 0, "a database to start from")
    unchanged("a file twice: pre-apply", db, [tx[2]], tx[2] + ": pre-apply checksum mismatch: ")
    unchanged("a gap", db, [tx[3], tx[5]], "non-contiguous transaction ids")
    unchanged("going back", db, [tx[3], tx[4], tx[3]], "non-contiguous transaction ids")
    unchanged("a gap without checksums", db, [nc[3], nc[5]], "non-contiguous transaction ids")
    unchanged("the last one is bad: none is applied", db,
              [tx[3], "corrupt/flip-payload.v051.ltx"], "corrupt/flip-payload.v051.ltx: decode page")
    unchanged("the last one does not exist", db, [tx[3], "no-such.ltx"], "No such file")
    unchanged("another page size", db, ["ltx/chain-ps4096-tx3-nc.v051.ltx"], "page size")
    unchanged("another page size among the files", db, [nc[3], "ltx/chain-ps4096-tx4-nc.v051.ltx"],
              "page size")
    unchanged("standard input", db, ["-"], "standard input cannot be applied")
    unchanged("no database is made for a bad file", D + "/new.db",
              ["corrupt/flip-payload.v051.ltx"], "decode page")
    unchanged("an increment makes no database", D + "/new.db", [tx[2]], "not a snapshot")
    unchanged("... without checksums neither", D + "/new.db", [nc[2]], "not a snapshot")
    unchanged("a whole replica is no chain", db, ["replica-a/replica"], "")
    unchanged("the database's folder must exist", D + "/no/new.db", [tx[1]], "open DB file: open ")


def check_in_use():
    db = D + "/used.db"
    tx3 = "ltx/chain-ps512-tx3.v051.ltx"
    apply(db, "ltx/chain-ps512-tx1.v051.ltx", "ltx/chain-ps512-tx2.v051.ltx")
    for suffix in ("-wal", "-journal"):
        tap.write(db + suffix, b"x")
        unchanged("a %s that is not empty" % suffix, db, [tx3], db + suffix + " is not empty")
        os.truncate(db + suffix, 0)
    pid = os.fork()
    if pid == 0:
        # A reader in SQLite holds a byte of the shared range.
        fd = os.open(db, os.O_RDWR)
        fcntl.lockf(fd, fcntl.LOCK_SH, 1, 0x40000000 + 2 + 7)
        os.write(W, b"x")
        os.read(R2, 1)
        os._exit(0)
    os.read(R, 1)
    unchanged("a database that someone reads", db, [tx3], "database is locked")
    os.write(W2, b"x")
    os.waitpid(pid, 0)
    r = apply(db, tx3)
    tap.equal((r.returncode, r.stderr), (0, b""), "... is free later, with an empty log beside it")


def check_checksum_warns():
    db = D + "/warn.db"
    shutil.copy(tap.vector("db/chain-ps512-step0.db"), db)
    os.chmod(db, 0o600)
    tap.write(db + "-wal", b"x")
    r = tap.run(LTX, "checksum", db)
    tap.ok(r.returncode == 0 and r.stdout == b"daebd6464c524550\n" and
           r.stderr.decode() == "warning: %s-wal is not empty and is not looked at\n" % db,
           "checksum says when there is a log", r)
    data = tap.read(db)
    for name, content, text in (
            ("an empty file", b"", "empty file"),
            ("no database", b"x" * 4096, ""),
            ("a page cut short", data[:-1], "unexpected EOF"),
            ("an impossible page size", data[:16] + struct.pack(">H", 1000) + data[18:], "")):
        tap.write(db, content)
        r = tap.run(LTX, "checksum", db)
        tap.ok(r.returncode == 1 and r.stdout == b"" and text in r.stderr.decode() and
               r.stderr.startswith(b"Error: "), "checksum of " + name, r)


R, W = os.pipe()
R2, W2 = os.pipe()
check_chains()
check_checksums()
check_folder()
check_refused()
check_in_use()
check_checksum_warns()
tap.done(1 + 16 + 8 + 2 + 15 + 4 + 5)
