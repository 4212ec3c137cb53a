#!/usr/bin/env python3
"""The daemon is killed every second while a database is written, checkpointed and read by others.

When it has caught up at the end, what is restored equals the database, and every TXID of the
replica that is tried is a whole state and a prefix of what was committed.

CHAOS_SECONDS (60), CHAOS_SEED (1); CHAOS_BREAK_LOG=0 keeps SQLite from breaking its log (chaos.py
says how it does); CHAOS_KEEP=1 leaves the folder for a look.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
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
folder = tempfile.mkdtemp() if os.environ.get("CHAOS_KEEP") else tap.scratch()
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
d = daemon.Daemon(config, log)
kills = died = 0
while writers.poll() is None:
    d.start()
    try:
        writers.wait(1)
    except subprocess.TimeoutExpired:
        pass
    if d.kill():
        kills += 1
    else:
        died += 1
printed = writers.stdout.read()
tap.equal(writers.returncode, 0, "the database is whole, with or without a daemon that dies")
done = json.loads(printed) if writers.returncode == 0 else {"last": 0}
print("# %d kills, %s" % (kills, json.dumps(done)), flush=True)
tap.ok(kills >= SECONDS * 0.7, "the daemon was killed all the time", kills)
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
# A broken log needs a full file, which a reader of the application may delay.
tap.equal([l for l in d.lines("level=ERROR") if "keeps the log from being copied" not in l], [],
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
    if state is None or state["seq"] < last:
        bad.append("%s: %s %s" % (txid, state, error.strip()))
    else:
        last = state["seq"]
tap.ok(len(known) > kills, "the replica has more TXIDs than there were kills",
       "%d TXIDs" % len(known))
tap.ok(not bad, "TXIDs restore to prefixes of what was committed, in order (%d)" % len(tried),
       "\n".join(bad))
tap.done(12)
