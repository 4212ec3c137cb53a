#!/usr/bin/env python3
"""chaos_capture under other conditions: page sizes, links, a reader that does not end, killed writers.

CHAOS_SECONDS (10) for each, CHAOS_SEED (1). What each condition is stands in chaos_capture.c.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["LS_SRC"], "t"))
import tap

PROGRAM = os.path.join(tap.BUILD, "t", "engine", "db", "chaos_capture")
SECONDS = os.environ.get("CHAOS_SECONDS", "10")
CONDITIONS = (
    ("pages of 512 bytes", "", "512"),
    ("pages of 65536 bytes", "unbroken", "65536"),
    ("through symbolic links", "links", "1024"),
    ("beside a reader that does not end", "reader", "4096"),
    ("writers are killed", "killed", "4096"),
    ("writers are killed, no defect of SQLite", "killed,unbroken", "1024"),
)

if not os.path.exists(PROGRAM):
    tap.skip_all("chaos_capture is not built")
for name, variant, page_size in CONDITIONS:
    env = dict(os.environ, CHAOS_SECONDS=SECONDS, CHAOS_VARIANT=variant, CHAOS_PAGE_SIZE=page_size)
    r = tap.run(PROGRAM, env=env, timeout=float(SECONDS) + 120)
    out = r.stdout.decode(errors="replace")
    print("".join(l + "\n" for l in out.splitlines() if l.startswith("#")), end="", flush=True)
    tap.ok(r.returncode == 0, name, out + r.stderr.decode(errors="replace"))
tap.done(len(CONDITIONS))
