#!/usr/bin/env python3
"""litestream-tui -demo: a live database and its replica, in a folder that goes with it, whatever way
it ends; nothing else is touched."""

import os
import re
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from tmux import Terminal

TUI = os.path.join(tap.BUILD, "litestream-tui")
work = tap.scratch()
tmp, home = os.path.join(work, "tmp"), os.path.join(work, "home")
os.mkdir(tmp)
os.mkdir(home)
env = dict(os.environ, TMPDIR=tmp, HOME=home, XDG_STATE_HOME=os.path.join(home, "state"))


def processes():
    """Those that were started with, or work in, the demo's folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = tap.read("/proc/%s/cmdline" % pid).decode(errors="replace")
            if tmp in line or os.readlink("/proc/%s/cwd" % pid).startswith(tmp):
                found.append((pid, line))
        except OSError:
            continue
    return found


def all_gone(name):
    good = tap.wait_for(lambda: not os.listdir(tmp) and not processes(), 30)
    tap.ok(good, name, (os.listdir(tmp), processes()))


r = tap.run(TUI, "-demo", "-once", "timeline", "-size", "100x24", env=env, cwd=home)
text = r.stdout.decode()
tap.ok(r.returncode == 0 and "▲" in text and "restore from here" in text,
       "there is something to see at once", r)
all_gone("then folder and processes are gone")
r = tap.run(TUI, "-demo", "-once", "restore", "-size", "100x24", "-keys", "S Y", env=env, cwd=home)
text = r.stdout.decode()
path = re.search(r"copied: (\S+)", text)
tap.ok("✓ restored" in text and path and path.group(1).startswith(tmp + "/litestream-demo-"),
       "what is restored goes to that folder", text)
all_gone("and away with it")
r = tap.run(TUI, "-demo", "/some/where", env=env, cwd=home)
tap.ok(r.returncode == 1 and not os.listdir(tmp), "it takes no place", r)

alone = os.path.join(work, "alone")
os.mkdir(alone)
shutil.copy(TUI, alone)
r = tap.run(os.path.join(alone, "litestream-tui"), "-demo", "-once", "levels",
            env=dict(env, PATH=alone), cwd=home)
tap.ok(r.returncode == 1 and b"needs the program litestream" in r.stderr and b"hint: " in r.stderr,
       "without litestream it says so", r)
all_gone("and leaves nothing")
r = tap.run(TUI, "-demo", "-once", "levels", env=dict(env, TMPDIR="/nonexistent"), cwd=home)
tap.ok(r.returncode == 1 and b"/nonexistent" in r.stderr, "without room it says so", r)

term = Terminal(work, cols=100, TMPDIR=tmp, HOME=home)
newest = re.compile(r"point (\d+) of (\d+), the newest")


def point():
    m = newest.search(term.screen())
    return int(m.group(1)) if m else 0


term.line("cd %s; %s -demo" % (home, TUI))
term.see("▸Levels", "on a terminal")
term.keys("2")
term.see("the newest", "the timeline")
first = point()
tap.ok(tap.wait_for(lambda: point() > first + 3, 30), "grows by itself", term.screen())
term.keys("q")
term.ends("q quits")
all_gone("and all of it is gone")

term.line("clear; %s -demo" % TUI)
term.see("▸Levels", "once more")
os.kill(term.child(), 9)
all_gone("killed, the folder goes too")

os.mkdir(os.path.join(work, "other"))
second = Terminal(os.path.join(work, "other"), TMPDIR=tmp, HOME=home)
second.line("exec %s -demo" % TUI)
second.see("▸Levels", "in a terminal")
second.close()
all_gone("that is closed")
term.close()
tap.equal(os.listdir(home), [], "nothing was written elsewhere")
tap.done()
