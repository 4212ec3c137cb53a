#!/usr/bin/env python3
"""The daemon is killed while a database is written, checkpointed and read by others: half of the
times at some moment, half of them at some call that changes a file, just before or after it (an LTX
file is written, synced, renamed, its folder synced; the same for its upload; a checkpoint copies),
which iotrace.c counts.

When it has caught up at the end, what is restored equals the database, and every TXID of the
replica that is tried is a whole state and a prefix of what was committed.

CHAOS_SECONDS (60), CHAOS_SEED (1); CHAOS_BREAK_LOG=0 keeps SQLite from breaking its log (chaos.py
says how it does); CHAOS_KEEP=1 leaves the folder for a look.
"""
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
SHIM = os.path.join(tap.BUILD, "t", "support", "iotrace.so")
TRIED = 25  # TXIDs that are restored besides the last

CONFIG = """
levels: [{interval: 2s}, {interval: 7s}]
snapshot: {interval: 10s, retention: 1h}
l0-retention: 20s
l0-retention-check-interval: 3s
dbs:
  - path: %(db)s
    monitor-interval: 20ms
    checkpoint-interval: 3s
    min-checkpoint-page-count: 50
    truncate-page-n: 2000
    replica: {url: "file://%(replica)s", sync-interval: 50ms}
"""

daemon.need()
if not os.path.exists(SHIM):
    tap.skip_all("iotrace.so is not built")
folder = os.path.realpath(tempfile.mkdtemp() if os.environ.get("CHAOS_KEEP") else tap.scratch())
db, replica, out, config, log = (os.path.join(folder, n) for n in
                                 ("app.db", "replica", "out.db", "config.yml", "log"))
tap.write(config, (CONFIG % {"db": db, "replica": replica}).encode())
rng = random.Random(SEED)
shape = ["--page-size", str(rng.choice((512, 1024, 4096, 4096, 65536))),
         "--auto-vacuum", rng.choice(("none", "full", "incremental"))]
if os.environ.get("CHAOS_BREAK_LOG") != "0":
    shape.append("--break-log")
print("# seed %d, %g s, %s, %s" % (SEED, SECONDS, " ".join(shape), folder), flush=True)

writers = subprocess.Popen([sys.executable, os.path.join(daemon.SUPPORT, "chaos.py"), "run", db,
                            "--seed", str(SEED), "--duration", str(SECONDS), "--writers", "4"] + shape,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def connected():
    """SQLite before 3.50.4 cannot recover a log that it broke: the daemon that is killed must not
    have the last connection."""
    try:
        return keeper.execute("SELECT count(*) FROM commits").fetchone()
    except sqlite3.OperationalError:
        return None


tap.wait_for(lambda: os.path.exists(db) and os.path.getsize(db), 20)
keeper = sqlite3.connect(db, timeout=5)
tap.wait_for(connected, 20)
d = daemon.Daemon(config, log)
kills = at_calls = died = 0


def one_life():
    """True if it was killed at a call."""
    by_call = rng.random() < 0.5
    if by_call:
        # Of the first calls each is as likely as all that are far from the start together.
        at = rng.randrange(1, rng.choice((10, 50, 400)))
        d.start(LD_PRELOAD=SHIM, IOTRACE_ROOT=folder, IOTRACE_KILL=str(at))
    else:
        d.start()
    end = time.monotonic() + (3 if by_call else rng.uniform(0.02, 2))
    while time.monotonic() < end and d.running() and writers.poll() is None:
        time.sleep(0.002)
    return by_call and d.process.poll() == -signal.SIGKILL


while writers.poll() is None:
    if one_life():
        at_calls += 1
    elif d.kill():
        kills += 1
    else:
        died += 1
printed = writers.stdout.read()
tap.equal(writers.returncode, 0, "the database is whole, with or without a daemon that dies")
done = json.loads(printed) if writers.returncode == 0 else {"last": 0}
print("# %d kills, %d at calls, %s" % (kills + at_calls, at_calls, json.dumps(done)), flush=True)
tap.ok(kills >= SECONDS * 0.2 and at_calls >= SECONDS * 0.2, "the daemon was killed all the time",
       (kills, at_calls))
tap.equal(died, 0, "it never ended by itself")


def caught_up():
    if daemon.restore(replica, out).returncode != 0:
        return False
    state, _ = daemon.chaos("check", out, "--source", db)
    return state is not None and state["seq"] == done["last"]


d.start()
tap.ok(tap.wait_for(caught_up, 60), "the replica catches up",
       "\n".join(d.lines("level=")[-20:]))
tap.ok(d.running(), "the daemon runs on")
tap.equal(d.stop(), 0, "and ends well")
keeper.close()
# A full file needs the log copied, which a reader of the application may delay, and the write lock,
# which its checkpoints hold while they wait for readers; a snapshot gives up when the log grows past
# truncate-page-n meanwhile.
DELAYS = ("keeps the log from being copied", "hold writers back: database is locked",
          "the log grew to")
tap.equal([l for l in d.lines("level=ERROR") if not any(t in l for t in DELAYS)], [],
          "it logged no errors")

r = daemon.restore(replica, out)
tap.equal(r.returncode, 0, "the newest state is restored")
tap.equal(daemon.compare(db, out), "", "it equals the database")
state, error = daemon.chaos("check", out, "--source", db)
tap.equal((state or {}).get("seq"), done["last"], "it holds the last commit " + error.strip())

known = daemon.txids(replica)
tried = sorted(rng.sample(known, min(TRIED, len(known))))
bad, last = [], 0
for txid in tried:
    r = daemon.restore(replica, out, txid)
    state, error = daemon.chaos("check", out, "--source", db) if r.returncode == 0 else (None, str(r))
    if "no such table: commits" in error:
        state = {"seq": 0}  # the daemon was there before the first table
    if state is None or state["seq"] < last:
        bad.append("%s: %s %s" % (txid, state, error.strip()))
    else:
        last = state["seq"]
tap.ok(len(known) > kills, "the replica has more TXIDs than there were kills",
       "%d TXIDs" % len(known))
tap.ok(not bad, "TXIDs restore to prefixes of what was committed, in order (%d)" % len(tried),
       "\n".join(bad))
tap.done(12)
