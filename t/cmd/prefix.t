#!/usr/bin/env python3
"""500 numbered transactions while the daemon runs: every TXID of the replica restores to the state
after one of them, later TXIDs to later ones, the last to the last."""
import argparse
import concurrent.futures
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import chaos
import daemon

N = 500
CONFIG = """
levels: [{interval: 1h}]
snapshot: {interval: 24h}
l0-retention: 1h
dbs:
  - path: %(db)s
    monitor-interval: 1ms
    min-checkpoint-page-count: 30
    replica: {url: "file://%(replica)s", sync-interval: 5ms}
"""

daemon.need()
folder = tap.scratch()
db, replica, out, config = (os.path.join(folder, n) for n in
                            ("app.db", "replica", "out.db", "config.yml"))
tap.write(config, (CONFIG % {"db": db, "replica": replica}).encode())
args = argparse.Namespace(db=db, page_size=1024, auto_vacuum="none", seed=1, max_rows=2000,
                          break_log=False, synchronous="normal")
chaos.prepare(args)
d = daemon.Daemon(config, os.path.join(folder, "log"))
d.start()
tap.ok(tap.wait_for(lambda: daemon.txids(replica)), "the first file appears",
       "\n".join(d.lines("")))

writer = chaos.Writer(args, 0)
writer.db.execute("PRAGMA busy_timeout=5000")
sums = {0: 0}
while writer.n["commits"] < N:
    writer.db.execute("BEGIN IMMEDIATE")
    rows, total = writer.change()
    chaos.add_commit(writer.db, writer.who, rows, total)
    sums.__setitem__(*chaos.last_commit(writer.db)[::3])
    writer.db.execute("COMMIT")
    writer.n["commits"] += 1
    time.sleep(0.002)


def state(path):
    """The commit that a database is at, whole."""
    con = chaos.connect(path)
    try:
        return chaos.check_all(con)
    finally:
        con.close()


def caught_up():
    return daemon.restore(replica, out).returncode == 0 and state(out)[0] == N


tap.ok(tap.wait_for(caught_up, 30), "the replica catches up", "\n".join(d.lines("")[-20:]))
tap.equal(d.stop(), 0, "the daemon ends well")
writer.close()

known = daemon.txids(replica)


def restored(txid):
    """What the database restored at a TXID is at, or what is wrong with it."""
    path = os.path.join(folder, txid)
    r = daemon.restore(replica, path, txid)
    try:
        if r.returncode != 0:
            raise chaos.Inconsistent(r.stderr.decode() + r.stdout.decode())
        return state(path)
    except (chaos.Inconsistent, chaos.sqlite3.Error) as e:
        return "%s: %s" % (txid, e)
    finally:
        if os.path.exists(path):
            os.unlink(path)


seen, bad = [0], []
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for txid, found in zip(known, pool.map(restored, known)):
        if isinstance(found, str):
            bad.append(found)
        elif sums.get(found[0]) != found[1] or found[0] < seen[-1]:
            bad.append("%s: commit %d after %d" % (txid, found[0], seen[-1]))
        else:
            seen.append(found[0])
print("# %d TXIDs, %d different states" % (len(known), len(set(seen))), flush=True)
tap.ok(not bad, "every TXID restores to a commit, in order", "\n".join(bad[:20]))
tap.equal([int(t, 16) for t in known], list(range(1, len(known) + 1)), "no TXID is missing")
tap.equal(seen[-1], N, "the last is the last commit")
tap.ok(len(set(seen)) > N // 10, "they are many different ones")
tap.equal(daemon.restore(replica, out).returncode, 0, "the newest state is restored")
tap.equal(daemon.compare(db, out), "", "and equals the database")
tap.done(9)
