#!/usr/bin/env python3
"""litestream replicate after a time in which it did not run, and what happened meanwhile.

Every story ends with a restore that gives what the database holds; where it says "continues", no
full snapshot but the first was needed. In brackets are ids of t/traps.list.
"""
import os
import shutil
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon
from daemon import Site, cp, remove, stories


def stopped(kill=False, **kw):
    """A site whose litestream has run and was stopped; the application is still connected."""
    s = Site(**kw)
    s.rows(20)
    s.start()
    s.rows(10)
    s.reaches()
    if kill:
        s.kill()
    else:
        s.stop()
    return s


def again(s, name, fulls=None, errors=0):
    s.start()
    s.rows(3)
    s.reaches()
    s.update(5)
    s.check(name, fulls=fulls, errors=errors)
    if s.app is not None:
        s.close()


def nothing_happened():
    for kill in (False, True):
        again(stopped(kill), "[T1] stopped%s, started: continues" % (" by SIGKILL" if kill else ""), 1)


def log_went_on():
    for kill in (False, True):
        s = stopped(kill)
        s.rows(20)
        s.update(10)
        again(s, "[T1] the log went on meanwhile%s: continues" % (", after SIGKILL" if kill else ""), 1)


def log_was_checkpointed():
    for mode in ("PASSIVE", "FULL", "RESTART", "TRUNCATE"):
        s = stopped()
        s.update(10)
        s.checkpoint(mode)
        again(s, "[T1 E-K] updates and a checkpoint, %s, meanwhile" % mode)

        s = stopped(kill=mode in ("PASSIVE", "TRUNCATE"))
        s.update(10)
        s.checkpoint(mode)
        s.update(1)
        again(s, "[T1 E-G2] and one more update, %s" % mode)

        s = stopped()
        s.rows(10, 3000)
        s.checkpoint(mode)
        s.rows(1)
        again(s, "[T1 E-G] the database grew, %s, and one more row" % mode)


def application_left():
    s = stopped()
    s.update(10)
    s.close()
    tap.ok(not os.path.exists(s.db + "-wal"), "the last application took the log with it")
    s.open()
    again(s, "[T2] everything was closed meanwhile")


def log_deleted():
    s = stopped()
    s.rows(5)
    s.close()
    remove(s.db, ("-wal", "-shm"))
    s.open()
    again(s, "[T29 E-H] the log was deleted meanwhile")

    s = stopped(kill=True)
    copy = s.dir + "/copy"
    os.mkdir(copy)
    cp(s.db, s.db + "-wal", copy)  # as after a power loss: the log is still there
    s.close()
    cp(copy + "/a.db", s.db)
    s.open()
    again(s, "[T29 E-H] the log was deleted after a crash")


def rolled_back():
    for wal in (True, False):
        s = stopped()
        copy = s.dir + "/copy"
        os.mkdir(copy)
        cp(s.db, copy)
        cp(s.db + "-wal", copy)
        s.start()
        s.rows(30)
        s.reaches()
        s.stop()
        s.close()
        remove(s.db)
        cp(copy + "/a.db", s.db)
        if wal:
            cp(copy + "/a.db-wal", s.db + "-wal")
        s.open()
        again(s, "[T10 E-V] an older copy was put back, %s its log" % ("with" if wal else "without"))


def same_end_over_another_past():
    """The last transaction writes what it wrote before the older copies were put back; the one
    before it does not."""
    s = Site()
    s.sql("CREATE TABLE flag(up)", "INSERT INTO flag VALUES (0)")
    s.rows(10)
    s.start()
    copy = s.dir + "/copy"
    os.mkdir(copy)
    cp(s.db, copy)
    cp(s.db + "-wal", copy)
    s.update(1)
    s.reaches()
    s.sql("UPDATE flag SET up = 1")
    s.caught_up()
    s.stop()
    s.close()
    remove(s.db)
    cp(copy + "/a.db", s.db)
    cp(copy + "/a.db-wal", s.db + "-wal")
    s.open()
    s.update(1)
    s.sql("UPDATE flag SET up = 1")
    s.start()
    s.check("[D-8] the same last transaction behind another past", fulls=2)
    s.close()


def other_database():
    s = stopped()
    s.close()
    other = Site()
    other.rows(50)
    other.checkpoint("TRUNCATE")
    other.close()
    remove(s.db, ("-wal", "-shm"))
    cp(other.db, s.db)
    s.open()
    again(s, "[T8] another database is in its place")


def journal_mode():
    s = stopped()
    s.sql("PRAGMA journal_mode=delete")
    s.update(10)
    s.rows(5)
    s.sql("PRAGMA journal_mode=wal", "PRAGMA wal_autocheckpoint=0")
    again(s, "[T1] out of WAL mode, written to, and back")

    s = stopped()
    s.sql("PRAGMA journal_mode=delete")
    s.update(10)
    again(s, "[T1] out of WAL mode and written to")


