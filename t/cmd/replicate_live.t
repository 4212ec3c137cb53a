#!/usr/bin/env python3
"""litestream replicate while things happen to the database, its log, its folder and its replica.

Every story ends with a restore that gives what the database holds; where it says "continues", no
full snapshot but the first was needed. In brackets are ids of t/traps.list.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon
from daemon import Site, cp, remove, stories

MODES = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")


def checkpoints_of_others():
    for mode in MODES:
        s = Site()
        s.start()
        for i in range(6):
            s.rows(3)
            s.update(4)
            if i % 2 == 0:
                s.reaches()
            s.checkpoint(mode)
            s.rows(2)
        s.check("[T3 T27 T28] another process checkpoints, %s: continues" % mode, fulls=1)
        s.close()


def checkpoints_of_ours():
    s = Site(pages=20)
    s.start()
    for _ in range(12):
        s.rows(8)
        s.reaches()
    grown = os.path.getsize(s.db)
    s.check("[T3] checkpoints by number of pages: continues", fulls=1)
    tap.ok(grown > 20 * 4096, "[T3] they bring pages into the database file", grown)
    s.close()

    s = Site(checkpoint="50ms")
    s.start()
    for _ in range(5):
        s.rows(4)
        s.reaches()
        tap.wait_for(lambda: False, 0.06)
    s.check("[T3] checkpoints by time: continues", fulls=1)
    s.close()


def log_that_others_truncate():
    s = Site()
    s.start()
    s.close()
    for _ in range(4):
        s.open()
        s.rows(5)
        s.reaches()
        s.checkpoint("TRUNCATE")
        s.close()
    s.open()
    s.check("[T1] applications come and go and truncate the log: continues", fulls=1)
    s.close()


def spilled_frames():
    s = Site()
    s.start()
    s.sql("PRAGMA cache_size=5", "PRAGMA cache_spill=1", "BEGIN")
    s.rows(150)
    before = len(s.stored())
    tap.wait_for(lambda: False, 0.1)
    tap.equal(len(s.stored()), before, "[T13 E-J] frames that are not committed stay here")
    s.sql("ROLLBACK")
    s.rows(1)
    s.check("[T13 E-J] a spilled transaction that is rolled back: continues", fulls=1)
    s.close()


def vacuum_and_shrink():
    s = Site()
    s.rows(200)
    s.start()
    s.sql("DELETE FROM t WHERE id % 3", "VACUUM")
    s.reaches()
    s.rows(5)
    s.sql("DELETE FROM t", "VACUUM")
    s.check("[T15] VACUUM makes the database smaller: continues", fulls=1)
    s.close()

    s = Site()
    s.start()
    for _ in range(3):
        s.rows(60)
        s.sql("DELETE FROM t WHERE id > 20")
        s.reaches()
        s.rows(100)
    s.check("[T15] pages become free and are used again: continues", fulls=1)
    s.close()

    for mode in ("full", "incremental"):
        s = Site(create=False)
        s.open()
        s.create(4096, ("PRAGMA auto_vacuum=%s" % mode,))
        s.rows(100)
        s.start()
        for i in range(3):
            s.sql("DELETE FROM t WHERE id > %d" % (60 - 20 * i), "PRAGMA incremental_vacuum")
            s.reaches()
            s.rows(30)
        s.check("[T15] auto_vacuum=%s: continues" % mode, fulls=1)
        s.close()


def page_sizes():
    for size in (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536):
        s = Site(page_size=size, pages=30)
        s.start()
        s.rows(40)
        s.reaches()
        s.checkpoint("PASSIVE")
        s.update(20)
        s.check("[T39] pages of %d bytes: continues" % size, fulls=1)
        s.close()


def replaced_by_rename():
    s = Site()
    s.rows(40)
    s.start()
    s.close()
    other = Site()
    other.rows(5)
    other.checkpoint("TRUNCATE")
    other.close()
    cp(other.db, s.dir + "/data/new.db")
    os.rename(s.dir + "/data/new.db", s.db)
    remove(s.db, ("-wal", "-shm"))
    s.open()
    s.rows(3)
    s.check("[T8] the database is replaced by rename")
    s.close()


def removed_and_made_again():
    for mode, content in (("E-D E-I", 3), ("E-I2", 60)):
        s = Site()
        s.rows(40)
        s.start()
        s.close()
        remove(s.db)
        s.create()
        s.rows(content)
        if mode == "E-I2":
            s.checkpoint("TRUNCATE")
            s.rows(2)
        s.check("[T8 %s] the database is removed and made again" % mode)
        s.close()


def log_removed():
    s = Site()
    s.start()
    s.close()
    remove(s.db, ("-wal", "-shm"))
    s.open()
    s.rows(7)
    s.check("[T29 E-H] the log is unlinked")
    s.close()

    s = Site()
    s.start()
    s.close()
    os.unlink(s.db + "-shm")
    s.open()
    s.rows(5)
    s.checkpoint("TRUNCATE")
    s.rows(2)
    s.reaches()
    s.rows(2)
    s.check("[T29 E-H] the log's index is unlinked, litestream holds nothing any more")
    tap.ok("index was replaced" in s.text(), "[T29 E-H] which it notices", s.tail())
    s.close()


def appears_later():
    s = Site(create=False)
    s.start()
    tap.wait_for(lambda: False, 0.1)
    s.create()
    s.rows(5)
    s.check("[T36] a database that appears later", fulls=1)
    s.close()

    s = Site(create=False)
    os.mkdir(s.db)
    s.start(wait=False)
    tap.wait_for(lambda: s.count('msg="sync error"') > 0)
    os.rmdir(s.db)
    s.create()
    s.check("[T26 E-Q] what could not be opened is opened later", errors=1)
    s.close()


def symbolic_link():
    s = Site(link="link.db")
    os.symlink(s.db, s.link)
    s.start()
    s.rows(5)
    s.reaches()
    s.checkpoint("PASSIVE")
    s.rows(5)
    s.check("[T4] through a symbolic link: continues", fulls=1)
    s.close()

    s = Site()
    os.symlink(s.db, s.dir + "/data/link.db")
    with open(s.config, "a") as f:
        f.write("")
    text = tap.read(s.config).decode().replace(
        "shutdown-sync-timeout", "  - path: %s/data/link.db\n    replica:\n      path: %s/other\n"
        "shutdown-sync-timeout" % (s.dir, s.dir), 1)
    tap.write(s.config, text.encode())
    r = tap.run(daemon.LITESTREAM, "replicate", "-config", s.config)
    tap.ok(r.returncode == 1 and b"same file" in r.stderr,
           "[T4] one file under two names is refused", r)
    s.close()


def replica_troubles():
    s = Site()
    tap.write(s.root, b"in the way")
    s.start(wait=False)
    s.rows(5)
    tap.ok(tap.wait_for(lambda: len(s.local()) >= 1),
           "[T25] a replica that cannot be reached at the start delays no capture", s.tail())
    s.rows(5)
    os.unlink(s.root)
    s.check("[T25] and gets everything when it can: continues", fulls=1, errors=1)
    s.close()

    s = Site()
    s.start()
    s.rows(5)
    s.reaches()
    tap.run("rm", "-r", s.root)
    s.rows(5)
    s.check("[T22] the replica is wiped while running: continues", fulls=1)
    tap.ok(s.stored()[0] == 1 and s.stored() == list(range(1, len(s.stored()) + 1)),
           "[T22] no TXID is missing there", s.stored())
    s.close()


def shutdown():
    s = Site(interval="1h")
    s.start()
    s.rows(30)
    rc = s.stop()
    tap.equal((rc, s.difference(), s.fulls()), (0, "", 1),
              "[T35] SIGTERM brings the last commits to the replica")
    s.start()
    s.rows(3)
    rc = s.stop(daemon.signal.SIGINT)
    tap.equal((rc, s.difference()), (0, ""), "[T35] and so does SIGINT")
    s.close()

    s = Site(timeout="300ms")
    s.start()
    tap.run("rm", "-r", s.root)
    tap.write(s.root, b"in the way")
    s.rows(1)
    tap.equal(s.stop(), 1, "[T35] a last sync that failed makes the exit status 1")
    tap.ok("shutdown sync failed, retrying" in s.text(), "[T35] and is tried more than once",
           s.tail())
    os.unlink(s.root)
    s.start()
    s.check("[T35] the next start brings it all", errors=None)
    s.close()

    s = Site(timeout="1h")
    s.start()
    tap.run("rm", "-r", s.root)
    tap.write(s.root, b"in the way")
    s.rows(1)
    s.daemon.process.send_signal(daemon.signal.SIGTERM)
    tap.wait_for(lambda: "shutdown sync failed, retrying" in s.text())
    tap.equal(s.stop(), 1, "[T35] a second signal ends the last sync")
    s.close()


stories(checkpoints_of_others, checkpoints_of_ours, log_that_others_truncate, spilled_frames,
        vacuum_and_shrink, page_sizes, replaced_by_rename, removed_and_made_again, log_removed,
        appears_later, symbolic_link, replica_troubles, shutdown)
tap.done()
