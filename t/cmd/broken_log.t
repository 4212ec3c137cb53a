#!/usr/bin/env python3
"""SQLite commits frames without checksums (chaos.py says when): its own connections read them, so
the replica has to have what they hold, and what comes after."""
import os
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon

CONFIG = """
dbs:
  - path: %(db)s
    monitor-interval: 10ms
    checkpoint-interval: %(checkpoint)s
    min-checkpoint-page-count: %(pages)d
    replica: {url: "file://%(replica)s", sync-interval: 10ms}
"""


def break_log(con):
    """A transaction whose frames have no checksums."""
    con.execute("BEGIN")
    con.execute("UPDATE t SET v = randomblob(400) WHERE id BETWEEN 127 AND 138")
    con.execute("SAVEPOINT s")
    con.execute("UPDATE t SET v = randomblob(400) WHERE id BETWEEN 296 AND 364")
    con.execute("UPDATE t SET v = randomblob(400) WHERE id BETWEEN 348 AND 400")
    con.execute("ROLLBACK TO s")
    con.execute("RELEASE s")
    con.execute("COMMIT")


def trial(name, checkpoint, pages, after):
    """What is restored once the mark that was written behind the break has arrived."""
    folder = tap.scratch()
    db, replica, out, config = (os.path.join(folder, n) for n in
                                ("app.db", "replica", "out.db", "config.yml"))
    tap.write(config, (CONFIG % {"db": db, "replica": replica, "checkpoint": checkpoint,
                                 "pages": pages}).encode())
    con = sqlite3.connect(db, timeout=10, isolation_level=None)
    for sql in ("PRAGMA page_size=1024", "PRAGMA journal_mode=wal", "PRAGMA wal_autocheckpoint=0",
                "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)", "CREATE TABLE mark(n INTEGER)",
                "INSERT INTO t(v) WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c "
                "WHERE i < 400) SELECT zeroblob(400) FROM c", "PRAGMA cache_size=8"):
        con.execute(sql)
    d = daemon.Daemon(config, os.path.join(folder, "log"))
    d.start()
    good = tap.wait_for(lambda: daemon.txids(replica))
    for _ in range(20):
        break_log(con)
    con.execute("INSERT INTO mark VALUES(1)")
    after(con)

    def arrived():
        if daemon.restore(replica, out).returncode != 0:
            return False
        copy = sqlite3.connect(out)
        n = copy.execute("SELECT count(*) FROM mark").fetchone()[0]
        copy.close()
        return n == 1

    good = good and tap.wait_for(arrived, 10)
    status = d.stop()
    con.close()
    daemon.restore(replica, out)
    different = daemon.compare(db, out)
    tap.ok(good and status == 0, name + ": what is behind the break arrives",
           "\n".join(d.lines("")[-10:]))
    tap.equal(different, "", name + ": what is restored equals the database")


daemon.need()
trial("log left alone", "1m", 100000, lambda con: None)
trial("log checkpointed by litestream", "200ms", 30, lambda con: None)
trial("log restarted by another", "1m", 100000,
      lambda con: (con.execute("PRAGMA busy_timeout=20"),
                   con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()))
tap.done(6)