def page_size():
    for size in (512, 1024, 8192, 65536):
        s = stopped()
        s.sql("PRAGMA journal_mode=delete", "PRAGMA page_size=%d" % size, "VACUUM",
              "PRAGMA journal_mode=wal", "PRAGMA wal_autocheckpoint=0")
        before = max(s.stored())
        s.start()
        s.rows(3)
        s.check("[T24 E-F] page size changed to %d" % size)
        tap.ok([t for t in s.stored(9) if t > before], "[T24 E-F] with a snapshot of its own", s.stored(9))
        r = tap.run(daemon.LITESTREAM, "restore", "-txid", "%016x" % before, "-o",
                    s.dir + "/old.db", "file://" + s.root)
        old = sqlite3.connect(s.dir + "/old.db")
        tap.equal((r.returncode, old.execute("PRAGMA page_size").fetchone(),
                   old.execute("SELECT count(*) FROM t").fetchone()), (0, (4096,), (40,)),
                  "[T24 E-F] and what was before it can still be restored")
        old.close()
        s.close()


def local_files_lost():
    s = stopped()
    shutil.rmtree(s.dir + "/data/.a.db-litestream")
    again(s, "[T7] the meta directory was lost", 2)
    tap.equal(s.stored(), list(range(1, max(s.stored()) + 1)), "[T7] TXIDs go on")

    s = stopped()
    r = tap.run(daemon.LITESTREAM, "reset", s.db)
    tap.equal(r.returncode, 0, "[T6 E-A] litestream reset")
    again(s, "[T6 E-A] and a start after it", 2)

    s = stopped()
    shutil.rmtree(s.dir + "/data/.a.db-litestream")
    for level in (1, 9):
        shutil.rmtree(s.root + "/ltx/%d" % level, ignore_errors=True)
    os.makedirs(s.root + "/ltx/1")
    newest = max(s.stored())
    name = "/%016x-%016x.ltx" % (1, newest)
    # What compaction leaves: the whole chain in one file, level 0 gone.
    out, r = s.restore()
    r = tap.run(os.path.join(tap.BUILD, "ltx"), "encode-db", "-o", s.dir + "/whole.ltx", out)
    if r.returncode != 0:
        tap.ok(False, "ltx encode-db", r)
    data = bytearray(tap.read(s.dir + "/whole.ltx"))
    tap.ok(data[:4] == b"LTX1", "a snapshot of what was restored")
    os.rename(s.root + "/ltx/0", s.root + "/ltx0")
    tap.write(s.root + "/ltx/1/%016x-%016x.ltx" % (1, 1), bytes(data))
    again(s, "[T7 E-W] level 0 of the replica is empty, level 1 is not, local files lost", 2)
    tap.ok(min(s.stored()) == 2, "[T7 E-W] TXIDs go on behind level 1", (s.stored(), name))


def replica_lost():
    s = stopped()
    shutil.rmtree(s.root)
    again(s, "[T22] the replica was wiped meanwhile: continues", 1)

    s = stopped()
    shutil.rmtree(s.root)
    os.unlink(s.dir + "/data/.a.db-litestream/ltx/0/%016x-%016x.ltx" % (1, 1))
    again(s, "[T22] the replica was wiped and the first local file too", 2)


def local_files_damaged():
    s = stopped(kill=True)
    ltx = s.dir + "/data/.a.db-litestream/ltx/0/"
    newest = ltx + "%016x-%016x.ltx" % ((max(s.local()),) * 2)
    os.truncate(newest, os.path.getsize(newest) // 2)
    tap.write(ltx + "%016x-%016x.ltx.tmp" % ((max(s.local()) + 1,) * 2), b"half a file")
    s.rows(5)
    again(s, "[T21] the newest local file is damaged", errors=None)
    tap.ok(not [n for n in os.listdir(ltx) if n.endswith(".tmp")],
           "[T21] what a crash left is cleaned up", os.listdir(ltx))


def two_lineages():
    s = stopped()
    other = stopped()
    shutil.rmtree(s.root)
    shutil.copytree(other.root, s.root)
    again(s, "[T22] the replica of another database is in the place of ours")
    tap.ok("different lineages" in s.text() or "behind replica" in s.text(),
           "[T22] and is named", s.tail())
    other.close()


def vacuum_and_shrink():
    s = stopped()
    s.rows(100)
    s.sql("DELETE FROM t WHERE id > 15", "VACUUM")
    again(s, "[T15] VACUUM meanwhile, log kept: continues", 1)

    s = stopped()
    s.rows(100)
    s.sql("DELETE FROM t WHERE id > 15", "VACUUM")
    s.checkpoint("TRUNCATE")
    again(s, "[T15] VACUUM meanwhile, log truncated")


stories(nothing_happened, log_went_on, log_was_checkpointed, application_left, log_deleted,
        rolled_back, same_end_over_another_past, other_database, journal_mode, page_size, local_files_lost, replica_lost,
        local_files_damaged, two_lineages, vacuum_and_shrink)
tap.done()
