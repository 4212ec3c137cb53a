#!/usr/bin/env python3
"""The power fails while a database is written, captured and uploaded.

Writers, checkpointers and the daemon run under iotrace, which records what they write and sync.
powerloss.py makes from the recording what a power loss at some moment could leave of database, log,
local files and replica, which are on one machine or on two. From there the daemon is started again, as is the application, and then:

  - what the daemon had said to be uploaded is in the replica, and can be restored;
  - every TXID from before the loss restores to a state that was committed then, every later one to a
    state of the database as it was recovered and went on;
  - the newest one is the database, page by page;
  - with synchronous=FULL no commit that was reported is lost, with NORMAL the database is whole: this
    holds the recording itself against what SQLite promises.

CHAOS_SECONDS (20) for all of it, CHAOS_SEED (1); CHAOS_SYNC full or normal (both); CHAOS_KEEP=1 leaves
the folders for a look.
"""
import argparse
import os
import random
import re
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
import chaos
import daemon
import powerloss

SECONDS = float(os.environ.get("CHAOS_SECONDS", "20"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
SYNCS = [os.environ["CHAOS_SYNC"]] if os.environ.get("CHAOS_SYNC") else ["full", "normal"]
SHIM = os.path.join(tap.BUILD, "t", "support", "iotrace.so")
RECORDED = 2.5  # seconds of writing that are recorded

CONFIG = """
levels: [{interval: 2s}, {interval: 7s}]
snapshot: {interval: 10s, retention: 1h}
l0-retention: 20s
l0-retention-check-interval: 3s
dbs:
  - path: %(db)s
    monitor-interval: 10ms
    checkpoint-interval: 1s
    min-checkpoint-page-count: %(pages)d
    truncate-page-n: %(cut)d
    replica: {url: "file://%(replica)s", sync-interval: 10ms}
"""
UPLOADED = re.compile(r'msg="ltx file uploaded".* minTXID=([0-9a-f]+) maxTXID=([0-9a-f]+)')
COMMITTED = re.compile(r"^committed (\d+)$", re.M)

# All on one machine; the replica on another, which has power; and the other way round.
UNHARMED = ((), ("replica",), ("app.db", "app.db-wal", ".app.db-litestream"))

rng = random.Random(SEED)
tried = {"losses": 0, "recovered all": 0, "lost commits": 0, "replica ahead": 0, "txids": 0,
         "went on": 0, "full after": 0}
bad = []


def fail(where, text):
    bad.append("%s: %s" % (where, text))


class Place:
    """The files of one run."""

    def __init__(self, folder):
        self.folder = folder
        self.disk = os.path.join(folder, "disk")
        self.db = os.path.join(self.disk, "app.db")
        self.replica = os.path.join(self.disk, "replica")
        self.config = os.path.join(folder, "config.yml")
        self.log = os.path.join(folder, "log")
        self.out = os.path.join(folder, "out.db")

    def configure(self, pages, cut):
        tap.write(self.config, (CONFIG % {"db": self.db, "replica": self.replica, "pages": pages,
                                          "cut": cut}).encode())


def application(place, sync, seed, seconds, *more, **kw):
    return subprocess.Popen(
        [sys.executable, os.path.join(daemon.SUPPORT, "chaos.py"), "run", place.db, "--seed",
         str(seed), "--duration", str(seconds), "--synchronous", sync, "--rate", "60",
         "--max-rows", "400"] + list(more),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **kw)


# ---- The recording ----


def record(place, sync):
    """Runs everything under the shim and kills it. The recording's name, and the disk at its start."""
    os.makedirs(place.disk)
    daemon.chaos("run", place.db, "--duration", "0", "--page-size",
                 str(rng.choice((512, 1024, 4096, 4096, 65536))))
    disk = powerloss.Disk(place.disk)
    trace = os.path.join(place.folder, "trace")
    tap.write(trace, b"")
    env = dict(os.environ, LD_PRELOAD=SHIM, IOTRACE_ROOT=place.disk, IOTRACE_FILE=trace,
               IOTRACE_MARKS="1")
    with open(place.log, "ab") as log:
        started = [subprocess.Popen([daemon.LITESTREAM, "replicate", "-config", place.config],
                                    env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    start_new_session=True),
                   application(place, sync, rng.randrange(1000), 60, "--say", "--writers", "2",
                               "--checkpointers", "1", "--readers", "1", env=env, stderr=log,
                               start_new_session=True)]
    time.sleep(RECORDED)
    alive = started[0].poll() is None
    for p in started:
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
    tap.ok(alive, "synchronous=%s: the daemon ran to the end of the recording" % sync,
           tap.read(place.log).decode(errors="replace")[-1000:])
    return trace, disk


def history(place):
    """All that was ever committed, for comparing: a copy with its log."""
    copy = os.path.join(place.folder, "history.db")
    for suffix in ("", "-wal"):
        if os.path.exists(place.db + suffix):
            shutil.copyfile(place.db + suffix, copy + suffix)
    return copy


def moments(trace, count):
    """Numbers of records: any, and the ones behind what is done in a fixed order."""
    kinds = [r[0] for r in powerloss.records(trace)]
    ordered = [i for i, k in enumerate(kinds) if k in "efgRTUD"]
    first = len(kinds) // 20
    some = [rng.randrange(first, len(kinds)) for _ in range(count - count // 2)]
    some += [i + 1 for i in rng.sample(ordered, min(count // 2, len(ordered)))]
    return sorted(set(some)), len(kinds)


# ---- After the loss ----


def state_of(place, source, txid=None):
    """The last commit of what is restored, None if it is not whole, not of source or not there."""
    r = daemon.restore(place.replica, place.out, txid)
    if r.returncode != 0:
        return None, r.stderr.decode(errors="replace")
    tried["txids"] += 1
    state, error = daemon.chaos("check", place.out, "--source", source)
    return (state["seq"] if state else None), error


def recovered(place, where, sync, reported, source):
    """What SQLite makes of it, on a copy."""
    copy = os.path.join(place.folder, "recovered.db")
    for suffix in ("", "-wal"):
        if os.path.exists(place.db + suffix):
            shutil.copyfile(place.db + suffix, copy + suffix)
    state, error = daemon.chaos("check", copy, "--source", source)
    if state is None:
        fail(where, "the database is not whole: " + error)
        return 0
    if sync == "full" and state["seq"] < reported:
        fail(where, "commit %d was reported, recovered is %d" % (reported, state["seq"]))
    return state["seq"]


def check_uploaded(place, where, uploaded, source):
    if not uploaded:
        return
    seq, error = state_of(place, source, uploaded)
    if seq is None:
        fail(where, "%s was uploaded, but: %s" % (uploaded, error))


def check_old(place, where, known, source):
    """States from before the loss."""
    for txid in rng.sample(known, min(2, len(known))) + known[-1:]:
        seq, error = state_of(place, source, txid)
        if seq is None:
            fail(where, "TXID %s from before the loss: %s" % (txid, error))
    return seq if known else 0


def write_on(place, sync):
    """A few transactions before the daemon is there. The writer, whose last connection must not
    close before the daemon has one: it would copy the log and remove it."""
    args = argparse.Namespace(db=place.db, seed=rng.randrange(1000), max_rows=400, rate=60,
                              break_log=False, auto_vacuum="none", synchronous=sync, say=False)
    w = chaos.Writer(args, 7)
    for _ in range(rng.randrange(1, 4)):
        w.transaction()
    return w


def check_after(place, where, before):
    """The daemon stopped: the newest state is the database, later TXIDs are prefixes of it."""
    seq, error = state_of(place, place.db)
    want, _ = daemon.chaos("check", place.db)
    if want is None or seq != want["seq"]:
        fail(where, "restored is commit %s, the database is at %s: %s" % (seq, want, error))
        return
    different = daemon.compare(place.db, place.out)
    if different:
        fail(where, "the database and what is restored: " + different)
    later = [t for t in daemon.txids(place.replica) if t > before]
    last = 0
    for txid in later[:2] + sorted(rng.sample(later[2:], min(3, len(later[2:])))):
        seq, error = state_of(place, place.db, txid)
        if seq is None or seq < last:
            fail(where, "TXID %s from after the loss: commit %s, %s" % (txid, seq, error))
        last = seq or 0


def newest_local(place):
    folder = os.path.join(place.disk, ".app.db-litestream", "ltx", "0")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return max([n[17:33] for n in names if n.endswith(".ltx")] + ["0" * 16])


def go_on(place, where, sync):
    """From what the loss left: application and daemon run, and end well."""
    known = daemon.txids(place.replica)
    before = max(known[-1:] + [newest_local(place)])
    writer = write_on(place, sync) if rng.random() < 0.6 else None
    d = daemon.Daemon(place.config, place.log)
    d.start()
    if writer is not None:
        tap.wait_for(lambda: daemon.txids(place.replica)[-1:] > known[-1:] or not d.running(), 20)
        writer.close()
    app = application(place, sync, rng.randrange(1000), 0.4, "--writers", "1", "--checkpointers", "1",
                      "--readers", "0")
    if app.wait() != 0:
        fail(where, "the application failed")
    if d.stop() != 0:
        fail(where, "the daemon did not end well")
    for line in d.lines("level=ERROR"):
        fail(where, line)
    tried["full after"] += bool(d.lines('msg="full snapshot"'))
    tried["went on"] += not d.lines('msg="full snapshot"')
    check_after(place, where, before)


def power_loss(disk, place, where, sync, reported, uploaded, source):
    tried["losses"] += 1
    disk.leave(disk.root, rng, place.disk, rng.choice(UNHARMED))
    place.configure(rng.choice((20, 100, 1000)), rng.choice((200, 1000)))
    got = recovered(place, where, sync, reported, source)
    tried["lost commits" if got < reported else "recovered all"] += 1
    check_uploaded(place, where, uploaded, source)
    newest = check_old(place, where, daemon.txids(place.replica), source)
    tried["replica ahead"] += (newest or 0) > got
    go_on(place, where, sync)


def run(sync, seconds):
    end = time.monotonic() + seconds
    top = tempfile.mkdtemp(prefix="ls-power-") if os.environ.get("CHAOS_KEEP") else tap.scratch()
    top = os.path.realpath(top)
    origin = Place(os.path.join(top, "origin"))
    os.makedirs(origin.folder)
    origin.configure(rng.choice((20, 100, 1000)), rng.choice((200, 1000)))
    trace, disk = record(origin, sync)
    source = history(origin)
    stops, total = moments(trace, int(seconds))
    print("# synchronous=%s: %d records, %s" % (sync, total, top), flush=True)
    # All moments have the same chance, also when time does not allow for all.
    chosen = set(rng.sample(stops, max(1, min(len(stops), int((seconds - RECORDED) / 2)))))
    reported, uploaded = 0, ""
    for n, r in enumerate(powerloss.records(trace)):
        if n in chosen and time.monotonic() < end:
            place = Place(os.path.join(top, "loss-%d" % n))
            os.makedirs(place.folder)
            power_loss(disk, place, "synchronous=%s, record %d" % (sync, n), sync, reported,
                       uploaded, source)
            if not os.environ.get("CHAOS_KEEP"):
                shutil.rmtree(place.folder)
        said = disk.replay(*r)
        reported = max([reported] + [int(c) for c in COMMITTED.findall(said)])
        for match in UPLOADED.finditer(said):
            uploaded = max(uploaded, match.group(2))


daemon.need()
if not os.path.exists(SHIM):
    tap.skip_all("iotrace.so is not built")
for mode in SYNCS:
    run(mode, SECONDS / len(SYNCS))
print("# seed %d: %s" % (SEED, ", ".join("%s %d" % t for t in tried.items())), flush=True)
tap.ok(tried["losses"] > 0 and tried["txids"] > 0, "power losses were played", tried)
tap.ok(not bad, "after each the replica is right", "\n".join(bad))
tap.done(2 + len(SYNCS))
