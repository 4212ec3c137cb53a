#!/usr/bin/env python3
"""The screens in doc/tui.md and README are those that litestream-tui prints: of the vectors'
replica, and of a scripted daemon (control.py).

LS_SCREENS=write puts them down as they are now."""

import os
import re
import shlex
import shutil
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import control
import tap

work = tap.scratch()


def copy(name, keep):
    """Files of the vectors' replica; times in a listing are those of the headers."""
    root = tap.vector("replica-a/replica")
    for folder, _, names in os.walk(root):
        for file in names:
            path = os.path.relpath(os.path.join(folder, file), root)
            if not keep(path):
                continue
            to = os.path.join(work, name, path)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy(os.path.join(folder, file), to)
            ms = struct.unpack(">q", tap.read(to)[32:40])[0]
            os.utime(to, ns=(ms * 10**6, ms * 10**6))


def in_gap(path):
    _, level, file = path.split(os.sep)
    return (level == "9" and file.endswith("58.ltx")) or \
        (level == "0" and 0x57 <= int(file[:16], 16) <= 0x60 and int(file[:16], 16) not in
         (0x5b, 0x5c))


def screen_of(command):
    words = shlex.split(command)
    r = tap.run(os.path.join(tap.BUILD, "litestream-tui"), *words[1:], cwd=work)
    return [("    " + line).rstrip() for line in r.stdout.decode().splitlines()]


def check(path):
    """Each command line in a file of text, and the screen behind it."""
    lines = tap.read(os.path.join(tap.SRC, path)).decode().splitlines()
    made, at = [], 0
    while at < len(lines):
        made.append(lines[at])
        if lines[at].startswith("    $ litestream-tui -once "):
            want = [""] + screen_of(lines[at][6:])
            got = lines[at + 1:at + 1 + len(want)]
            if not os.environ.get("LS_SCREENS"):
                tap.equal(got, want, "%s: %s" % (path, lines[at].strip()[2:]))
            made += want
            there = len(got) > 1 and re.match("    .", got[1])
            at += len(want) if there else 0
        at += 1
    if os.environ.get("LS_SCREENS") == "write":
        tap.write(os.path.join(tap.SRC, path), ("\n".join(made) + "\n").encode())


daemon = control.Server(os.path.join(work, "litestream.sock"))
copy("shop", lambda path: True)
copy("gap", in_gap)
copy("thin", lambda path: not path.startswith("ltx/0/") or path[6:22] > "%016x" % 0x130)
check("doc/tui.md")
check("README")
daemon.close()
tap.ok(os.path.exists(os.path.join(tap.SRC, "doc/tui.md")), "the tour is there")
tap.done()
