#!/usr/bin/env python3
"""Random keys and sizes on places of all kinds: good, with gaps, damaged, empty, files alone, and one
whose files are deleted and come back meanwhile. STORM_SECONDS (5 in all) and STORM_SEED."""

import os
import shutil
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap

SECONDS = float(os.environ.get("STORM_SECONDS", "5"))
SEED = int(os.environ.get("STORM_SEED", "1"))
STORM = os.path.join(tap.BUILD, "t", "tui", "storm")
work = tap.scratch()


def place(name):
    path = os.path.join(work, name)
    shutil.copytree(tap.vector("replica-a/replica"), path)
    for folder, _, _ in os.walk(path):
        os.chmod(folder, 0o755)
    return path


def files(path):
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(path)
                  for name in names)


def storm(name, path, seed, least=2, meanwhile=None):
    """One place, in a working folder of its own."""
    folder = os.path.join(work, "in-" + name.replace(" ", "-"))
    os.mkdir(folder)
    stop = threading.Event()
    thread = threading.Thread(target=meanwhile, args=(stop,)) if meanwhile else None
    if thread:
        thread.start()
    r = tap.run(STORM, path, str(SECONDS / 6), str(seed), cwd=folder, timeout=SECONDS + 120)
    stop.set()
    if thread:
        thread.join()
    steps, views = [int(n) for n in r.stdout.split()[::2]] if r.returncode == 0 else (0, 0)
    tap.ok(r.returncode == 0 and steps > 20 and views >= least, "%s, seed %d" % (name, seed),
           (r.returncode, r.stdout, r.stderr.decode()[-3000:]))


good = place("good")
gap = place("gap")
for path in files(gap)[20:300:7]:
    os.unlink(path)
damaged = place("damaged")
for i, path in enumerate(files(damaged)):
    data = bytearray(tap.read(path))
    if i % 3 == 0:
        data[(i * 37) % len(data)] ^= 1 << i % 8
    elif i % 11 == 0:
        data = data[:i % len(data)]
    tap.write(path, bytes(data))
os.mkdir(os.path.join(work, "empty"))
going = place("going")


def delete_and_restore(stop):
    """Everything goes, bit by bit, and is there again; the folder itself stays, to begin with."""
    away, ltx = os.path.join(work, "away"), os.path.join(going, "ltx")
    while not stop.is_set():
        for path in files(going)[::2]:
            os.unlink(path)
            if stop.is_set():
                return
        time.sleep(0.05)
        os.rename(ltx, away)
        time.sleep(0.05)
        shutil.rmtree(away)
        shutil.copytree(os.path.join(good, "ltx"), ltx)


storm("a good replica", good, SEED, 6)
storm("one with gaps", gap, SEED + 1)
storm("one with damaged files", damaged, SEED + 2)
storm("an empty one", os.path.join(work, "empty"), SEED + 3)
storm("damaged files alone", tap.vector("corrupt"), SEED + 4)
storm("one that is deleted meanwhile", going, SEED + 5, 3, delete_and_restore)
tap.ok({os.path.relpath(p, good): tap.sha256(p) for p in files(good)} ==
       {os.path.relpath(p, tap.vector("replica-a/replica")): tap.sha256(p)
        for p in files(tap.vector("replica-a/replica"))}, "the replica is as it was")
tap.done()
