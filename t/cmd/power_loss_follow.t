#!/usr/bin/env python3
"""The power fails under a follower (restore -f).

It runs under iotrace beside a daemon whose database is written all the time; powerloss.py makes from
the recording what a power loss at some moment could leave of the followed database, its journal and
its -txid. Then:

  - whoever opens it finds a whole database, and a state that was committed;
  - the follower goes on from there by itself, without an error, to the newest TXID.

CHAOS_SECONDS (16) for all of it, CHAOS_SEED (1); CHAOS_KEEP=1 leaves the folders for a look.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon
import powerloss

SECONDS = float(os.environ.get("CHAOS_SECONDS", "16"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
SHIM = os.path.join(tap.BUILD, "t", "support", "iotrace.so")
RECORDED = 2.5  # seconds that are recorded

CONFIG = """
levels: [{interval: 2s}]
snapshot: {interval: 10s, retention: 1h}
l0-retention: 1m
dbs:
  - path: %(db)s
    monitor-interval: 10ms
    min-checkpoint-page-count: 100
    replica: {url: "file://%(replica)s", sync-interval: 20ms}
"""

rng = random.Random(SEED)
tried = {"losses": 0, "no database": 0, "hot journal": 0, "without -txid": 0}
bad = []


def fail(where, text):
    bad.append("%s: %s" % (where, text))


class Origin:
    """The database that is followed, and its replica, which have power."""

    def __init__(self, folder):
        os.makedirs(folder)
        self.folder = folder
        self.db = os.path.join(folder, "app.db")
        self.replica = os.path.join(folder, "replica")
        config = os.path.join(folder, "config.yml")
        tap.write(config, (CONFIG % {"db": self.db, "replica": self.replica}).encode())
        self.daemon = daemon.Daemon(config, os.path.join(folder, "log"))


def follower(replica, out, log, **env):
    with open(log, "ab") as to:
        return subprocess.Popen([daemon.LITESTREAM, "restore", "-f", "-follow-interval", "5ms", "-o",
                                 out, "file://" + replica], env=dict(os.environ, **env),
                                stdin=subprocess.DEVNULL, stdout=to, stderr=to)


def record(origin, disk_folder):
    """The recording's name, and the disk at its start."""
    os.makedirs(disk_folder)
    disk = powerloss.Disk(disk_folder)
    trace = os.path.join(origin.folder, "trace")
    tap.write(trace, b"")
    daemon.chaos("run", origin.db, "--duration", "0", "--page-size", str(rng.choice((512, 1024, 4096))))
    origin.daemon.start()
    app = subprocess.Popen([sys.executable, os.path.join(daemon.SUPPORT, "chaos.py"), "run", origin.db,
                            "--seed", str(SEED), "--duration", "60", "--rate", "60", "--max-rows",
                            "400", "--writers", "2", "--checkpointers", "0", "--readers", "0"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, start_new_session=True)
    tap.wait_for(lambda: daemon.txids(origin.replica))
    log = os.path.join(origin.folder, "follow.log")
    f = follower(origin.replica, os.path.join(disk_folder, "copy.db"), log, LD_PRELOAD=SHIM,
                 IOTRACE_ROOT=disk_folder, IOTRACE_FILE=trace)
    time.sleep(RECORDED)
    alive = f.poll() is None
    f.kill()
    f.wait()
    os.killpg(app.pid, signal.SIGKILL)
    app.wait()
    tap.equal(origin.daemon.stop(), 0, "the daemon ends well")
    tap.ok(alive, "the follower ran to the end of the recording", tap.read(log).decode()[-1000:])
    return trace, disk


def moments(trace, count):
    """Numbers of records: any, the ones behind what is done in a fixed order, and some of the first
    restore."""
    kinds = [r[0] for r in powerloss.records(trace)]
    ordered = [i for i, k in enumerate(kinds) if k in "efgRTUD"]
    named = next(i for i, r in enumerate(powerloss.records(trace))
                 if r[0] in "RL" and r[4].endswith(b"copy.db"))
    some = [rng.randrange(len(kinds)) for _ in range(count // 3)]
    some += [rng.randrange(named + 20) for _ in range(count // 6)]
    some += [i + 1 for i in rng.sample(ordered, min(count // 2, len(ordered)))]
    return sorted(set(some)), len(kinds)


def state(db, origin, where):
    """The commit that a copy of the database shows to who opens it."""
    copy = os.path.join(os.path.dirname(db), "opened.db")
    daemon.remove(copy, ("", "-wal", "-shm", "-journal"))
    for end in ("", "-journal"):
        if os.path.exists(db + end):
            shutil.copyfile(db + end, copy + end)
    found, error = daemon.chaos("check", copy, "--source", origin.db)
    if found is None:
        fail(where, "not whole: " + error)
    return found["seq"] if found else None


def look_at(db):
    """What kind of loss it was."""
    tried["no database"] += not os.path.exists(db)
    tried["without -txid"] += not os.path.exists(db + "-txid")
    journal = db + "-journal"
    tried["hot journal"] += os.path.exists(journal) and tap.read(journal)[:1] not in (b"", b"\0")


def power_loss(disk, folder, where, origin, newest):
    tried["losses"] += 1
    disk.leave(disk.root, rng, folder)
    db, log = os.path.join(folder, "copy.db"), os.path.join(folder, "follow.log")
    look_at(db)
    if os.path.exists(db) and os.path.getsize(db) > 0:
        state(db, origin, where)
    want = daemon.txids(origin.replica)[-1]
    f = follower(origin.replica, db, log)
    txid = db + "-txid"
    there = tap.wait_for(lambda: f.poll() is not None or
                         (os.path.exists(txid) and tap.read(txid).decode().strip() == want), 20)
    f.send_signal(signal.SIGTERM)
    if f.wait() != 0 or not there or b"level=ERROR" in tap.read(log):
        fail(where, "the follower does not go on: " + tap.read(log).decode()[-800:])
    elif state(db, origin, where) != newest:
        fail(where, "it ends at another commit than %s" % newest)


daemon.need()
if not os.path.exists(SHIM):
    tap.skip_all("iotrace.so is not built")
end = time.monotonic() + SECONDS
top = tempfile.mkdtemp(prefix="ls-power-") if os.environ.get("CHAOS_KEEP") else tap.scratch()
top = os.path.realpath(top)
source = Origin(os.path.join(top, "origin"))
recording, lost_disk = record(source, os.path.join(top, "disk"))
last = daemon.chaos("check", source.db)[0]["seq"]
stops, total = moments(recording, int(3 * SECONDS))
chosen = set(rng.sample(stops, max(1, min(len(stops), int(2 * (SECONDS - RECORDED))))))
for number, r in enumerate(powerloss.records(recording)):
    if number in chosen and time.monotonic() < end:
        place = os.path.join(top, "loss-%d" % number)
        power_loss(lost_disk, place, "record %d of %d" % (number, total), source, last)
        if not os.environ.get("CHAOS_KEEP"):
            shutil.rmtree(place)
    lost_disk.replay(*r)
print("# seed %d: %d records, %s" % (SEED, total, ", ".join("%s %d" % t for t in tried.items())),
      flush=True)
tap.ok(tried["losses"] > 0, "power losses were played", tried)
tap.ok(not bad, "after each the followed database is whole, and followed on", "\n".join(bad))
tap.done(4)
