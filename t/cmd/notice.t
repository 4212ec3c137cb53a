#!/usr/bin/env python3
"""Each commit arrives at once, also where the writer syncs the log between writing the commit frame
and telling the others of it: nothing in a folder changes when the wal-index does."""
import os
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon

COMMITS = 60
CONFIG = """
dbs:
  - path: %(db)s
    monitor-interval: 10ms
    replica: {url: "file://%(replica)s", sync-interval: 10ms}
"""

daemon.need()
for mode in ("OFF", "NORMAL", "FULL"):
    folder = tap.scratch()
    db, replica, out, config = (os.path.join(folder, n) for n in
                                ("app.db", "replica", "out.db", "config.yml"))
    tap.write(config, (CONFIG % {"db": db, "replica": replica}).encode())
    app = sqlite3.connect(db, timeout=10, isolation_level=None)
    for sql in ("PRAGMA journal_mode=wal", "PRAGMA synchronous=" + mode, "CREATE TABLE t(a, b)"):
        app.execute(sql)
    d = daemon.Daemon(config, os.path.join(folder, "log"))
    d.start()
    tap.wait_for(lambda: daemon.compare(db, out) == "" if daemon.restore(replica, out).returncode
                 == 0 else False)
    late = 0
    for i in range(COMMITS):
        before = len(daemon.txids(replica))
        app.execute("INSERT INTO t VALUES(?, ?)", (i, i))
        late += not tap.wait_for(lambda: len(daemon.txids(replica)) > before, 1)
        if late > 3:
            break
    tap.equal(late, 0, "synchronous=%s: no commit is late" % mode)
    tap.equal(len(d.lines("full snapshot")), 1, "synchronous=%s: one full snapshot" % mode)
    d.stop()
    app.close()
tap.done(6)
