#!/usr/bin/env python3
"""A writer of the application is killed when its commit frame is in the log but not yet in the
wal-index: the next transaction of another writer takes the same place. The replica has to have
that one.

The kill is played: the frames that such a writer leaves are appended to the log by hand.
"""
import os
import sqlite3
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon

PAGE = 1024
FRAME = PAGE + 24
CONFIG = """
dbs:
  - path: %(db)s
    monitor-interval: 10ms
    checkpoint-interval: 1h
    min-checkpoint-page-count: %(pages)d
    replica: {url: "file://%(replica)s", sync-interval: 10ms}
"""


def checksum(order, data, s0, s1):
    words = struct.unpack("%s%dI" % (order, len(data) // 4), data)
    for x, y in zip(words[::2], words[1::2]):
        s0 = (s0 + x + s1) & 0xffffffff
        s1 = (s1 + y + s0) & 0xffffffff
    return s0, s1


def append_unpublished(wal, count):
    """Appends count frames behind the last, of pages in the log with one byte changed, the last of
    them with a Commit."""
    log = tap.read(wal)
    order = ">" if log[3] & 1 else "<"
    end = 32
    sums = struct.unpack(">II", log[24:32])
    while end + FRAME <= len(log) and log[end + 8:end + 16] == log[16:24]:
        sums = struct.unpack(">II", log[end + 16:end + 24])
        end += FRAME
    last = end - FRAME
    commit = log[last + 4:last + 8]
    out = b""
    for i in range(count):
        page = bytearray(log[last + 24:last + FRAME])
        page[-5] ^= 0x55
        head = log[last:last + 4] + (commit if i == count - 1 else bytes(4))
        sums = checksum(order, bytes(page), *checksum(order, head, *sums))
        out += head + log[16:24] + struct.pack(">II", *sums) + bytes(page)
    with open(wal, "r+b") as f:
        f.seek(end)
        f.write(out)


def trial(name, unpublished, statements, pages=100000):
    folder = tap.scratch()
    db, replica, out, config = (os.path.join(folder, n) for n in
                                ("app.db", "replica", "out.db", "config.yml"))
    tap.write(config, (CONFIG % {"db": db, "replica": replica, "pages": pages}).encode())
    app = sqlite3.connect(db, timeout=10, isolation_level=None)
    for sql in ("PRAGMA page_size=%d" % PAGE, "PRAGMA journal_mode=wal",
                "PRAGMA wal_autocheckpoint=0", "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)",
                "INSERT INTO t(v) WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c "
                "WHERE i < 20) SELECT randomblob(600) FROM c"):
        app.execute(sql)
    d = daemon.Daemon(config, os.path.join(folder, "log"))
    d.start()
    tap.wait_for(lambda: daemon.txids(replica))
    app.execute("UPDATE t SET v = randomblob(600) WHERE id = 7")

    def same():
        return daemon.restore(replica, out).returncode == 0 and daemon.compare(db, out) == ""

    caught_up = tap.wait_for(same)
    append_unpublished(db + "-wal", unpublished)
    time.sleep(0.3)  # for the daemon to see it, whatever it makes of it
    for sql in statements:
        app.execute(sql)
    good = tap.wait_for(same)
    tap.ok(caught_up and good, name, daemon.compare(db, out))
    app.execute("UPDATE t SET v = randomblob(600) WHERE id = 3")
    tap.ok(tap.wait_for(same), name + ": and what follows", daemon.compare(db, out))
    tap.equal(d.stop(), 0, name + ": the daemon ends well")
    app.close()


daemon.need()
ONE = "UPDATE t SET v = randomblob(600) WHERE id = %d"
trial("a transaction as long takes its place", 1, [ONE % 5])
trial("a longer one takes its place", 1, ["BEGIN", ONE % 5, ONE % 9, "COMMIT"])
trial("a shorter one takes its place", 3, [ONE % 5])
trial("and the log is restarted", 1, [ONE % i for i in range(1, 20)], pages=5)
tap.done(12)
