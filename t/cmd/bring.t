#!/usr/bin/env python3
"""Databases with restore-if-db-not-exists that are added while the daemon runs: they come from their
replica before anything is captured, at SIGHUP as by register. engine/store/bring.c"""

import contextlib
import os
import signal
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import tap
import daemon

daemon.need()
folder = os.path.realpath(tap.scratch())
os.mkdir(folder + "/db")
SET = "restore-if-db-not-exists: true, "


def db_of(name):
    return "%s/db/%s.db" % (folder, name)


def replica_of(name):
    return "%s/replica/%s" % (folder, name)


def write(name, n):
    with contextlib.closing(sqlite3.connect(db_of(name), timeout=30)) as db:
        db.execute("PRAGMA journal_mode=wal")
        db.execute("CREATE TABLE IF NOT EXISTS t(x)")
        db.executemany("INSERT INTO t VALUES(?)", [("%s %d" % (name, i),) for i in range(n)])
        db.commit()


def rows(name):
    if not os.path.exists(db_of(name)):
        return -1
    with contextlib.closing(sqlite3.connect(db_of(name), timeout=30)) as db:
        return db.execute("SELECT count(*) FROM t").fetchone()[0]


def lost(name, n):
    """Has a replica with n rows, and no database any more."""
    write(name, n)
    tap.run(daemon.LITESTREAM, "replicate", "-once", db_of(name), "file://" + replica_of(name))
    daemon.remove(db_of(name))
    tap.run("rm", "-r", "%s/db/.%s.db-litestream" % (folder, name))


def configure(**dbs):
    text = "socket: {enabled: true, path: %s/s}\nsync-interval: 50ms\ndbs:\n" % folder
    for name, settings in dbs.items():
        text += "  - {path: %s, %smonitor-interval: 50ms, replica: {path: %s, sync-interval: 50ms}}\n" % (
            db_of(name), settings, replica_of(name))
    tap.write(folder + "/new.yml", text.encode())
    os.rename(folder + "/new.yml", folder + "/config.yml")


def register(name, *args):
    return tap.run(daemon.LITESTREAM, "register", "-socket", folder + "/s", *args, "-replica",
                   "file://" + replica_of(name), db_of(name))


def replicates(name, n):
    """n more rows, and the replica restores to what is there."""
    write(name, n)
    r = tap.run(daemon.LITESTREAM, "sync", "-socket", folder + "/s", "-wait", db_of(name))
    if r.returncode != 0:
        return r.stderr.decode()
    r = daemon.restore(replica_of(name), folder + "/out.db")
    return r.stderr.decode() or daemon.compare(db_of(name), folder + "/out.db")


for each in ("b", "c", "d", "f"):
    lost(each, 5)
write("a", 1)
configure(a="")
d = daemon.Daemon(folder + "/config.yml", folder + "/log")
d.start()
tap.ok(tap.wait_for(lambda: os.path.exists(folder + "/s"), 20), "the daemon runs", d.text())

# ---- by the configuration ----

configure(a="", b=SET, new=SET, plain="")
d.process.send_signal(signal.SIGHUP)
tap.ok(tap.wait_for(lambda: rows("b") == 5), "a missing database comes by SIGHUP from its replica", d.text())
tap.equal(replicates("b", 2), "", "... and goes on on that replica")
before = daemon.txids(replica_of("b"))
tap.ok(len(before) >= 2, "... whose TXIDs go on", before)
tap.ok(tap.wait_for(lambda: d.lines("no backup found, starting fresh")), "one without a replica starts fresh")
tap.equal(replicates("new", 3), "", "... and is replicated once it is there")
tap.ok(not os.path.exists(db_of("plain")), "one without the setting is waited for")

# ---- by a call ----

r = register("c", "-restore-if-db-not-exists")
tap.equal(r.returncode, 0, "register with the flag")
tap.ok(tap.wait_for(lambda: rows("c") == 5), "... restores", d.text())
tap.equal(replicates("c", 2), "", "... and replicates")
r = register("d")
tap.ok(r.returncode == 0 and tap.wait_for(lambda: d.lines("does not exist yet")), "register without it waits")
tap.ok(not os.path.exists(db_of("d")), "... and makes nothing")

# ---- a replica that cannot be read ----

os.rename(replica_of("f"), folder + "/aside")
tap.write(replica_of("f"), b"no folder")
r = register("f", "-restore-if-db-not-exists")
tap.ok(tap.wait_for(lambda: d.lines("restore error")), "a restore that fails is told", d.text())
tap.ok(not os.path.exists(db_of("f")), "... and nothing begins without it")
os.unlink(replica_of("f"))
os.rename(folder + "/aside", replica_of("f"))
tap.ok(tap.wait_for(lambda: rows("f") == 5, 30), "... it is tried again", d.text())
tap.equal(replicates("f", 1), "", "... and goes on")
tap.equal(d.stop(), 0, "it ends well")
tap.done()
