#!/usr/bin/env python3
"""The last test of `make check-all`: every entry of t/traps.list has a test that ran and passed."""

import glob
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import tap

LONGEST = 1200  # seconds that a test may still need when this one begins


def others_that_run():
    parts = glob.glob(os.path.join(tap.BUILD, "t", "ran", "**", "*.part"), recursive=True)
    return [part for part in parts if not part.endswith("/ran.t.tap.part")]


end = time.monotonic() + LONGEST
while others_that_run() and time.monotonic() < end:
    time.sleep(0.2)
done = tap.run(sys.executable, os.path.join(tap.SRC, "build-aux", "check-rules"), "ran")
lines = (done.stdout + done.stderr).decode().splitlines()
print("# id | test | passed")
for line in lines:
    if " | " in line:
        print("# " + line)
tap.ok(done.returncode == 0, "each trap of t/traps.list has a test that ran and passed",
       "\n".join(line for line in lines if " | " not in line))
tap.done(1)
