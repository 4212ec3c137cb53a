#!/usr/bin/env python3
"""What a compaction of level-0 files costs: processor time held against lz4 -t of the same pages,
in turns, the best of the runs; memory; bytes read and made.

usage: levels.py [-quick] [-mb N] [-runs N] [-bin FOLDER] [-files N]...

30 files are what the first level takes at an upload a second; with more than 64 some are merged
into temporary files first.
"""
import argparse
import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import Cost, Peak, bytes_of, remove, run, sync

GOAL_CPU = 1.5
GOAL_MB = 24


def least(a, b):
    return b if a is None else Cost(min(a.wall, b.wall), min(a.cpu, b.cpu))


def measure(binary, folder, mb, files, runs):
    """Our cost, that of lz4, peak memory, bytes read and bytes of the new file."""
    run(binary, "make", folder, str(mb), str(files))
    pages, packed = os.path.join(folder, "pages"), os.path.join(folder, "pages.lz4")
    level0, level1 = (os.path.join(folder, "replica", "ltx", n) for n in "01")
    run("lz4", "-q", "-f", "-1", pages, packed)
    remove(pages)
    for name in os.listdir(level0):
        sync(os.path.join(level0, name))
    ours, theirs, peak = None, None, Peak()
    for _ in range(runs):
        theirs = least(theirs, run("lz4", "-q", "-t", packed))
        remove(level1)
        ours = least(ours, run(binary, "run", folder))
    remove(level1)
    run(binary, "run", folder, peak=peak)
    return ours, theirs, peak.mb, bytes_of(level0), bytes_of(level1)


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    p.add_argument("-quick", action="store_true")
    p.add_argument("-mb", type=int)
    p.add_argument("-runs", type=int)
    p.add_argument("-bin", default=os.environ.get("LS_BUILD", "."))
    p.add_argument("-files", action="append", type=int)
    a = p.parse_args()
    mb = a.mb or (128 if a.quick else 1000)
    runs = a.runs or (3 if a.quick else 5)
    binary = os.path.join(a.bin, "t", "bench", "compact_bench")
    print("%6s %9s %9s %8s %8s %8s %8s %9s" % ("files", "MB read", "MB made", "cpu s", "lz4 s",
                                               "ratio", "clock s", "peak MB"))
    for files in a.files or [30, 1000]:
        work = tempfile.mkdtemp(prefix="ls-bench-")
        try:
            ours, theirs, peak, read, made = measure(binary, work, mb, files, runs)
        finally:
            shutil.rmtree(work)
        ratio = ours.cpu / theirs.cpu
        goal = "" if files > 64 else "met" if ratio <= GOAL_CPU and peak <= GOAL_MB else "MISSED"
        print("%6d %9.1f %9.1f %8.3f %8.3f %8.2f %8.3f %9.1f  %s" % (
            files, read / 1e6, made / 1e6, ours.cpu, theirs.cpu, ratio, ours.wall, peak, goal),
              flush=True)
    print("goal of up to 64 files: ratio %.1f, memory %d MB" % (GOAL_CPU, GOAL_MB))


main()
